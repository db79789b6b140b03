"""Sums of a metric over stretches of the lives of resources: each series is read once, however many there are.

Of a day that is known by its sketch alone, a stretch that ends within it has the hours that it covers, and of
an hour that it covers in part as much of its sum and its count: no day is lost by where it is cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from exporters.history.days import Days
from exporters.history.file import zone_of
from exporters.history.reader import Chunk, DaySketches, Span, chunks
from exporters.history.schema import SLOT
from exporters.history.sketch import HOURS

Sums = NDArray[np.float64]  # a row a stretch: sum of the values, and their number


def sums(
    connection: sqlite3.Connection,
    metric: str,
    period: Span,
    stretches: Mapping[str, Sequence[Span]],
) -> dict[str, list[tuple[float, float]]]:
    """By resource, for each of its stretches: the sum of its known averages, and how many are known (a fraction
    where an hour is cut). No key where the metric was never measured. Raises HistoryError."""
    days = Days(zone_of(connection))
    hours = lru_cache(None)(lambda day: _hours(days, day))
    found: dict[str, list[tuple[float, float]]] = {}
    for chunk in chunks(connection, metric, period, stretches.keys()):
        by_row = _of_rollups(chunk, stretches)
        for one in chunk.sketches:
            first, slots = days.span(one.day)
            _add(by_row, one, chunk, stretches, Span(first, first + slots), hours(one.day))
        for resource, its in zip(chunk.resources, by_row, strict=True):
            found[resource] = [(total, count) for total, count in its.tolist()]
    return found


def _of_rollups(chunk: Chunk, stretches: Mapping[str, Sequence[Span]]) -> list[Sums]:
    found = []
    for row, resource in enumerate(chunk.resources):
        its = np.zeros((len(stretches[resource]), 2))
        known = ~np.isnan(chunk.averages[row])
        for number, part in enumerate(stretches[resource]):
            own = slice(*np.searchsorted(chunk.slots, part).tolist())
            there = known[own]
            values = chunk.averages[row, own][there]
            its[number] = values.sum(dtype=np.float64), len(values)
        found.append(its)
    return found


def _add(
    by_row: Sequence[Sums],
    one: DaySketches,
    chunk: Chunk,
    stretches: Mapping[str, Sequence[Span]],
    whole: Span,
    hours: NDArray[np.int64],
) -> None:
    """What the sketches of a day have."""
    heads = one.sketches.heads
    counts = np.bincount(hours, minlength=HOURS)
    for place, row in enumerate(one.rows.tolist()):
        for number, part in enumerate(stretches[chunk.resources[row]]):
            first, end = max(part.first, whole.first), min(part.end, whole.end)
            if (first, end) == whole:
                by_row[row][number] += heads["total"][place], heads["count"][place]
            elif first < end:
                own = hours[first - whole.first : end - whole.first]
                share = np.bincount(own, minlength=HOURS) / np.maximum(counts, 1)
                by_row[row][number] += (
                    heads["hour_sums"][place] @ share,
                    heads["hour_counts"][place] @ share,
                )


def _hours(days: Days, day: int) -> NDArray[np.int64]:
    """The hour of each slot of a day."""
    first, slots = days.span(day)
    moments = range(first * SLOT, (first + slots) * SLOT, SLOT)
    return np.array([datetime.fromtimestamp(at, days.zone).hour for at in moments])
