"""The whole estate: capacity, what was granted and used, the trend, the days of the month. Pure but for the source."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Sequence
from typing import Final, Literal

from exporters.report.content.ledger import Ledger, Seen, total
from exporters.report.content.sums import Added, released
from exporters.report.content.words import say
from exporters.report.document import Capacity, DayPoint, Estate, Load, MonthPoint, Sums
from exporters.usage.period import Period
from exporters.usage.source import CapacityTold
from rules.model import Text
from rules.usagejudgement import Judgement

_RESOURCES: Final[tuple[Literal["vcpus", "memory", "disk"], ...]] = ("vcpus", "memory", "disk")


def estate(
    judgements: Sequence[Judgement],
    added: Added,
    gone: Container[str],
    load: Load,
    capacity: tuple[Capacity, ...],
    trend: Sequence[MonthPoint],
    days: Sequence[DayPoint],
) -> Estate:
    held = (it for it in judgements if it.resource not in gone and not released(it))
    return Estate(
        capacity=capacity,
        granted=added.granted,
        kinds=dict(sorted(Counter(it.kind for it in held).items())),
        states=added.states,
        load=load,
        trend=tuple(trend),
        days=tuple(days),
        due=added.due,
        watched=added.watched,
        hosts=tuple(it for it in judgements if it.kind == "host" and not it.department),
    )


def capacity_rows(
    by_cloud: CapacityTold | None,
    by_hand: CapacityTold | None,
    told_by: Text,
    granted: Sums,
    used: Sequence[tuple[float | None, float | None]],
) -> tuple[Capacity, ...]:
    """What was told by hand goes before what the clouds say, part by part. `used` are virtual CPUs and bytes of
    memory, on average, each with the percent of what was granted that it is of; how full disks are is seen from
    inside alone."""
    rows = []
    for resource in _RESOURCES:
        physical, usable, whose = None, None, say("told_by_nobody")
        for told, by in ((by_hand, told_by), (by_cloud, say("told_by_cloud"))):
            if told is None:
                continue
            one, other = getattr(told.physical, resource), getattr(told.usable, resource)
            if one is not None or other is not None:
                physical, usable, whose = one, other, by
                break
        use, known = dict(zip(_RESOURCES, used, strict=False)).get(resource, (None, None))
        total_of, sizes = getattr(granted, resource), (_number(physical), _number(usable))
        untold = by_cloud.untold.get(resource, ()) if by_cloud and usable is None else ()
        rows.append(Capacity(resource, *sizes, total_of, use, whose, known, untold))
    return tuple(rows)


def clipped(period: Period, extent: tuple[float, float] | None) -> Period | None:
    """What of a month a source has; None where nothing."""
    if extent is None:
        return None
    since, until = max(period.since, extent[0]), min(period.until, extent[1])
    return period._replace(since=since, until=until) if since < until else None


def point(one: Ledger, month: Period) -> MonthPoint:
    """`one` is of that part of the month of which there is anything: what was granted is averaged over that."""
    if not one.entries:
        return MonthPoint(month.label)
    cpu, memory = total(it.cpu for it in one.entries), total(it.memory for it in one.entries)
    return MonthPoint(
        month.label,
        granted_vcpus=cpu.granted / one.hours,
        granted_memory=memory.granted / one.hours,
        granted_disk=one.disk / one.hours,
        cpu=cpu.percent,
        memory=memory.percent,
        coverage=Seen(month, one.period).coverage(one.entries),
        resources=one.servers,
    )


def _number(value: float | None) -> float | None:
    return None if value is None else float(value)
