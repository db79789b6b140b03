"""Walking along an index in the order of a list (ways.py), a stretch of it at a time.

Where an order is not that of one index it is made of stretches that are: of each severity, of each rule and state, of
a few hosts.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, func, select

from exporters.console.codes import moment
from exporters.console.review import ways
from exporters.console.review.narrowing import Narrowed, among
from exporters.console.review.order import Key, beyond, ordered
from exporters.console.review.ways import INDEXED, Found, Way
from exporters.console.schema import hit, host, host_tally, rule

_HOSTS: Final = 40  # that are looked at together


@dataclass(frozen=True)
class _Segment:
    """A stretch of an index in which the order is that of `order` alone; `fixed` are the columns before it."""

    index: str
    fixed: Mapping[str, int]
    order: tuple[Key, ...]


def walk(
    connection: Connection,
    asked: Narrowed,
    by: Way,
    order: Sequence[Key],
    start: Sequence[Any] | None,
    want: int,
) -> Found:
    """The first `want` in order beyond `start`, as far as was looked."""
    if order[0].name == "host_name":
        return _by_host(connection, asked, order, start, want)
    ids: list[int] = []
    for segment, prefix, begin in _segments(connection, asked, by, order, start):
        found, stopped = _walked(connection, asked, segment, begin, want - len(ids))
        ids += found
        if len(ids) >= want:
            return Found(ids)
        if stopped is not None:
            return Found(ids, (*prefix, *stopped))
    return Found(ids)


def _segments(
    connection: Connection,
    asked: Narrowed,
    by: Way,
    order: Sequence[Key],
    start: Sequence[Any] | None,
) -> Iterator[tuple[_Segment, tuple[Any, ...], Sequence[Any] | None]]:
    """The segments from `start` on, each with the keys before its own and where in it to begin."""
    kind = order[0].name
    if kind == "severity":
        codes = asked.severities if asked.severities is not None else tuple(range(5))
        for code in sorted(codes, reverse=order[0].falling):
            if start is None or code == start[0] or (code < start[0]) == order[0].falling:
                begin = start[1:] if start is not None and code == start[0] else None
                segment = _Segment("ix_hit_severity", {"severity": code}, tuple(order[1:]))
                yield segment, (code,), begin
    elif kind == "rule_name":
        for name, identity in _rules_in_order(connection, by, order, start):
            for state in sorted(asked.states, reverse=order[2].falling):
                begin = None
                if start is not None and (name, identity) == tuple(start[:2]):
                    if state != start[2] and (state < start[2]) != order[2].falling:
                        continue
                    begin = start[3:] if state == start[2] else None
                fixed = {"rule_id": identity, "state": state}
                yield (
                    _Segment("ix_hit_rule", fixed, tuple(order[3:])),
                    (name, identity, state),
                    begin,
                )
    else:
        index = {"first_seen": "ix_hit_age"}.get(kind, f"ix_hit_{kind}")
        yield _Segment(index, {}, tuple(order)), (), start


def _rules_in_order(
    connection: Connection, by: Way, order: Sequence[Key], start: Sequence[Any] | None
) -> list[tuple[str, int]]:
    columns = {"rule_name": rule.c.name, "rule_id": rule.c.id}
    statement = select(rule.c.name, rule.c.id).order_by(*ordered(columns, order[:2]))
    if by.rules is not None:
        statement = statement.where(among(rule.c.id, by.rules))
    if start is not None:
        # the rule of the cursor itself too
        step = 1 if order[1].falling else -1
        statement = statement.where(beyond(columns, order[:2], (start[0], start[1] + step)))
    return [(row[0], row[1]) for row in connection.execute(statement)]


def _walked(
    connection: Connection,
    asked: Narrowed,
    segment: _Segment,
    begin: Sequence[Any] | None,
    want: int,
) -> tuple[list[int], tuple[Any, ...] | None]:
    """Ids, and where it stopped looking if it did before the segment's end."""
    own = [key.name for key in segment.order]
    columns = dict(hit.c)
    indexed = INDEXED | set(own)
    bound = ways.WALKED if asked.columns <= indexed else ways.READ
    entries = select(*(hit.c[name] for name in own)).order_by(*ordered(columns, segment.order))
    entries = entries.where(*(hit.c[name] == value for name, value in segment.fixed.items()))
    if "first_seen" in own:  # then it is the first key: its bounds are the walk's
        if asked.after:
            entries = entries.where(hit.c.first_seen >= asked.after)
        if asked.before:
            entries = entries.where(hit.c.first_seen <= asked.before)
    if begin is not None:
        entries = entries.where(beyond(columns, segment.order, begin))
    entries = entries.with_hint(hit, f"INDEXED BY {segment.index}", "sqlite")
    more = (hit.c[name] for name in sorted(asked.columns - set(own)))
    looked = entries.add_columns(*more).limit(bound).subquery("looked")
    statement = select(looked.c.id).where(*asked.conditions(looked.c)).limit(want)
    ids = list(connection.execute(statement).scalars())
    if len(ids) == want:
        return ids, None
    last = connection.execute(entries.offset(bound - 1).limit(1)).first()
    return ids, None if last is None else tuple(last)


def _by_host(
    connection: Connection,
    asked: Narrowed,
    order: Sequence[Key],
    start: Sequence[Any] | None,
    want: int,
) -> Found:
    """By the hosts' names: the hits of so many hosts at a time."""
    ids: list[int] = []
    looked = 0
    size = 4
    while len(ids) < want:
        hosts = _hosts_in_order(connection, asked, order, start, size)
        found = _hits_of(
            connection, asked, order, start, [one for _, one, _ in hosts], want - len(ids)
        )
        ids += found
        looked += sum(hits for _, _, hits in hosts)
        if len(ids) >= want or len(hosts) < size:
            break
        name, identity, _ = hosts[-1]
        start = (name, identity, _last("first_seen", order[2]), _last("id", order[3]))
        if looked >= ways.READ:
            return Found(ids, tuple(start))
        size = min(2 * size, _HOSTS)
    return Found(ids)


def _last(name: str, key: Key) -> Any:
    """A value beyond that of any hit."""
    number = 0 if key.falling else 1 << 52
    return moment(number) if name == "first_seen" else number


def _hosts_in_order(
    connection: Connection,
    asked: Narrowed,
    order: Sequence[Key],
    start: Sequence[Any] | None,
    size: int,
) -> list[tuple[str, int, int]]:
    columns = {"host_name": host.c.name, "host_id": host.c.id}
    in_states = (
        select(func.coalesce(func.sum(host_tally.c.hits), 0))
        .where(host_tally.c.host_id == host.c.id, among(host_tally.c.state, asked.states))
        .scalar_subquery()
    )
    statement = select(host.c.name, host.c.id, in_states).order_by(*ordered(columns, order[:2]))
    if asked.hosts is not None:
        statement = statement.where(among(host.c.id, asked.hosts))
    if asked.departments is not None:
        statement = statement.where(among(host.c.department_id, asked.departments))
    if start is not None:
        step = 1 if order[1].falling else -1
        statement = statement.where(beyond(columns, order[:2], (start[0], start[1] + step)))
    return [(row[0], row[1], row[2]) for row in connection.execute(statement.limit(size))]


def _hits_of(
    connection: Connection,
    asked: Narrowed,
    order: Sequence[Key],
    start: Sequence[Any] | None,
    hosts: Sequence[int],
    want: int,
) -> list[int]:
    if not hosts:
        return []
    statement = (
        select(hit.c.id)
        .join(host, host.c.id == hit.c.host_id)
        .where(among(hit.c.host_id, tuple(hosts)), *asked.conditions(hit.c))
    )
    columns: dict[str, Any] = {**dict(hit.c), "host_name": host.c.name}
    if start is not None:
        statement = statement.where(beyond(columns, order, start))
    statement = statement.with_hint(hit, "INDEXED BY ix_hit_host_id", "sqlite")
    return list(
        connection.execute(statement.order_by(*ordered(columns, order)).limit(want)).scalars()
    )
