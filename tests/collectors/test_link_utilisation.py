"""Utilisation of lines: ratios, the 95th percentile of a bounded window, reasons, the contract."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link.devices import InterfaceRef, MeteredLine
from collectors.link.interfaces import DevicePoll, InterfaceCounters, Missing
from collectors.link.utilisation import LineUse, Meter, Window

LINE = MeteredLine("town-a/main", InterfaceRef("r1", "ge0"), 100e6)


def poll(at: float, octets: int, **changes: Any) -> DevicePoll:
    values: dict[str, Any] = {"uptime": 1000 + at, "speed": 1e9, "oper": "up", "index": 3}
    row = InterfaceCounters("r1", "ge0", at, octets, octets // 2, **{**values, **changes})
    return DevicePoll("r1", interfaces=(row,))


def use(meter: Meter, *polls: DevicePoll) -> LineUse:
    (found,) = meter.add(polls)
    return found


@given(st.lists(st.floats(0, 2), max_size=60), st.integers(1, 25))
def test_p95_is_the_nearest_rank_of_the_last_samples(values: list[float], limit: int) -> None:
    window = Window(limit)
    for value in values:
        window.add(value)
    last = sorted(values[-limit:])
    assert len(window) == len(last)
    assert window.p95() == (last[math.ceil(0.95 * len(last)) - 1] if last else None)


def test_use_is_rate_by_contract() -> None:
    meter = Meter([LINE], 60)
    first = use(meter, poll(0, 0))
    assert (first.reason, first.in_ratio, first.samples) == ("first", None, 0)
    second = use(meter, poll(60, 375_000_000))
    assert (second.in_bits, second.out_bits) == (50e6, 25e6)
    assert (second.in_ratio, second.out_ratio) == (0.5, 0.25)
    assert (second.in_p95, second.out_p95, second.samples) == (0.5, 0.25, 1)
    assert (second.oper, second.speed, second.slower, second.reason) == ("up", 1e9, False, "")


def test_the_window_is_bounded_and_of_each_line() -> None:
    meter = Meter([LINE], 3)
    octets = 0
    for number in range(6):
        octets += 7_500_000 * (10 if number == 1 else 1)
        last = use(meter, poll(60 * number, octets))
        assert last.samples == min(number, 3)
    assert last.in_p95 == pytest.approx(0.01)  # the burst of the first minute has left the window


def test_a_reading_that_failed_is_spanned_and_a_restart_is_not() -> None:
    meter = Meter([LINE], 60)
    use(meter, poll(0, 0))
    lost = use(meter, DevicePoll("r1", "timeout", "no answer"))
    assert (lost.reason, lost.detail, lost.in_bits) == ("timeout", "no answer", None)
    assert use(meter, poll(120, 150_000_000)).in_bits == 10e6
    assert use(meter, poll(180, 5, uptime=3.0)).reason == "restarted"
    again = use(meter, poll(240, 75_000_005, uptime=63.0))
    assert (again.in_bits, again.samples) == (10e6, 2)


def test_why_a_line_has_no_figures() -> None:
    assert use(Meter([LINE], 5)).reason == "unread"
    gone = DevicePoll("r1", missing=(Missing("ge0", "no_interface"),))
    assert use(Meter([LINE], 5), gone).reason == "no_interface"


def test_an_interface_slower_than_the_contract_shows() -> None:
    assert use(Meter([LINE], 5), poll(0, 0, speed=10e6)).slower is True
    assert use(Meter([LINE], 5), poll(0, 0, speed=None)).slower is None
    unknown = MeteredLine("town-b/main", InterfaceRef("r1", "ge0"))
    meter = Meter([unknown], 5)
    use(meter, poll(0, 0))
    found = use(meter, poll(60, 75))
    assert (found.in_bits, found.in_ratio, found.in_p95, found.slower) == (10, None, None, None)


def test_hints_are_the_last_indexes() -> None:
    meter = Meter([LINE], 5)
    meter.add([poll(0, 0)])
    meter.add([DevicePoll("r1", "timeout")])
    assert meter.hints() == {"r1": {"ge0": 3}}
