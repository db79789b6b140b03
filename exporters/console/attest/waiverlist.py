"""Waivers as they are listed, shown one by one, and written for agents (rules.waivers reads the file)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
import yaml
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, func, or_, select

from exporters.console import example
from exporters.console.attest import matched, reach, texts
from exporters.console.attest.waivers import may_withdraw, row_of, shown_state, why_not_approve
from exporters.console.codes import STATE
from exporters.console.schema import hit, rule, waiver, waiver_department, waiver_host
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id
from exporters.console.web.refusals import Invalid

PAGE: Final = 50
STATES: Final = ("requested", "approved", "refused", "withdrawn", "expired")
_BATCH: Final = 500
_SOUGHT: Final = {
    "owner": (waiver.c.owner,),
    "rule": (waiver.c.rule,),
    "text": (waiver.c.code, waiver.c.reason, waiver.c.requester, waiver.c.note),
}


class WaiverFilter(msgspec.Struct, frozen=True):
    """`within`: approved ones whose last day is at most so many days ahead, the nearest first; else the newest first.
    `after` is that of the page before."""

    state: Literal["", "requested", "approved", "refused", "withdrawn", "expired"] = ""
    within: Annotated[int, msgspec.Meta(ge=0, le=366)] = 0
    owner: str = ""
    rule: str = ""
    text: str = ""
    after: str = ""


class WaiverShown(msgspec.Struct, frozen=True):
    """`state` is `expired` after the last day. `hits` are those that are waived by it now, of what the asker sees; null
    in a list. `decide` is empty where the asker may approve or refuse, else why not."""

    id: int
    code: str
    rule: str
    hosts: tuple[str, ...]
    instance: str
    departments: tuple[str, ...]
    reason: str
    owner: str
    requester: str
    approver: str
    state: str
    note: str
    expires: date
    days: int
    evidence: str
    created: datetime
    decided: datetime | None
    version: int
    decide: str
    may_withdraw: bool
    hits: int | None = None


class WaiverPage(msgspec.Struct, frozen=True):
    waivers: tuple[WaiverShown, ...]
    after: str  # ask for the next page with it; empty: this is the last


def listed(asker: Asker, given: WaiverFilter) -> WaiverPage:
    today = texts.today(asker)
    statement = select(waiver)
    if given.state:
        statement = statement.where(_in_state(given.state, today))
    for field, columns in _SOUGHT.items():
        if text := texts.optional(field, getattr(given, field)):
            statement = statement.where(
                or_(*(column.icontains(text, autoescape=True) for column in columns))
            )
    if given.within:
        end = today + timedelta(days=given.within)
        statement = statement.where(_in_state("approved", today), waiver.c.expires <= end)
        statement = statement.order_by(waiver.c.expires, waiver.c.id)
    else:
        statement = statement.order_by(waiver.c.id.desc())
    if given.after:
        statement = statement.where(_after(given))
    with asker.database.reading() as connection:
        patterns = matched.of_theirs(asker, connection, waiver_host)
        statement = statement.where(_visible(asker, patterns))
        rows = connection.execute(statement.limit(PAGE + 1)).all()
        shown = tuple(told(asker, connection, row) for row in rows[:PAGE])
    last = rows[PAGE - 1] if len(rows) > PAGE else None
    after = "" if last is None else f"{last.expires}.{last.id}" if given.within else str(last.id)
    return WaiverPage(shown, after)


def one(asker: Asker, id: int) -> WaiverShown:
    """Raises NotFound."""
    with asker.database.reading() as connection:
        row = row_of(asker, connection, id)
        return msgspec.structs.replace(
            told(asker, connection, row), hits=_hits(asker, connection, row)
        )


def told(asker: Asker, connection: Connection, row: Row[Any]) -> WaiverShown:
    today = texts.today(asker)
    return WaiverShown(
        id=row.id,
        code=row.code,
        rule=row.rule,
        hosts=tuple(row.hosts),
        instance=row.instance,
        departments=tuple(row.departments or ()),
        reason=row.reason,
        owner=row.owner,
        requester=row.requester,
        approver=row.approver,
        state=shown_state(row, today),
        note=row.note,
        expires=row.expires,
        days=(row.expires - today).days,
        evidence=row.evidence,
        created=row.created,
        decided=row.decided,
        version=row.version,
        decide=why_not_approve(asker, connection, row),
        may_withdraw=may_withdraw(asker, row) and row.state in ("requested", "approved"),
    )


def covering(asker: Asker, connection: Connection, ids: tuple[int, ...]) -> tuple[WaiverShown, ...]:
    """The waivers by which some hits are waived now."""
    codes: Select[Any] = select(hit.c.waiver).where(
        hit.c.id.in_(ids), hit.c.state == STATE["waived"]
    )
    codes = asker.scoped(codes, hit.c.department_id)
    statement = select(waiver).where(waiver.c.code.in_(codes), _visible(asker))
    rows = connection.execute(statement.order_by(waiver.c.id)).all()
    return tuple(
        msgspec.structs.replace(told(asker, connection, row), hits=_hits(asker, connection, row))
        for row in rows
    )


def as_file(asker: Asker) -> Iterator[bytes]:
    """A waivers file: those in force today that name no departments, which agents know nothing of, or whose hosts are
    written out instead. It is for agents of the departments that the asker sees."""
    yield example.comment(asker.services.settings)
    yield f"# {asker.now.astimezone(asker.zone):%Y-%m-%d %H:%M %z}\n".encode()
    last, some = 0, False
    while True:
        with asker.database.reading() as connection:
            rows = connection.execute(
                select(waiver)
                .where(
                    _visible(asker),
                    _in_state("approved", texts.today(asker)),
                    waiver.c.id > last,
                )
                .order_by(waiver.c.id)
                .limit(_BATCH)
            ).all()
            entries = [one for row in rows if (one := _entry(asker, connection, row))]
        if entries:
            yield b"" if some else b"waivers:\n"
            yield yaml.safe_dump(entries, allow_unicode=True, sort_keys=False, width=1000).encode()
            some = True
        if len(rows) < _BATCH:
            break
        last = rows[-1].id
    if not some:
        yield b"waivers: []\n"


def _entry(asker: Asker, connection: Connection, row: Row[Any]) -> dict[str, Any] | None:
    hosts = list(row.hosts)
    if row.departments is not None or asker.scope is not None:
        hosts = reach.hosts_of(asker, connection, row.hosts, row.departments)
    if not hosts:
        return None
    found = {"id": row.code, "rule": row.rule, "hosts": hosts}
    if (
        row.instance
    ):  # empty: of a rule about the host as such, which has no other; agents want a pattern
        found["instance"] = row.instance
    found |= {name: getattr(row, name) for name in ("reason", "owner", "approver", "expires")}
    return found | ({"evidence": row.evidence} if row.evidence else {})


def _hits(asker: Asker, connection: Connection, row: Row[Any]) -> int:
    statement: Select[Any] = (
        select(func.count())
        .select_from(hit.join(rule, rule.c.id == hit.c.rule_id))
        .where(rule.c.name == row.rule, hit.c.state == STATE["waived"], hit.c.waiver == row.code)
    )
    return int(connection.execute(asker.scoped(statement, hit.c.department_id)).scalar_one())


def _visible(asker: Asker, patterns: Sequence[str] | None = None) -> ColumnElement[bool]:
    return reach.touching(asker, waiver.c.id, waiver_department, waiver_host, patterns=patterns)


def _in_state(state: str, today: date) -> ColumnElement[bool]:
    if state == "expired":
        return and_(waiver.c.state.in_(("approved", "requested")), waiver.c.expires < today)
    found = waiver.c.state == state
    return and_(found, waiver.c.expires >= today) if state in ("approved", "requested") else found


def _after(given: WaiverFilter) -> ColumnElement[bool]:
    try:
        day, _, id = given.after.rpartition(".")
        last = msgspec.convert(id, Id, strict=False)
        if not given.within:
            return waiver.c.id < last
        expires = date.fromisoformat(day)
    except ValueError as error:
        raise Invalid("attest.after", "after") from error
    return or_(waiver.c.expires > expires, and_(waiver.c.expires == expires, waiver.c.id > last))
