"""All samples of a metric together: exact quantiles of however many, in two passes and little memory.

Values are not negative, and then the bits of a float32 are in the order of its value: the first pass
counts by the upper half of the bits, the second by the lower half where a wanted value lies.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterator
from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporters.history import sketch
from exporters.history.days import Days
from exporters.history.file import zone_of
from exporters.history.reader import Chunk, Span, chunks, unit_of
from exporters.history.sketch import Sketches
from exporters.history.statistics import measure

WANTED: Final = (0.25, 0.5, 0.75, 0.95)
_HALF: Final = 1 << 16


class Summary(msgspec.Struct, frozen=True):
    """Over five-minute averages; `max` is of any moment, `stddev` of the population. Times are ISO 8601.
    Figures are None where there is no sample. `coverage` is the share of the slots of all resources that have
    one, 0 to 1."""

    metric: str
    unit: str
    resources: int
    samples: int
    mean: float | None
    stddev: float | None
    q1: float | None
    median: float | None
    q3: float | None
    max: float | None
    since: str
    until: str
    estimated: bool
    p95: float | None
    coverage: float | None


class Row(msgspec.Struct, frozen=True):
    """One resource; `max_at` is when its maximum was, `coverage` the share of the slots that have a sample, 0 to
    1."""

    resource: str
    samples: int
    mean: float
    stddev: float
    q1: float
    median: float
    q3: float
    p95: float
    max: float
    max_at: str
    coverage: float
    estimated: bool


class _Totals:
    """Count, mean and spread of what comes in parts (Chan, Golub and LeVeque, 1979)."""

    def __init__(self) -> None:
        self.count, self.mean, self.spread, self.highest = 0, 0.0, 0.0, -np.inf
        self.resources = 0

    def add(self, count: int, mean: float, spread: float) -> None:
        if count:
            whole, apart = self.count + count, mean - self.mean
            self.spread += spread + apart**2 * self.count * count / whole
            self.mean += apart * count / whole
            self.count = whole


def summarise(
    connection: sqlite3.Connection,
    metric: str,
    period: Span,
    shown: Callable[[int], str],
    resources: Collection[str] | None = None,
) -> Summary:
    """Over all samples in a period. `shown` writes a slot's time. Raises HistoryError."""

    def parts() -> Iterator[Chunk]:
        return chunks(connection, metric, period, resources)

    totals, upper = _Totals(), np.zeros(_HALF, np.int64)
    sketched: list[Sketches] = []
    for chunk in parts():
        values = _values(chunk)
        upper += np.bincount(values.view(np.uint32) >> 16, minlength=_HALF)
        _total(totals, chunk, values)
        if chunk.sketches:
            sketched.append(_one([one.sketches for one in chunk.sketches]))
    if sketched:
        exact = [_exactly(chunk) for chunk in parts() if len(chunk.slots)]
        found = sketch.quantiles(_one([*sketched, *exact]), WANTED)[0].tolist()
    else:
        found = _quartiles(upper, totals.count, parts)
    some = totals.count > 0
    q1, median, q3, p95 = found if some else (None, None, None, None)
    slots = totals.resources * (period.end - period.first)
    return Summary(
        metric,
        unit_of(connection, metric),
        totals.resources,
        totals.count,
        totals.mean if some else None,
        float(np.sqrt(totals.spread / totals.count)) if some else None,
        q1,
        median,
        q3,
        float(totals.highest) if some else None,
        shown(period.first),
        shown(period.end),
        bool(sketched),
        p95,
        totals.count / slots if slots else None,
    )


def by_resource(
    connection: sqlite3.Connection,
    metric: str,
    period: Span,
    shown: Callable[[int], str],
    resources: Collection[str] | None = None,
) -> Iterator[Row]:
    """The same of each resource that has a sample."""
    days = Days(zone_of(connection))
    for chunk in chunks(connection, metric, period, resources):
        its = measure(chunk, WANTED, days, None)
        for row in np.flatnonzero(its.counts).tolist():
            q1, median, q3, p95 = its.quantiles[row].tolist()
            yield Row(
                chunk.resources[row],
                int(its.counts[row]),
                float(its.mean[row]),
                float(its.deviation[row]),
                q1,
                median,
                q3,
                p95,
                float(its.maximum[row]),
                shown(int(its.at[row])),
                int(its.counts[row]) / (period.end - period.first),
                bool(its.estimated[row]),
            )


def _values(chunk: Chunk) -> NDArray[np.float32]:
    """Those that are known; without -0, whose bits are not in order."""
    return chunk.averages[~np.isnan(chunk.averages)] + np.float32(0)


def _total(totals: _Totals, chunk: Chunk, values: NDArray[np.float32]) -> None:
    has = set(np.flatnonzero(~np.isnan(chunk.averages).all(axis=1)).tolist())
    if len(values):
        mean = float(values.mean(dtype=np.float64))
        totals.add(len(values), mean, float(((values - mean) ** 2).sum(dtype=np.float64)))
        totals.highest = max(totals.highest, float(np.nanmax(chunk.maxima)))
    for one in chunk.sketches:
        has.update(one.rows.tolist())
        heads = one.sketches.heads
        count, total = int(heads["count"].sum()), float(heads["total"].sum())
        mean = total / count
        totals.add(count, mean, max(0.0, float(heads["squares"].sum()) - count * mean**2))
        totals.highest = max(totals.highest, float(heads["maximum"].max()))
    totals.resources += len(has)


def _exactly(chunk: Chunk) -> Sketches:
    """One sketch of all rollups of a chunk."""
    hours = np.zeros(len(chunk.slots), np.int64)  # not looked at
    return _one([sketch.sketch(chunk.averages, chunk.maxima, 0, hours)])


def _one(parts: list[Sketches]) -> Sketches:
    """All of them as one."""
    every = sketch.join(parts)
    return sketch.merge(every, np.zeros(len(every.heads), np.int64), 1)


def _quartiles(
    upper: NDArray[np.int64], count: int, parts: Callable[[], Iterator[Chunk]]
) -> list[float]:
    if not count:
        return []
    ranks = [quantile * (count - 1) for quantile in WANTED]
    places = sorted(
        {int(rank) + more for rank in ranks for more in (0, 1) if int(rank) + more < count}
    )
    ends = np.cumsum(upper)
    heads = {place: int(np.searchsorted(ends, place, side="right")) for place in places}
    lower = {head: np.zeros(_HALF, np.int64) for head in heads.values()}
    for chunk in parts():
        bits = _values(chunk).view(np.uint32)
        own = bits >> 16
        for head, counts in lower.items():
            counts += np.bincount(bits[own == head] & (_HALF - 1), minlength=_HALF)
    values = {}
    for place, head in heads.items():
        within = place - int(ends[head] - upper[head])
        tail = int(np.searchsorted(np.cumsum(lower[head]), within, side="right"))
        values[place] = float(np.array([head << 16 | tail], np.uint32).view(np.float32)[0])
    return [_between(values, rank, count) for rank in ranks]


def _between(values: dict[int, float], rank: float, count: int) -> float:
    low = int(rank)
    one, other = values[low], values[min(low + 1, count - 1)]
    return one + (rank - low) * (other - one)
