"""Statistics of a recorded metric over a period, each made by the server out of a plain range of samples: no
subqueries, which keep every point that they make in memory, and are refused.

Quantiles interpolate linearly between the two nearest values, as numpy's default does. `off` is what is left of all
without the working hours.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from itertools import chain
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

import numpy as np

from exporters.history.reader import Span
from exporters.history.schema import SLOT
from exporters.history.workcalendar import WorkCalendar
from exporters.promapi.asking import Asker
from exporters.promapi.client import Sample, Series, TooMuch
from exporters.promapi.selectors import each, recorded
from exporters.promapi.windows import Windows, alike, days, moments, runs
from exporters.usage.source import SourceError
from rules.usagemodel import UPPER, Measured

P50, P95 = 0.5, 0.95
# Those that a page or a judgement has: most servers sort all samples anew for each.
QUANTILES: Final[Mapping[str, tuple[float, ...]]] = {
    "steal": (P95,),
    "net_rx": (P95, UPPER),
    "net_tx": (P95, UPPER),
}
NOTHING: Final = 1e-11  # of a sum: what is less is the rounding of its parts
Totals = dict[str, tuple[float, float]]  # sum and count, by resource


class Metric(NamedTuple):
    """What is asked of whom. `at_once`: the server has VictoriaMetrics' function that sorts a range once for all
    quantiles."""

    asker: Asker
    what: str  # the metric
    series: str
    at_once: bool = False

    @property
    def quantiles(self) -> tuple[float, ...]:
        return QUANTILES.get(self.what, (P50, P95))


class Counted(NamedTuple):
    """How many slots of a period are known of each resource, of all that have any; `doubled`: some have several
    series."""

    slots: Mapping[str, int]
    doubled: bool = False


def counted(of: Metric, period: Span) -> Counted:
    slots = period.end - period.first
    if slots < 1:
        return Counted({})
    query = f"count_over_time({recorded(of.series, '', slots)})"
    try:
        told = of.asker.once(query, period.end * SLOT)
    except TooMuch:
        if slots < 2:
            raise
        middle = period.first + slots // 2
        one, other = (
            counted(of, part) for part in (Span(period.first, middle), Span(middle, period.end))
        )
        ids = {**one.slots, **other.slots}
        both = {id: one.slots.get(id, 0) + other.slots.get(id, 0) for id in ids}
        return Counted(both, one.doubled or other.doubled)
    known = [(id, int(it.value)) for it in told if (id := it.labels.get("resource"))]
    highest = dict(sorted(known, key=lambda it: it[1]))
    return Counted(highest, len(highest) < len(known))


def averages(of: Metric, period: Span, ids: Sequence[str]) -> dict[str, float]:
    return _statistic(of, "avg_over_time", period, ids)


def measured(
    of: Metric, period: Span, counts: Mapping[str, int], zone: ZoneInfo, calendar: WorkCalendar
) -> dict[str, Measured]:
    """Of the resources in `counts`, which are those of the period; coverage is of it. What has no finite average is
    not known."""
    ids = list(counts)
    means = averages(of, period, ids)
    peaks = _peaks(of, period, ids)
    # where the average is the highest value all values are that
    alike = {id for id in ids if id in peaks and peaks[id][0] == means.get(id)}
    varied = [id for id in ids if id not in alike]
    quantiles = (_quantiles_at_once if of.at_once else _quantiles)(of, period, varied)
    work = _worked(of, period, counts, zone, calendar)
    found = {}
    for id, count in counts.items():
        mean = means.get(id, math.nan)
        own = [mean if id in alike else its.get(id, math.nan) for its in quantiles]
        if id not in peaks or not all(map(math.isfinite, (mean, *own))):
            continue
        inside, outside = _parted(mean * count, count, work.get(id, (0.0, 0.0)))
        coverage = count / (period.end - period.first)
        told = dict(zip(of.quantiles, own, strict=True))
        found[id] = Measured(
            *(count, mean, told.get(P50), told[P95], *peaks[id], coverage, inside, outside, False),
            told.get(UPPER),
        )
    return found


def sums(of: Metric, wanted: Mapping[Span, Sequence[str]]) -> dict[Span, Totals]:
    """Over stretches, of some resources each; no key where nothing is known."""
    asked: list[tuple[Span, int]] = []
    jobs: list[Callable[[], list[Sample]]] = []
    for stretch, ids in sorted(wanted.items()):
        for place, function in enumerate(("sum_over_time", "count_over_time")):
            query = partial(_query, function, of.series, stretch.end - stretch.first)
            own = list(of.asker.instants(query, stretch.end * SLOT, ids))
            jobs += own
            asked += [(stretch, place)] * len(own)
    found: dict[Span, list[dict[str, float]]] = {stretch: [{}, {}] for stretch in wanted}
    for (stretch, place), told in zip(asked, of.asker.together(of.what, jobs), strict=True):
        found[stretch][place] |= _by_resource(told)
    return {
        stretch: {id: (totals[id], count) for id, count in counts.items() if id in totals}
        for stretch, (totals, counts) in found.items()
    }


def _quantiles(of: Metric, period: Span, ids: Sequence[str]) -> list[dict[str, float]]:
    return [_statistic(of, f"quantile_over_time {one!r}", period, ids) for one in of.quantiles]


def _quantiles_at_once(of: Metric, period: Span, ids: Sequence[str]) -> list[dict[str, float]]:
    """VictoriaMetrics tells each as a series with the label `quantile`."""
    told = ", ".join(map(repr, of.quantiles))

    def query(matcher: str) -> str:
        its = recorded(of.series, matcher, period.end - period.first)
        return f'max by (resource, quantile) (quantiles_over_time("quantile", {told}, {its}))'

    jobs = of.asker.instants(query, period.end * SLOT, ids)
    found: list[dict[str, float]] = [{} for _ in of.quantiles]
    for one in chain.from_iterable(of.asker.together(of.what, jobs)):
        quantile = float(one.labels["quantile"])
        found[of.quantiles.index(quantile)][one.labels["resource"]] = one.value
    return found


def quantiles_at_once(asker: Asker, series: str, at: float) -> bool:
    """Whether a server has that function. One that is not to be reached has it not: whatever is asked next says so."""
    try:
        asker.once(f'quantiles_over_time("quantile", 0.5, {series}[1s])', at)
    except SourceError:
        return False
    return True


def _statistic(of: Metric, function: str, period: Span, ids: Sequence[str]) -> dict[str, float]:
    slots = period.end - period.first
    query = partial(_query, function, of.series, slots)
    jobs = of.asker.instants(query, period.end * SLOT, ids)
    return _by_resource(chain.from_iterable(of.asker.together(of.what, jobs)))


def _query(function: str, series: str, slots: int, matcher: str) -> str:
    return each(function, series, matcher, slots, recorded)


def _by_resource(told: Iterable[Sample]) -> dict[str, float]:
    """Of what has no resource nothing is known."""
    return {one.labels["resource"]: one.value for one in told if one.labels.get("resource")}


def _over(of: Metric, function: str, windows: Windows, ids: Sequence[str]) -> list[Series]:
    query = partial(_query, function, of.series, windows.slots)
    jobs = of.asker.overs(query, *moments(windows), ids)
    return list(chain.from_iterable(of.asker.together(of.what, jobs)))


def _peaks(of: Metric, period: Span, ids: Sequence[str]) -> dict[str, tuple[float, float]]:
    """The highest value of each, and when it was so first: the day, and then the slot within."""
    best: dict[str, tuple[float, Span]] = {}
    for windows in days(period):
        for one in _over(of, "max_over_time", windows, ids):
            id, values = one.labels["resource"], np.where(np.isnan(one.values), -np.inf, one.values)
            at = int(values.argmax())
            value, end = float(values[at]), round(one.times[at]) // SLOT
            before = best.get(id)
            # a series may come in parts, in any order
            if before is None or (value, -end) > (before[0], -before[1].end):
                best[id] = value, Span(end - windows.slots, end)
    by_day: dict[Span, list[str]] = defaultdict(list)
    for id, (_, day) in best.items():
        by_day[day].append(id)
    jobs: list[Callable[[], list[Series]]] = []
    for day, its in by_day.items():
        query = partial(_highest, of.series, day)
        ends = moments(Windows(1, day.first + 1, day.end, 1))
        jobs += of.asker.overs(query, *ends, its, copies=2)
    first: dict[str, float] = {}
    for one in chain.from_iterable(of.asker.together(of.what, jobs)):
        id, since = one.labels["resource"], float(one.times[0]) - SLOT
        first[id] = min(first.get(id, since), since)
    return {id: (best[id][0], at) for id, at in first.items()}


def _highest(series: str, day: Span, matcher: str) -> str:
    """The value of each slot that is the highest of its day; nothing of others."""
    slots = day.end - day.first
    whole = f"max_over_time({recorded(series, matcher, slots)} @ {day.end * SLOT})"
    return f"{each('max_over_time', series, matcher, 1, recorded)} == max by (resource) ({whole})"


def _worked(
    of: Metric,
    period: Span,
    counts: Mapping[str, int],
    zone: ZoneInfo,
    calendar: WorkCalendar,
) -> Totals:
    """Sum and count of what is known of working hours. Of a resource of which every slot is known, only sums are
    asked for."""
    working = calendar.working(np.arange(period.first, period.end), zone)
    gaps = [id for id, count in counts.items() if count < period.end - period.first]
    found: dict[str, list[float]] = {id: [0.0, 0.0] for id in counts}
    for id in counts.keys() - set(gaps):
        found[id][1] = float(working.sum())
    for windows, ends in alike(runs(working, period.first)):
        for place, function, ids in ((0, "sum", list(counts)), (1, "count", gaps)):
            for one in _over(of, f"{function}_over_time", windows, ids):
                own = [round(at) // SLOT in ends for at in one.times.tolist()]
                found[one.labels["resource"]][place] += float(one.values[own].sum())
    return {id: (total, count) for id, (total, count) in found.items()}


def _parted(
    total: float, count: int, work: tuple[float, float]
) -> tuple[float | None, float | None]:
    """Averages in and out of working hours."""
    inside = work[0] / work[1] if work[1] else None
    left = count - work[1]
    rest = total - work[0]
    if abs(rest) <= NOTHING * abs(total):
        rest = 0.0
    return inside, rest / left if left else None
