"""The history file: an SQLite database in WAL mode, version 1 (docs/history.md, docs/adr/0011).

A slot is five minutes: Unix time // 300. A day is one of the file's time zone, as its ordinal
(`datetime.date.toordinal`), so that months are those of people; its slots are those from midnight to
midnight, 276 or 300 where clocks change. Rollups of days under way are rows of `rollups`; a day that
is over becomes one `block` a series, of averages and maxima (blocks.py), and one `sketch` (sketch.py),
which are kept for 40 days and 13 months. Keys are `day << 32 | series`: a day is one range, to be read and to
be let go.
`facts` are the zone and how many days are kept. `spans` are dated facts of a resource, one aspect each, as JSON: size, state, owner, project, ...
"""

from __future__ import annotations

from typing import Final

APPLICATION_ID: Final = 0x4A574849  # "JWHI"
VERSION: Final = 1
SLOT: Final = 300  # seconds
ZONE: Final = "Asia/Shanghai"  # whose days they are, unless a file says otherwise
KEEP: Final = 40  # days of rollups
KEEP_SKETCHES: Final = 400  # days; 13 months
KEPT, KEPT_SKETCHES = "keep", "keep_sketches"  # facts: how many days it was last compacted to

SCHEMA: Final = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {VERSION};
CREATE TABLE facts (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE resources (
    number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, name TEXT NOT NULL,
    cloud TEXT NOT NULL, first_seen REAL NOT NULL, last_seen REAL NOT NULL
);
CREATE TABLE metrics (number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, unit TEXT NOT NULL);
CREATE TABLE series (
    number INTEGER PRIMARY KEY, metric INTEGER NOT NULL REFERENCES metrics,
    resource INTEGER NOT NULL REFERENCES resources, UNIQUE (metric, resource)
);
CREATE TABLE rollups (
    slot INTEGER NOT NULL, series INTEGER NOT NULL, average REAL NOT NULL, maximum REAL NOT NULL,
    PRIMARY KEY (slot, series)
) WITHOUT ROWID;
CREATE TABLE blocks (key INTEGER PRIMARY KEY, block BLOB NOT NULL);
CREATE TABLE sketches (key INTEGER PRIMARY KEY, sketch BLOB NOT NULL);
CREATE TABLE spans (
    resource INTEGER NOT NULL REFERENCES resources, aspect TEXT NOT NULL, since REAL NOT NULL,
    until REAL, value TEXT NOT NULL, PRIMARY KEY (resource, aspect, since)
) WITHOUT ROWID;
"""


def key(day: int, series: int) -> int:
    """The key of a day's block or sketch of one series."""
    return day << 32 | series


def check_zone(name: str) -> None:
    """Raises ValueError unless there is a time zone of that name."""
    if name == ZONE:
        return
    from zoneinfo import ZoneInfo  # half a megabyte, which most agents do without

    try:
        ZoneInfo(name)
    except (OSError, ValueError, KeyError) as error:
        raise ValueError(f"{name!r} is no time zone; write for example {ZONE}") from error
