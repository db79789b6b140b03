"""The history file as its writer leaves it: whole after any crash, and told where it cannot be written."""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from exporters import locks
from exporters.history.accumulate import Accumulator, Rollup, Stretch
from exporters.history.file import HistoryError
from exporters.history.schema import SLOT
from exporters.history.store import ASIDE, HistoryWriter, Known, Span
from exporters.history.units import METRICS

KILLS = 200
HOST = Known("h", "host", "host", "", 1.0, 1.0)


def rows(value: float) -> list[Rollup]:
    return [Rollup("h", metric, value, value + 1) for metric in METRICS]


def read(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def write_until_killed(path: Path, acknowledged: int) -> None:
    """Rollups as fast as they can be made; the number of each goes to a descriptor once it is on disk."""
    writer = HistoryWriter(path)
    slots = Accumulator(1)
    (last,) = read(path, "SELECT coalesce(max(slot), 0) FROM rollups")[0]
    number = int(str(last)) + 1
    while True:
        for metric in METRICS:
            slots.add(Stretch("h", metric, float(number), number, number + 1))
        for slot, found in slots.close(number + 1).items():
            known = HOST._replace(last_seen=float(slot))
            spans = [Span("h", "size", float(slot), None, "{}")] if slot % 7 == 0 else []
            writer.add(slot, found, [known], spans)
            os.write(acknowledged, slot.to_bytes(8, "big"))
        number += 1


@pytest.mark.timeout(300)  # each rollup waits for the disk, which may have other work
def test_killed_200_times_as_it_writes(tmp_path: Path) -> None:
    """After each kill: the file is whole, all that was acknowledged is there, and at most one more."""
    path = tmp_path / "history.db"
    chance = random.Random(6)  # noqa: S311 - no secret
    known = 0
    recovered = checkpointed = size = 0
    for _ in range(KILLS):
        mine, theirs = os.pipe()
        child = os.fork()
        if not child:
            try:
                write_until_killed(path, theirs)
            finally:
                os._exit(1)
        os.close(theirs)
        with open(mine, "rb", buffering=0) as pipe:
            told = b"".join(pipe.read(8) or b"" for _ in range(chance.randint(1, 4)))
            assert told, "the writer could not begin"
            time.sleep(chance.uniform(0, 0.006))
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            told += pipe.readall()
        last = int.from_bytes(told[-8:], "big")
        copy = tmp_path / "copy.db"  # so that the next writer is the one that recovers it
        shutil.copy(path, copy)
        wal = path.with_name("history.db-wal")
        recovered += wal.exists() and wal.stat().st_size > 0
        if wal.exists():
            shutil.copy(wal, copy.with_name("copy.db-wal"))
        checkpointed += path.stat().st_size > size
        size = path.stat().st_size
        with closing(sqlite3.connect(copy)) as seen:
            assert seen.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            found = seen.execute(
                "SELECT slot, count(*), min(average), max(average) FROM rollups GROUP BY slot"
            ).fetchall()
        assert found == [(slot, len(METRICS), slot, slot) for slot in range(1, found[-1][0] + 1)], (
            "a rollup is there whole or not at all, and with what was told"
        )
        assert known < last <= found[-1][0] <= last + 1
        known = found[-1][0]
    assert recovered > KILLS / 2
    assert checkpointed > 3
    with closing(HistoryWriter(path)) as writer:
        assert writer.put_aside is None
        assert writer.open_spans()


def test_one_file_has_one_writer_and_readers_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.1)
    path = tmp_path / "deep" / "history.db"
    with closing(HistoryWriter(path)) as writer:
        writer.add(1, rows(1), [HOST])
        with pytest.raises(HistoryError, match="another agent writes it"):
            HistoryWriter(path)
        with closing(sqlite3.connect(path)) as reader:
            reader.execute("BEGIN")
            assert reader.execute("SELECT count(*) FROM rollups").fetchone() == (len(METRICS),)
            writer.add(2, rows(2))  # a reader in its transaction holds nobody up
            assert reader.execute("SELECT count(*) FROM rollups").fetchone() == (len(METRICS),)
    assert path.stat().st_mode & 0o077 == 0
    with closing(HistoryWriter(path)) as writer:
        writer.add(3, rows(3))
        assert writer.first_slot() == 1


def test_a_slot_that_is_written_again_is_replaced(tmp_path: Path) -> None:
    with closing(HistoryWriter(tmp_path / "h.db")) as writer:
        writer.add(1, rows(5), [HOST])
        writer.add(1, rows(7)[:1])
    found = read(tmp_path / "h.db", "SELECT average, maximum FROM rollups ORDER BY series")
    assert found == [(7.0, 8.0), *[(5.0, 6.0)] * (len(METRICS) - 1)]


def test_resources_are_as_last_seen_and_first_seen_stays(tmp_path: Path) -> None:
    with closing(HistoryWriter(tmp_path / "h.db")) as writer:
        writer.add(0, (), [Known("h", "server", "a", "x", 10, 20)])
        writer.add(0, (), [Known("h", "server", "b", "x", 30, 40)])
    found = read(tmp_path / "h.db", "SELECT id, name, first_seen, last_seen FROM resources")
    assert found == [("h", "b", 10, 40)]


def test_spans_end_and_begin_in_one_transaction(tmp_path: Path) -> None:
    small, large = '{"vcpus":2}', '{"vcpus":4}'
    with closing(HistoryWriter(tmp_path / "h.db")) as writer:
        writer.add(1, (), [HOST], [Span("h", "size", 10, None, small)])
        (open_one,) = writer.open_spans()
        assert open_one == Span("h", "size", 10, None, small)
        writer.add(
            2, (), (), [open_one._replace(until=20), Span("h", "size", 20, None, large)]
        )  # fmt: skip
        assert writer.open_spans() == [Span("h", "size", 20, None, large)]
    assert read(tmp_path / "h.db", "SELECT since, until, value FROM spans") == [
        (10, 20, small),
        (20, None, large),
    ]


def test_what_nobody_told_of_is_left_out_and_counted(tmp_path: Path) -> None:
    with closing(HistoryWriter(tmp_path / "h.db")) as writer:
        strangers = [Rollup("x", "cpu", 1, 1), Rollup("h", "heat", 1, 1)]
        assert writer.add(1, rows(1) + strangers, [HOST], [Span("x", "size", 1, None, "{}")]) == 3
    assert read(tmp_path / "h.db", "SELECT count(*) FROM rollups") == [(len(METRICS),)]
    assert read(tmp_path / "h.db", "SELECT count(*) FROM metrics") == [(len(METRICS),)]


def test_numbers_are_looked_up_again_where_another_process_wrote(tmp_path: Path) -> None:
    path = tmp_path / "h.db"
    with closing(HistoryWriter(path)) as writer:
        writer.add(1, rows(1), [HOST])
        with closing(sqlite3.connect(path)) as other, other:
            other.execute("UPDATE series SET number = number + 100")
            other.execute("DELETE FROM rollups")
        writer.add(2, rows(2))
    assert read(path, "SELECT min(series), count(*) FROM rollups") == [(101, len(METRICS))]


@pytest.mark.parametrize(
    "damage", [lambda size: (0, 100), lambda size: (size // 2, size), lambda size: (4096, 12288)]
)
def test_a_damaged_file_is_put_aside_and_kept(tmp_path: Path, damage: object) -> None:
    path = tmp_path / "history.db"
    with closing(HistoryWriter(path)) as writer:
        for slot in range(300):
            writer.add(slot, rows(slot), [HOST])
    whole = path.read_bytes()
    begin, end = damage(len(whole))  # type: ignore[operator]
    broken = whole[:begin] + os.urandom(end - begin) + whole[end:]
    path.write_bytes(broken)
    with closing(HistoryWriter(path, suspect=True)) as writer:
        assert writer.put_aside == tmp_path / "history.db.damaged-1"
        assert writer.put_aside.read_bytes() == broken
        writer.add(1, rows(1), [HOST])
    assert read(path, "SELECT count(*) FROM rollups") == [(len(METRICS),)]


def test_a_damaged_file_is_noticed_after_a_crash(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    with closing(HistoryWriter(path)) as writer:
        for slot in range(300):
            writer.add(slot, rows(slot), [HOST])
    size = path.stat().st_size
    with path.open("r+b") as file:
        file.seek(size // 2)
        file.write(os.urandom(8192))
    path.with_name("history.db-wal").touch()  # as one that was killed leaves it
    with closing(HistoryWriter(path)) as writer:
        assert writer.put_aside


def test_damaged_files_are_never_deleted(tmp_path: Path) -> None:
    path = tmp_path / "history.db"
    HistoryWriter(path).close()
    broken = path.read_bytes()[:4096] + bytes(4096)
    for number in range(ASIDE):
        path.write_bytes(broken)
        with closing(HistoryWriter(path, suspect=True)) as writer:
            assert writer.put_aside == tmp_path / f"history.db.damaged-{number + 1}"
    path.write_bytes(broken)
    with pytest.raises(HistoryError, match="there are 9 damaged ones already"):
        HistoryWriter(path, suspect=True)
    assert path.read_bytes() == broken


@pytest.mark.parametrize("statement", ["PRAGMA application_id = 7", "PRAGMA user_version = 99"])
def test_a_file_that_is_not_ours_is_left_alone(tmp_path: Path, statement: str) -> None:
    path = tmp_path / "other.db"
    HistoryWriter(path).close()
    with closing(sqlite3.connect(path)) as other:
        other.execute(statement)
    with pytest.raises(HistoryError, match=r"other\.db"):
        HistoryWriter(path)
    assert path.exists()
    assert not list(tmp_path.glob("*damaged*"))


def test_another_zone_than_the_file_has(tmp_path: Path) -> None:
    HistoryWriter(tmp_path / "h.db", "Europe/Berlin").close()
    with closing(HistoryWriter(tmp_path / "h.db")) as writer:
        assert writer.zone == "Europe/Berlin"


FILL = """
import sys
from pathlib import Path
from exporters.history.file import HistoryError
from exporters.history.store import HistoryWriter
from tests.exporters.test_history_store import HOST, rows
writer = HistoryWriter(Path(sys.argv[1]))
for slot in range(1, 100_000):
    try:
        writer.add(slot, rows(slot), [HOST])
    except HistoryError as error:
        print(slot, error, flush=True)
        break
sys.stdin.readline()  # room is made
writer.add(slot, rows(slot), [HOST])
print("written", flush=True)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a small file system takes root")
def test_a_full_disk_loses_that_rollup_alone(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(disk)], capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
    try:
        path = disk / "history.db"
        with subprocess.Popen(
            [sys.executable, "-c", FILL, str(path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        ) as child:
            assert child.stdin
            assert child.stdout
            slot, _, problem = child.stdout.readline().partition(" ")
            assert "full" in problem or "disk I/O" in problem
            copy = tmp_path / "copy.db"
            for suffix in ("", "-wal"):
                shutil.copy(f"{path}{suffix}", f"{copy}{suffix}")
            assert read(copy, "PRAGMA integrity_check") == [("ok",)]
            assert read(copy, "SELECT max(slot) FROM rollups") == [(int(slot) - 1,)]
            subprocess.run(["mount", "-o", "remount,size=8m", str(disk)], check=True)
            assert child.communicate("\n")[0] == "written\n"
        assert read(path, "SELECT max(slot) FROM rollups") == [(int(slot),)]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    """RLIMIT_FSIZE, where Python ignores SIGXFSZ: an error like that of a full disk."""
    path = tmp_path / "history.db"
    child = os.fork()
    if not child:
        status = 1
        try:
            writer = HistoryWriter(path)
            resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
            for slot in range(1, 100_000):
                writer.add(slot, rows(slot), [HOST])
        except HistoryError:
            status = 0
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert read(path, "PRAGMA integrity_check") == [("ok",)]
    (first, last, count) = read(path, "SELECT min(slot), max(slot), count(*) FROM rollups")[0]
    assert first == 1
    assert count == int(str(last)) * len(METRICS)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(HistoryError, match=str(file)):
        HistoryWriter(file / "history.db")
    with pytest.raises(HistoryError, match="/proc"):
        HistoryWriter(Path("/proc/nowhere/history.db"))


def test_a_year_of_one_host_is_small(tmp_path: Path) -> None:
    """400 days of rows as the writer leaves them, compacted when they are over: below 20 MB."""
    numpy = pytest.importorskip("numpy")
    from exporters.history.compaction import compact

    path, day, days = tmp_path / "h.db", 86400 // SLOT, 400
    with closing(HistoryWriter(path)) as writer:
        writer.add(0, rows(1), [HOST])  # so that there are series
    begin = 1_700_000_000 // SLOT
    chance, largest = numpy.random.default_rng(1), 0
    with closing(sqlite3.connect(path)) as connection:
        series = [number for (number,) in connection.execute("SELECT number FROM series")]
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("DELETE FROM rollups")
        for number in range(0, days, 10):
            first = begin + number * day
            slots = range(first, first + 10 * day)
            values = chance.lognormal(3, 1, (len(slots), len(series), 2)).tolist()
            with connection:
                connection.executemany(
                    "INSERT INTO rollups VALUES (?, ?, ?, ?)",
                    (
                        (slot, one, *value)
                        for slot, row in zip(slots, values, strict=True)
                        for one, value in zip(series, row, strict=True)
                    ),
                )
            compact(path, slots.stop * SLOT)
            largest = max(largest, path.stat().st_size)
    assert largest < 20_000_000
    ((kept, blocks),) = read(
        path,
        "SELECT count(DISTINCT key >> 32), (SELECT count(DISTINCT key >> 32) FROM blocks) "
        "FROM sketches",
    )
    assert int(str(kept)) >= days
    assert int(str(blocks)) >= 40
