"""Days that are over become blocks and sketches; what is old goes; a kill leaves a whole file."""

from __future__ import annotations

import re
import signal
import sqlite3
import subprocess
import sys
import time
import warnings
from contextlib import closing
from pathlib import Path

import pytest

from exporters.history import information, statistics, workcalendar
from exporters.history.accumulate import Rollup
from exporters.history.compaction import compact
from exporters.history.file import HistoryError, connect
from exporters.history.reader import span_of
from exporters.history.store import HistoryWriter, Known, Span
from exporters.history.stored import present
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


@pytest.mark.parametrize("keep", [40, 10])
def test_a_clock_that_was_wrong_costs_a_day_at_most(tmp_path: Path, keep: int) -> None:
    days, ahead = 20, 730
    path = rolled(tmp_path / "h", [(FIRST + day * 288, 1, 1.0, 1.0) for day in range(days)])
    compact(path, START + days * DAY, keep)
    before = tables(path)["blocks"]
    assert before == min(days, keep + 1)  # nothing is newer than the day before today
    # an agent wakes up two years ahead, writes a while, and compacts
    rolled(path, [(FIRST + (days + ahead) * 288 + at, 1, 1.0, 1.0) for at in (0, 1)])
    done = compact(path, START + (days + ahead) * DAY + 700, keep)
    assert done.expired_sketches == 0
    assert tables(path)["blocks"] >= before - 1
    # its clock is right again: what is ahead of it makes nothing old
    rolled(path, [(FIRST + days * 288, 1, 1.0, 1.0)])
    done = compact(path, START + days * DAY + 700, keep)
    assert (done.expired, done.expired_sketches) == (0, 0)


def test_resources_come_and_go(tmp_path: Path) -> None:
    """Of those released long ago nothing is left; of those that last, what is true."""
    path, days = tmp_path / "h", 40
    for day in range(days):
        since, until = float(START + day * DAY), float(START + day * DAY + 7200)
        with closing(HistoryWriter(path)) as writer:
            for id in (f"vm-{day}", "lasting"):
                known = Known(id, "server", id, "city", since, until)
                state = Span(id, "state", since, until, '"active"')
                after = state._replace(since=until, until=None, value='"released"')
                spans = [state, after] if id.startswith("vm") else [state]
                rollups = [Rollup(id, "cpu", 1.0, 2.0)]
                writer.add(FIRST + day * 288, rollups, [known], spans)
            writer.add(0, (), [], [Span("lasting", "size", float(START), None, "{}")])
        compact(path, until + DAY, keep=3, keep_sketches=10)
    with closing(sqlite3.connect(path)) as db:
        kept = {one for (one,) in db.execute("SELECT id FROM resources")}
        (spans, series) = db.execute(
            "SELECT (SELECT count(*) FROM spans), (SELECT count(*) FROM series)"
        ).fetchone()
    assert kept == {"lasting", *(f"vm-{day}" for day in range(days - 11, days))}
    assert series == len(kept)
    assert spans <= 3 * len(kept) + 1
    with closing(connect(path)) as db:
        assert information.problems(db) == []


def test_a_young_file_forgets_nobody(tmp_path: Path) -> None:
    path = tmp_path / "h"
    with closing(HistoryWriter(path)) as writer:
        gone = Known("gone", "server", "gone", "city", 1.0, 2.0)
        writer.add(0, (), [gone], [Span("gone", "state", 1.0, 2.0, '"active"')])
        writer.add(FIRST, [Rollup("gone", "cpu", 1, 1)], [gone])
        writer.add(FIRST, (), [gone._replace(id="never")])
    assert compact(path, NOW).forgotten == 0
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("SELECT count(*) FROM resources").fetchone() == (2,)
        assert db.execute("SELECT count(*) FROM spans").fetchone() == (1,)


def test_readers_of_keys_that_are_not_in_order_end(tmp_path: Path) -> None:
    """Each key in turn becomes a high one where pages are told apart, too: a search for what follows then
    finds what was before, and who goes on from key to key went round and round."""
    path = tmp_path / "h"
    rolled(path, [(FIRST + day * 288, 1, 1.0, 1.0) for day in range(12)], series=1)
    compact(path, START + 12 * DAY)
    raw = path.read_bytes()
    with closing(sqlite3.connect(path)) as db:
        keys = [one for (one,) in db.execute("SELECT key FROM blocks ORDER BY key")]
    told = 0
    for key in keys:
        wrong = varint((15_000_000 << 32) + 1)
        for place in re.finditer(re.escape(varint(key)), raw):
            path.write_bytes(raw[: place.start()] + wrong + raw[place.end() :])
            with closing(connect(path, reading=True)) as db:
                try:
                    for table in ("blocks", "sketches"):
                        found = present(db, table, 0, 1 << 30)
                        assert found == sorted(set(found))
                    continue
                except HistoryError as error:
                    assert "damaged: they are not in order" in str(error)  # noqa: PT017 - of many
                assert any("order" in one for one in information.problems(db))
            told += 1
            with pytest.raises(HistoryError, match=f"{path}: .* are damaged"):
                compact(path, START + 13 * DAY, keep=1, keep_sketches=1, most=1)
    assert told > 2


def varint(number: int) -> bytes:
    """As SQLite writes it, below 1 << 56."""
    found = [number & 0x7F]
    while number := number >> 7:
        found.insert(0, 0x80 | number & 0x7F)
    return bytes(found)


@pytest.mark.parametrize("day", [0, -5, 4_000_000])
def test_days_of_no_calendar_are_damage(tmp_path: Path, day: int) -> None:
    path = three_days(tmp_path / "h")
    compact(path, NOW)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(
            "UPDATE sketches SET key = ? WHERE key = (SELECT max(key) FROM sketches)", (day << 32,)
        )
    with closing(connect(path)) as db:
        with pytest.raises(HistoryError, match=f"day {day} is damaged"):
            span_of(db)
        assert information.problems(db)
        found = information.inform(db, path, str, check=True)
    assert found.since is None
    assert found.problems


def test_rows_that_are_beyond_any_number(tmp_path: Path) -> None:
    path = rolled(tmp_path / "h", [(FIRST, 1, 1e39, 1e39), (FIRST + 1, 1, 2.0, 2.0)])
    with warnings.catch_warnings(), closing(connect(path)):
        warnings.simplefilter("error")
        compact(path, NOW)
    assert samples(path) == {("cpu", "r1", FIRST + 1): (2.0, 2.0)}


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
    rolled(path, [(FIRST, 1, 1, 1), (FIRST + 5, 1, 1, 1), (FIRST, 2, 1, 1)])
    done = compact(path, NOW)
    assert tables(path) == {"rollups": 36, "blocks": 0, "sketches": before}
    assert done.late == 3
    assert done.losses(None) == ["3 rollups came too late for their days, and were let go"]


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
