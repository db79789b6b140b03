"""History files for tests: made from CSV, and read again without the code under test."""

from __future__ import annotations

import sqlite3
import struct
from contextlib import closing
from datetime import date, datetime, time
from pathlib import Path
from zoneinfo import ZoneInfo

from exporters.history.importing import Form, Imported, load

START = 1_793_462_400  # 2026-11-01 00:00 at Shanghai
SLOT = 300

Samples = dict[tuple[str, str, int], tuple[float, float]]


def long_csv(path: Path, *lines: str | bytes) -> Path:
    path.write_bytes(
        b"".join((line.encode() if isinstance(line, str) else line) + b"\n" for line in lines)
    )
    return path


def imported(history: Path, csv: Path, form: Form | None = None, strict: bool = False) -> Imported:
    return load(history, [str(csv)], form or Form(), strict)


def samples(history: Path) -> Samples:
    """(metric, resource, slot) → average and maximum; blocks are unpacked by struct."""
    found: Samples = {}
    with closing(sqlite3.connect(history)) as db:
        [(zone,)] = db.execute("SELECT value FROM facts WHERE name = 'zone'")
        names = {
            number: (metric, resource)
            for number, metric, resource in db.execute(
                "SELECT s.number, m.name, r.id FROM series s JOIN metrics m ON m.number = metric"
                " JOIN resources r ON r.number = resource"
            )
        }
        for key, block in db.execute("SELECT key, block FROM blocks"):
            day = datetime.combine(date.fromordinal(key >> 32), time(), ZoneInfo(zone))
            first = int(day.timestamp()) // SLOT
            _, flags, slots = struct.unpack_from("<BBH", block)
            low = struct.unpack_from(f"<{slots}f", block, 4)
            high = struct.unpack_from(f"<{slots}f", block, 4 + 4 * slots) if flags else low
            for slot, pair in enumerate(zip(low, high, strict=True), first):
                if pair[0] == pair[0]:
                    found[*names[key & 0xFFFFFFFF], slot] = pair
        for slot, series, average, maximum in db.execute("SELECT * FROM rollups"):
            found[*names[series], slot] = (average, maximum)
    return found


def content(history: Path) -> list[str]:
    """All there is, as SQL."""
    with closing(sqlite3.connect(history)) as db:
        return list(db.iterdump())


def whole(history: Path) -> bool:
    with closing(sqlite3.connect(history)) as db:
        return db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
