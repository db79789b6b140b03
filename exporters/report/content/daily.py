"""Which days of a month there is anything of, and what was used on each: slot by slot where that is kept, else by the
sums of each day, with no highest five minutes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from exporters.history.reader import Span, span
from exporters.report.content.ledger import Entry
from exporters.report.content.slots import Grid, Together, day_points
from exporters.report.document import DayPoint
from exporters.usage.source import Key, UsageSource


class Daily(NamedTuple):
    """`known` are the days of which anything is known of a department's system, where not all is known slot by slot."""

    points: tuple[DayPoint, ...]
    known: Mapping[Key, set[Span]]


def daily(
    source: UsageSource, grid: Grid, entries: Sequence[Entry], slots: Together | None
) -> Daily:
    """`slots` is None where not all is known slot by slot. Raises SourceError."""
    if slots is not None:
        return Daily(day_points(grid, slots), {})
    stretched = [
        _Part(
            it.segment.resource,
            span(it.segment.since, it.segment.until),
            it.segment.size.vcpus,
            (it.segment.department, it.segment.system),
        )
        for it in entries
        if it.segment.size.vcpus and it.cpu.known > 0
    ]
    points: list[DayPoint] = []
    days: defaultdict[Key, set[Span]] = defaultdict(set)
    for day, part in grid.days:
        used = known = 0.0
        for of, vcpus, core_slots in _of_day(source, part, stretched):
            used += vcpus
            known += core_slots
            if core_slots > 0:
                days[of].add(part)
        average = 100 * used / known if known > 0 else None
        points.append(DayPoint(day, average, None, grid.calendar.workday(day)))
    return Daily(tuple(points), days)


class _Part(NamedTuple):
    resource: str
    whole: Span
    vcpus: float
    of: Key


def _of_day(
    source: UsageSource, day: Span, parts: Sequence[_Part]
) -> Iterator[tuple[Key, float, float]]:
    """Virtual CPUs × slots that were used, and of which that is known, part by part."""
    stretches: defaultdict[str, list[Span]] = defaultdict(list)
    there: defaultdict[str, list[_Part]] = defaultdict(list)
    for one in parts:
        part = Span(max(one.whole.first, day.first), min(one.whole.end, day.end))
        if part.first < part.end:
            stretches[one.resource].append(part)
            there[one.resource].append(one)
    for resource, told in source.sums("cpu", day, stretches).items():
        for (value, count), one in zip(told, there[resource], strict=True):
            yield one.of, one.vcpus * value / 100, one.vcpus * count
