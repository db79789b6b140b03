"""Which days of a month there is anything of, and what was used on each: slot by slot where that is kept, else by the
sums of each day, with no highest five minutes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from exporters.history.reader import Span, span
from exporters.history.schema import SLOT
from exporters.report.content.ledger import Entry
from exporters.report.content.slots import Grid, Together, day_points
from exporters.report.document import DayPoint
from exporters.usage.shares import HOUR
from exporters.usage.source import UsageSource


class Daily(NamedTuple):
    """`hours` are those of which anything is known: of days known by their sums all of them."""

    points: tuple[DayPoint, ...]
    hours: float


def daily(
    source: UsageSource, grid: Grid, entries: Sequence[Entry], slots: Together | None
) -> Daily:
    """`slots` is None where not all is known slot by slot. Raises SourceError."""
    if slots is not None:
        return Daily(day_points(grid, slots), int((slots.known > 0).sum()) * SLOT / HOUR)
    stretched = [
        (it.segment.resource, span(it.segment.since, it.segment.until), it.segment.size.vcpus)
        for it in entries
        if it.segment.size.vcpus and it.cpu.known > 0
    ]
    points, hours = [], 0.0
    for day, part in grid.days:
        used, known = _of_day(source, part, stretched)
        average = 100 * used / known if known > 0 else None
        points.append(DayPoint(day, average, None, grid.calendar.workday(day)))
        hours += (part.end - part.first) * SLOT / HOUR if known > 0 else 0.0
    return Daily(tuple(points), hours)


def _of_day(
    source: UsageSource, day: Span, stretched: Sequence[tuple[str, Span, float]]
) -> tuple[float, float]:
    """Virtual CPUs × slots that were used, and of which that is known."""
    stretches: dict[str, list[Span]] = {}
    weights: dict[str, list[float]] = {}
    for resource, whole, vcpus in stretched:
        part = Span(max(whole.first, day.first), min(whole.end, day.end))
        if part.first < part.end:
            stretches.setdefault(resource, []).append(part)
            weights.setdefault(resource, []).append(vcpus)
    used = known = 0.0
    for resource, told in source.sums("cpu", day, stretches).items():
        for (value, count), vcpus in zip(told, weights[resource], strict=True):
            used += vcpus * value / 100
            known += vcpus * count
    return used, known
