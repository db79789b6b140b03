"""Several agents' history files as one: resources by id, their spans united, of each day the fuller one.

The new file is made aside and takes its name when it is whole. Where two files have a value for the same slot,
that of the file with more of the day counts; a sketch whose rollups are gone counts where it is of more samples.
"""

from __future__ import annotations

import os
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from pathlib import Path
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from exporters.history import sketch
from exporters.history.compaction import transaction
from exporters.history.days import Days
from exporters.history.file import HistoryError, connect, zone_of
from exporters.history.information import problems
from exporters.history.landing import land
from exporters.history.mergedspans import unite
from exporters.history.schema import SLOT, key
from exporters.history.stored import day_of, present, sketches_of

_SERIES: Final = 5000  # at a time
_SIDES: Final = ("-wal", "-shm")
_RESOURCE: Final = """
INSERT INTO resources (id, kind, name, cloud, first_seen, last_seen) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (id) DO UPDATE SET
    kind = iif(excluded.last_seen > last_seen, excluded.kind, kind),
    name = iif(excluded.last_seen > last_seen, excluded.name, name),
    cloud = iif(excluded.last_seen > last_seen, excluded.cloud, cloud),
    first_seen = min(first_seen, excluded.first_seen),
    last_seen = max(last_seen, excluded.last_seen)
"""


class Merged(msgspec.Struct):
    files: int = 0
    resources: int = 0
    days: int = 0
    series_days: int = 0


class _Input(NamedTuple):
    path: Path
    connection: sqlite3.Connection
    series: NDArray[np.int64]  # numbers in this file, in order
    into: NDArray[np.int64]  # those in the new one


def merge(
    out: Path, inputs: Sequence[Path], told: Callable[[int, int], None] = lambda done, whole: None
) -> Merged:
    """`out` may be among the inputs; else it must not exist. `told` gets days done and all. Raises HistoryError,
    sqlite3.Error, OSError."""
    if out.exists() and not any(out.samefile(one) for one in inputs if one.exists()):
        raise HistoryError(f"{out}: is there already; name it among the files to keep what it has")
    with ExitStack() as opened:
        connections = [(one, opened.enter_context(closing(connect(one)))) for one in inputs]
        for path, connection in connections:
            if found := problems(connection):
                raise HistoryError(f"{path}: is damaged: {found[0]}; nothing is merged")
        zones = {zone_of(connection).key: path for path, connection in connections}
        if len(zones) > 1:
            told_zones = ", ".join(f"{path}: {zone}" for zone, path in zones.items())
            raise HistoryError(f"the files have days of different zones: {told_zones}")
        handle, name = tempfile.mkstemp(dir=out.resolve().parent, prefix=f".{out.name}.")
        os.close(handle)
        try:
            done = _make(Path(name), connections, next(iter(zones)), told)
            opened.close()
            _rename(Path(name), out)
        finally:
            for end in ("", *_SIDES):
                with suppress(FileNotFoundError):
                    os.unlink(f"{name}{end}")
    return done


def _make(
    path: Path,
    inputs: Sequence[tuple[Path, sqlite3.Connection]],
    zone: str,
    told: Callable[[int, int], None],
) -> Merged:
    with closing(connect(path, create=True, zone=zone)) as out:
        days = Days(zone_of(out))
        for _, connection in inputs:
            connection.execute("BEGIN")  # all of it as it is now
        with transaction(out):
            known = [_Input(*one, *_names(*one, out)) for one in inputs]
            unite(out, [connection for _, connection in inputs])
        every = sorted(set().union(*(_days_of(one.connection, days) for one in known)))
        done = Merged(len(inputs), days=len(every))
        for at, day in enumerate(every):
            with transaction(out):
                for one in known:
                    done.series_days += _blocks(out, days, day, one)
                for one in known:
                    _sketches(out, days, day, one)
            told(at + 1, len(every))
        [(done.resources,)] = out.execute("SELECT count(*) FROM resources")
        out.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return done


def _names(
    path: Path, connection: sqlite3.Connection, out: sqlite3.Connection
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Take over resources, metrics and series; numbers of series here and there."""
    out.executemany(
        _RESOURCE,
        connection.execute("SELECT id, kind, name, cloud, first_seen, last_seen FROM resources"),
    )
    kept = dict(out.execute("SELECT name, unit FROM metrics"))
    for name, unit in connection.execute("SELECT name, unit FROM metrics"):
        if kept.setdefault(name, unit) != unit:
            raise HistoryError(f"{path}: has {name} in {unit}, and another file in {kept[name]}")
        out.execute("INSERT OR IGNORE INTO metrics (name, unit) VALUES (?, ?)", (name, unit))
    own, into = [], []
    for number, metric, resource in connection.execute(
        "SELECT series.number, metrics.name, resources.id FROM series"
        " JOIN metrics ON metrics.number = metric JOIN resources ON resources.number = resource"
        " ORDER BY series.number"
    ):
        where = (metric, resource)
        out.execute(
            "INSERT OR IGNORE INTO series (metric, resource)"
            " SELECT metrics.number, resources.number FROM metrics, resources WHERE metrics.name = ? AND id = ?",
            where,
        )
        [(there,)] = out.execute(
            "SELECT series.number FROM series"
            " JOIN metrics ON metrics.number = metric JOIN resources ON resources.number = resource"
            " WHERE metrics.name = ? AND id = ?",
            where,
        )
        own.append(number)
        into.append(there)
    return np.array(own, np.int64), np.array(into, np.int64)


def _days_of(connection: sqlite3.Connection, days: Days) -> set[int]:
    found = {
        day for table in ("blocks", "sketches") for day in present(connection, table, 0, 1 << 30)
    }
    after = -1
    while True:
        [(slot,)] = connection.execute("SELECT min(slot) FROM rollups WHERE slot > ?", (after,))
        if slot is None:
            return found
        found.add(day := days.of(slot * SLOT))
        after = sum(days.span(day)) - 1


def _blocks(out: sqlite3.Connection, days: Days, day: int, one: _Input) -> int:
    written = 0
    for start in range(0, len(one.series), _SERIES):
        part = slice(start, start + _SERIES)
        its = day_of(one.connection, days, day, one.series[part])
        has = ~np.isnan(its.averages).all(axis=1)
        order = np.argsort(one.into[part][has])
        numbers = one.into[part][has][order]
        averages, maxima = its.averages[has][order], its.maxima[has][order]
        written += land(out, days, day, numbers, averages, maxima, fuller=True).written
    return written


def _sketches(out: sqlite3.Connection, days: Days, day: int, one: _Input) -> None:
    """Those of more samples than what is there already."""
    for start in range(0, len(one.series), _SERIES):
        part = slice(start, start + _SERIES)
        at, theirs = sketches_of(one.connection, day, one.series[part])
        order = np.argsort(one.into[part][at])
        numbers = one.into[part][at][order]
        counts = np.zeros(len(numbers), np.int64)
        there, ours = sketches_of(out, day, numbers)
        counts[there] = ours.heads["count"]
        fuller = theirs.heads["count"][order] > counts
        encoded = sketch.encode(theirs)
        for place in np.flatnonzero(fuller).tolist():
            own = key(day, int(numbers[place]))
            out.execute("DELETE FROM blocks WHERE key = ?", (own,))
            out.execute(
                "INSERT OR REPLACE INTO sketches VALUES (?, ?)", (own, encoded[order[place]])
            )


def _rename(made: Path, out: Path) -> None:
    """Put the new file in the place of an old one that nobody has open."""
    if out.exists():
        with closing(connect(out)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    if any(out.with_name(f"{out.name}{end}").exists() for end in _SIDES):
        raise HistoryError(f"{out}: somebody has it open; it stays as it was")
    with open(made, "rb") as file:
        os.fsync(file.fileno())
    os.chmod(made, (out.stat().st_mode & 0o777) if out.exists() else 0o666 & ~_umask())
    os.replace(made, out)
    folder = os.open(out.resolve().parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
