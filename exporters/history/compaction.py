"""Keeping a history file small: days that are over become blocks and sketches, and what is old goes.

Each step is one transaction: a kill at any moment leaves a whole file, and the next time does the rest.
What is old is counted from the newest rollup where that is before now, so that a file of old imports is not
emptied, nor one whose clock jumped ahead while nothing was written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from exporters.history.days import Days
from exporters.history.file import connect, zone_of
from exporters.history.landing import Landed, forget_rows, land
from exporters.history.schema import SLOT, key
from exporters.history.stored import present

KEEP: Final = 40  # days of rollups
KEEP_SKETCHES: Final = 400  # days; 13 months
_SERIES: Final = 20_000  # of a day in one transaction


class Compacted(msgspec.Struct):
    """What was done: days of series made blocks, and days that went. `dropped` went before their time,
    since the file was larger than allowed; `size` is what it takes now, without free pages."""

    days: int = 0
    series: int = 0
    expired: int = 0
    expired_sketches: int = 0
    dropped: list[str] = []
    dropped_sketches: list[str] = []
    size: int = 0


def compact(
    path: Path,
    now: float,
    keep: int = KEEP,
    keep_sketches: int = KEEP_SKETCHES,
    most: int | None = None,
) -> Compacted:
    """`most` is how many bytes the file may take. Raises HistoryError, sqlite3.Error."""
    done = Compacted()
    with closing(connect(path)) as connection:
        days = Days(zone_of(connection))
        today = days.of(now)
        for day in _over(connection, days, today):
            done.days += 1
            done.series += _compact(connection, days, day).written
        newest = min(today, _newest(connection, days))
        for table, kept in (("blocks", keep), ("sketches", keep_sketches)):
            for day in present(connection, table, 0, newest - kept):
                _forget(connection, table, day)
                if table == "blocks":
                    done.expired += 1
                else:
                    done.expired_sketches += 1
        if most is not None:
            _shrink(connection, most, done)
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        done.size = _used(connection)
    return done


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _over(connection: sqlite3.Connection, days: Days, today: int) -> Iterator[int]:
    """Days before today that have rows."""
    while True:
        [(oldest,)] = connection.execute("SELECT min(slot) FROM rollups")
        if oldest is None or (day := days.of(oldest * SLOT)) >= today:
            return
        yield day


def _compact(connection: sqlite3.Connection, days: Days, day: int) -> Landed:
    first, slots = days.span(day)
    found = connection.execute(
        "SELECT DISTINCT series FROM rollups WHERE slot >= ? AND slot < ?", (first, first + slots)
    )
    every = np.sort(np.array([one for (one,) in found], np.int64))
    done = Landed()
    for start in range(0, len(every), _SERIES):
        series = every[start : start + _SERIES]
        nothing = np.full((len(series), slots), np.nan, np.float32)
        with transaction(connection):
            done = done.plus(land(connection, days, day, series, nothing, nothing))
            forget_rows(
                connection, first, slots, series
            )  # of days of which only the sketch is left, too
    return done


def _newest(connection: sqlite3.Connection, days: Days) -> int:
    """The day of the newest value; 0 if there is none."""
    [(slot,)] = connection.execute("SELECT max(slot) FROM rollups")
    found = [days.of(slot * SLOT)] if slot is not None else []
    for table in ("blocks", "sketches"):
        [(last,)] = connection.execute(f"SELECT max(key) FROM {table}")  # noqa: S608
        found += [last >> 32] if last is not None else []
    return max(found, default=0)


def _forget(connection: sqlite3.Connection, table: str, day: int) -> None:
    with transaction(connection):
        connection.execute(
            f"DELETE FROM {table} WHERE key >= ? AND key < ?",  # noqa: S608
            (key(day, 0), key(day + 1, 0)),
        )


def _shrink(connection: sqlite3.Connection, most: int, done: Compacted) -> None:
    """The oldest blocks go first, then the oldest sketches."""
    for table, dropped in (("blocks", done.dropped), ("sketches", done.dropped_sketches)):
        while _used(connection) > most:
            [(first,)] = connection.execute(f"SELECT min(key) FROM {table}")  # noqa: S608
            if first is None:
                break
            _forget(connection, table, first >> 32)
            dropped.append(date.fromordinal(first >> 32).isoformat())


def _used(connection: sqlite3.Connection) -> int:
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
