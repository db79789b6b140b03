"""What each department was granted and used over a period, by the hour: a resource that moved or was resized
within it counts for whose it was, and with what it had, at the time."""

from __future__ import annotations

import itertools
import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from collectors.cloud.model import Size
from exporters.history.reader import span
from exporters.history.schema import SLOT
from exporters.history.stretches import sums
from exporters.usage.lives import NO_SIZE, NOBODYS, Life, Otherwise, lives
from exporters.usage.period import Period

HOUR: Final = 3600.0


class Share(msgspec.Struct, frozen=True):
    """Of one department (empty: nobody's). Core hours are virtual CPUs × hours; `used` are of `known`, those of
    which the use is known; byte hours likewise. Servers only, running or stopped. `unsized` hours are of servers
    whose size is not known."""

    department: str
    granted_core_hours: float = 0.0
    known_core_hours: float = 0.0
    used_core_hours: float = 0.0
    granted_memory_byte_hours: float = 0.0
    unsized_hours: float = 0.0
    resources: int = 0

    @property
    def used_ratio(self) -> float | None:
        """Used of known, 0 to 1; None where nothing is known."""
        return self.used_core_hours / self.known_core_hours if self.known_core_hours else None


class Segment(NamedTuple):
    """A stretch of a resource's life in which it was one department's, and had one size."""

    resource: str
    since: float
    until: float
    department: str
    size: Size


def shares(
    connection: sqlite3.Connection,
    period: Period,
    otherwise: Otherwise | None = None,
) -> list[Share]:
    """The department that was granted most first, nobody last."""
    found = [
        segment
        for life in lives(connection, period.since, period.until)
        if life.kind == "server"
        for segment in segments(life, period, otherwise)
    ]
    used = _used(connection, period, found)
    sums: dict[str, Share] = {}
    members: defaultdict[str, set[str]] = defaultdict(set)
    for one in found:
        total = sums.get(one.department, Share(one.department))
        members[one.department].add(one.resource)
        sums[one.department] = _added(total, one, *used.get(one, (0.0, 0.0)))
    made = [
        msgspec.structs.replace(total, resources=len(members[name])) for name, total in sums.items()
    ]
    return sorted(made, key=lambda it: (not it.department, -it.granted_core_hours, it.department))


def _added(total: Share, one: Segment, used: float, known: float) -> Share:
    hours, vcpus = (one.until - one.since) / HOUR, one.size.vcpus
    if vcpus is None:
        return msgspec.structs.replace(total, unsized_hours=total.unsized_hours + hours)
    memory = one.size.memory or 0
    return msgspec.structs.replace(
        total,
        granted_core_hours=total.granted_core_hours + vcpus * hours,
        known_core_hours=total.known_core_hours + vcpus * known,
        used_core_hours=total.used_core_hours + vcpus * used,
        granted_memory_byte_hours=total.granted_memory_byte_hours + memory * hours,
    )


def segments(life: Life, period: Period, otherwise: Otherwise | None = None) -> Iterator[Segment]:
    """The segments of a resource within a period, while it was held; whether it ran is no matter. What it was
    before it is known is not guessed, but that it was there: it counts as it was first known."""
    since = max(period.since, life.first_seen)
    until = min(period.until, life.last_seen + SLOT)
    if until <= since:
        return
    sizes = life.spans.get("size", ())
    spans = [*sizes, *life.spans.get("state", ())]
    ends = [at for span in spans for at in (span.since, span.until) if at is not None]
    owners = life.owners(since, until, otherwise)
    cuts = {since, until, *(at for at, _ in owners), *(at for at in ends if since < at < until)}
    whose = iter([*owners, (until, NOBODYS)])
    following, department, last = next(whose), "", None
    for begin, end in itertools.pairwise(sorted(cuts)):
        while following[0] <= begin:
            department, following = following[1].owner.department, next(whose)
        state = life.at("state", begin)
        if state and state.value == "released":
            continue
        span = sizes[0] if sizes and begin < sizes[0].since else life.at("size", begin)
        size = span.value if span and isinstance(span.value, Size) else NO_SIZE
        one = Segment(life.id, begin, end, department, size)
        if last and last.until == begin and _same(last, one):
            last = last._replace(until=end)
            continue
        if last:
            yield last
        last = one
    if last:
        yield last


def _same(one: Segment, other: Segment) -> bool:
    sizes = [(it.size.vcpus, it.size.memory) for it in (one, other)]
    return one.department == other.department and sizes[0] == sizes[1]


def _used(
    connection: sqlite3.Connection, period: Period, found: Iterable[Segment]
) -> dict[Segment, tuple[float, float]]:
    """By segment: hours of one virtual CPU used, and hours of which that is known."""
    if not connection.execute("SELECT 1 FROM metrics WHERE name = 'cpu'").fetchone():
        return {}
    of: defaultdict[str, list[Segment]] = defaultdict(list)
    for segment in found:
        of[segment.resource].append(segment)
    stretches = {id: [span(it.since, it.until) for it in parts] for id, parts in of.items()}
    whole = span(period.since, period.until)
    return {
        segment: (total / 100 * SLOT / HOUR, count * SLOT / HOUR)
        for id, told in sums(connection, "cpu", whole, stretches).items()
        for segment, (total, count) in zip(of[id], told, strict=True)
    }
