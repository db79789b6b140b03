"""What a history file holds of a day, for some series: rollups as matrices, and sketches."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporters.history import blocks, sketch
from exporters.history.blocks import BlockError, Floats
from exporters.history.days import Days
from exporters.history.file import HistoryError
from exporters.history.schema import key
from exporters.history.sketch import SketchError, Sketches

_LOW: Final = (1 << 32) - 1  # of a key: its series
_ROWS: Final = 50_000  # at a time


class Day(NamedTuple):
    """Five-minute averages and maxima of a day, a series a row; NaN where nothing is known."""

    first: int  # slot
    averages: Floats
    maxima: Floats
    blocked: NDArray[np.bool_]  # which series have a block
    rowed: NDArray[np.bool_]  # which have rows


class Rows(NamedTuple):
    """Rows of `rollups`."""

    slots: NDArray[np.int64]
    series: NDArray[np.int64]
    averages: Floats
    maxima: Floats


def day_of(connection: sqlite3.Connection, days: Days, day: int, series: NDArray[np.int64]) -> Day:
    """The rollups of a day; `series` in order. What is in rows is newer than what is in blocks."""
    first, slots = days.span(day)
    averages = np.full((len(series), slots), np.nan, np.float32)
    maxima = averages.copy()
    blocked, rowed = (np.zeros(len(series), np.bool_) for _ in range(2))
    if _any(connection, "blocks", day):
        found = list(_by_key(connection, "blocks", "block", day, series))
        at = np.searchsorted(series, [one for one, _ in found])
        try:
            blocked[at] = True
            averages[at], maxima[at] = blocks.decode([block for _, block in found], slots)
        except BlockError as error:
            raise HistoryError(f"a block of day {day} is damaged: {error}") from error
    for rows in rows_between(connection, first, first + slots, series):
        at = np.searchsorted(series, rows.series)
        averages[at, rows.slots - first] = rows.averages
        maxima[at, rows.slots - first] = rows.maxima
        rowed[at] = True
    endless = np.isinf(averages) | np.isinf(maxima)  # no use is; so it is damage, and not known
    if endless.any():
        averages[endless] = maxima[endless] = np.nan
    return Day(first, averages, maxima, blocked, rowed)


def rows_between(
    connection: sqlite3.Connection, since: int, until: int, series: NDArray[np.int64]
) -> Iterator[Rows]:
    """The rows of `rollups` in slots [since, until) that are of `series` (in order)."""
    if not len(series) or not connection.execute(_SOME, (since, until)).fetchone():
        return
    every = msgspec.json.encode(list(range(since, until))).decode()
    cursor = connection.execute(_ROWS_OF, (every, int(series[0]), int(series[-1])))
    while fetched := cursor.fetchmany(_ROWS):
        raw = np.fromiter(chain.from_iterable(fetched), np.float64, 4 * len(fetched))
        slots, own, averages, maxima = raw.reshape(-1, 4).T
        numbers = own.astype(np.int64)
        wanted = np.isin(numbers, series)
        with np.errstate(over="ignore"):
            yield Rows(
                slots[wanted].astype(np.int64),
                numbers[wanted],
                averages[wanted].astype(np.float32),
                maxima[wanted].astype(np.float32),
            )


_SOME: Final = "SELECT 1 FROM rollups WHERE slot >= ? AND slot < ? LIMIT 1"
_ROWS_OF: Final = """
SELECT slot, series, average, maximum FROM json_each(?) AS wanted
CROSS JOIN rollups ON slot = wanted.value AND series BETWEEN ? AND ?
"""  # a search for each slot: series of others are not read


def sketches_of(
    connection: sqlite3.Connection, day: int, series: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Sketches]:
    """The sketches of a day, and which of `series` (in order) each is of, as an index."""
    found = list(_by_key(connection, "sketches", "sketch", day, series))
    at = np.searchsorted(series, np.array([one for one, _ in found], np.int64))
    try:
        return at, sketch.decode([one for _, one in found])
    except SketchError as error:
        raise HistoryError(f"a sketch of day {day} is damaged: {error}") from error


def sketch_heads_of(
    connection: sqlite3.Connection, day: int, series: NDArray[np.int64]
) -> tuple[NDArray[np.int64], Sketches]:
    """The same without their bins."""
    found: list[tuple[int, bytes, int]] = connection.execute(
        _HEADS, (sketch.HEAD_BYTES, key(day, 0), _wanted(series))
    ).fetchall()
    numbers, tops, sizes = zip(*found, strict=True) if found else ((), (), ())
    at = np.searchsorted(series, np.array(numbers, np.int64) & _LOW)
    try:
        return at, sketch.decode_heads(tops, sizes)
    except SketchError as error:
        raise HistoryError(f"a sketch of day {day} is damaged: {error}") from error


_HEADS: Final = (
    "SELECT key, substr(sketch, 1, ?), length(sketch) FROM sketches"
    " WHERE key IN (SELECT ? | value FROM json_each(?))"
)


def damaged_order(table: str) -> HistoryError:
    """SQLite believes what a damaged page says of its order: who goes on from key to key may never end."""
    return HistoryError(f"{table} are damaged: they are not in order")


def present(connection: sqlite3.Connection, table: str, since: int, until: int) -> list[int]:
    """The days in [since, until) that have anything in `blocks` or `sketches`. Raises HistoryError."""
    found: list[int] = []
    after = since
    select = _DAYS[table]
    while row := connection.execute(select, (key(after, 0), key(until, 0))).fetchone():
        day = row[0] >> 32
        if day < after:
            raise damaged_order(table)
        found.append(day)
        after = day + 1
    return found


_DAYS: Final = {
    table: f"SELECT key FROM {table} WHERE key >= ? AND key < ? ORDER BY key LIMIT 1"  # noqa: S608
    for table in ("blocks", "sketches")
}


def _any(connection: sqlite3.Connection, table: str, day: int) -> bool:
    return bool(present(connection, table, day, day + 1))


_BY_KEY: Final = {
    table: f"SELECT key, {column} FROM {table} WHERE key IN (SELECT ? | value FROM json_each(?))"  # noqa: S608
    for table, column in (("blocks", "block"), ("sketches", "sketch"))
}


def _by_key(
    connection: sqlite3.Connection,
    table: str,
    column: str,
    day: int,
    series: NDArray[np.int64] | Sequence[int],
) -> Iterator[tuple[int, bytes]]:
    """Number of the series and the bytes, in order."""
    found: Any = connection.execute(_BY_KEY[table], (key(day, 0), _wanted(series)))
    for its, content in found:
        yield its & _LOW, content


def _wanted(series: NDArray[np.int64] | Sequence[int]) -> str:
    numbers = series.tolist() if isinstance(series, np.ndarray) else [int(one) for one in series]
    return msgspec.json.encode(numbers).decode()
