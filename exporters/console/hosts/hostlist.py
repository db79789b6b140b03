"""The list of hosts: filtered, sorted, a page at a time."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Column, ColumnElement, Connection, Row, and_, func, not_, or_, select

from exporters.console.codes import micros
from exporters.console.hosts import keyset
from exporters.console.hosts.keyset import NOBODY, SIZE, Cursor, Words
from exporters.console.overview.attention import stale
from exporters.console.overview.tallied import packs
from exporters.console.schema import department, host, host_pack
from exporters.console.web.asker import Asker
from rules.model import OUTCOMES, Outcome

Sort = Literal["hits", "score", "audit", "name"]
_UNSCORED: Final = 9.0  # sorts behind every score; never shown


class HostFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`department` is a name, `-` for hosts that are nobody's. `silent`: yes for those that are silent or have no audit
    of the last two days. `text` is part of a name or id. `pack`: the score is of this one, else the lowest of all.
    Sorted by most open hits, lowest score, oldest audit, or name. `cursor` is where a page begins."""

    department: Words = ""
    system: Words = ""
    region: Words = ""
    level: Words = ""
    silent: Literal["", "yes", "no"] = ""
    text: Words = ""
    pack: Words = ""
    sort: Sort = "hits"
    cursor: Cursor = ""


class HostRow(msgspec.Struct, frozen=True):
    """`score` is 0 to 1, null where nothing is known; `counts` are rules by outcome over its packs, or the chosen one."""

    id: int
    key: str
    name: str
    department: str
    system: str
    region: str
    level: str
    hits: int
    score: float | None
    counts: dict[Outcome, int]
    last_audit: datetime | None
    silent_since: datetime | None
    stale: bool


class HostList(msgspec.Struct, frozen=True):
    """`cursor` of the next page, empty at the end; `count` is of all that the filter lets through."""

    hosts: tuple[HostRow, ...]
    cursor: str
    count: int


class Choices(msgspec.Struct, frozen=True):
    """What there is to filter by."""

    departments: tuple[str, ...]
    systems: tuple[str, ...]
    regions: tuple[str, ...]
    levels: tuple[str, ...]
    packs: tuple[str, ...]


def hosts(asker: Asker, given: HostFilter) -> HostList:
    wanted = _wanted(asker, given)
    scores = select(host_pack.c.host_id, func.min(host_pack.c.score).label("score"))
    if given.pack:
        scores = scores.where(host_pack.c.pack == given.pack)
    score = scores.group_by(host_pack.c.host_id).subquery()
    value, falling = _value(given.sort, score.c.score)
    statement = (
        select(
            host,
            department.c.name.label("department_name"),
            score.c.score,
            stale(asker.now).label("stale"),
            value.label("value"),
        )
        .join_from(host, department, department.c.id == host.c.department_id)
        .outerjoin(score, score.c.host_id == host.c.id)
        .where(*wanted)
        .order_by(value.desc() if falling else value, host.c.id)
        .limit(SIZE + 1)
    )
    if given.cursor:
        at = keyset.read(given.cursor, str if given.sort == "name" else float)
        if given.sort == "audit":
            at = keyset.when(at[0]), at[1]
        statement = statement.where(keyset.beyond(value, host.c.id, at, falling=falling))
    count = (
        select(func.count())
        .select_from(host)
        .join(department, department.c.id == host.c.department_id)
        .where(*wanted)
    )
    with asker.database.reading() as connection:
        found = connection.execute(asker.scoped(statement, host.c.department_id)).all()
        whole = connection.execute(asker.scoped(count, host.c.department_id)).scalar_one()
        rows = found[:SIZE]
        counts = _counts(connection, [row.id for row in rows], given.pack)
    last = rows[-1] if len(found) > SIZE else None
    return HostList(
        tuple(_row(row, counts.get(row.id, dict.fromkeys(OUTCOMES, 0))) for row in rows),
        keyset.written(_plain(last.value), last.id) if last else "",
        whole,
    )


def choices(asker: Asker) -> Choices:
    """Of the hosts that may be seen."""

    def of(connection: Connection, column: Column[str]) -> tuple[str, ...]:
        statement = select(column).select_from(host).distinct().order_by(column)
        if column is department.c.name:
            statement = statement.join(department, department.c.id == host.c.department_id)
        return tuple(connection.execute(asker.scoped(statement, host.c.department_id)).scalars())

    def told(connection: Connection, column: Column[str]) -> tuple[str, ...]:
        return tuple(one for one in of(connection, column) if one)

    with asker.database.reading() as connection:
        return Choices(
            departments=of(connection, department.c.name),
            systems=told(connection, host.c.system),
            regions=told(connection, host.c.region),
            levels=told(connection, host.c.level),
            packs=packs(connection, asker),
        )


def _wanted(asker: Asker, given: HostFilter) -> list[ColumnElement[bool]]:
    wanted: list[ColumnElement[bool]] = []
    if given.department:
        wanted.append(department.c.name == ("" if given.department == NOBODY else given.department))
    for name in ("system", "region", "level"):
        if chosen := getattr(given, name):
            wanted.append(host.c[name] == chosen)
    if given.silent:
        quiet = or_(host.c.silent_since.is_not(None), stale(asker.now))
        wanted.append(quiet if given.silent == "yes" else not_(quiet))
    if given.text:
        wanted.append(
            or_(*(one.icontains(given.text, autoescape=True) for one in (host.c.name, host.c.key)))
        )
    return wanted or [and_(True)]


def _value(sort: Sort, score: ColumnElement[Any]) -> tuple[ColumnElement[Any], bool]:
    """What is sorted by, and whether its greatest comes first."""
    if sort == "score":
        return func.coalesce(score, _UNSCORED), False
    if sort == "audit":
        return func.coalesce(host.c.last_audit, host.c.first_seen), False
    if sort == "name":
        return host.c.name, False
    return host.c.hits, True


def _plain(value: Any) -> float | str:
    return micros(value) if isinstance(value, datetime) else value


def _counts(connection: Connection, ids: list[int], pack: str) -> dict[int, dict[Outcome, int]]:
    statement = select(host_pack.c.host_id, host_pack.c.counts).where(host_pack.c.host_id.in_(ids))
    if pack:
        statement = statement.where(host_pack.c.pack == pack)
    found: dict[int, dict[Outcome, int]] = {}
    for row in connection.execute(statement):
        of_host = found.setdefault(row.host_id, dict.fromkeys(OUTCOMES, 0))
        for outcome in OUTCOMES:
            of_host[outcome] += int(row.counts.get(outcome, 0))
    return found


def _row(row: Row[Any], counts: dict[Outcome, int]) -> HostRow:
    return HostRow(
        *(row.id, row.key, row.name, row.department_name, row.system, row.region, row.level),
        *(row.hits, row.score, counts, row.last_audit, row.silent_since, bool(row.stale)),
    )
