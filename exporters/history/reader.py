"""Reading usage out of a history file: some series at a time, as matrices, so that memory is bounded.

Days whose blocks are gone come as sketches, if the whole day is asked for: a sketch cannot be cut.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exporters.history.blocks import Floats
from exporters.history.days import Days
from exporters.history.file import HistoryError, zone_of
from exporters.history.schema import SLOT
from exporters.history.sketch import Sketches
from exporters.history.stored import day_of, present, sketch_heads_of, sketches_of

BUDGET: Final = 64 << 20  # bytes of matrices at a time
_SKETCH: Final = {True: 4096, False: 1024}  # bytes of a sketch in memory, with its bins or without


class Span(NamedTuple):
    """Slots [first, end): those that begin in a period."""

    first: int
    end: int


class DaySketches(NamedTuple):
    """Sketches of a day, and the row of each in the chunk."""

    day: int
    rows: NDArray[np.int64]
    sketches: Sketches


class Chunk(NamedTuple):
    """Some series of a metric, one a row: a column for each slot of days that have any rollups."""

    resources: list[str]
    slots: NDArray[np.int64]
    averages: Floats
    maxima: Floats
    sketches: list[DaySketches]


@contextmanager
def reading(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is read within is of one moment."""
    connection.execute("BEGIN")
    try:
        yield
    finally:
        connection.execute("ROLLBACK")


def unit_of(connection: sqlite3.Connection, metric: str) -> str:
    """Raises HistoryError where there is no such metric."""
    for (unit,) in connection.execute("SELECT unit FROM metrics WHERE name = ?", (metric,)):
        return str(unit)
    names = [name for (name,) in connection.execute("SELECT name FROM metrics ORDER BY name")]
    has = f"it has {', '.join(names)}" if names else "it has none"
    raise HistoryError(f"the file has no metric {metric!r}; {has}")


def span_of(connection: sqlite3.Connection) -> Span | None:
    """From the first to the last slot of anything in the file, by whole days where those are over."""
    days = Days(zone_of(connection))
    firsts, ends = [], []
    for table in ("blocks", "sketches"):
        for low, high in connection.execute(_ENDS.format(of="key", table=table)):
            if low is not None:
                firsts.append(days.span(low >> 32)[0])
                ends.append(sum(days.span(high >> 32)))
    for low, high in connection.execute(_ENDS.format(of="slot", table="rollups")):
        if low is not None:
            firsts.append(low)
            ends.append(high + 1)
    return Span(min(firsts), max(ends)) if firsts else None


_ENDS: Final = (  # both at once would be a look at every row
    "SELECT (SELECT min({of}) FROM {table}), (SELECT max({of}) FROM {table})"
)


def span(since: float, until: float) -> Span:
    return Span(-int(-since // SLOT), -int(-until // SLOT))


def chunks(
    connection: sqlite3.Connection,
    metric: str,
    period: Span,
    resources: Collection[str] | None = None,
    budget: int = BUDGET,
    *,
    bins: bool = True,
) -> Iterator[Chunk]:
    """All series of a metric (of some resources); sketches without their `bins` where sums are wanted alone. Raises
    HistoryError."""
    sketched_on = sketches_of if bins else sketch_heads_of
    days = Days(zone_of(connection))
    first = days.of(period.first * SLOT)
    end = days.of((period.end - 1) * SLOT) + 1 if period.end > period.first else first
    rolled = set(present(connection, "blocks", first, end)) | _row_days(connection, days, period)
    sketched = set(present(connection, "sketches", first, end))
    slots = np.concatenate(
        [np.empty(0, np.int64), *(np.arange(*_cut(days, day, period)) for day in sorted(rolled))]
    )
    each = 2 * np.dtype(np.float32).itemsize * len(slots) + _SKETCH[bins] * len(sketched - rolled)
    size = max(1, budget // max(1, each))
    every = _series(connection, metric, resources)
    for start in range(0, len(every), size):
        part = every[start : start + size]
        numbers = np.array([number for number, _ in part], np.int64)
        averages = np.full((len(part), len(slots)), np.nan, np.float32)
        maxima = averages.copy()
        found = []
        at = 0
        for day in sorted(rolled | sketched):
            low, high = _cut(days, day, period)
            lacking = np.arange(len(part))
            if day in rolled:
                its = day_of(connection, days, day, numbers)
                own = slice(low - its.first, high - its.first)
                into = slice(at, at + high - low)
                averages[:, into], maxima[:, into] = its.averages[:, own], its.maxima[:, own]
                at += high - low
                lacking = np.flatnonzero(np.isnan(its.averages).all(axis=1))
            if day in sketched and len(lacking) and (low, high) == _cut(days, day, None):
                rows, sketches = sketched_on(connection, day, numbers[lacking])
                if len(rows):
                    found.append(DaySketches(day, lacking[rows], sketches))
        yield Chunk([resource for _, resource in part], slots, averages, maxima, found)


def _cut(days: Days, day: int, period: Span | None) -> tuple[int, int]:
    """The slots of a day within the period."""
    first, slots = days.span(day)
    if period is None:
        return first, first + slots
    return max(first, period.first), min(first + slots, period.end)


def _row_days(connection: sqlite3.Connection, days: Days, period: Span) -> set[int]:
    [(low, high)] = connection.execute(
        "SELECT min(slot), max(slot) FROM rollups WHERE slot >= ? AND slot < ?", period
    )
    if low is None:
        return set()
    return set(range(days.of(low * SLOT), days.of(high * SLOT) + 1))


def _series(
    connection: sqlite3.Connection, metric: str, resources: Collection[str] | None
) -> list[tuple[int, str]]:
    unit_of(connection, metric)
    found = connection.execute(
        "SELECT series.number, resources.id FROM series JOIN metrics ON metrics.number = metric"
        " JOIN resources ON resources.number = resource WHERE metrics.name = ?"
        " ORDER BY series.number",
        (metric,),
    )
    wanted = None if resources is None else set(resources)
    return [(number, name) for number, name in found if wanted is None or name in wanted]
