"""What a history file has, and whether it is whole."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Final, TypeVar

import msgspec

from exporters.history import blocks, sketch
from exporters.history.days import Days
from exporters.history.file import HistoryError, fact, zone_of
from exporters.history.reader import span_of
from exporters.history.schema import KEPT, KEPT_SKETCHES
from exporters.history.stored import damaged_order, present

_AT_ONCE: Final = 5000
_SHOWN: Final = 20
_T = TypeVar("_T")


class Metric(msgspec.Struct, frozen=True):
    name: str
    unit: str
    series: int


class Information(msgspec.Struct, frozen=True):
    """`rollups` are rows of days under way; `blocks` and `sketches` are days of series. `problems` is None where
    the file was not checked; where it was, what damage hides is None. How long what is kept is as the agent
    that compacted it last had it, and None where none did: then all is kept."""

    file: str
    size: int
    zone: str
    since: str | None
    until: str | None
    resources: dict[str, int]
    metrics: list[Metric]
    rollups: int
    blocks: int
    block_days: int | None
    sketches: int
    sketch_days: int | None
    keep_days: int | None = None
    keep_sketch_days: int | None = None
    problems: list[str] | None = None


def inform(
    connection: sqlite3.Connection, path: Path, shown: Callable[[int], str], check: bool
) -> Information:
    """Raises sqlite3.Error where not even this can be read, and HistoryError of what is not checked."""
    broken = problems(connection) if check else None

    def unless_broken(what: Callable[[], _T]) -> _T | None:
        try:
            return what()
        except (HistoryError, ValueError, OverflowError):
            if not broken:
                raise
            return None

    def day_count(table: str) -> int | None:
        return unless_broken(lambda: len(present(connection, table, 0, 1 << 30)))

    def kept(name: str) -> int | None:
        value = fact(connection, name)
        return None if value is None else int(value)

    period = unless_broken(lambda: span_of(connection))

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
        day_count("blocks"),
        count("sketches"),
        day_count("sketches"),
        kept(KEPT),
        kept(KEPT_SKETCHES),
        broken,
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
            last = -1
            while rows := cursor.fetchmany(_AT_ONCE):
                keys = [last, *(own for own, _ in rows)]
                if any(after <= before for before, after in pairwise(keys)):
                    raise damaged_order(table)
                found += _unreadable(days, table, rows)
                last = keys[-1]
    except (sqlite3.Error, HistoryError) as error:
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
