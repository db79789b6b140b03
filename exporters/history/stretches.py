"""Sums of a metric over stretches of the lives of resources: each series is read once, however many there are.

Of a day that is known by its sketch alone, a stretch that ends within it has the hours that it covers, and of
an hour that it covers in part as much of its sum and its count: no day is lost by where it is cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exporters.history.days import Days
from exporters.history.file import zone_of
from exporters.history.reader import Chunk, DaySketches, Span, chunks
from exporters.history.schema import SLOT
from exporters.history.sketch import HOURS


def sums(
    connection: sqlite3.Connection,
    metric: str,
    period: Span,
    stretches: Mapping[str, Sequence[Span]],
) -> dict[str, list[tuple[float, float]]]:
    """By resource, for each of its stretches: the sum of its known averages, and how many are known (a fraction
    where an hour is cut). No key where the metric was never measured. Raises HistoryError."""
    days = Days(zone_of(connection))
    found: dict[str, list[tuple[float, float]]] = {}
    for chunk in chunks(connection, metric, period, stretches.keys(), bins=False):
        parts = _parts(chunk, stretches)
        if len(chunk.slots):
            _add_rollups(parts, chunk)
        for one in chunk.sketches:
            _add_sketches(parts, one, days)
        told = [(total, count) for total, count in parts.sums.tolist()]
        ends = np.searchsorted(parts.rows, np.arange(len(chunk.resources) + 1)).tolist()
        for resource, (begin, end) in zip(chunk.resources, pairwise(ends), strict=True):
            found[resource] = told[begin:end]
    return found


class _Parts(NamedTuple):
    """All stretches of a chunk, in order of their rows; of each the sum of values, and their number."""

    rows: NDArray[np.int64]
    firsts: NDArray[np.int64]
    ends: NDArray[np.int64]
    sums: NDArray[np.float64]


def _parts(chunk: Chunk, stretches: Mapping[str, Sequence[Span]]) -> _Parts:
    each = [stretches[resource] for resource in chunk.resources]
    rows = np.repeat(np.arange(len(each)), [len(parts) for parts in each])
    bounds = np.array([part for parts in each for part in parts], np.int64).reshape(-1, 2)
    return _Parts(rows, bounds[:, 0], bounds[:, 1], np.zeros((len(rows), 2)))


def _add_rollups(parts: _Parts, chunk: Chunk) -> None:
    begins = np.searchsorted(chunk.slots, parts.firsts).tolist()
    ends = np.searchsorted(chunk.slots, parts.ends).tolist()
    for number, (row, begin, end) in enumerate(zip(parts.rows.tolist(), begins, ends, strict=True)):
        values = chunk.averages[row, begin:end]
        known = values[~np.isnan(values)]
        parts.sums[number] += known.sum(dtype=np.float64), len(known)


def _add_sketches(parts: _Parts, one: DaySketches, days: Days) -> None:
    """What the sketches of a day have: all of it for stretches with the whole day."""
    first, slots = days.span(one.day)
    end, heads = first + slots, one.sketches.heads
    places = np.full(1 + max(one.rows.max(), parts.rows.max(initial=0)), -1)
    places[one.rows] = np.arange(len(one.rows))
    place = places[parts.rows]
    whole = (place >= 0) & (parts.firsts <= first) & (parts.ends >= end)
    parts.sums[whole, 0] += heads["total"][place[whole]]
    parts.sums[whole, 1] += heads["count"][place[whole]]
    some = (place >= 0) & ~whole & (parts.firsts < end) & (parts.ends > first)
    if not some.any():
        return
    hours = _hours(days, one.day)
    counts = np.bincount(hours, minlength=HOURS)
    for number in np.flatnonzero(some).tolist():
        begin, until = max(parts.firsts[number], first), min(parts.ends[number], end)
        own = hours[begin - first : until - first]
        share = np.bincount(own, minlength=HOURS) / np.maximum(counts, 1)
        at = place[number]
        parts.sums[number] += heads["hour_sums"][at] @ share, heads["hour_counts"][at] @ share


def _hours(days: Days, day: int) -> NDArray[np.int64]:
    """The hour of each slot of a day."""
    first, slots = days.span(day)
    moments = range(first * SLOT, (first + slots) * SLOT, SLOT)
    return np.array([datetime.fromtimestamp(at, days.zone).hour for at in moments])
