"""New values of a day on top of what the file holds of it: blocks and their sketches."""

from __future__ import annotations

import sqlite3
from datetime import datetime
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporters.history import blocks, sketch
from exporters.history.blocks import Floats
from exporters.history.days import Days
from exporters.history.schema import SLOT, key
from exporters.history.stored import day_of, sketches_of

_SERIES: Final = 2000  # at a time: what stays in the processor's cache is fast


class Landed(NamedTuple):
    """Days of series: written; as they were; kept since the file knows more of them than was brought
    (a sketch whose rollups are gone). `replaced` are slots that had other values."""

    written: int = 0
    same: int = 0
    kept: int = 0
    replaced: int = 0

    def plus(self, other: Landed) -> Landed:
        return Landed(*map(sum, zip(self, other, strict=True)))


def land(
    connection: sqlite3.Connection,
    days: Days,
    day: int,
    series: NDArray[np.int64],
    averages: Floats,
    maxima: Floats,
) -> Landed:
    """Write a day within the caller's transaction; `series` in order, NaN where there is no value.

    New values replace old ones.
    Rows of `rollups` of these series and this day become part of the block.
    """
    done = Landed()
    hours = hours_of(days, day)
    for start in range(0, len(series), _SERIES):
        part = slice(start, start + _SERIES)
        done = done.plus(
            _land(connection, days, day, hours, series[part], averages[part], maxima[part])
        )
    return done


def hours_of(days: Days, day: int) -> NDArray[np.int64]:
    """The hour of the day of each slot, as clocks show it."""
    first, slots = days.span(day)
    return np.array(
        [
            datetime.fromtimestamp(slot * SLOT, days.zone).hour
            for slot in range(first, first + slots)
        ]
    )


def _land(
    connection: sqlite3.Connection,
    days: Days,
    day: int,
    hours: NDArray[np.int64],
    series: NDArray[np.int64],
    averages: Floats,
    maxima: Floats,
) -> Landed:
    old = day_of(connection, days, day, series)
    had = np.isfinite(old.averages).sum(axis=1)
    at, known = sketches_of(connection, day, series)
    sketched = np.zeros_like(had)
    sketched[at] = known.heads["count"]
    missing = np.isnan(averages)
    low = np.where(missing, old.averages, averages)
    high = np.where(missing, old.maxima, np.maximum(averages, maxima))
    # merging a sketch with values would count some twice
    bare = ~old.blocked & (sketched > np.isfinite(low).sum(axis=1))
    same = _equal(low, old.averages) & _equal(high, old.maxima) & (sketched == had) & ~old.rowed
    write = ~bare & ~same & np.isfinite(low).any(axis=1)
    changed = np.isfinite(old.averages) & ((low != old.averages) | (high != old.maxima))
    _store(connection, day, days.span(day)[0], hours, series[write], low[write], high[write])
    forget_rows(connection, *days.span(day), series[old.rowed & ~bare])
    counts = (write, same & ~bare, bare, changed[write])
    return Landed(*(int(one.sum()) for one in counts))


def _equal(one: Floats, other: Floats) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)
    return found


def _store(
    connection: sqlite3.Connection,
    day: int,
    first: int,
    hours: NDArray[np.int64],
    series: NDArray[np.int64],
    averages: Floats,
    maxima: Floats,
) -> None:
    if not len(series):
        return
    keys = [key(day, one) for one in series.tolist()]
    made = sketch.encode(sketch.sketch(averages, maxima, first, hours))
    for table, content in (("blocks", blocks.encode(averages, maxima)), ("sketches", made)):
        connection.executemany(
            f"INSERT OR REPLACE INTO {table} VALUES (?, ?)",  # noqa: S608 - a table of ours
            zip(keys, content, strict=True),
        )


def forget_rows(
    connection: sqlite3.Connection, first: int, slots: int, series: NDArray[np.int64]
) -> None:
    """Delete the rows of a day of some series, in order."""
    if len(series):
        every, own = (
            msgspec.json.encode(one).decode()
            for one in (list(range(first, first + slots)), series.tolist())
        )
        connection.execute(_FORGET, (every, int(series[0]), int(series[-1]), own))


_FORGET: Final = """
DELETE FROM rollups WHERE slot IN (SELECT value FROM json_each(?)) AND series BETWEEN ? AND ?
AND +series IN (SELECT value FROM json_each(?))
"""
