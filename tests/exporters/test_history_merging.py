"""Files of several agents become one."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from itertools import pairwise, permutations
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.history.file import HistoryError, connect
from exporters.history.importing import Form
from exporters.history.mergedspans import Dated, without_overlap
from exporters.history.merging import merge
from tests.historylab import SLOT, START, content, imported, long_csv, samples, whole

FIRST = START // SLOT


def made(path: Path, *lines: str, zone: str = "") -> Path:
    imported(path, long_csv(path.with_suffix(".csv"), *lines), Form(zone=zone), strict=True)
    return path


def test_resources_days_and_slots_are_united(tmp_path: Path) -> None:
    one = made(
        tmp_path / "1.db",
        *(f"{START + 300 * n},a,cpu,1" for n in range(10)),
        f"{START},b,cpu,2",
        f"{START},b,memory,3",
    )
    other = made(
        tmp_path / "2.db",
        f"{START + 300 * 9},a,cpu,50",
        f"{START + 300 * 10},a,cpu,50",
        f"{START + 86400},a,cpu,4",
        f"{START},c,cpu,5",
    )
    expected = {
        **samples(other),
        **samples(one),  # has more of the day
    }
    for name, order in {"a.db": (one, other), "b.db": (other, one)}.items():
        done = merge(tmp_path / name, order)
        assert (done.files, done.resources, done.days) == (2, 3, 2)
        assert samples(tmp_path / name) == expected
    before = content(tmp_path / "a.db")
    merge(tmp_path / "a.db", [tmp_path / "a.db", one])
    assert content(tmp_path / "a.db") == before
    assert not [one for one in os.listdir(tmp_path) if one.startswith(".") or "-wal" in one]


def test_rows_of_the_day_under_way_and_sketches_are_united(tmp_path: Path) -> None:
    one = made(tmp_path / "1.db", *(f"{START + 300 * n},a,cpu,{n}" for n in range(20)))
    other = made(tmp_path / "2.db", f"{START},a,cpu,7", f"{START},b,cpu,8")
    with closing(sqlite3.connect(one)) as db, db:
        db.execute("DELETE FROM blocks")
    with closing(sqlite3.connect(other)) as db, db:
        db.execute("INSERT INTO rollups VALUES (?, 2, 9, 9.5)", (FIRST + 3,))
    merge(tmp_path / "out.db", [one, other])
    assert samples(tmp_path / "out.db") == {
        ("cpu", "b", FIRST): (8, 8),
        ("cpu", "b", FIRST + 3): (9, 9.5),
    }
    with closing(sqlite3.connect(tmp_path / "out.db")) as db:
        [(sketches,)] = db.execute("SELECT count(*) FROM sketches")
    assert sketches == 2


def test_what_cannot_be_united_is_named_and_nothing_changes(tmp_path: Path) -> None:
    one = made(tmp_path / "1.db", f"{START},a,cpu,1")
    made(tmp_path / "zone.db", f"{START},a,cpu,1", zone="UTC")
    unit = made(tmp_path / "unit.db", f"{START},a,cpu,1")
    damaged = made(tmp_path / "damaged.db", f"{START},a,cpu,1")
    with closing(sqlite3.connect(unit)) as db, db:
        db.execute("UPDATE metrics SET unit = 'bytes'")
    with closing(sqlite3.connect(damaged)) as db, db:
        db.execute("UPDATE blocks SET block = x'00'")
    (tmp_path / "no.db").write_bytes(b"no database" * 100)
    before = content(one)
    for wrong, problem in {
        "zone.db": "different zones: .*UTC",
        "unit.db": "unit.db: has cpu in bytes",
        "damaged.db": "damaged.db: is damaged: blocks of day",
        "no.db": "no.db: file is not a database",
        "absent.db": "absent.db: no such history file",
    }.items():
        for out in (one, tmp_path / "new.db"):
            with pytest.raises(HistoryError, match=problem):
                merge(out, [one, tmp_path / wrong])
        assert not (tmp_path / "new.db").exists()
    with pytest.raises(HistoryError, match="is there already"):
        merge(unit, [one])
    assert content(one) == before
    assert not [one for one in os.listdir(tmp_path) if one.startswith(".")]


def test_what_others_write_during_a_merge_into_their_file_is_kept(tmp_path: Path) -> None:
    one = made(tmp_path / "1.db", *(f"{START + 86400 * n},a,cpu,1" for n in range(3)))
    other = made(tmp_path / "2.db", *(f"{START + 86400 * n},b,cpu,2" for n in range(3)))
    late = long_csv(tmp_path / "late.csv", f"{START},late,cpu,3")
    waiting: list[subprocess.Popen[bytes]] = []

    def told(done: int, _: int) -> None:
        if done == 1:
            argv = [sys.executable, "-P", "-m", "agents", "history", "import", "--history"]
            waiting.append(
                subprocess.Popen([*argv, str(one), str(late)], stdout=subprocess.DEVNULL)
            )
            with pytest.raises(subprocess.TimeoutExpired):  # it waits for the merge
                waiting[0].wait(3)
            with closing(connect(one)) as reader:  # and reads what was there
                assert reader.execute("SELECT count(*) FROM resources").fetchone() == (1,)

    with closing(connect(one)) as before:  # who has it open keeps on
        assert before.execute("SELECT count(*) FROM blocks").fetchone() == (3,)
        merge(one, [other, one], told)
        assert waiting[0].wait(60) == 0
        assert before.execute("SELECT count(*) FROM blocks").fetchone() == (7,)
    assert {name for _, name, _ in samples(one)} == {"a", "b", "late"}
    assert len(samples(one)) == 7
    assert whole(one)


def test_a_merge_into_an_input_is_all_or_nothing(tmp_path: Path) -> None:
    one = made(tmp_path / "1.db", *(f"{START + 86400 * n},a,cpu,1" for n in range(3)))
    other = made(tmp_path / "2.db", *(f"{START + 86400 * n},b,cpu,2" for n in range(3)))
    before = content(one)

    def full(done: int, _: int) -> None:
        if done == 2:
            raise OSError(28, "No space left on device")

    for out in (one, tmp_path / "new.db"):
        with pytest.raises(OSError, match="No space"):
            merge(out, [one, other], full)
    assert content(one) == before
    assert sorted(os.listdir(tmp_path)) == ["1.csv", "1.db", "2.csv", "2.db"]


def test_a_journal_of_a_file_that_is_gone_is_not_taken_for_ours(tmp_path: Path) -> None:
    one = made(tmp_path / "1.db", f"{START},a,cpu,1")
    (tmp_path / "out.db-wal").write_bytes(b"x" * 1000)
    with pytest.raises(HistoryError, match=r"out.db-wal: is of a file that is gone"):
        merge(tmp_path / "out.db", [one])


@pytest.mark.parametrize("level", [12, 10, 8])
def test_the_order_of_three_files_makes_no_difference(tmp_path: Path, level: int) -> None:
    """Slots 0 to 9 of one, 10 to 17 of another, and some of a third that overlaps both."""
    spans = {"a": range(10), "b": range(10, 18), "c": range(3, 3 + level)}
    files = [
        made(tmp_path / f"{name}.db", *(f"{START + 300 * n},r,cpu,{value}" for n in slots))
        for value, (name, slots) in enumerate(spans.items(), 10)
    ]
    found = []
    for at, order in enumerate(permutations(files)):
        merge(tmp_path / f"out{at}.db", order)
        found.append(samples(tmp_path / f"out{at}.db"))
    merge(files[1], files)
    assert all(one == found[0] for one in [*found, samples(files[1])])
    of_5 = {12: 12, 10: 12, 8: 10}[level]  # of two with 10 the higher
    assert found[0]["cpu", "r", FIRST + 5] == (of_5, of_5)


def test_machines_with_one_id_are_told(tmp_path: Path) -> None:
    def agent(name: str, *values: int) -> Path:
        lines = (f"{START + 300 * n},m,cpu,{value}" for n, value in enumerate(values))
        path = made(tmp_path / f"{name}.db", *lines, f"{START},other,cpu,1")
        with closing(sqlite3.connect(path)) as db, db:
            db.execute("UPDATE resources SET name = ? WHERE id = 'm'", (name,))
        return path

    files = [
        agent("web1", 1, 2, 3),
        agent("web2", 1, 5, 6),
        made(tmp_path / "x.db", f"{START},m,cpu,9"),
    ]
    for out, order in ((tmp_path / "o", files), (files[0], files[::-1])):
        done = merge(out, order)
        assert [(one.id, one.names) for one in done.clones] == [("m", ["web1", "web2"])]
        assert done.differing == 3
    renamed = [agent("old", 1, 2), agent("new", 1, 2, 3)]
    done = merge(tmp_path / "p", renamed)
    assert (done.clones, done.differing) == ([], 0)


def test_a_merged_file_is_for_its_owner_alone(tmp_path: Path) -> None:
    one = made(tmp_path / "1.db", f"{START},a,cpu,1")
    other = made(tmp_path / "2.db", f"{START},b,cpu,1")
    assert one.stat().st_mode & 0o777 == 0o600  # what was imported as well
    merge(tmp_path / "out.db", [one, other])
    assert (tmp_path / "out.db").stat().st_mode & 0o777 == 0o600
    one.chmod(0o640)
    merge(one, [one, other])
    assert one.stat().st_mode & 0o777 == 0o640


def test_what_a_killed_merge_left_is_removed_by_the_next(tmp_path: Path) -> None:
    one = made(tmp_path / "1.db", f"{START},a,cpu,1")
    killed = (
        "import os, sys; from pathlib import Path; from exporters.history.merging import merge\n"
        "merge(Path(sys.argv[1]), [Path(sys.argv[2])], lambda done, whole: os.kill(os.getpid(), 9))"
    )
    out = tmp_path / "out.db"
    done = subprocess.run([sys.executable, "-c", killed, str(out), str(one)], check=False)
    assert done.returncode == -signal.SIGKILL
    left = [name for name in os.listdir(tmp_path) if name.startswith(".out.db.")]
    assert len(left) > 1
    merge(out, [one])
    assert sorted(os.listdir(tmp_path)) == ["1.csv", "1.db", "out.db"]


def test_spans_are_united(tmp_path: Path) -> None:
    one = made(tmp_path / "1.db", f"{START},a,cpu,1")
    other = made(tmp_path / "2.db", f"{START},z,cpu,1", f"{START},a,cpu,1")
    spans: list[tuple[Path, float, float | None, str]] = [
        (one, 0, 50, "x"),
        (one, 50, None, "y"),
        (other, 0, 60, "x"),
    ]
    for path, *span in spans:
        with closing(sqlite3.connect(path)) as db, db:
            db.execute(
                "INSERT INTO spans SELECT number, 'owner', ?, ?, ? FROM resources WHERE id = 'a'",
                span,
            )
    merge(tmp_path / "out.db", [one, other])
    with closing(sqlite3.connect(tmp_path / "out.db")) as db:
        found = list(
            db.execute(
                "SELECT id, since, until, value FROM spans JOIN resources ON number = resource"
            )
        )
    assert found == [("a", 0, 50, "x"), ("a", 50, None, "y")]


dated = st.builds(
    lambda since, long, value: Dated(since, None if long is None else since + long, value),
    st.integers(0, 20),
    st.none() | st.integers(0, 20),
    st.sampled_from("abc"),
)


@given(st.lists(dated, max_size=6))
def test_spans_never_overlap_and_lose_nothing(spans: list[Dated]) -> None:
    found = list(without_overlap(spans))
    for before, after in pairwise(found):
        assert before.until is not None
        assert before.until < after.since or (
            before.until == after.since and before.value != after.value
        )

    def at(of: list[Dated], moment: float) -> list[Dated]:
        return [
            one for one in of if one.since <= moment and (one.until is None or moment < one.until)
        ]

    for half in range(90):
        was, now = at(spans, half / 2), at(found, half / 2)
        assert len(now) == bool(was)
        if was:
            last = max(one.since for one in was)
            assert now[0].value in {one.value for one in was if one.since == last}
