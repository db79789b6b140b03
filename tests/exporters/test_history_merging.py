"""Files of several agents become one."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.history.file import HistoryError, connect
from exporters.history.importing import Form
from exporters.history.mergedspans import Dated, without_overlap
from exporters.history.merging import merge
from tests.historylab import SLOT, START, content, imported, long_csv, samples

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


def test_a_file_that_somebody_has_open_is_not_replaced(tmp_path: Path) -> None:
    one = made(tmp_path / "1.db", f"{START},a,cpu,1")
    other = made(tmp_path / "2.db", f"{START},b,cpu,1")
    with closing(connect(one)) as db:
        db.execute("SELECT count(*) FROM blocks").fetchone()
        with pytest.raises(HistoryError, match="somebody has it open"):
            merge(one, [one, other])
    merge(one, [one, other])
    assert len(samples(one)) == 2


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
