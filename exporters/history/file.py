"""Opening a history file: made new, or checked to be one of ours and whole enough to be used."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from exporters.history.schema import APPLICATION_ID, SCHEMA, VERSION, check_zone
from exporters.history.schema import ZONE as ZONE

if TYPE_CHECKING:  # it brings half a megabyte, and the resident agent does without
    from zoneinfo import ZoneInfo


class HistoryError(Exception):
    """The file cannot be used. `str()` names it, says why and what to do."""


def connect(path: Path, create: bool = False, zone: str = ZONE) -> sqlite3.Connection:
    """A connection in autocommit mode; `create` makes the file where there is none, with days of `zone`.
    Raises HistoryError."""
    if not create and not path.is_file():
        raise HistoryError(f"{path}: no such history file; `jianwei history import` makes one")
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise HistoryError(f"{path}: {error}") from error
    try:
        connection.execute("PRAGMA busy_timeout = 10000")
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if create and not version and not tables:
            _make(connection, zone)
        else:
            _check(connection, version)
    except (sqlite3.Error, HistoryError) as error:
        connection.close()
        if isinstance(error, HistoryError):
            raise HistoryError(f"{path}: {error}") from error
        raise HistoryError(f"{path}: {error}; move it away to begin a new one") from error
    return connection


def _make(connection: sqlite3.Connection, zone: str) -> None:
    check_zone(zone)
    connection.execute("PRAGMA journal_mode = WAL")
    with closing(connection.cursor()) as cursor:
        cursor.execute("BEGIN IMMEDIATE")
        for statement in SCHEMA.split(";"):
            cursor.execute(statement)
        cursor.execute("INSERT INTO facts VALUES ('zone', ?)", (zone,))
        cursor.execute("COMMIT")


def _check(connection: sqlite3.Connection, version: int) -> None:
    (application,) = connection.execute("PRAGMA application_id").fetchone()
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
    (name,) = connection.execute("SELECT value FROM facts WHERE name = 'zone'").fetchone()
    return str(name)
