"""Waivers: asked for by one person, decided by another, and taken back.

    requested ──approver──> approved ──requester or approver──> withdrawn
        └──────────────────> refused         (after its last day it is expired: in force for nothing)

What a waiver is, and when it lapses, is rules.waivers'; here are its two persons and its scope. Nobody approves what they
asked for or own, however their name is written and by whichever account; a scoped user decides about what is of their departments alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, func, null, select

from exporters.console.attest import reach, texts
from exporters.console.intake.contention import retried
from exporters.console.intake.rewaive import rewaived
from exporters.console.schema import rule, user, waiver, waiver_department, waiver_host
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id
from exporters.console.web.refusals import Conflict, Forbidden, Invalid, NotFound
from rules.waivers import person

_LOCK: Final = 748152  # of PostgreSQL, for the last code of the year


class WaiverAsked(msgspec.Struct, frozen=True):
    """A waiver that somebody asks for. `hosts` are names, ids or patterns; no departments: all, or all of the asker's.
    `evidence`: in force only while the hit shows this (its hash); else what it shows at the first waiving counts."""

    rule: str
    hosts: tuple[str, ...]
    reason: str
    owner: str
    expires: date
    instance: str = "*"
    departments: tuple[str, ...] = ()
    evidence: str = ""


class WaiverDecision(msgspec.Struct, frozen=True):
    id: Id
    version: Id
    note: str = ""


class WaiverRequested(msgspec.Struct, frozen=True):
    id: int
    code: str


def requested(asker: Asker, given: WaiverAsked) -> WaiverRequested:
    """Raises Invalid."""
    (found,) = all_requested(asker, [given])
    return found


def all_requested(asker: Asker, wanted: Sequence[WaiverAsked]) -> tuple[WaiverRequested, ...]:
    """All of them or none."""
    checked = [_checked(asker, one) for one in wanted]
    with asker.database.writing() as connection:
        return tuple(_inserted(asker, connection, one) for one in checked)


def approved(asker: Asker, given: WaiverDecision) -> None:
    """In force from now on: the hits change at once. Raises Forbidden, Conflict, Invalid."""

    def approve() -> None:
        with asker.database.writing() as connection:
            row = row_of(asker, connection, given.id)
            if why := why_not_approve(asker, connection, row):
                raise Forbidden(why)
            if row.expires < texts.today(asker):
                raise Invalid("waivers.over", "expires")
            _decided(asker, connection, row, given, "approved")
            _applied(asker, connection, [row])
            _recorded(asker, connection, row, given, "approve")

    retried(approve)


def refused(asker: Asker, given: WaiverDecision) -> None:
    """The note says why. Raises Forbidden, Conflict, Invalid."""
    note = texts.written("note", given.note, lines=True)
    noted = msgspec.structs.replace(given, note=note)
    with asker.database.writing() as connection:
        row = row_of(asker, connection, given.id)
        if why := why_not_approve(asker, connection, row):
            raise Forbidden(why)
        _decided(asker, connection, row, noted, "refused")
        _recorded(asker, connection, row, noted, "refuse")


def withdrawn(asker: Asker, given: WaiverDecision) -> None:
    """Its hits are open again at once. Raises Forbidden, Conflict."""
    all_withdrawn(asker, [given])


def all_withdrawn(asker: Asker, wanted: Sequence[WaiverDecision]) -> None:
    """All of them or none."""

    def withdraw() -> None:
        with asker.database.writing() as connection:
            rows = [_taken_back(asker, connection, given) for given in wanted]
            _applied(asker, connection, [row for row in rows if row.state == "approved"])
            for row, given in zip(rows, wanted, strict=True):
                _recorded(asker, connection, row, given, "withdraw")

    wanted = sorted(wanted, key=lambda one: one.id)
    retried(withdraw)


def _taken_back(asker: Asker, connection: Connection, given: WaiverDecision) -> Row[Any]:
    row = row_of(asker, connection, given.id)
    if not may_withdraw(asker, row):
        raise Forbidden("waivers.not_yours")
    _decided(asker, connection, row, given, "withdrawn")
    return row


def row_of(asker: Asker, connection: Connection, id: int) -> Row[Any]:
    """Raises NotFound."""
    visible = reach.touching(asker, waiver.c.id, waiver_department, waiver_host)
    row = connection.execute(select(waiver).where(waiver.c.id == id, visible)).first()
    if row is None:
        raise NotFound("not_found")
    return row


def why_not_approve(asker: Asker, connection: Connection, row: Row[Any]) -> str:
    """Why this asker may not decide about it, a key of the catalogue; empty where they may."""
    if not asker.may("approve"):
        return "forbidden"
    if _same_person(connection, asker.name, row.requester):
        return "waivers.own_request"
    names = {person(asker.name), person(asker.person.full_name if asker.person else "")}
    if person(row.owner) in names:
        return "waivers.own"
    return "" if reach.within(asker, row.departments) else "waivers.wider"


def _same_person(connection: Connection, name: str, other: str) -> bool:
    """Whether two accounts are of one person: of one name, full name or mail."""
    if person(name) == person(other):
        return True
    columns = select(user.c.full_name, user.c.mail)
    rows = connection.execute(columns.where(user.c.name.in_((name, other)))).all()
    marks = [{person(row.full_name), person(row.mail)} - {""} for row in rows]
    return len(marks) == 2 and not marks[0].isdisjoint(marks[1])


def may_withdraw(asker: Asker, row: Row[Any]) -> bool:
    return asker.may("review") and asker.name != "" and asker.name in (row.requester, row.approver)


class _Checked(NamedTuple):
    values: dict[str, Any]
    hosts: tuple[str, ...]
    departments: tuple[str, ...]


def _checked(asker: Asker, given: WaiverAsked) -> _Checked:
    hosts = texts.patterns("hosts", given.hosts)
    if not hosts:
        raise Invalid("waivers.no_host", "hosts")
    if given.evidence and (len(given.evidence) > 128 or not given.evidence.isalnum()):
        raise Invalid("waivers.evidence_wrong", "evidence")
    values = {
        "rule": texts.written("rule", given.rule, texts.NAME),
        "hosts": list(hosts),
        "instance": texts.exact("instance", given.instance),
        "reason": texts.written("reason", given.reason, lines=True),
        "owner": texts.written("owner", given.owner, texts.NAME),
        "expires": texts.last_day("expires", given.expires, texts.today(asker)),
        "evidence": given.evidence,
    }
    return _Checked(values, hosts, given.departments)


def _inserted(asker: Asker, connection: Connection, one: _Checked) -> WaiverRequested:
    name = one.values["rule"]
    known = select(rule.c.id).where(rule.c.name == name)
    if name not in asker.services.rules and connection.execute(known).first() is None:
        raise Invalid("waivers.no_rule", "rule", name=name)
    departments = reach.narrowed(asker, connection, "departments", one.departments)
    code = _next_code(connection, texts.today(asker).year)
    id = connection.execute(
        waiver.insert()
        .values(
            **one.values,
            code=code,
            departments=list(departments) if departments else null(),
            requester=asker.name,
            state="requested",
            created=asker.now,
        )
        .returning(waiver.c.id)
    ).scalar_one()
    reach.kept(
        connection,
        asker.database,
        id,
        (waiver_department, departments.values()),
        (waiver_host, one.hosts),
    )
    detail = {**one.values, "expires": one.values["expires"].isoformat()}
    asker.record(connection, "waivers.request", code, {**detail, "departments": [*departments]})
    return WaiverRequested(id, code)


def _next_code(connection: Connection, year: int) -> str:
    """SQLite has one writer at a time; on PostgreSQL a lock until the end of the transaction makes it so."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    begin = f"W-{year}-"
    last = connection.execute(
        select(waiver.c.code)
        .where(waiver.c.code.startswith(begin, autoescape=True))
        .order_by(func.length(waiver.c.code).desc(), waiver.c.code.desc())
        .limit(1)
    ).scalar()
    return f"{begin}{int(last.removeprefix(begin)) + 1 if last else 1:04}"


def _decided(
    asker: Asker, connection: Connection, row: Row[Any], given: WaiverDecision, state: str
) -> None:
    """Raises Conflict where it was decided meanwhile."""
    values: dict[str, Any] = {"state": state, "decided": asker.now}
    if note := texts.optional("note", given.note, lines=True):
        values["note"] = note
    if state != "withdrawn":
        values["approver"] = asker.name
    before = ("requested", "approved") if state == "withdrawn" else ("requested",)
    done = connection.execute(
        waiver.update()
        .where(
            waiver.c.id == given.id,
            waiver.c.version == given.version,
            waiver.c.state == row.state,
            waiver.c.state.in_(before),
        )
        .values(**values, version=waiver.c.version + 1)
    )
    if done.rowcount != 1:
        raise Conflict("conflict")


def _applied(asker: Asker, connection: Connection, rows: Sequence[Row[Any]]) -> None:
    if rules := {row.rule for row in rows}:
        rewaived(asker.database, connection, asker.services, rules, asker.now, actor=asker.name)


def _recorded(
    asker: Asker, connection: Connection, row: Row[Any], given: WaiverDecision, verb: str
) -> None:
    """Last of all: nobody else writes to the log until the transaction ends."""
    asker.record(connection, f"waivers.{verb}", row.code, {"note": given.note.strip()})


def shown_state(row: Row[Any] | Mapping[str, Any], today: date) -> str:
    its = row._mapping if isinstance(row, Row) else row
    over = its["state"] in ("approved", "requested") and its["expires"] < today
    return "expired" if over else str(its["state"])
