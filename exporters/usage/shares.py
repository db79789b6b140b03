"""What each department was granted and used over a period, by the hour: a resource that moved or was resized
within it counts for whose it was, and with what it had, at the time."""

from __future__ import annotations

import itertools
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from collectors.cloud.model import Size
from collectors.cloud.owners import Attribution
from collectors.cloud.spans import Aspect
from exporters.history.schema import SLOT
from exporters.history.statistics import usage
from exporters.history.workcalendar import WorkCalendar
from exporters.usage.lives import NO_SIZE, NOBODYS, Life, lives
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
    """A stretch of a resource's life in which nobody and nothing changed."""

    resource: str
    since: float
    until: float
    department: str
    size: Size


def shares(
    connection: sqlite3.Connection,
    period: Period,
    calendar: WorkCalendar,
    otherwise: Callable[[Life], Attribution] | None = None,
) -> list[Share]:
    """The department that was granted most first, nobody last."""
    found = [
        segment
        for life in lives(connection, period.since, period.until)
        if life.kind == "server"
        for segment in segments(life, period, otherwise)
    ]
    used = _used(connection, period, calendar, found)
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


def segments(
    life: Life, period: Period, otherwise: Callable[[Life], Attribution] | None = None
) -> Iterator[Segment]:
    """The segments of a resource within a period, while it was held. What it was before it is known is not
    guessed, but that it was there: it counts as it was first known."""
    since = max(period.since, life.first_seen)
    until = min(period.until, life.last_seen + SLOT)
    cuts = {since, until}
    aspects: tuple[Aspect, ...] = ("owner", "size", "state")
    for aspect in aspects:
        for span in life.spans.get(aspect, ()):
            cuts.update(at for at in (span.since, span.until) if at and since < at < until)
    ordered = sorted(cuts)
    for begin, end in itertools.pairwise(ordered):
        state = life.at("state", begin)
        if state and state.value == "released":
            continue
        owner, size = life.at("owner", begin), life.at("size", begin)
        first_owner = next(iter(life.spans.get("owner", ())), None)
        first_size = next(iter(life.spans.get("size", ())), None)
        owned = owner or (first_owner if first_owner and begin < first_owner.since else None)
        sized = size or (first_size if first_size and begin < first_size.since else None)
        attribution = owned.value if owned and isinstance(owned.value, Attribution) else NOBODYS
        if otherwise and attribution.how == "unassigned":
            attribution = otherwise(life)
        yield Segment(
            life.id,
            begin,
            end,
            attribution.owner.department,
            sized.value if sized and isinstance(sized.value, Size) else NO_SIZE,
        )


def _used(
    connection: sqlite3.Connection,
    period: Period,
    calendar: WorkCalendar,
    found: Iterable[Segment],
) -> dict[Segment, tuple[float, float]]:
    """By segment: hours of one virtual CPU used, and hours of which that is known."""
    for (_,) in connection.execute("SELECT name FROM metrics WHERE name = 'cpu'"):
        break
    else:
        return {}
    of: defaultdict[str, list[Segment]] = defaultdict(list)
    for segment in found:
        of[segment.resource].append(segment)
    whole = {(period.since, period.until): [parts[0] for parts in of.values() if len(parts) == 1]}
    for parts in of.values():
        for part in parts if len(parts) > 1 else ():
            whole.setdefault((part.since, part.until), []).append(part)
    used: dict[Segment, tuple[float, float]] = {}
    for (since, until), parts in whole.items():
        by_id = {part.resource: part for part in parts}
        for id, measured in usage(connection, "cpu", since, until, calendar, by_id).items():
            known = measured.samples * SLOT / HOUR
            used[by_id[id]] = (measured.mean / 100 * known, known)
    return used
