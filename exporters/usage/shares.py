"""What each department was granted and used over a period, by the hour: a resource that moved or was resized
within it counts for whose it was, and with what it had, at the time."""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final

import msgspec

from collectors.cloud.model import Size
from collectors.cloud.owners import Attribution, Owner
from exporters.history.reader import span
from exporters.history.schema import SLOT
from exporters.usage.lives import NO_SIZE, Life, Otherwise
from exporters.usage.period import Period
from exporters.usage.source import Segment, UsageSource

HOUR: Final = 3600.0


class Share(msgspec.Struct, frozen=True):
    """Of one department (empty: nobody's). Core hours are virtual CPUs × hours; `used` are of `known`, those of
    which the use is known; byte hours likewise. Servers only, running or stopped, but for disks: those of servers
    and volumes. What has a size that is not known is in no granted hours: `unsized_vcpu`, `_memory` and `_disk` hours
    are of that size. Of servers of which any is not known every hour is in `unsized_hours`, once; of volumes apart."""

    department: str
    granted_core_hours: float = 0.0
    known_core_hours: float = 0.0
    used_core_hours: float = 0.0
    granted_memory_byte_hours: float = 0.0
    unsized_hours: float = 0.0
    resources: int = 0
    known_memory_byte_hours: float = 0.0
    used_memory_byte_hours: float = 0.0
    granted_disk_byte_hours: float = 0.0
    unsized_volume_hours: float = 0.0
    unsized_vcpu_hours: float = 0.0
    unsized_memory_hours: float = 0.0
    unsized_disk_hours: float = 0.0

    @property
    def used_ratio(self) -> float | None:
        """Used of known, 0 to 1; None where nothing is known."""
        return self.used_core_hours / self.known_core_hours if self.known_core_hours else None


def shares(
    source: UsageSource,
    period: Period,
    otherwise: Otherwise | None = None,
) -> list[Share]:
    """The department that was granted most first, nobody last."""
    lives = source.lives(period.since, period.until)
    found = segments_of(lives, period, otherwise)
    cpu, memory = (used(source, metric, period, found) for metric in ("cpu", "memory"))
    sums: dict[str, Share] = {}
    members: defaultdict[str, set[str]] = defaultdict(set)
    for one in found:
        total = sums.get(one.department, Share(one.department))
        members[one.department].add(one.resource)
        nothing = 0.0, 0.0
        sums[one.department] = _added(total, one, cpu.get(one, nothing), memory.get(one, nothing))
    for life in lives:
        if life.kind == "volume":
            for one in segments(life, period, otherwise):
                total = sums.get(one.department, Share(one.department))
                sums[one.department] = _volume(total, one)
    made = [
        msgspec.structs.replace(total, resources=len(members[name])) for name, total in sums.items()
    ]
    return sorted(made, key=lambda it: (not it.department, -it.granted_core_hours, it.department))


def segments_of(
    lives: Iterable[Life], period: Period, otherwise: Otherwise | None = None
) -> list[Segment]:
    """Those of all servers."""
    servers = (life for life in lives if life.kind == "server")
    return [segment for life in servers for segment in segments(life, period, otherwise)]


def _with_disk(total: Share, one: Segment) -> Share:
    hours, disk = (one.until - one.since) / HOUR, one.size.disk
    return msgspec.structs.replace(
        total,
        granted_disk_byte_hours=total.granted_disk_byte_hours + (disk or 0) * hours,
        unsized_disk_hours=total.unsized_disk_hours + hours * (disk is None),
    )


def _volume(total: Share, one: Segment) -> Share:
    hours = (one.until - one.since) / HOUR if one.size.disk is None else 0.0
    unsized = total.unsized_volume_hours + hours
    return msgspec.structs.replace(_with_disk(total, one), unsized_volume_hours=unsized)


def _added(
    total: Share, one: Segment, cpu: tuple[float, float], memory: tuple[float, float]
) -> Share:
    total, size = _with_disk(total, one), one.size
    hours, vcpus, held = (one.until - one.since) / HOUR, size.vcpus or 0, size.memory or 0
    unsized = None in (size.vcpus, size.memory, size.disk)
    return msgspec.structs.replace(
        total,
        granted_core_hours=total.granted_core_hours + vcpus * hours,
        known_core_hours=total.known_core_hours + vcpus * cpu[1],
        used_core_hours=total.used_core_hours + vcpus * cpu[0],
        granted_memory_byte_hours=total.granted_memory_byte_hours + held * hours,
        known_memory_byte_hours=total.known_memory_byte_hours + held * memory[1],
        used_memory_byte_hours=total.used_memory_byte_hours + held * memory[0],
        unsized_hours=total.unsized_hours + hours * unsized,
        unsized_vcpu_hours=total.unsized_vcpu_hours + hours * (size.vcpus is None),
        unsized_memory_hours=total.unsized_memory_hours + hours * (size.memory is None),
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
    whose = iter([*owners, (until, Attribution())])
    following, owner, last = next(whose), Owner(), None
    for begin, end in itertools.pairwise(sorted(cuts)):
        while following[0] <= begin:
            owner, following = following[1].owner, next(whose)
        state = life.at("state", begin)
        if state and state.value == "released":
            continue
        span = sizes[0] if sizes and begin < sizes[0].since else life.at("size", begin)
        size = span.value if span and isinstance(span.value, Size) else NO_SIZE
        one = Segment(life.id, begin, end, owner.department, owner.system, size)
        if last and last.until == begin and _same(last, one):
            last = last._replace(until=end)
            continue
        if last:
            yield last
        last = one
    if last:
        yield last


def _same(one: Segment, other: Segment) -> bool:
    whose = [(it.department, it.system, it.size) for it in (one, other)]
    return whose[0] == whose[1]


def used(
    source: UsageSource, metric: str, period: Period, found: Iterable[Segment]
) -> Mapping[Segment, tuple[float, float]]:
    """By segment: hours of the whole of what it has used, and hours of which that is known."""
    of: defaultdict[str, list[Segment]] = defaultdict(list)
    for segment in found:
        of[segment.resource].append(segment)
    stretches = {id: [span(it.since, it.until) for it in parts] for id, parts in of.items()}
    whole = span(period.since, period.until)
    return {
        segment: (total / 100 * SLOT / HOUR, count * SLOT / HOUR)
        for id, told in source.sums(metric, whole, stretches).items()
        for segment, (total, count) in zip(of[id], told, strict=True)
    }
