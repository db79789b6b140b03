"""Wide CSV: a resource a line."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporters.history.badlines import ImportRefused
from exporters.history.importing import Form
from tests.historylab import SLOT, START, content, imported, long_csv, samples

FIRST = START // SLOT
WIDE = Form(wide=True, metric="cpu", unit="percent", start=START, step=300)


def test_values_follow_from_the_start(tmp_path: Path) -> None:
    path = long_csv(
        tmp_path / "c", "a,1,2.5,3", 'b,"4",,6', "", "政务云".encode("gb18030") + b",7,8,9"
    )
    done = imported(tmp_path / "h", path, WIDE, strict=True)
    assert (done.samples, done.missing) == (8, 1)
    found = {key[1:]: value[0] for key, value in samples(tmp_path / "h").items()}
    assert found == {
        ("a", FIRST): 1,
        ("a", FIRST + 1): 2.5,
        ("a", FIRST + 2): 3,
        ("b", FIRST): 4,
        ("b", FIRST + 2): 6,
        ("政务云", FIRST): 7,
        ("政务云", FIRST + 1): 8,
        ("政务云", FIRST + 2): 9,
    }


@pytest.mark.parametrize(
    ("line", "reason", "taken"),
    [
        ("b,1,NaN,3", "value 2: the value is not a number (NaN)", 2),
        ("b,-1,-2,3", "value 1: the value is negative, and 1 more", 1),
        ("b,1,1e308,3", "value 2: the value is infinite or above 1e18", 2),
        ("b,1,inf,x", "value 2: the value is infinite or above 1e18, and 1 more", 1),
        ("b,1,2_0,3", "value 2: the value is no number", 2),
        ("b,1,2", "the line has 2 values and not 3", 0),
        ("b,1,2,3,4", "the line has 4 values and not 3", 0),
        (",1,2,3", "the resource is empty", 0),
        ("b\0,1,2,3", "the line has NUL bytes", 0),
        ('"b,1,2,3', "quotes: unexpected end of data", 0),
    ],
)
def test_bad_values_are_told_and_the_others_taken(
    tmp_path: Path, line: str, reason: str, taken: int
) -> None:
    path = long_csv(tmp_path / "c", "a,1,2,3", line, "c,1,2,3")
    done = imported(tmp_path / "h", path, WIDE)
    assert (done.bad, done.reasons) == (1, {reason: 1})
    assert done.quoted[0].startswith(f"{path}:2: {reason}")
    assert done.samples == 6 + taken == len(samples(tmp_path / "h"))
    with pytest.raises(ImportRefused, match=":2:"):
        imported(tmp_path / "strict", path, WIDE, strict=True)
    assert not (tmp_path / "strict").exists()


def test_a_header_has_the_times(tmp_path: Path) -> None:
    form = Form(wide=True, metric="cpu")
    header = long_csv(
        tmp_path / "header", "资源,2026-11-01 00:00,2026-11-01T00:05+08:00,1793463000000", "a,1,2,3"
    )
    plain = long_csv(tmp_path / "plain", "a,1,2,3")
    imported(tmp_path / "header.db", header, form, strict=True)
    imported(tmp_path / "plain.db", plain, WIDE, strict=True)
    assert content(tmp_path / "header.db") == content(tmp_path / "plain.db")


def test_hours_of_a_header_stand_for_their_slots(tmp_path: Path) -> None:
    path = long_csv(
        tmp_path / "c", ",2026-11-01T00:00,2026-11-01T01:00,2026-11-01T02:00", "a,1,2,3"
    )
    done = imported(tmp_path / "h", path, Form(wide=True, metric="cpu"), strict=True)
    assert done.samples == 3
    found = samples(tmp_path / "h")
    assert sorted(found) == [("cpu", "a", FIRST + n) for n in range(36)]
    assert [found["cpu", "a", FIRST + n][0] for n in (0, 11, 12, 35)] == [1, 1, 2, 3]


def test_minutes_are_averaged(tmp_path: Path) -> None:
    path = long_csv(tmp_path / "c", "a,1,2,3,4,5,6,7")
    form = Form(wide=True, metric="cpu", start=START, step=60)
    imported(tmp_path / "h", path, form)
    assert samples(tmp_path / "h") == {
        ("cpu", "a", FIRST): (3, 5),
        ("cpu", "a", FIRST + 1): (6.5, 7),
    }


@pytest.mark.parametrize(
    ("form", "first", "problem"),
    [
        (Form(wide=True), "a,1", "say the metric"),
        (Form(wide=True, metric="cpu"), "a,1", "--start is needed"),
        (Form(wide=True, metric="new", start=START), "a,1", "new and has no unit"),
        (Form(wide=True, metric="cpu", unit="bytes", start=START), "a,1", "kept in percent"),
        (Form(wide=True, metric="cpu", start=START), "a", "no values"),
        (Form(wide=True, metric="cpu", start=START), "id,2026-11-01T00:00", "leave --start out"),
        (Form(wide=True, metric="cpu"), "id,v0,v1", "neither Unix time nor ISO"),
        (Form(wide=True, metric="cpu", start=4102444500, step=86400), "a,1,2", "after 2099"),
    ],
)
def test_what_cannot_be_understood_is_refused(
    tmp_path: Path, form: Form, first: str, problem: str
) -> None:
    with pytest.raises(ImportRefused, match=problem):
        imported(tmp_path / "h", long_csv(tmp_path / "c", first), form)
    assert not (tmp_path / "h").exists()


def test_long_and_wide_make_the_same_file(tmp_path: Path) -> None:
    values = {f"r{n}": [(n * 37 + slot * 11) % 101 / 4 for slot in range(400)] for n in range(30)}
    wide = long_csv(tmp_path / "wide", *(f"{r},{','.join(map(str, v))}" for r, v in values.items()))
    lines = [
        f"{START + 300 * slot},{r},cpu,{value}"
        for slot in range(400)
        for r, value in ((r, v[slot]) for r, v in values.items())
    ]
    imported(tmp_path / "wide.db", wide, WIDE)
    imported(tmp_path / "long.db", long_csv(tmp_path / "long", *lines))
    imported(tmp_path / "back.db", long_csv(tmp_path / "back", *reversed(lines)))
    assert content(tmp_path / "wide.db") == content(tmp_path / "long.db")
    assert samples(tmp_path / "back.db") == samples(tmp_path / "long.db")


@settings(max_examples=30)
@given(st.binary(max_size=200), st.booleans())
def test_no_bytes_break_it(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, before: bool
) -> None:
    folder = tmp_path_factory.mktemp("bytes")
    good = b"a,1,2,3\n"
    (folder / "c").write_bytes(good + raw if before else b"a,1,2,3\n" + raw + b"\n" + good)
    assert imported(folder / "h", folder / "c", WIDE).samples >= 3


def test_a_descending_header_tells_the_step_as_well(tmp_path: Path) -> None:
    hours = [f"2026-11-01 {hour:02}:00" for hour in range(24)]
    for name, order in {"up": hours, "down": hours[::-1]}.items():
        values = ",".join(one[11:13] for one in order)
        path = long_csv(tmp_path / f"{name}.csv", f"id,{','.join(order)}", f"a,{values}")
        imported(tmp_path / name, path, Form(wide=True, metric="cpu"), strict=True)
    assert samples(tmp_path / "down") == samples(tmp_path / "up")
    assert len(samples(tmp_path / "up")) == 288


@pytest.mark.parametrize("minutes", [60, 30])
@pytest.mark.parametrize("backward", [False, True])
def test_an_hour_that_clocks_show_twice_has_both_in_a_header(
    tmp_path: Path, minutes: int, backward: bool
) -> None:
    """Berlin, 2026-10-25: 02:00 comes again after 02:59."""
    zone = ZoneInfo("Europe/Berlin")
    begin = int(datetime(2026, 10, 25, tzinfo=zone).timestamp())
    times = range(begin, begin + 25 * 3600, 60 * minutes)
    columns = [(datetime.fromtimestamp(at, zone).strftime("%Y-%m-%d %H:%M"), at) for at in times]
    columns = columns[::-1] if backward else columns
    header, values = (",".join(str(one[it]) for one in columns) for it in (0, 1))
    path = long_csv(tmp_path / "c", f"id,{header}", f"a,{values}")
    form = Form(wide=True, metric="x", unit="bytes", zone=zone.key)
    done = imported(tmp_path / "h", path, form, strict=True)
    assert done.duplicates == 0
    found = samples(tmp_path / "h")
    assert len(found) == 300
    for at in times:
        assert found["x", "a", at // SLOT][0] == pytest.approx(at, abs=200)
