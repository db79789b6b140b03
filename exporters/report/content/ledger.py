"""What servers were granted and used over a month, stretch by stretch of their lives: core hours and byte hours.

A server that moved or was resized counts for whose it was, and with what it had, at the time. Pure but for the source.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, Literal, NamedTuple

from exporters.usage.lives import Life, Otherwise
from exporters.usage.period import Period
from exporters.usage.shares import HOUR, segments, segments_of, used
from exporters.usage.source import Segment, UsageSource


class Hours(NamedTuple):
    """`used` are of `known`, and known of `granted`."""

    granted: float = 0.0
    known: float = 0.0
    used: float = 0.0

    @property
    def percent(self) -> float | None:
        """Used of known; None where nothing is known."""
        return 100 * self.used / self.known if self.known > 0 else None

    @property
    def waste(self) -> float | None:
        """Granted and not used, of what is known."""
        return self.known - self.used if self.known > 0 else None


NO_HOURS: Final = Hours()
_NOTHING: Final = (0.0, 0.0)


class Entry(NamedTuple):
    """One stretch of one server's life. A size that is not known is in no sum."""

    segment: Segment
    cpu: Hours
    memory: Hours


class Ledger(NamedTuple):
    """One month: `disk` are byte hours of servers and volumes."""

    period: Period
    entries: list[Entry]
    servers: int
    disk: float

    @property
    def hours(self) -> float:
        """How many the month has (so far)."""
        return (self.period.until - self.period.since) / HOUR


def ledger(
    source: UsageSource, lives: Iterable[Life], period: Period, otherwise: Otherwise | None
) -> Ledger:
    """Of resources that were there. Raises SourceError."""
    lives = list(lives)
    found = segments_of(lives, period, otherwise)
    cpu = used(source, "cpu", period, found)
    memory = used(source, "memory", period, found)
    entries = [
        Entry(
            it,
            _hours(it, it.size.vcpus, cpu.get(it, _NOTHING)),
            _hours(it, it.size.memory, memory.get(it, _NOTHING)),
        )
        for it in found
    ]
    volumes = (life for life in lives if life.kind == "volume")
    discs = [*found, *(part for life in volumes for part in segments(life, period, otherwise))]
    disk = sum((it.size.disk or 0) * (it.until - it.since) / HOUR for it in discs)
    return Ledger(period, entries, len({it.resource for it in found}), disk)


def total(hours: Iterable[Hours]) -> Hours:
    granted = known = used = 0.0
    for one in hours:
        granted += one.granted
        known += one.known
        used += one.used
    return Hours(granted, known, used)


class Seen(NamedTuple):
    """`there` is the part of a month (so far) of which the source has anything; below a coverage of `least` percent
    nothing is told absolutely."""

    month: Period
    there: Period
    least: float = 0.0

    def coverage(
        self, entries: Iterable[Entry], of: Literal["cpu", "memory"] = "cpu"
    ) -> float | None:
        """Percent known of granted over all of the month: what was granted while nothing is known is taken to be as
        it was on average. None where nothing was granted."""
        granted = known = 0.0
        for one in entries:
            size = one.segment.size.vcpus if of == "cpu" else one.segment.size.memory
            since = max(one.segment.since, self.there.since)
            granted += (size or 0) * max(min(one.segment.until, self.there.until) - since, 0) / HOUR
            known += (one.cpu if of == "cpu" else one.memory).known
        whole, part = ((it.until - it.since) for it in (self.month, self.there))
        return 100 * known / (granted * whole / part) if granted > 0 else None

    def enough(self, coverage: float | None) -> bool:
        return coverage is not None and coverage >= self.least


def by_resource(entries: Iterable[Entry]) -> Mapping[str, list[Entry]]:
    found: dict[str, list[Entry]] = {}
    for one in entries:
        found.setdefault(one.segment.resource, []).append(one)
    return found


def _hours(segment: Segment, size: float | None, of: tuple[float, float]) -> Hours:
    if size is None:
        return NO_HOURS
    used, known = of
    return Hours(size * (segment.until - segment.since) / HOUR, size * known, size * used)
