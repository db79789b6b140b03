"""Days that are over become blocks and sketches; what is old goes; a kill leaves a whole file."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from exporters.history import information, statistics, workcalendar
from exporters.history.compaction import compact
from exporters.history.file import connect
from tests.historylab import SLOT, START, content, imported, long_csv, samples, whole

DAY = 86400
FIRST = START // SLOT
NOW = START + 3 * DAY + 3600


def rolled(path: Path, rows: list[tuple[int, int, float, float]], series: int = 3) -> Path:
    """A file with rows as an agent writes them: slot, series, average, maximum."""
    with closing(connect(path, create=True)) as db:
        db.execute("BEGIN")
        db.execute("INSERT OR IGNORE INTO metrics VALUES (1, 'cpu', 'percent')")
        for n in range(1, series + 1):
            db.execute(
                "INSERT OR IGNORE INTO resources VALUES (?, ?, 'server', '', '', 0, 0)",
                (n, f"r{n}"),
            )
            db.execute("INSERT OR IGNORE INTO series VALUES (?, 1, ?)", (n, n))
        db.executemany("INSERT INTO rollups VALUES (?, ?, ?, ?)", rows)
        db.execute("COMMIT")
    return path


def three_days(path: Path) -> Path:
    return rolled(
        path,
        [
            (FIRST + at, n, float(at * n % 50), float(at * n % 50 + at % 2))
            for at in range(3 * 288 + 12)
            for n in (1, 2, 3)
        ],
    )


def tables(path: Path) -> dict[str, int]:
    with closing(sqlite3.connect(path)) as db:
        return {
            table: db.execute(f"SELECT count(*) FROM {table}").fetchone()[0]  # noqa: S608
            for table in ("rollups", "blocks", "sketches")
        }


def values(path: Path) -> list[str]:
    """All but what the file says of itself."""
    return [one for one in content(path) if 'INTO "facts"' not in one]


def test_days_that_are_over_become_blocks(tmp_path: Path) -> None:
    path = three_days(tmp_path / "h")
    before = samples(path)
    with closing(connect(path)) as db:
        used = statistics.usage(db, "cpu", START, NOW, workcalendar.load())
    done = compact(path, NOW)
    assert (done.days, done.series, done.expired) == (3, 9, 0)
    assert tables(path) == {"rollups": 36, "blocks": 9, "sketches": 9}
    assert samples(path) == before
    with closing(connect(path)) as db:
        assert statistics.usage(db, "cpu", START, NOW, workcalendar.load()) == used
        assert information.problems(db) == []
    again = content(path)
    assert compact(path, NOW).days == 0
    assert content(path) == again


def test_late_rows_go_into_the_block_that_is_there(tmp_path: Path) -> None:
    path = rolled(tmp_path / "h", [(FIRST, 1, 1, 2), (FIRST + 1, 1, 3, 4), (FIRST, 2, 5, 5)])
    compact(path, NOW)
    rolled(path, [(FIRST + 1, 1, 9, 9), (FIRST + 7, 1, 6, 8)])
    found = {
        ("cpu", "r1", FIRST): (1, 2),
        ("cpu", "r1", FIRST + 1): (9, 9),
        ("cpu", "r1", FIRST + 7): (6, 8),
        ("cpu", "r2", FIRST): (5, 5),
    }
    compact(path, NOW)
    assert samples(path) == found
    assert tables(path) == {"rollups": 0, "blocks": 2, "sketches": 2}


def test_an_import_takes_rows_of_the_day_into_its_block(tmp_path: Path) -> None:
    path = rolled(tmp_path / "h", [(FIRST, 1, 1, 2), (FIRST + 1, 1, 3, 4), (FIRST, 2, 5, 5)])
    csv = long_csv(tmp_path / "c", f"{START},r1,cpu,1", f"{START + 600},r1,cpu,7")
    imported(path, csv)
    assert samples(path) == {
        ("cpu", "r1", FIRST): (1, 1),
        ("cpu", "r1", FIRST + 1): (3, 4),
        ("cpu", "r1", FIRST + 2): (7, 7),
        ("cpu", "r2", FIRST): (5, 5),
    }
    assert tables(path)["rollups"] == 1


def test_what_is_old_goes(tmp_path: Path) -> None:
    rows = [(FIRST + day * 288, 1, 1.0, 1.0) for day in range(50)]
    path = rolled(tmp_path / "h", rows)
    done = compact(path, START + 49 * DAY + 100, keep=10, keep_sketches=30)
    assert (done.days, done.expired, done.expired_sketches) == (49, 39, 19)
    assert tables(path) == {"rollups": 1, "blocks": 10, "sketches": 30}
    # a clock that is far ahead, or a file that is left alone, loses nothing
    compact(path, START + 5000 * DAY, keep=10, keep_sketches=30)
    assert tables(path) == {"rollups": 0, "blocks": 11, "sketches": 31}


def test_a_clock_that_went_back_changes_nothing(tmp_path: Path) -> None:
    path = three_days(tmp_path / "h")
    before = values(path)
    done = compact(path, START - 5 * DAY)
    assert (done.days, done.expired) == (0, 0)
    assert values(path) == before


def test_rows_of_a_day_of_which_only_a_fuller_sketch_is_left_are_let_go(tmp_path: Path) -> None:
    path = three_days(tmp_path / "h")
    compact(path, NOW)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("DELETE FROM blocks")
    before = tables(path)["sketches"]
    csv = long_csv(tmp_path / "c", f"{START},r1,cpu,1")
    assert imported(path, csv).kept == 1
    rolled(path, [(FIRST, 1, 1, 1)])
    compact(path, NOW)
    assert tables(path) == {"rollups": 36, "blocks": 0, "sketches": before}


def test_a_file_that_is_too_large_loses_its_oldest_blocks(tmp_path: Path) -> None:
    path = rolled(
        tmp_path / "h",
        [(FIRST + at, n, at % 9, at % 9) for at in range(20 * 288) for n in range(1, 31)],
        series=30,
    )
    size = compact(path, START + 20 * DAY).size
    most = size * 2 // 3
    done = compact(path, START + 20 * DAY, most=most)
    assert done.size <= most
    assert done.dropped[0] == "2026-11-01"
    assert done.dropped_sketches == []
    assert tables(path)["blocks"] == 30 * (20 - len(done.dropped))
    assert tables(path)["sketches"] == 600


def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path: Path) -> None:
    series, days = 60, 6
    path = rolled(
        tmp_path / "h",
        [
            (FIRST + at, n, at * n % 7, at * n % 9 + 7)
            for at in range(days * 288)
            for n in range(1, series)
        ],
        series=series,
    )
    before, now = samples(path), START + days * DAY
    script = f"from pathlib import Path\nfrom exporters.history.compaction import compact\nprint(flush=True)\ncompact(Path({str(path)!r}), {now})"
    for wait in (0.0, 0.03, 0.06, 0.09, 0.12, 0.15):
        process = subprocess.Popen([sys.executable, "-P", "-c", script], stdout=subprocess.PIPE)
        assert process.stdout
        process.stdout.readline()  # it has begun
        time.sleep(wait)
        process.send_signal(signal.SIGKILL)
        process.wait()
        process.stdout.close()
        assert whole(path)
        assert samples(path) == before
    compact(path, now)
    assert samples(path) == before
    assert tables(path) == {
        "rollups": 0,
        "blocks": (series - 1) * days,
        "sketches": (series - 1) * days,
    }


@pytest.mark.parametrize("table", ["blocks", "sketches"])
def test_damage_is_told(tmp_path: Path, table: str) -> None:
    path = three_days(tmp_path / "h")
    compact(path, NOW)
    column = table[:-1] if table == "blocks" else "sketch"
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(f"UPDATE {table} SET {column} = x'0101' WHERE key % 2")  # noqa: S608
    with closing(connect(path)) as db:
        found = information.problems(db)
    assert found
    assert all(one.startswith(f"{table} of day ") for one in found)
