"""Keeping a history file small: days that are over become blocks and sketches, and what is old goes.

Each step is one transaction: a kill at any moment leaves a whole file, and the next time does the rest.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

import numpy as np

from exporters.history.compacted import Compacted
from exporters.history.days import Days
from exporters.history.file import HistoryError, connect, tell, zone_of
from exporters.history.forgetting import expire, forget_unseen, shrink, used
from exporters.history.landing import Landed, forget_rows, land
from exporters.history.schema import KEEP, KEEP_SKETCHES, KEPT, KEPT_SKETCHES, SLOT
from exporters.history.stored import damaged_order
from exporters.history.transactions import transaction as transaction

_SERIES: Final = (
    5_000  # of a day in one transaction, for which who writes must wait: 2 to 3 seconds
)


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
        try:
            _compact(connection, now, keep, keep_sketches, most, done)
        except HistoryError as error:
            raise HistoryError(f"{path}: {error}") from error
    return done


def _compact(
    connection: sqlite3.Connection,
    now: float,
    keep: int,
    keep_sketches: int,
    most: int | None,
    done: Compacted,
) -> None:
    days = Days(zone_of(connection))
    today = days.of(now)
    for name, kept in ((KEPT, keep), (KEPT_SKETCHES, keep_sketches)):
        tell(connection, name, str(kept))
    for day in _over(connection, days, today):
        done.days += 1
        done.series += _block(connection, days, day, done).written
    expire(connection, days, today, keep, keep_sketches, done)
    if most is not None:
        shrink(connection, most, done)
    forget_unseen(connection, days, today, keep_sketches, done)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    done.size = used(connection)


def _over(connection: sqlite3.Connection, days: Days, today: int) -> Iterator[int]:
    """Days before today that have rows."""
    last = -1
    while True:
        [(oldest,)] = connection.execute("SELECT min(slot) FROM rollups")
        if oldest is None or (day := days.of(oldest * SLOT)) >= today:
            return
        if day <= last:
            raise damaged_order("rollups")
        yield day
        last = day


def _block(connection: sqlite3.Connection, days: Days, day: int, told: Compacted) -> Landed:
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
            before = connection.total_changes
            forget_rows(connection, first, slots, series)  # of days of which a sketch is left
            told.late += connection.total_changes - before
    return done
