"""One hit with everything that an analyst wants beside it: texts, clauses, history, the same hit elsewhere."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, select

from exporters.console.attest import reach
from exporters.console.review import listing
from exporters.console.schema import (
    department,
    hit,
    hit_event,
    rule_clause,
    rule_pack,
    user,
    waiver,
    waiver_department,
    waiver_host,
)
from exporters.console.web.asker import Asker
from exporters.console.web.ids import BigId
from exporters.console.web.refusals import NotFound
from exporters.findings.told import STANDARDS
from rules import clauses
from rules.model import Text

_ELSEWHERE: Final = 20  # hits that are shown
_COUNTED: Final = 1000
_LOOKED: Final = 10_000
_EVENTS: Final = 500


class ById(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: BigId


class Event(msgspec.Struct, frozen=True):
    """What became of a hit, or what was said of it. `actor` is a user's name, empty for an audit."""

    id: int
    time: datetime
    kind: str
    actor: str
    before: str
    after: str
    text: str


class Events(msgspec.Struct, frozen=True):
    events: tuple[Event, ...]


class Item(msgspec.Struct, frozen=True):
    """An item of a standard that the rule is of; `unit` of GB/T 28448 and our summary where it is in our catalogue."""

    standard: str
    clause: str
    unit: str
    control: Text | None
    summary: Text | None

    @property
    def name(self) -> str:
        return f"{STANDARDS.get(self.standard, self.standard)} {self.clause}"


class Elsewhere(msgspec.Struct, frozen=True):
    """The same rule and instance on other hosts, as many as the asker may see. `exact`: not at least so many."""

    hits: tuple[listing.ListedHit, ...]
    count: listing.Count


class Exemption(msgspec.Struct, frozen=True):
    """The waiver in force."""

    code: str
    reason: str
    owner: str
    approver: str
    expires: date
    id: int


class WholeHit(msgspec.Struct, frozen=True):
    hit: listing.ListedHit
    host_id: int
    rule_id: int
    actual: Any
    expected: Any
    source: str
    packs: tuple[str, ...]
    why: Text | None
    fix: Text | None
    clauses: tuple[Item, ...]
    events: tuple[Event, ...]
    elsewhere: Elsewhere
    waiver: Exemption | None
    waiver_code: str
    by: str
    note: str
    owner_name: str


def seen(connection: Connection, asker: Asker, identity: int) -> Row[Any]:
    """The hit's row; NotFound where it is not for this asker."""
    row = connection.execute(
        select(hit, department.c.name.label("department"))
        .join(department, department.c.id == hit.c.department_id)
        .where(hit.c.id == identity)
    ).first()
    if row is None or not asker.sees(row.department_id):
        raise NotFound("not_found")
    return row


def one(asker: Asker, given: ById) -> WholeHit:
    """Raises NotFound."""
    with asker.database.reading() as connection:
        row = seen(connection, asker, given.id)
        short = listing.listed(listing.rows_of(connection, [row.id])[0], asker.now)
        known = asker.services.rules.get(short.rule)
        owner = connection.execute(select(user.c.full_name).where(user.c.id == row.owner_id))
        packs = msgspec.json.decode(row.packs, type=tuple[str, ...])
        return WholeHit(
            hit=short,
            host_id=row.host_id,
            rule_id=row.rule_id,
            actual=msgspec.json.decode(row.actual),
            expected=msgspec.json.decode(row.expected),
            source=row.source,
            packs=packs or _packs(connection, row.rule_id),
            why=known.why if known else None,
            fix=known.fix if known else None,
            clauses=_items(connection, row.rule_id),
            events=_events(connection, row.id),
            elsewhere=_elsewhere(connection, asker, row),
            waiver=_waiver(connection, asker, row.waiver),
            waiver_code=row.waiver,
            by=row.by,
            note=row.note,
            owner_name=owner.scalar() or short.owner,
        )


def events(asker: Asker, given: ById) -> Events:
    """The history, newest first. Raises NotFound."""
    with asker.database.reading() as connection:
        seen(connection, asker, given.id)
        return Events(_events(connection, given.id))


def _events(connection: Connection, identity: int) -> tuple[Event, ...]:
    rows = connection.execute(
        select(hit_event)
        .where(hit_event.c.hit_id == identity)
        .order_by(hit_event.c.time.desc(), hit_event.c.id.desc())
        .limit(_EVENTS)
    )
    return tuple(
        Event(row.id, row.time, row.kind, row.actor, row.before, row.after, row.text)
        for row in rows
    )


def _packs(connection: Connection, rule_id: int) -> tuple[str, ...]:
    found = (
        select(rule_pack.c.pack).where(rule_pack.c.rule_id == rule_id).order_by(rule_pack.c.pack)
    )
    return tuple(connection.execute(found).scalars())


def _items(connection: Connection, rule_id: int) -> tuple[Item, ...]:
    catalogue = clauses.catalogue()
    rows = connection.execute(
        select(rule_clause.c.standard, rule_clause.c.clause)
        .where(rule_clause.c.rule_id == rule_id, rule_clause.c.standard != clauses.UNITS)
        .order_by(rule_clause.c.standard, rule_clause.c.clause)
    )
    found = []
    for standard, clause in rows:
        known = catalogue.get(clause) if standard == clauses.STANDARD else None
        texts = (known.unit, known.control, known.summary) if known else ("", None, None)
        found.append(Item(standard, clause, *texts))
    return tuple(found)


def _elsewhere(connection: Connection, asker: Asker, row: Row[Any]) -> Elsewhere:
    # so many hits of the rule are looked at: it may have one for each file of each host
    of_rule = asker.scoped(
        select(hit.c.id, hit.c.instance).where(hit.c.rule_id == row.rule_id), hit.c.department_id
    )
    looked = of_rule.limit(_LOOKED).subquery("looked")
    same = (
        select(looked.c.id)
        .where(looked.c.instance == row.instance, looked.c.id != row.id)
        .limit(_COUNTED + 1)
    )
    ids = list(connection.execute(same).scalars())
    further = connection.execute(of_rule.offset(_LOOKED).limit(1)).first()
    shown = listing.rows_of(connection, sorted(ids)[:_ELSEWHERE])
    hits = tuple(listing.listed(one, asker.now) for one in shown)
    return Elsewhere(
        hits, listing.Count(min(len(ids), _COUNTED), not further and len(ids) <= _COUNTED)
    )


def _waiver(connection: Connection, asker: Asker, code: str) -> Exemption | None:
    """Which an agent may have named: it is shown where it touches what the asker sees."""
    if not code:
        return None
    touches = reach.touching(asker, waiver.c.id, waiver_department, waiver_host)
    row = connection.execute(select(waiver).where(waiver.c.code == code, touches)).first()
    if row is None:
        return None
    return Exemption(row.code, row.reason, row.owner, row.approver, row.expires, row.id)
