"""Lines as their agents last told them: the worst first, IPv4 beside IPv6. What an agent that has gone silent told is
as of then."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

import msgspec
from sqlalchemy import Connection, Row, Select, case, func, or_, select, tuple_

from exporters.console.hosts.keyset import NOBODY, Cursor, Words
from exporters.console.hosts.linestatus import DEAD, DEGRADED, DOWN, UNKNOWN, UP
from exporters.console.schema import department, host, line
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Invalid
from rules.linejudge import STATES

PAGE: Final = 100  # lines
WORST_LINES: Final = 50  # of a host: /lines has all
_LOOKED: Final = tuple(one for one in STATES if one != "unknown")
LEVELS: Final = ("province", "city", "county", "town", "village", "")
_RANKS: Final = {
    "dead": (DEAD,),
    "down": (DEAD, DOWN),
    "degraded": (DEGRADED,),
    "unknown": (UNKNOWN,),
    "up": (UP,),
}
_Key = tuple[int, int, Annotated[str, msgspec.Meta(max_length=2000)]]


class LineFilter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`state`: `dead` is a backup line that is down while its main line works. `text` is part of a line's name."""

    level: Words = ""
    department: Words = ""
    state: Literal["", "dead", "down", "degraded", "unknown", "up"] = ""
    text: Words = ""
    cursor: Cursor = ""


class Way(msgspec.Struct, frozen=True):
    """A line in one address family; null is not known. `loss` is a share, times are seconds, of the worst target."""

    family: str
    answers: bool | None = None
    loss: float | None = None
    rtt_median: float | None = None
    rtt_p95: float | None = None
    failure: str = ""


class LineRow(msgspec.Struct, frozen=True):
    """`availability` is a share of the `told` seconds, those that somebody looked, null where they are not known. `as_of` is null while the agent
    reports; else nothing newer is known than that."""

    host_id: int
    host: str
    department: str
    name: str
    site: str
    level: str
    carrier: str
    role: str
    peer: str
    state: str
    reason: str
    backup_dead: bool
    active: bool | None
    availability: float | None
    told: float | None
    downtime: float | None
    failovers: int | None
    failover_seconds: float | None
    utilisation: float | None
    as_of: datetime | None
    ways: tuple[Way, ...]


class LevelSum(msgspec.Struct, frozen=True):
    """Lines of a level by state; `old` are those whose agent does not report, in no other."""

    level: str
    lines: int
    dead: int
    down: int
    degraded: int
    unknown: int
    up: int
    old: int


class LineList(msgspec.Struct, frozen=True):
    lines: tuple[LineRow, ...]
    cursor: str
    levels: tuple[LevelSum, ...]


def lines(asker: Asker, given: LineFilter) -> LineList:
    statement = _narrowed(_selected(), given)
    if given.cursor:
        try:
            at = msgspec.json.decode(given.cursor, type=_Key)
        except (msgspec.DecodeError, UnicodeEncodeError) as error:
            raise Invalid("bad_parameter", "cursor", name="cursor", problem="?") from error
        if "\0" in at[2]:
            raise Invalid("bad_parameter", "cursor", name="cursor", problem="?")
        statement = statement.where(tuple_(line.c.rank, line.c.host_id, line.c.name) > at)
    statement = statement.order_by(line.c.rank, line.c.host_id, line.c.name, line.c.family).limit(
        2 * PAGE + 2
    )
    with asker.database.reading() as connection:
        rows = connection.execute(asker.scoped(statement, host.c.department_id)).all()
        sums = _levels(connection, asker, given)
    found = _together(rows, _fresh(asker))
    cursor = ""
    if len(found) > PAGE:
        found = found[:PAGE]
        last = found[-1]
        rank = next(
            row.rank for row in rows if (row.host_id, row.name) == (last.host_id, last.name)
        )
        cursor = msgspec.json.encode((rank, last.host_id, last.name)).decode()
    return LineList(tuple(found), cursor, sums)


def of_host(connection: Connection, asker: Asker, host_id: int) -> tuple[LineRow, ...]:
    """The worst, one more than WORST_LINES where there are more."""
    statement = _selected().where(line.c.host_id == host_id)
    rows = connection.execute(
        asker.scoped(statement, host.c.department_id)
        .order_by(line.c.rank, line.c.name, line.c.family)
        .limit(2 * (WORST_LINES + 1))  # families
    ).all()
    return tuple(_together(rows, _fresh(asker))[: WORST_LINES + 1])


def _selected() -> Select[Any]:
    return (
        select(
            line,
            host.c.name.label("host"),
            host.c.silent_since,
            department.c.name.label("department"),
        )
        .join_from(line, host, host.c.id == line.c.host_id)
        .join(department, department.c.id == host.c.department_id)
    )


def _narrowed(statement: Select[Any], given: LineFilter) -> Select[Any]:
    if given.level:
        statement = statement.where(line.c.level == ("" if given.level == "-" else given.level))
    if given.department:
        name = "" if given.department == NOBODY else given.department
        statement = statement.where(department.c.name == name)
    if given.state:
        statement = statement.where(line.c.rank.in_(_RANKS[given.state]))
    if given.text:
        statement = statement.where(line.c.name.icontains(given.text, autoescape=True))
    return statement


def _together(rows: Iterable[Row[Any]], fresh: datetime) -> list[LineRow]:
    """The families of a line in one."""
    found: dict[tuple[int, str], tuple[Row[Any], list[Way]]] = {}
    for row in rows:
        ways = found.setdefault((row.host_id, row.name), (row, []))[1]
        if row.family:
            figures = row.figures
            ways.append(
                Way(
                    family=row.family,
                    answers=figures.get("answers"),
                    loss=figures.get("loss"),
                    rtt_median=figures.get("rtt_median"),
                    rtt_p95=figures.get("rtt_p95"),
                    failure=figures.get("failure", ""),
                )
            )
    return [_row(row, tuple(ways), fresh) for row, ways in found.values()]


def _fresh(asker: Asker) -> datetime:
    """What was told earlier is shown as of then: an agent that has told nothing since is as good as silent."""
    return asker.now - timedelta(seconds=asker.services.settings.pull.silence)


def _row(row: Row[Any], ways: tuple[Way, ...], fresh: datetime) -> LineRow:
    figures = row.figures
    seconds = figures.get("seconds")
    old = row.silent_since is not None or row.time < fresh
    return LineRow(
        host_id=row.host_id,
        host=row.host,
        department=row.department,
        name=row.name,
        site=figures.get("site", ""),
        level=row.level,
        carrier=figures.get("carrier", ""),
        role=figures.get("role", ""),
        peer=figures.get("peer", ""),
        state=figures.get("state", "unknown"),
        reason=figures.get("reason", ""),
        backup_dead=bool(figures.get("backup_dead")),
        active=figures.get("active"),
        availability=figures.get("availability"),
        told=None if seconds is None else sum(seconds.get(one, 0.0) for one in _LOOKED),
        downtime=figures.get("downtime"),
        failovers=None if "failovers" not in figures else int(figures["failovers"]),
        failover_seconds=figures.get("failover_seconds"),
        utilisation=figures.get("utilisation"),
        as_of=row.time if old else None,
        ways=ways,
    )


def _levels(connection: Connection, asker: Asker, given: LineFilter) -> tuple[LevelSum, ...]:
    """Of the filter without its state. The first family of a line counts it."""
    old = or_(host.c.silent_since.is_not(None), line.c.time < _fresh(asker))
    place = case((old, -1), else_=line.c.rank)
    other = line.alias("other")
    first = ~(
        select(1)
        .where(
            other.c.host_id == line.c.host_id,
            other.c.name == line.c.name,
            other.c.family < line.c.family,
        )
        .exists()
    )
    statement = (
        select(
            line.c.level,
            place.label("place"),
            func.count().label("lines"),
        )
        .join_from(line, host, host.c.id == line.c.host_id)
        .join(department, department.c.id == host.c.department_id)
        .where(first)
        .group_by(line.c.level, "place")
    )
    statement = _narrowed(statement, msgspec.structs.replace(given, state="", cursor=""))
    counts: dict[str, dict[int, int]] = {}
    for row in connection.execute(asker.scoped(statement, host.c.department_id)):
        counts.setdefault(row.level, {})[row.place] = row.lines
    known = [one for one in LEVELS if one in counts]
    others = sorted(counts.keys() - set(LEVELS))
    return tuple(
        LevelSum(
            level,
            sum(counts[level].values()),
            *(counts[level].get(rank, 0) for rank in (DEAD, DOWN, DEGRADED, UNKNOWN, UP, -1)),
        )
        for level in (*known, *others)
    )
