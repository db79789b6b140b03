"""Statistics of usage: of each resource over a period, and of all samples of a metric together.

They are over five-minute averages; the maximum is of any moment. Quantiles interpolate linearly between
the two nearest values (numpy's default). Where days are known by their sketches alone, quantiles are
within sketch.RELATIVE_ERROR, and working hours that begin within an hour take a share of that hour.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exporters.history import sketch
from exporters.history.blocks import Floats
from exporters.history.days import Days
from exporters.history.file import zone_of
from exporters.history.reader import Chunk, DaySketches, Span, chunks, span
from exporters.history.schema import SLOT
from exporters.history.sketch import Sketches
from exporters.history.workcalendar import WorkCalendar
from rules.usagemodel import UPPER, Measured

Array = NDArray[np.float64]

_WANTED: Final = (0.5, 0.95, UPPER)


class Figures(NamedTuple):
    """Of the series of a chunk, one a row; a row of 0 `counts` has NaN. `work` and `off` are sum and count of
    values in and out of working hours."""

    counts: NDArray[np.int64]
    mean: Array
    deviation: Array  # of the population
    quantiles: Array
    maximum: Array
    at: NDArray[np.int64]  # slot of the maximum
    estimated: NDArray[np.bool_]
    work: Array
    off: Array


def usage(
    connection: sqlite3.Connection,
    metric: str,
    since: float,
    until: float,
    calendar: WorkCalendar,
    resources: Collection[str] | None = None,
    begins: Mapping[str, float] | None = None,
) -> dict[str, Measured]:
    """What each resource used of a metric in [since, until), by resource id; no key where nothing is known. Of
    those in `begins` nothing counts before; their coverage is of the whole period all the same."""
    period = span(since, until)
    found = {}
    for resource, row, figures in _rows(
        connection, metric, period, _WANTED, calendar, resources, begins or {}
    ):
        count, (p50, p95, upper) = int(figures.counts[row]), figures.quantiles[row].tolist()
        found[resource] = Measured(
            count,
            float(figures.mean[row]),
            p50,
            p95,
            float(figures.maximum[row]),
            float(figures.at[row] * SLOT),
            count / (period.end - period.first),
            _mean(figures.work[row]),
            _mean(figures.off[row]),
            bool(figures.estimated[row]),
            upper,
        )
    return found


def _mean(sum_and_count: Array) -> float | None:
    total, count = sum_and_count.tolist()
    return total / count if count else None


def _rows(
    connection: sqlite3.Connection,
    metric: str,
    period: Span,
    wanted: Sequence[float],
    calendar: WorkCalendar | None,
    resources: Collection[str] | None,
    begins: Mapping[str, float],
) -> Iterator[tuple[str, int, Figures]]:
    days = Days(zone_of(connection))
    for chunk in chunks(connection, metric, period, resources):
        figures = measure(_begun(chunk, begins, days), wanted, days, calendar)
        for row in np.flatnonzero(figures.counts).tolist():
            yield chunk.resources[row], row, figures


def _begun(chunk: Chunk, begins: Mapping[str, float], days: Days) -> Chunk:
    """Without what is from before a resource began; of a day that is known by its sketch alone nothing is left
    where it began within that."""
    late = [row for row, resource in enumerate(chunk.resources) if resource in begins]
    if not late:
        return chunk
    first = np.zeros(len(chunk.resources), np.int64)
    first[late] = [span(begins[chunk.resources[row]], 0).first for row in late]
    for row in late:
        before = int(np.searchsorted(chunk.slots, first[row]))
        chunk.averages[row, :before] = chunk.maxima[row, :before] = np.nan
    kept = [_kept(one, first[one.rows] <= days.span(one.day)[0]) for one in chunk.sketches]
    return chunk._replace(sketches=[one for one in kept if len(one.rows)])


def _kept(one: DaySketches, keep: NDArray[np.bool_]) -> DaySketches:
    if keep.all():
        return one
    heads, rows, bins, counts = one.sketches
    own, places = keep[rows], np.cumsum(keep) - 1
    left = Sketches(heads[keep], places[rows[own]], bins[own], counts[own])
    return DaySketches(one.day, one.rows[keep], left)


def measure(
    chunk: Chunk, wanted: Sequence[float], days: Days, calendar: WorkCalendar | None
) -> Figures:
    """Of each series of a chunk. Sorts the chunk's averages in place."""
    known = ~np.isnan(chunk.averages)
    values = np.where(known, chunk.averages, np.float32(0))
    count = known.sum(axis=1)
    with np.errstate(invalid="ignore"):
        mean = values.sum(axis=1, dtype=np.float64) / count
        spread = np.where(known, values - mean[:, None], 0)
        deviation = np.sqrt(np.einsum("ij,ij->i", spread, spread) / count)
    tops = np.where(known, chunk.maxima, np.float32(-np.inf))
    size = len(chunk.resources)
    at = tops.argmax(axis=1) if len(chunk.slots) else np.zeros(size, np.int64)
    maximum = tops.max(axis=1, initial=-np.inf).astype(np.float64)
    moment = chunk.slots[at] if len(chunk.slots) else at
    work, off = np.zeros((size, 2)), np.zeros((size, 2))
    if calendar:
        working = calendar.working(chunk.slots, days.zone)
        for into, which in ((work, working), (off, ~working)):
            into[:, 0] = values[:, which].sum(axis=1, dtype=np.float64)
            into[:, 1] = known[:, which].sum(axis=1)
    if chunk.sketches:
        merged, rows = _merged(chunk)
    chunk.averages.sort(axis=1)  # NaN last
    found = Figures(
        count, mean, deviation, quantiles_of(chunk.averages, count, wanted), maximum, moment,
        np.zeros(size, np.bool_), work, off,
    )  # fmt: skip
    if chunk.sketches:
        _add(found, merged, rows, wanted)
        if calendar:
            _add_hours(found, chunk, days, calendar)
    return found


def quantiles_of(ordered: Floats, count: NDArray[np.int64], wanted: Sequence[float]) -> Array:
    """Of rows in order, of which the first `count` values count. NaN of none."""
    found = np.full((len(ordered), len(wanted)), np.nan)
    some = np.flatnonzero(count)
    for column, quantile in enumerate(wanted):
        rank = quantile * (count[some] - 1)
        low = np.floor(rank).astype(np.int64)
        one, other = (
            ordered[some, at].astype(np.float64)
            for at in (low, np.minimum(low + 1, count[some] - 1))
        )
        found[some, column] = one + (rank - low) * (other - one)
    return found


def _merged(chunk: Chunk) -> tuple[Sketches, NDArray[np.int64]]:
    """All that is known of rows that have sketches, and which rows those are."""
    rows = np.unique(np.concatenate([one.rows for one in chunk.sketches]))
    parts, into = [one.sketches for one in chunk.sketches], [one.rows for one in chunk.sketches]
    if len(chunk.slots):
        hours = np.zeros(len(chunk.slots), np.int64)  # not looked at
        exact = sketch.sketch(chunk.averages[rows], chunk.maxima[rows], 0, hours)
        exact.heads["at"] = chunk.slots[exact.heads["at"]]
        parts.append(exact)
        into.append(rows)
    places = np.searchsorted(rows, np.concatenate(into))
    return sketch.merge(sketch.join(parts), places, len(rows)), rows


def _add(
    found: Figures, merged: Sketches, rows: NDArray[np.int64], wanted: Sequence[float]
) -> None:
    heads = merged.heads
    found.counts[rows] = heads["count"]
    found.mean[rows] = mean = heads["total"] / heads["count"]
    found.deviation[rows] = np.sqrt(np.maximum(heads["squares"] / heads["count"] - mean**2, 0))
    found.quantiles[rows] = sketch.quantiles(merged, wanted)
    found.maximum[rows], found.at[rows] = heads["maximum"], heads["at"]
    found.estimated[rows] = True


def _add_hours(found: Figures, chunk: Chunk, days: Days, calendar: WorkCalendar) -> None:
    """Working hours of days that are known by their sketches."""
    for one in chunk.sketches:
        share = calendar.share(one.day, days)
        heads = one.sketches.heads
        for into, part in ((found.work, share), (found.off, 1 - share)):
            into[one.rows, 0] += heads["hour_sums"] @ part
            into[one.rows, 1] += heads["hour_counts"] @ part
