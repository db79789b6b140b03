"""Statistics against numpy on the raw samples; days where clocks change; days known by sketches alone."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from exporters.history import reader, statistics, summary, workcalendar
from exporters.history.days import Days
from exporters.history.file import HistoryError, connect
from exporters.history.importing import Form
from exporters.history.reader import Span
from rules.usagemodel import UPPER, Measured
from tests.historylab import SLOT, START, imported, long_csv

RESOURCES, SLOTS = 12, 288 * 9
WIDE = Form(wide=True, metric="cpu", start=START)


@pytest.fixture(scope="module")
def raw() -> NDArray[np.float64]:
    """Usage with gaps; resource 0 was never seen, 1 in one slot alone, 2 is idle."""
    generator = np.random.default_rng(6)
    made = np.round(generator.gamma(0.8, 12, (RESOURCES, SLOTS)), 2)
    made[generator.random(made.shape) < 0.15] = np.nan
    made[0] = np.nan
    made[1, :100], made[1, 101:] = np.nan, np.nan
    made[1, 100] = 7
    made[2] = 0
    return made.astype(np.float32).astype(np.float64)


@pytest.fixture
def history(raw: NDArray[np.float64], tmp_path: Path) -> Path:
    lines = (
        f"r{n}," + ",".join("" if np.isnan(value) else repr(float(value)) for value in row)
        for n, row in enumerate(raw)
    )
    imported(tmp_path / "h", long_csv(tmp_path / "c", *lines), WIDE, strict=True)
    return tmp_path / "h"


def usage(history: Path, since: float, until: float) -> dict[str, Measured]:
    with closing(connect(history)) as db:
        return statistics.usage(db, "cpu", since, until, workcalendar.load())


def in_work(slots: NDArray[np.int64]) -> NDArray[np.bool_]:
    """November 2026 has no holidays."""
    found = []
    for slot in slots.tolist():
        when = datetime.fromtimestamp(slot * SLOT, ZoneInfo("Asia/Shanghai"))
        hours = 9 <= when.hour < 12 or 14 <= when.hour < 18
        found.append(hours and when.weekday() < 5)
    return np.array(found)


@pytest.mark.parametrize(
    ("since", "until"), [(0, SLOTS), (100, 101), (150, 1009), (-600, SLOTS + 77)]
)
def test_usage_is_what_numpy_makes_of_the_samples(
    raw: NDArray[np.float64], history: Path, since: int, until: int
) -> None:
    found = usage(history, START + since * SLOT, START + until * SLOT)
    slots = START // SLOT + np.arange(since, until)
    part = np.full((RESOURCES, until - since), np.nan)
    low, high = max(since, 0), min(until, SLOTS)
    part[:, low - since : high - since] = raw[:, low:high]
    work = in_work(slots)
    assert set(found) == {f"r{n}" for n, row in enumerate(part) if not np.isnan(row).all()}
    for name, its in found.items():
        row = part[int(name[1:])]
        known = row[~np.isnan(row)]
        assert its.samples == len(known)
        assert its.coverage == len(known) / len(row)
        assert its.mean == pytest.approx(known.mean(), rel=1e-9)
        quantiles = tuple(np.quantile(known, (0.5, 0.95, UPPER)))
        assert (its.p50, its.p95, its.upper) == pytest.approx(quantiles, rel=1e-9)
        assert its.maximum == known.max()
        assert its.maximum_at == slots[np.nanargmax(row)] * SLOT
        for value, where in ((its.work, work), (its.off, ~work)):
            there = row[where & ~np.isnan(row)]
            assert value == (pytest.approx(there.mean(), rel=1e-9) if len(there) else None)
        assert not its.estimated


def test_chunks_make_no_difference(history: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = usage(history, START, START + SLOTS * SLOT)
    monkeypatch.setattr(reader.chunks, "__defaults__", (None, 1 << 16))
    assert usage(history, START, START + SLOTS * SLOT) == whole


def test_summary_is_what_numpy_makes_of_all_samples(
    raw: NDArray[np.float64], history: Path
) -> None:
    known = raw[~np.isnan(raw)]
    period = Span(START // SLOT, START // SLOT + SLOTS)
    with closing(connect(history)) as db:
        found = summary.summarise(db, "cpu", period, str)
        rows = list(summary.by_resource(db, "cpu", period, str))
        one = summary.summarise(db, "cpu", period, str, ["r3"])
        with pytest.raises(HistoryError, match="it has cpu"):
            summary.summarise(db, "memory", period, str)
    assert (found.resources, found.samples) == (RESOURCES - 1, len(known))
    assert (found.mean, found.stddev) == pytest.approx((known.mean(), known.std()), rel=1e-9)
    quantiles = tuple(np.quantile(known, (0.25, 0.5, 0.75, 0.95)))
    assert (found.q1, found.median, found.q3, found.p95) == pytest.approx(quantiles, rel=1e-9)
    assert found.coverage == len(known) / ((RESOURCES - 1) * SLOTS)
    assert found.max == known.max()
    assert {row.resource for row in rows} == {f"r{n}" for n in range(1, RESOURCES)}
    for row in rows:
        all_of_it = raw[int(row.resource[1:])]
        its = all_of_it[~np.isnan(all_of_it)]
        assert row.p95 == pytest.approx(np.quantile(its, 0.95), rel=1e-6)
        assert row.max_at == str(START // SLOT + np.nanargmax(all_of_it))
        assert row.coverage == len(its) / SLOTS
        expected = (its.mean(), its.std(), *np.quantile(its, (0.25, 0.5, 0.75)), its.max())
        told = (row.mean, row.stddev, row.q1, row.median, row.q3, row.max)
        assert told == pytest.approx(expected, rel=1e-6, abs=1e-6)
        if row.resource == "r3":
            assert (one.mean, one.q1, one.samples) == pytest.approx((row.mean, row.q1, row.samples))


@pytest.mark.parametrize("days", [9, 4])
def test_days_without_blocks_are_estimated_from_sketches(
    raw: NDArray[np.float64], history: Path, days: int
) -> None:
    exact = usage(history, START, START + SLOTS * SLOT)
    first = datetime.fromtimestamp(START, ZoneInfo("Asia/Shanghai")).toordinal()
    with closing(sqlite3.connect(history)) as db, db:
        db.execute("DELETE FROM blocks WHERE key < ?", (first + days << 32,))
    found = usage(history, START, START + SLOTS * SLOT)
    assert set(found) == set(exact)
    for name, its in found.items():
        was = exact[name]
        assert its.estimated
        assert (its.samples, its.coverage) == (was.samples, was.coverage)
        assert (its.maximum, its.maximum_at) == (was.maximum, was.maximum_at)
        assert its.mean == pytest.approx(was.mean, rel=1e-9)
        assert (its.p50, its.p95) == pytest.approx((was.p50, was.p95), rel=0.0101)
        for value, before in ((its.work, was.work), (its.off, was.off)):
            assert value == (before if before is None else pytest.approx(before, rel=1e-6))
    known = raw[~np.isnan(raw)]
    with closing(connect(history)) as db:
        whole = summary.summarise(db, "cpu", Span(START // SLOT, START // SLOT + SLOTS), str)
        # a sketch cannot be cut: a part of its day is not known
        half = summary.summarise(db, "cpu", Span(START // SLOT + 1, START // SLOT + 288), str)
    assert (half.samples, half.mean, half.max) == (0, None, None)
    assert whole.estimated
    assert whole.samples == len(known)
    assert (whole.mean, whole.stddev) == pytest.approx((known.mean(), known.std()), rel=1e-6)
    quantiles = tuple(np.quantile(known, (0.25, 0.5, 0.75, 0.95)))
    assert (whole.q1, whole.median, whole.q3, whole.p95) == pytest.approx(quantiles, rel=0.0101)


@pytest.mark.parametrize(
    ("begin", "slots"), [("2026-03-29T00:00+01:00", 276), ("2026-10-25T00:00+02:00", 300)]
)
def test_days_on_which_clocks_change(tmp_path: Path, begin: str, slots: int) -> None:
    at = int(datetime.fromisoformat(begin).timestamp())
    values = [float(n % 97) for n in range(slots)]
    path = long_csv(tmp_path / "c", "a," + ",".join(map(str, values)))
    form = Form(wide=True, metric="cpu", start=at, zone="Europe/Berlin")
    assert imported(tmp_path / "h", path, form, strict=True).written == 1
    assert (
        Days(ZoneInfo("Europe/Berlin")).span(datetime.fromisoformat(begin).toordinal())[1] == slots
    )
    its = usage(tmp_path / "h", at, at + slots * SLOT)["a"]
    assert (its.samples, its.coverage) == (slots, 1)
    assert its.p50 == np.quantile(values, 0.5)
    with closing(sqlite3.connect(tmp_path / "h")) as db, db:
        db.execute("DELETE FROM blocks")
    estimated = usage(tmp_path / "h", at, at + slots * SLOT)["a"]
    assert estimated.samples == slots
    assert estimated.off == pytest.approx(float(np.mean(values)))


def test_a_time_that_clocks_never_showed_is_bad(tmp_path: Path) -> None:
    path = long_csv(
        tmp_path / "c",
        "2026-03-29T02:30,a,cpu,1",
        "2026-10-25T02:30,a,cpu,2",
        "2026-10-25T02:30,a,cpu,3",
    )
    done = imported(tmp_path / "h", path, Form(zone="Europe/Berlin"))
    assert done.reasons == {"clocks of Europe/Berlin never showed this time": 1}
    assert (done.samples, done.duplicates) == (2, 1)


Check = Callable[[str], bool]


@pytest.mark.parametrize(
    ("day", "worked"),
    [
        ("2026-02-14", True),  # a Saturday that makes up for the spring festival
        ("2026-02-16", False),
        ("2026-10-08", True),
        ("2026-10-10", True),
        ("2025-10-08", False),
        ("2026-11-07", False),
        ("2026-11-09", True),
        ("2031-05-01", True),  # a year that is not there: plain weeks
    ],
)
def test_the_calendar_of_china(day: str, worked: bool) -> None:
    calendar = workcalendar.load()
    zone = ZoneInfo("Asia/Shanghai")
    slots = np.array(
        [int(datetime.fromisoformat(f"{day}T{at}+08:00").timestamp()) // SLOT
         for at in ("08:55", "09:00", "11:55", "12:00", "14:00", "17:55", "18:00")]
    )  # fmt: skip
    expected = [False, worked, worked, False, worked, worked, False]
    assert calendar.working(slots, zone).tolist() == expected
    share = calendar.share(datetime.fromisoformat(day).toordinal(), Days(zone))
    assert share.sum() == (7 if worked else 0)


@pytest.mark.parametrize(
    "hours", ["9-12", "09:00-09:00", "09:03-12:00", "18:00-09:00", "24:00-25:00"]
)
def test_hours_are_hours(hours: str) -> None:
    with pytest.raises(ValueError, match="are no hours"):
        workcalendar.load(hours=(hours,))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0, 0.06), st.integers(-400, 400))
def test_two_upper_quantiles_bound_the_sum(seed: int, share: float, apart: int) -> None:
    """However two directions hang together: bursts of `share` of the slots each, `apart` slots away."""
    generator = np.random.default_rng(seed)
    slots = int(generator.integers(14 * 288, 31 * 288))
    burst = int(share * slots)
    ways = generator.gamma(0.5, 100, (2, slots)).astype(np.float32)
    at = int(generator.integers(slots))
    ways[0, np.arange(at, at + burst) % slots] += 5e7
    ways[1, np.arange(at + burst + apart, at + 2 * burst + apart) % slots] += 5e7
    if seed % 2:
        ways[:, generator.random(slots) < 0.15] = np.nan
    known = ways[:, ~np.isnan(ways[0])]
    count = np.full(2, known.shape[1])
    upper = statistics.quantiles_of(np.sort(known, axis=1), count, (UPPER,))
    assert np.quantile(known.astype(np.float64).sum(axis=0), 0.95) <= upper.sum() * (1 + 1e-12)
