"""What a history file lets go: days by their age, days by its size, and resources nobody sees any more.

Age is counted in days that have data: a day goes when more days than are kept, up to today, are newer. Where data
has no gaps that is its age by the calendar. A clock that was wrong for a while, even by years, costs no more
than one day for each day it made; a file of old imports, or one that is left alone, loses nothing.
"""

from __future__ import annotations

import sqlite3
from datetime import date

import msgspec

from exporters.history.compacted import Compacted
from exporters.history.days import Days
from exporters.history.schema import SLOT, key
from exporters.history.stored import damaged_order, present
from exporters.history.transactions import transaction


def expire(
    connection: sqlite3.Connection,
    days: Days,
    today: int,
    keep: int,
    keep_sketches: int,
    done: Compacted,
) -> None:
    """Let go blocks and sketches of the oldest days."""
    under_way = _row_days(connection, days, today)
    for table, kept in (("blocks", keep), ("sketches", keep_sketches)):
        stored = set(present(connection, table, 0, today + 1))
        newest = sorted(stored | under_way)[-kept - 1 :]
        for day in sorted(day for day in stored if day < newest[0]):
            _forget(connection, table, day)
            if table == "blocks":
                done.expired += 1
            else:
                done.expired_sketches += 1


def _row_days(connection: sqlite3.Connection, days: Days, today: int) -> set[int]:
    """Days up to today that have rows: as days before are blocks, it is today, if any."""
    first, slots = days.span(today)
    found = connection.execute(
        "SELECT 1 FROM rollups WHERE slot >= ? AND slot < ? LIMIT 1", (first, first + slots)
    )
    return {today} if found.fetchone() else set()


def shrink(connection: sqlite3.Connection, most: int, done: Compacted) -> None:
    """The oldest blocks go first, then the oldest sketches."""
    for table, dropped in (("blocks", done.dropped), ("sketches", done.dropped_sketches)):
        last = -1
        while used(connection) > most:
            [(first,)] = connection.execute(f"SELECT min(key) FROM {table}")  # noqa: S608
            if first is None:
                break
            day = first >> 32
            if day <= last:
                raise damaged_order(table)
            _forget(connection, table, day)
            dropped.append(date.fromordinal(day).isoformat())
            last = day


def forget_unseen(
    connection: sqlite3.Connection, days: Days, today: int, keep: int, done: Compacted
) -> None:
    """Delete resources that nobody saw since the first day of sketches, and of which there are no values; and facts
    that ended before it. Only where the file has all the days that it may."""
    stored = {table: present(connection, table, 0, 1 << 30) for table in ("blocks", "sketches")}
    kept = [day for day in stored["sketches"] if day <= today]
    if not kept or (len(kept) < keep and not done.dropped_sketches):
        return
    since = days.span(kept[0])[0] * SLOT
    with transaction(connection):
        connection.execute("DELETE FROM spans WHERE until < ?", (since,))
        numbers: dict[int, list[int]] = {
            one: [] for (one,) in connection.execute(_UNSEEN, (since,))
        }
        for number, resource in connection.execute(_SERIES_OF, (_json(numbers),)):
            numbers[resource].append(number)
        having = _having(connection, stored, [one for own in numbers.values() for one in own])
        gone = [one for one, own in numbers.items() if having.isdisjoint(own)]
        for statement in _GONE:
            connection.execute(statement, (_json(gone),))
        done.forgotten = len(gone)


def _having(
    connection: sqlite3.Connection, stored: dict[str, list[int]], series: list[int]
) -> set[int]:
    """Which of these series have any value."""
    wanted = _json(series)
    found = {one for (one,) in connection.execute(_ROWED, (wanted,))} if series else set()
    for table, kept in stored.items():
        for day in kept if series else ():
            found |= {
                own & 0xFFFFFFFF
                for (own,) in connection.execute(
                    f"SELECT key FROM {table} WHERE key IN (SELECT ? | value FROM json_each(?))",  # noqa: S608
                    (key(day, 0), wanted),
                )
            }
    return found


_UNSEEN = "SELECT number FROM resources WHERE last_seen < ?"
_SERIES_OF = (
    "SELECT number, resource FROM series WHERE resource IN (SELECT value FROM json_each(?))"
)
_ROWED = "SELECT DISTINCT series FROM rollups WHERE series IN (SELECT value FROM json_each(?))"
_GONE = (
    "DELETE FROM spans WHERE resource IN (SELECT value FROM json_each(?))",
    "DELETE FROM series WHERE resource IN (SELECT value FROM json_each(?))",
    "DELETE FROM resources WHERE number IN (SELECT value FROM json_each(?))",
)


def _json(numbers: object) -> str:
    return msgspec.json.encode(list(numbers)).decode()  # type: ignore[call-overload]


def _forget(connection: sqlite3.Connection, table: str, day: int) -> None:
    with transaction(connection):
        connection.execute(
            f"DELETE FROM {table} WHERE key >= ? AND key < ?",  # noqa: S608
            (key(day, 0), key(day + 1, 0)),
        )


def used(connection: sqlite3.Connection) -> int:
    """Bytes of the file, without free pages."""
    pages, free, size = (
        connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "freelist_count", "page_size")
    )
    return int((pages - free) * size)
