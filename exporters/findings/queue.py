"""Messages that a receiver has not taken yet, on disk: what is put survives `kill -9` and a power cut.

An SQLite database in WAL mode (docs/adr/0009): a message is there whole or not at all. One process writes
it, which a lock sees to. When the queue is full, the oldest messages make room and are counted.
"""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, NamedTuple

from exporters.locks import locked

DATABASE: Final = "queue.db"
OVERHEAD: Final = 32  # bytes that a message costs beside its own
_NOT_ITS_FAULT: Final = (  # no space, no permission, no memory: the messages may be all there
    *(sqlite3.SQLITE_FULL, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_READONLY, sqlite3.SQLITE_PERM),
    *(sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED, sqlite3.SQLITE_NOMEM, sqlite3.SQLITE_IOERR),
)
_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, size INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, count INTEGER NOT NULL);
INSERT OR IGNORE INTO totals VALUES ('sent', 0), ('dropped', 0), ('refused', 0);
"""
_FILL: Final = "SELECT count(*), coalesce(sum(size), 0), min(time) FROM messages"


class QueueError(Exception):
    """The queue cannot be used. `str()` says why."""


class Message(NamedTuple):
    id: int
    body: bytes


class Fill(NamedTuple):
    """What waits, since when the oldest (Unix time), and what became of the others, ever."""

    messages: int
    bytes: int
    oldest: float | None
    sent: int
    dropped: int
    refused: int


class Queue:
    """Safe for several threads. Raises QueueError where the disk or another process is in the way."""

    def __init__(self, folder: Path, max_bytes: int) -> None:
        self._max = max_bytes
        self._mutex = threading.RLock()
        self.started_anew = False  # a damaged database was put aside
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = locked(folder / "lock")
        except OSError as error:
            raise QueueError(f"{error.filename or folder}: {error.strerror}") from error
        path = folder / DATABASE
        try:
            try:
                self._open(path)
            except sqlite3.DatabaseError as error:
                if getattr(error, "sqlite_errorcode", 0) & 0xFF in _NOT_ITS_FAULT:
                    raise
                self.started_anew = True
                _put_aside(path)
                self._open(path)
        except (sqlite3.Error, OSError) as error:
            os.close(self._lock)
            raise QueueError(f"{path}: {error}") from error

    def _open(self, path: Path) -> None:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        try:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            connection.execute(f"PRAGMA journal_size_limit={1 << 20}")
            if connection.execute("PRAGMA quick_check(1)").fetchone()[0] != "ok":
                raise sqlite3.DatabaseError("is damaged")
            connection.executescript(_SCHEMA)
            self._bytes: int = connection.execute(_FILL).fetchone()[1]
        except BaseException:
            connection.close()
            raise
        self._connection: sqlite3.Connection | None = connection

    def put(self, bodies: Sequence[bytes]) -> int:
        """All of them, on disk when it returns. How many messages were dropped for it, oldest first."""
        now = time.time()
        with self._mutex:
            with self._writing() as connection:
                connection.executemany(
                    "INSERT INTO messages (time, size, body) VALUES (?, ?, ?)",
                    ((now, len(one) + OVERHEAD, one) for one in bodies),
                )
                total = self._bytes + sum(len(one) + OVERHEAD for one in bodies)
                dropped, last = 0, None
                if total > self._max:
                    sizes = connection.execute("SELECT id, size FROM messages ORDER BY id")
                    with closing(sizes):
                        for last, size in sizes:  # noqa: B007 - the last one dropped
                            total -= size
                            dropped += 1
                            if total <= self._max:
                                break
                    self._delete(connection, last, "dropped", dropped)
            self._bytes = total
        return dropped

    def first(self, count: int) -> list[Message]:
        """The oldest messages, at most so many; they stay."""
        with self._writing() as connection:
            rows = connection.execute(
                "SELECT id, body FROM messages ORDER BY id LIMIT ?", (count,)
            ).fetchall()
        return [Message(number, body) for number, body in rows]

    def taken(self, last: int) -> int:
        """The receiver has the messages up to this one. How many of them were still here."""
        return self._gone(last, "sent")

    def refused(self, last: int) -> int:
        """The receiver will never take the messages up to this one."""
        return self._gone(last, "refused")

    def _gone(self, last: int, total: str) -> int:
        with self._mutex:
            with self._writing() as connection:
                count, size = connection.execute(
                    "SELECT count(*), coalesce(sum(size), 0) FROM messages WHERE id <= ?",
                    (last,),
                ).fetchone()
                self._delete(connection, last, total, count)
            self._bytes -= size
        return int(count)

    def fill(self) -> Fill:
        with self._writing() as connection:
            return _fill(connection)

    def close(self) -> None:
        """Nothing can be done with it any more, by any thread."""
        with self._mutex:
            if self._connection:
                self._connection.close()
                self._connection = None
                os.close(self._lock)

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._mutex:
            if self._connection is None:
                raise QueueError("the queue is closed")
            try:
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                raise QueueError(f"the queue on disk: {error}") from error

    def _delete(
        self, connection: sqlite3.Connection, last: int | None, total: str, count: int
    ) -> None:
        connection.execute("DELETE FROM messages WHERE id <= ?", (last,))
        connection.execute("UPDATE totals SET count = count + ? WHERE name = ?", (count, total))


def looked_at(folder: Path) -> Fill | None:
    """The fill of a queue that the agent may be using, None where there is none. Raises QueueError."""
    path = folder / DATABASE
    if not path.exists():
        return None
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as found:
            return _fill(found)
    except sqlite3.Error as error:
        raise QueueError(f"{path}: {error}") from error


def _fill(connection: sqlite3.Connection) -> Fill:
    messages, size, oldest = connection.execute(_FILL).fetchone()
    totals = dict(connection.execute("SELECT name, count FROM totals").fetchall())
    return Fill(messages, size, oldest, totals["sent"], totals["dropped"], totals.get("refused", 0))


def _put_aside(path: Path) -> None:
    """One damaged database is kept for who wants to look; its journals are of no use without it."""
    os.replace(path, path.with_suffix(".damaged"))
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
