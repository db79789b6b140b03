"""Rates between two readings: the truth, or nothing; never negative, never absurd."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link.interfaces import Bits, InterfaceCounters
from collectors.link.rates import FASTEST, STALE, TOLERANCE, UPTIME_WRAP, Rate, RateReason, rate

GIGABIT = 1e9


def reading(at: float = 0.0, octets: int = 0, **changes: Any) -> InterfaceCounters:
    values: dict[str, Any] = {"in_octets": octets, "out_octets": octets, "uptime": 1000.0 + at}
    return InterfaceCounters("r1", "ge0", at, **{"speed": GIGABIT, "index": 7, **values, **changes})


def told(before: InterfaceCounters, after: InterfaceCounters) -> Rate:
    judged = rate(before, after)
    assert judged.reason == ""
    assert judged.rate
    return judged.rate


def test_a_rate_is_octets_in_bits_a_second() -> None:
    before = reading(in_errors=1, out_discards=10)
    after = reading(60, in_octets=750_000_000, out_octets=75, in_errors=7, out_discards=10)
    found = told(before, after)
    assert found == Rate(60, 100e6, 10, 0.1, None, None, 0.0)


@pytest.mark.parametrize("bits", [32, 64])
def test_a_counter_that_wraps_has_a_rate(bits: Bits) -> None:
    start = 2**bits - 1000
    found = told(
        reading(0, start, bits=bits, speed=100e6), reading(60, 500, bits=bits, speed=100e6)
    )
    assert found.in_bits == found.out_bits == 1500 * 8 / 60


def test_a_wrap_is_told_without_a_speed_below_half_of_what_the_counter_holds() -> None:
    before = reading(0, 2**32 - 10, bits=32, speed=None)
    assert told(before, reading(60, 10, bits=32, speed=None)).in_bits == 20 * 8 / 60
    assert rate(before, reading(60, 2**31, bits=32, speed=None)).reason == "backwards"


@pytest.mark.parametrize(
    ("before", "after", "reason"),
    [
        (reading(5), reading(5), "clock"),
        (reading(5), reading(4), "clock"),
        (reading(uptime=9e5), reading(60, uptime=30.0), "restarted"),
        (reading(uptime=0.9), reading(0.4, uptime=0.1), "restarted"),
        (reading(uptime=30.0), reading(60, uptime=40.0), "restarted"),  # it ran longer than before
        (reading(boots=3), reading(60, boots=4), "restarted"),
        (reading(), reading(60, uptime=9e5), "restarted"),  # another device has the address
        (reading(discontinuity=0.0), reading(60, discontinuity=1030.0), "discontinuity"),
        (reading(), reading(60, 10, index=8), "renumbered"),
        (reading(bits=32), reading(60, 10), "width_changed"),
        (reading(0, 10**9), reading(60, 10), "backwards"),
        (reading(0, 2**64 - 5, uptime=None), reading(60, 10, uptime=None), "backwards"),
        (reading(0, 0), reading(60, 10**13), "above_speed"),
        (reading(0, 0, speed=None), reading(60, 10**15, speed=None), "above_speed"),
        (reading(bits=32), reading(60, 10, bits=32), "ambiguous"),  # wraps every 34 s at full rate
    ],
)
def test_what_is_no_rate(
    before: InterfaceCounters, after: InterfaceCounters, reason: RateReason
) -> None:
    assert rate(before, after) == (None, reason)


def test_uptime_that_wraps_after_497_days_is_no_restart() -> None:
    before = reading(0, 5, uptime=UPTIME_WRAP - 20)
    assert told(before, reading(60, 5, uptime=40.0)).in_bits == 0


def test_stale_counters_of_a_full_line_are_held_at_its_speed() -> None:
    full = int(GIGABIT / 8)
    assert told(reading(), reading(60, 60 * full)).in_bits == GIGABIT
    assert told(reading(), reading(60, 70 * full)).in_bits == GIGABIT
    assert rate(reading(), reading(60, 80 * full)).reason == "above_speed"


def test_errors_that_cannot_be_told_cost_nothing_else() -> None:
    found = told(
        reading(in_errors=50, out_errors=2**32 - 1), reading(60, in_errors=1, out_errors=5)
    )
    assert (found.in_errors, found.out_errors) == (None, 0.1)


maybe_seconds = st.none() | st.floats(0, 1e9)
readings = st.builds(
    InterfaceCounters,
    device=st.just("r1"),
    name=st.just("ge0"),
    at=st.floats(0, 1e6),
    in_octets=st.integers(0, 2**64 - 1),
    out_octets=st.integers(0, 2**64 - 1),
    bits=st.sampled_from([32, 64]),
    index=st.none() | st.integers(1, 3),
    in_errors=st.none() | st.integers(0, 2**32 - 1),
    out_errors=st.none() | st.integers(0, 2**32 - 1),
    speed=st.none() | st.floats(1, 1e13),
    uptime=maybe_seconds,
    discontinuity=st.none() | st.sampled_from([0.0, 17.0]),
    boots=st.none() | st.integers(0, 2),
)


@given(readings, readings)
def test_no_pair_of_readings_has_a_negative_or_impossible_rate(
    before: InterfaceCounters, after: InterfaceCounters
) -> None:
    judged = rate(before, after)
    assert (judged.rate is None) == (judged.reason != "")
    if judged.rate:
        speed = max(before.speed or 0, after.speed or 0) or FASTEST
        for bits in (judged.rate.in_bits, judged.rate.out_bits):
            assert 0 <= bits <= min(speed, FASTEST) * TOLERANCE * 1.000001
        for events in judged.rate[3:]:
            assert events is None or events >= 0


class Router:
    """An interface with a true amount of octets, and what its device tells of it."""

    def __init__(self, bits: Bits, start: int, speed: float | None) -> None:
        self.bits, self.speed = bits, speed
        self.at, self.up, self.counter, self.passed = 0.0, 5000.0, start, 0

    def run(self, seconds: float, octets: int) -> None:
        self.at += seconds
        self.up = (self.up + seconds) % UPTIME_WRAP
        self.counter = (self.counter + octets) % 2**self.bits
        self.passed += octets

    def restart(self) -> None:
        self.up, self.counter = 0.0, 0

    def told(self) -> InterfaceCounters:
        return reading(
            self.at, self.counter, bits=self.bits, speed=self.speed, uptime=round(self.up, 2)
        )


@given(
    bits=st.sampled_from([32, 64]),
    start=st.integers(0, 2**64 - 1),
    speed=st.sampled_from([None, 1e6, 1e8, 5e8, 1e10]),
    steps=st.lists(
        st.tuples(st.floats(15, 300), st.floats(0, 1), st.sampled_from(["run", "restart"])),
        max_size=8,
    ),
)
def test_every_rate_told_is_the_true_one(
    bits: Bits, start: int, speed: float | None, steps: list[tuple[float, float, str]]
) -> None:
    router = Router(bits, start % 2**bits, speed)
    before = router.told()
    for seconds, load, what in steps:
        passed = router.passed
        octets = int((speed or 5e7) * load * seconds / 8)
        if what == "restart":
            router.run(seconds / 2, octets // 2)
            router.restart()
            router.run(seconds / 2, octets // 2)
        else:
            router.run(seconds, octets)
        after = router.told()
        judged = rate(before, after)
        if what == "run" and judged.rate:
            true = (router.passed - passed) * 8 / seconds
            assert judged.rate.in_bits == pytest.approx(true, rel=1e-6, abs=1)
        elif what == "run":
            assert judged.reason == "ambiguous"
        else:
            assert judged.rate is None
        before = after


def test_what_is_believed_of_stale_counters_is_bounded() -> None:
    most = GIGABIT * (60 * TOLERANCE + STALE) / 8
    assert rate(reading(), reading(60, int(most))).rate
    assert rate(reading(), reading(60, int(most) + 1000)).reason == "above_speed"
