"""Writes the history file: a rollup is there whole or not at all, whatever ends the process (schema.py).

One process writes as the agent, which a lock sees to; readers and `jianwei history` may use the file meanwhile,
which SQLite sees to. A damaged file is put aside and kept.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from exporters.history.accumulate import Rollup
from exporters.history.file import DAMAGED, HistoryError, code, connect, told, zone_name
from exporters.history.schema import ZONE
from exporters.history.units import ALL_METRICS
from exporters.locks import locked

CHECKED: Final = 32 << 20  # bytes of a file that is read through after a crash: some 50 ms
CACHE: Final = 64  # KiB of pages in memory
CHECKPOINT: Final = 64  # pages of the journal before they go into the file
REMEMBERED: Final = 256  # numbers of series in memory: those of a host
ASIDE: Final = 9  # damaged files that are kept, before somebody has to look

_ROLLUP: Final = "INSERT OR REPLACE INTO rollups VALUES (?, ?, ?, ?)"
_RESOURCE: Final = """INSERT INTO resources (id, kind, name, cloud, first_seen, last_seen)
VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET kind = excluded.kind,
name = excluded.name, cloud = excluded.cloud, last_seen = excluded.last_seen,
first_seen = min(first_seen, excluded.first_seen)"""
_SPAN: Final = """INSERT INTO spans SELECT number, ?, ?, ?, ? FROM resources WHERE id = ?
ON CONFLICT DO UPDATE SET until = excluded.until, value = excluded.value"""
_METRIC: Final = "INSERT OR IGNORE INTO metrics (name, unit) VALUES (?, ?)"
_BEGUN: Final = """INSERT OR IGNORE INTO series (metric, resource) SELECT m.number, r.number
FROM metrics m, resources r WHERE m.name = ? AND r.id = ?"""
_SERIES: Final = """SELECT s.number FROM series s JOIN metrics m ON m.number = s.metric
JOIN resources r ON r.number = s.resource WHERE m.name = ? AND r.id = ?"""
_OPEN_SPANS: Final = """SELECT id, aspect, since, until, value
FROM spans JOIN resources ON number = resource WHERE until IS NULL ORDER BY id, aspect, since"""


class Known(NamedTuple):
    """A resource as it was last seen."""

    id: str
    kind: str
    name: str
    cloud: str
    first_seen: float
    last_seen: float


class Span(NamedTuple):
    """A dated fact of a resource: `value` is JSON, and true until `until`; None is until now."""

    resource: str
    aspect: str
    since: float
    until: float | None
    value: str


class HistoryWriter:
    """Opens the file, or makes one with days of `zone`. Every method may raise HistoryError: then nothing of that
    call is in the file. Not for two threads at once. `put_aside` is where a damaged file went; one that is
    `suspect` is read through, and so is a small one after a crash. What was never a history file stays where it
    is. `patience` is how many seconds a writer before us has to end; None for LOCK_PATIENCE."""

    def __init__(
        self,
        path: Path,
        zone: str = ZONE,
        suspect: bool = False,
        patience: float | None = None,
    ) -> None:
        self.path, self._suspect = path, suspect
        self.put_aside: Path | None = None
        self._series: dict[tuple[str, str], int] = {}
        self._version = -1
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            lock = path.with_name(path.name + ".lock")
            self._lock = locked(lock, "another agent writes it", patience)
        except OSError as error:
            raise HistoryError(f"{error.filename or path}: {error.strerror}") from error
        try:
            self._connection = self._open(zone)
        except BaseException:
            os.close(self._lock)
            raise

    def _open(self, zone: str) -> sqlite3.Connection:
        try:
            return _opened(self.path, zone, self._suspect)
        except HistoryError as error:
            if not is_damage(error):
                raise
            try:
                self.put_aside = _put_aside(self.path)
            except OSError as problem:
                raise HistoryError(
                    f"{error}; it could not be moved: {problem.strerror or problem}"
                ) from problem
            return _opened(self.path, zone, suspect=False)

    @property
    def zone(self) -> str:
        """The time zone of the file's days, which may be another than was asked for."""
        with self._told():
            return zone_name(self._connection)

    def add(
        self,
        slot: int,
        rows: Iterable[Rollup],
        resources: Iterable[Known] = (),
        spans: Iterable[Span] = (),
    ) -> int:
        """All of it, on disk when it returns. Rows of a slot that was written before replace what it
        had. How many were left out, since nobody told of their resource, in this call or before."""
        left_out = 0
        with self._writing() as connection:
            connection.executemany(_RESOURCE, resources)
            for span in spans:
                done = connection.execute(_SPAN, (*span[1:], span.resource))
                left_out += not done.rowcount
            for row in rows:
                if (number := self._number(row.resource, row.metric)) is None:
                    left_out += 1
                else:
                    connection.execute(_ROLLUP, (slot, number, row.average, row.maximum))
        return left_out

    def open_spans(self) -> list[Span]:
        """What is true until now, of all resources."""
        with self._told():
            return [Span(*row) for row in self._connection.execute(_OPEN_SPANS)]

    def first_slot(self) -> int | None:
        """The first slot that has rollups of days under way, or that wait to become blocks."""
        with self._told():
            (first,) = self._connection.execute("SELECT min(slot) FROM rollups").fetchone()
        return None if first is None else int(first)

    def close(self) -> None:
        """Nothing can be done with it any more."""
        with contextlib.suppress(sqlite3.Error):  # a last checkpoint; the journal has it as well
            self._connection.close()
        os.close(self._lock)

    @contextmanager
    def _told(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise HistoryError(f"{self.path}: {told(error)}") from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        with self._told():
            connection.execute("BEGIN IMMEDIATE")
            try:
                (version,) = connection.execute("PRAGMA data_version").fetchone()
                if version != self._version:  # another process wrote, and may have renumbered
                    self._series.clear()
                    self._version = version
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                self._series.clear()
                if connection.in_transaction:  # a full disk has ended it already
                    connection.execute("ROLLBACK")
                raise

    def _number(self, resource: str, metric: str) -> int | None:
        """That of a series, which begins where there is none; None of a resource that is not known."""
        key = resource, metric
        if (number := self._series.get(key)) is None:
            number = self._looked_up(resource, metric)
            if number is not None:
                if len(self._series) >= REMEMBERED:
                    self._series.clear()
                self._series[key] = number
        return number

    def _looked_up(self, resource: str, metric: str) -> int | None:
        connection, pair = self._connection, (metric, resource)
        if metric not in ALL_METRICS:
            return None
        found = connection.execute(_SERIES, pair).fetchone()
        if found is None:
            connection.execute(_METRIC, (metric, ALL_METRICS[metric]))
            connection.execute(_BEGUN, pair)
            found = connection.execute(_SERIES, pair).fetchone()
        return None if found is None else int(found[0])


def is_damage(error: HistoryError) -> bool:
    """Whether the file itself is broken, and not what is around it."""
    return isinstance(error.__cause__, sqlite3.Error) and code(error.__cause__) in DAMAGED


def _opened(path: Path, zone: str, suspect: bool) -> sqlite3.Connection:
    # the last to close a file removes its journal; a check costs memory that stays, so not each time
    crashed = path.with_name(path.name + "-wal").exists()
    with contextlib.suppress(OSError):  # connect() tells of it
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
    connection = connect(path, create=True, zone=zone)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA cache_spill = OFF")  # of a transaction, all is in memory anyway
        connection.execute(f"PRAGMA cache_size = -{CACHE}")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT}")
        connection.execute(f"PRAGMA journal_size_limit = {1 << 20}")
        if suspect or (crashed and path.stat().st_size <= CHECKED):
            (said,) = connection.execute("PRAGMA quick_check(1)").fetchone()
            if said != "ok":
                broken = sqlite3.DatabaseError(f"is damaged: {said}")
                broken.sqlite_errorcode = sqlite3.SQLITE_CORRUPT
                raise broken
    except sqlite3.Error as error:
        connection.close()
        raise HistoryError(f"{path}: {told(error)}") from error
    return connection


def _put_aside(path: Path) -> Path:
    """Where a damaged file is kept now, with its journals, which may have rollups of their own."""
    places = [path.with_name(f"{path.name}.damaged-{number}") for number in range(1, ASIDE + 1)]
    free = [place for place in places if not place.exists()]
    if not free:
        raise OSError(0, f"there are {ASIDE} damaged ones already; look at them and move them")
    for suffix in ("-wal", "-shm"):
        with contextlib.suppress(FileNotFoundError):
            os.replace(path.with_name(path.name + suffix), free[0].with_name(free[0].name + suffix))
    os.replace(path, free[0])
    return free[0]
