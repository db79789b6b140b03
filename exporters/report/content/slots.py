"""Load of servers together, slot by slot of a month. Quantiles interpolate linearly between the two nearest
values, as those of exporters/history/statistics.py do. Where something looked at a few servers only (it had just begun),
their load is not that of all: a slot of which less than half is known of what is known at some time of its day is in no
quantile and is no peak. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from functools import cached_property
from typing import NamedTuple
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from exporters.history.days import Days
from exporters.history.reader import Span, span
from exporters.history.schema import SLOT
from exporters.history.workcalendar import WorkCalendar
from exporters.report.content.ledger import Hours
from exporters.report.document import DayPoint, Load
from exporters.usage.period import Period
from exporters.usage.source import Used

Array = NDArray[np.float64]


class Together(NamedTuple):
    """A value a slot of the month: virtual CPUs used, and of how many that is known."""

    cores: Array
    known: Array


class Grid:
    """The slots and the days of a month."""

    def __init__(self, period: Period, calendar: WorkCalendar, zone: ZoneInfo) -> None:
        self.period, self.calendar, self.zone = period, calendar, zone
        self.span = span(period.since, period.until)
        self.size = max(0, self.span.end - self.span.first)

    @cached_property
    def working(self) -> NDArray[np.bool_]:
        return self.calendar.working(np.arange(self.span.first, self.span.end), self.zone)

    @cached_property
    def days(self) -> list[tuple[date, Span]]:
        """Each day of the month (so far), with its slots."""
        days = Days(self.zone)
        found, at = [], self.span.first
        while at < self.span.end:
            number = days.of(at * SLOT)
            end = min(sum(days.span(number)), self.span.end)
            found.append((date.fromordinal(number), Span(at, end)))
            at = end
        return found

    @property
    def workdays(self) -> int:
        return sum(self.calendar.workday(day) for day, _ in self.days)

    def part(self, one: Span) -> slice:
        return slice(one.first - self.span.first, one.end - self.span.first)


def together(grid: Grid, parts: Iterable[Used]) -> Together:
    """The sum of parts; of slots beyond the month nothing counts."""
    found = Together(np.zeros(grid.size), np.zeros(grid.size))
    for one in parts:
        at = one.first - grid.span.first
        low, high = max(0, at), min(grid.size, at + len(one.cores))
        if low < high:
            found.cores[low:high] += one.cores[low - at : high - at]
            found.known[low:high] += one.known[low - at : high - at]
    return found


def load(
    grid: Grid, hours: Hours, coverage: float | None, slots: Together | None, cores: float | None
) -> Load:
    """`hours` are of all that is known, by sketches as well; `slots` is None where not all of it is known slot by
    slot."""
    if slots is None or not (there := _telling(grid, slots)).any():
        return Load(average=hours.percent, cores=cores, coverage=coverage)
    percents = 100 * slots.cores[there] / slots.known[there]
    p50, p95 = np.quantile(percents, (0.5, 0.95)).tolist()
    highest = int(np.argmax(percents))
    slot = grid.span.first + int(np.flatnonzero(there)[highest])
    return Load(
        average=hours.percent,
        p50=p50,
        p95=p95,
        peak=float(percents[highest]),
        peak_at=datetime.fromtimestamp(slot * SLOT, grid.zone),
        work=_percent(slots, grid.working),
        off=_percent(slots, ~grid.working),
        cores=cores,
        coverage=coverage,
    )


def day_points(grid: Grid, slots: Together) -> tuple[DayPoint, ...]:
    """Of what is known slot by slot."""
    found, telling = [], _telling(grid, slots)
    for day, part in grid.days:
        own = grid.part(part)
        cores, known, there = slots.cores[own], slots.known[own], telling[own]
        average = peak = None
        if there.any():
            average = 100 * float(cores.sum() / known.sum())
            peak = float((100 * cores[there] / known[there]).max())
        found.append(DayPoint(day, average, peak, grid.calendar.workday(day)))
    return tuple(found)


def _telling(grid: Grid, slots: Together) -> NDArray[np.bool_]:
    """The slots that tell of all together."""
    found = np.zeros(grid.size, np.bool_)
    for _, part in grid.days:
        own = grid.part(part)
        known = slots.known[own]
        found[own] = (known > 0) & (2 * known >= known.max(initial=0.0))
    return found


def _percent(slots: Together, which: NDArray[np.bool_]) -> float | None:
    known = float(slots.known[which].sum())
    return 100 * float(slots.cores[which].sum()) / known if known > 0 else None
