"""Opening a history file: made new, or checked to be one of ours and whole enough to be used."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from exporters.history.schema import APPLICATION_ID, SCHEMA, VERSION, check_zone
from exporters.history.schema import ZONE as ZONE

if TYPE_CHECKING:  # it brings half a megabyte, and the resident agent does without
    from zoneinfo import ZoneInfo

_MAGIC: Final = b"SQLite format 3\0"
_ID_AT: Final = 68  # in the header
_SHAPE: Final = b"CREATE TABLE rollups (\n    slot INTEGER NOT NULL, series INTEGER NOT NULL"
_UNLOCKED: Final = "?immutable=1"
_HEAD: Final = 64 << 10  # bytes: the first page, whatever its size
DAMAGED: Final = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB)

# What can be done about it, by SQLite's primary code.
_REMEDIES: Final = {
    sqlite3.SQLITE_CORRUPT: "move it away, with its -wal, to begin a new one",
    sqlite3.SQLITE_BUSY: "another process writes it; try again",
    sqlite3.SQLITE_LOCKED: "another process writes it; try again",
    sqlite3.SQLITE_READONLY: "write it as a user who may, or to another file",
    sqlite3.SQLITE_CANTOPEN: "use it as a user who may, or copy it with its -wal to a folder of yours",
    sqlite3.SQLITE_PERM: "use it as a user who may",
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_IOERR: "look at its disk, and at what the kernel says of it",
}


class HistoryError(Exception):
    """The file cannot be used. `str()` names it, says why and what to do."""


def connect(
    path: Path, create: bool = False, zone: str = ZONE, reading: bool = False
) -> sqlite3.Connection:
    """A connection in autocommit mode; `create` makes the file where there is none, with days of `zone`.
    With `reading` it is never changed, and who may not write it can read it. Raises HistoryError."""
    if not create and not path.is_file():
        raise HistoryError(f"{path}: no such history file; `jianwei history import` makes one")
    name = _to_read(path) if reading else str(path)
    try:
        connection = sqlite3.connect(
            name, isolation_level=None, check_same_thread=False, uri=reading
        )
    except sqlite3.Error as error:
        raise HistoryError(f"{path}: {told(error)}") from error
    try:
        connection.execute("PRAGMA busy_timeout = 10000")
        if reading:
            connection.execute("PRAGMA query_only = 1")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (application,) = connection.execute("PRAGMA application_id").fetchone()
        if create and not version and not tables and not application:
            _make(connection, zone)
        else:
            _check(application, version)
    except (sqlite3.Error, HistoryError) as error:
        connection.close()
        if isinstance(error, HistoryError):
            raise HistoryError(f"{path}: {error}") from error
        if code(error) in DAMAGED and not is_ours(path):
            foreign = f"{path}: {error}, so no history file of ours; name another"
            raise HistoryError(foreign) from None
        raise HistoryError(f"{path}: {told(error)}") from error
    return connection


def _to_read(path: Path) -> str:
    """The file as SQLite's URI, so that it can be read by this user, on this disk."""
    name = f"file:{quote(str(path.absolute()))}"
    if all(os.access(one, os.W_OK, effective_ids=True) for one in (path, path.absolute().parent)):
        return f"{name}?mode=rw"  # as the last to close it, it leaves no journal behind
    if in_use(path):
        return f"{name}?mode=ro"
    return f"{name}{_UNLOCKED}"  # a file in WAL mode needs a journal, which cannot be made there


def unlocked(path: Path) -> tuple[int, ...] | None:
    """How a file is now that is read without a lock, which changes where somebody writes it; None of another."""
    if not _to_read(path).endswith(_UNLOCKED):
        return None
    found = os.stat(path)
    return found.st_ino, found.st_size, found.st_mtime_ns


def in_use(path: Path) -> bool:
    """Whether it has a journal: somebody has it open, or did not close it."""
    journal, index = (path.with_name(f"{path.name}{end}") for end in ("-wal", "-shm"))
    return index.exists() or (journal.exists() and journal.stat().st_size > 0)


def code(error: sqlite3.Error) -> int:
    """SQLite's primary code; 0 where it has none."""
    return int(getattr(error, "sqlite_errorcode", None) or 0) & 0xFF


def told(error: sqlite3.Error) -> str:
    """What SQLite says, and what to do about it."""
    remedy = _REMEDIES.get(code(error))
    return f"{error}; {remedy}" if remedy else str(error)


def is_ours(path: Path) -> bool:
    """Whether it is, or was before it was damaged, a history file: by its header, or by its tables."""
    try:
        with open(path, "rb") as file:
            head = file.read(_HEAD)
    except OSError:
        return False
    mine = head[_ID_AT : _ID_AT + 4] == APPLICATION_ID.to_bytes(4, "big")
    return (head.startswith(_MAGIC) and mine) or (_SHAPE in head and b"\0" in head)


def _make(connection: sqlite3.Connection, zone: str) -> None:
    check_zone(zone)
    connection.execute("PRAGMA journal_mode = WAL")
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA.split(";"):
            cursor.execute(statement)
        cursor.execute("INSERT INTO facts VALUES ('zone', ?)", (zone,))
        cursor.execute("COMMIT")


def _check(application: int, version: int) -> None:
    if application != APPLICATION_ID:
        raise HistoryError("is no history file of ours")
    if version != VERSION:
        raise HistoryError(f"has version {version} of the format, and this program reads {VERSION}")


def zone_of(connection: sqlite3.Connection) -> ZoneInfo:
    """The time zone of the file's days."""
    from zoneinfo import ZoneInfo

    return ZoneInfo(zone_name(connection))


def zone_name(connection: sqlite3.Connection) -> str:
    """Its name."""
    if (found := fact(connection, "zone")) is None:
        raise HistoryError("does not say of which zone its days are; it is damaged")
    return found


def fact(connection: sqlite3.Connection, name: str) -> str | None:
    """What the file says of itself; None where it does not."""
    found = connection.execute("SELECT value FROM facts WHERE name = ?", (name,)).fetchone()
    return None if found is None else str(found[0])


def tell(connection: sqlite3.Connection, name: str, value: str) -> None:
    """Have the file say so of itself."""
    if fact(connection, name) != value:
        connection.execute("INSERT OR REPLACE INTO facts VALUES (?, ?)", (name, value))
