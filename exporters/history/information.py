"""What a history file has, and whether it is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from exporters.history import blocks, sketch
from exporters.history.compaction import KEEP, KEEP_SKETCHES
from exporters.history.days import Days
from exporters.history.file import zone_of
from exporters.history.reader import span_of
from exporters.history.stored import present

_AT_ONCE: Final = 5000
_SHOWN: Final = 20


class Metric(msgspec.Struct, frozen=True):
    name: str
    unit: str
    series: int


class Information(msgspec.Struct, frozen=True):
    """`rollups` are rows of days under way; `blocks` and `sketches` are days of series. `problems` is None where
    the file was not checked."""

    file: str
    size: int
    zone: str
    since: str | None
    until: str | None
    resources: dict[str, int]
    metrics: list[Metric]
    rollups: int
    blocks: int
    block_days: int
    sketches: int
    sketch_days: int
    keep_days: int = KEEP
    keep_sketch_days: int = KEEP_SKETCHES
    problems: list[str] | None = None


def inform(
    connection: sqlite3.Connection, path: Path, shown: Callable[[int], str], check: bool
) -> Information:
    """Raises sqlite3.Error where not even this can be read."""
    period = span_of(connection)

    def count(table: str) -> int:
        [(found,)] = connection.execute(f"SELECT count(*) FROM {table}")  # noqa: S608
        return int(found)

    return Information(
        str(path),
        sum(
            one.stat().st_size for one in (path, path.with_name(f"{path.name}-wal")) if one.exists()
        ),
        zone_of(connection).key,
        shown(period.first) if period else None,
        shown(period.end) if period else None,
        dict(
            connection.execute("SELECT kind, count(*) FROM resources GROUP BY kind ORDER BY kind")
        ),
        [
            Metric(*row)
            for row in connection.execute(
                "SELECT name, unit, (SELECT count(*) FROM series WHERE metric = metrics.number)"
                " FROM metrics ORDER BY name"
            )
        ],
        count("rollups"),
        count("blocks"),
        len(present(connection, "blocks", 0, 1 << 30)),
        count("sketches"),
        len(present(connection, "sketches", 0, 1 << 30)),
        problems=problems(connection) if check else None,
    )


def problems(connection: sqlite3.Connection) -> list[str]:
    """What is damaged: SQLite's own check, and every block and sketch read; the first few."""
    found: list[str] = []
    try:
        found += [one for (one,) in connection.execute("PRAGMA integrity_check(20)") if one != "ok"]
        found += [
            f"foreign key: {row[0]}" for row in connection.execute("PRAGMA foreign_key_check")
        ]
        days = Days(zone_of(connection))
        for table, column in (("blocks", "block"), ("sketches", "sketch")):
            cursor = connection.execute(f"SELECT key, {column} FROM {table} ORDER BY key")  # noqa: S608
            while rows := cursor.fetchmany(_AT_ONCE):
                found += _unreadable(days, table, rows)
    except sqlite3.Error as error:
        found.append(str(error))
    return found[:_SHOWN]


def _unreadable(days: Days, table: str, rows: list[tuple[int, bytes]]) -> list[str]:
    """Those of a few rows that do not decode."""
    by_day: dict[int, list[bytes]] = {}
    for key, content in rows:
        by_day.setdefault(key >> 32, []).append(content)
    found = []
    for day, contents in by_day.items():
        try:
            if table == "blocks":
                blocks.decode(contents, days.span(day)[1])
            else:
                sketch.decode(contents)
        except (ValueError, OverflowError, TypeError) as error:
            found.append(f"{table} of day {day}: {error}")
    return found
