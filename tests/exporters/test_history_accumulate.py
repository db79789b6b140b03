"""Values that held for a while, in slots: averages, maxima, and what is left out rather than guessed."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporters.history.accumulate import LEAST, LONGEST, Accumulator, Rollup, Stretch
from exporters.history.days import Days
from exporters.history.schema import SLOT

T = 1_700_000_100  # the begin of a slot
N = T // SLOT


def stretch(value: float, since: float, until: float, metric: str = "cpu") -> Stretch:
    return Stretch("h", metric, value, since, until)


def near(value: float) -> Any:
    return pytest.approx(value)


def of(*stretches: Stretch, until: float) -> dict[int, list[Rollup]]:
    slots = Accumulator()
    for one in stretches:
        slots.add(one)
    return slots.close(until)


def test_each_value_counts_for_as_long_as_it_held() -> None:
    found = of(
        stretch(10, T, T + 200), stretch(100, T + 200, T + 250), stretch(0, T + 250, T + 300),
        until=T + 300,
    )  # fmt: skip
    assert found == {N: [Rollup("h", "cpu", near((2000 + 5000) / 300), 100.0)]}


def test_a_value_over_a_boundary_counts_on_both_sides_and_is_a_peak_of_one() -> None:
    # looks come a moment after the boundary: the peak before it is no peak of the next slot
    found = of(
        stretch(1, T, T + 270), stretch(90, T + 270.01, T + 300.01),
        stretch(5, T + 300.01, T + 600), until=T + 600,
    )  # fmt: skip
    (first,), (second,) = found[N], found[N + 1]
    assert first.maximum == 90
    assert second.maximum == pytest.approx(5, abs=0.01)
    assert second.average == pytest.approx(5, abs=0.01)


def test_looks_further_apart_than_a_slot() -> None:
    found = of(stretch(40, T - 150, T + 450), until=T + 300)
    assert found == {N - 1: [Rollup("h", "cpu", 40, 40)], N: [Rollup("h", "cpu", 40, 40)]}


@pytest.mark.parametrize(("seconds", "kept"), [(99, False), (100, True), (300, True)])
def test_a_slot_with_too_little_is_left_out(seconds: float, kept: bool) -> None:
    found = of(stretch(7, T + 300 - seconds, T + 300), until=T + 300)
    assert found == ({N: [Rollup("h", "cpu", 7, 7)]} if kept else {})


def test_a_gap_is_left_out_and_not_bridged() -> None:
    slots = Accumulator()
    slots.add(stretch(50, T, T + 300))
    assert list(slots.close(T + 300)) == [N]
    # asleep for an hour: nothing is told of it
    slots.add(stretch(20, T + 3900, T + 4200))
    assert slots.close(T + 4200) == {N + 13: [Rollup("h", "cpu", 20, 20)]}


def test_what_is_told_twice_counts_once() -> None:
    once, twice = stretch(100, T, T + 30), stretch(100, T, T + 30)
    found = of(once, twice, stretch(0, T + 30, T + 300), until=T + 300)
    assert found[N][0].average == pytest.approx(10)


def test_a_slot_that_is_over_takes_no_more() -> None:
    slots = Accumulator()
    slots.add(stretch(10, T, T + 300))
    assert slots.close(T + 301) == {N: [Rollup("h", "cpu", 10, 10)]}
    slots.add(stretch(99, T, T + 330))  # late, and its part of the next slot counts
    assert slots.close(T + 330) == {}
    slots.add(stretch(1, T + 330, T + 600))
    assert slots.close(T + 600) == {N + 1: [Rollup("h", "cpu", near(10.8), near(10.8))]}


def test_a_second_that_comes_twice_changes_nothing() -> None:
    """A leap second: the clock tells the last second before midnight again."""
    midnight = int(datetime(2016, 12, 31, 23, 59, 59, tzinfo=UTC).timestamp()) + 1
    slots = Accumulator()
    for second in range(-300, 0):
        slots.add(stretch(10, midnight + second, midnight + second + 1))
    before = slots.close(midnight)
    slots.add(stretch(80, midnight - 1, midnight))  # the second again
    for second in range(300):
        slots.add(stretch(20, midnight + second, midnight + second + 1))
    after = slots.close(midnight + 300)
    slot = midnight // SLOT
    assert before == {slot - 1: [Rollup("h", "cpu", near(10), 10)]}
    assert after == {slot: [Rollup("h", "cpu", near(20), 20)]}


def test_a_clock_that_was_set_back_begins_slots_again() -> None:
    slots = Accumulator()
    slots.add(stretch(60, T, T + 150))
    assert slots.interrupt() == {N: [Rollup("h", "cpu", 60, 60)]}
    slots.add(stretch(30, T - 3600, T - 3300))
    assert slots.close(T - 3300) == {N - 12: [Rollup("h", "cpu", 30, 30)]}


def test_days_with_23_and_25_hours_have_no_slot_twice() -> None:
    """Slots are of Unix time, which no change of clocks repeats."""
    days = Days(ZoneInfo("Europe/Berlin"))
    for date, count in (((2026, 3, 29), 276), ((2026, 10, 25), 300)):
        day = datetime(*date).toordinal()
        first, slots_of_day = days.span(day)
        slots = Accumulator()
        told = {}
        for slot in range(first, first + slots_of_day):
            slots.add(stretch(5, slot * SLOT, (slot + 1) * SLOT))
            told.update(slots.close((slot + 1) * SLOT))
        assert len(told) == count == slots_of_day


def test_a_slot_under_way_can_be_seen_and_goes_on() -> None:
    slots = Accumulator()
    slots.add(stretch(10, T, T + 120))
    assert slots.unfinished() == {N: [Rollup("h", "cpu", 10, 10)]}
    slots.add(stretch(20, T + 120, T + 240))
    slots.add(stretch(30, T + 240, T + 300))
    assert slots.close(T + 300)[N][0].average == pytest.approx(18)


ODD = (math.nan, math.inf, -math.inf, -1.0, -1e-9)


@pytest.mark.parametrize("odd", ODD)
def test_no_odd_number_is_told(odd: float) -> None:
    assert of(stretch(odd, T, T + 300), until=T + 300) == {}
    assert of(stretch(5, odd * 1e18, T + 300), until=T + 300) == {}
    assert of(stretch(5, T, odd), until=T + 300) == {}


def test_numbers_near_the_end_of_what_there_is() -> None:
    found = of(stretch(1e308, T, T + 150), stretch(1.7e308, T + 150, T + 300), until=T + 300)
    assert found[N][0].average == pytest.approx(1.35e308)
    assert of(stretch(5, T - LONGEST - 1, T), until=T) == {}


numbers = st.floats(0, 1e6) | st.sampled_from(ODD)


@given(st.lists(st.tuples(numbers, st.floats(0, 900), st.floats(-5, 400)), max_size=40))
def test_any_input(parts: list[tuple[float, float, float]]) -> None:
    """Nothing is told that was not seen: no average outside what was told, no maximum below it."""
    slots = Accumulator()
    now, seen, told = float(T), [], {}
    for value, wait, length in parts:
        now += wait
        slots.add(stretch(value, now - length, now))
        seen.append(value)
        told.update(slots.close(now))
    told.update(slots.interrupt())
    good = [value for value in seen if math.isfinite(value) and value >= 0]
    for rows in told.values():
        for row in rows:
            assert min(good) * (1 - 1e-9) <= row.average <= max(good) * (1 + 1e-9)
            assert row.average <= row.maximum <= max(good) * (1 + 1e-9)


def test_the_least_share_is_a_third() -> None:
    assert pytest.approx(100) == LEAST * SLOT
