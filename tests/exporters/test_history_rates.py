"""Counters between two looks: use, or nothing where the pair is not one story."""

from __future__ import annotations

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.cloud.model import Use
from exporters.history.rates import FASTEST, Meter
from exporters.history.units import METRICS

FIRST = Use("vm", 1000.0, 100.0, 5.0, 4.0, 1e6, 2e6, 3e6, 4e6, 1e9, 4e9)


def change(use: Use, **fields: Any) -> Use:
    return msgspec.structs.replace(use, **fields)


def used(*looks: tuple[float, Use], longest: float = 900) -> dict[str, float]:
    """What the last of some looks says, each at its time."""
    meter = Meter(longest)
    found: dict[str, float] = {}
    for at, use in looks:
        found = {one.metric: one.value for one in meter.measure(use, at, 1e9 + at)}
    return found


def test_use_between_two_looks() -> None:
    after = change(
        FIRST, cpu=220.0, steal=11.0, net_rx=1.3e6, net_tx=2e6, disk_read=6e6, disk_write=4e6 + 30
    )
    found = used((0, FIRST), (300, after))
    assert found == {
        "cpu": pytest.approx(10), "steal": pytest.approx(0.5), "memory": 25.0,
        "net_rx": pytest.approx(1000), "net_tx": 0.0,
        "disk_read": pytest.approx(10_000), "disk_write": pytest.approx(0.1),
    }  # fmt: skip
    assert set(found) | {"disk"} == set(METRICS)


def test_where_and_when_it_was() -> None:
    meter = Meter(900)
    assert meter.measure(FIRST, 50.0, 1e9) == []
    found = meter.measure(change(FIRST, cpu=101.0), 350.0, 1e9 + 300)
    assert {(one.resource, one.since, one.until) for one in found} == {("vm", 1e9, 1e9 + 300)}


def test_the_wall_clock_takes_no_part_in_a_rate() -> None:
    meter = Meter(900)
    meter.measure(FIRST, 0.0, 1e9)
    # set back by an hour meanwhile
    found = meter.measure(change(FIRST, cpu=220.0), 300.0, 1e9 - 3300)
    (cpu,) = (one for one in found if one.metric == "cpu")
    assert cpu.value == pytest.approx(10)
    assert cpu.since == 1e9 - 3600


def test_a_machine_that_began_anew_has_no_rate_whatever_grew() -> None:
    after = change(FIRST, cpu=3.0, net_rx=9e9, disk_read=9e9)
    assert used((0, FIRST), (300, after)) == {"memory": 25.0}
    # and the next pair is good again
    assert used((0, FIRST), (300, after), (600, change(after, cpu=123.0)))["cpu"] == 10.0


def test_a_resize_has_no_share_of_cpus_but_the_rest() -> None:
    found = used((0, FIRST), (300, change(FIRST, vcpus=8.0, cpu=220.0, net_tx=2.3e6)))
    assert "cpu" not in found
    assert found["net_tx"] == pytest.approx(1000)


def test_what_is_not_known_is_not_told() -> None:
    empty = Use("vm", 0.0)
    assert used((0, empty), (300, empty)) == {}
    assert used((0, empty), (300, FIRST)) == {"memory": 25.0}
    assert "memory" not in used((0, FIRST), (300, change(FIRST, memory_used=None)))
    assert "cpu" not in used(
        (0, change(FIRST, vcpus=None)), (300, change(FIRST, vcpus=None, cpu=220.0))
    )


@pytest.mark.parametrize(
    "fields",
    [{"memory_used": 5e9}, {"memory_used": -1.0}, {"memory_total": 0.0},
     {"memory_total": math.inf}, {"memory_used": math.nan}],
)  # fmt: skip
def test_memory_that_cannot_be(fields: dict[str, float]) -> None:
    assert "memory" not in used((0, FIRST), (300, change(FIRST, **fields)))


def test_more_than_was_granted_is_all_of_it_and_much_more_is_not_believed() -> None:
    assert used((0, FIRST), (100, change(FIRST, cpu=100.0 + 410)))["cpu"] == 100.0
    assert "cpu" not in used((0, FIRST), (100, change(FIRST, cpu=100.0 + 900)))
    assert "net_rx" not in used((0, FIRST), (1, change(FIRST, net_rx=1e6 + 1.1 * FASTEST)))


def test_looks_too_close_and_too_far_apart() -> None:
    assert used((0, FIRST), (0.4, change(FIRST, cpu=101.0))) == {}
    # the close one is passed over, not taken for the last
    found = used((0, FIRST), (0.4, change(FIRST, cpu=101.0)), (100, change(FIRST, cpu=140.0)))
    assert found["cpu"] == pytest.approx(10)
    assert used((0, FIRST), (901, change(FIRST, cpu=140.0))) == {}
    assert used((0, FIRST), (0, FIRST), (-5, change(FIRST, cpu=140.0))) == {}


def test_those_that_are_gone_are_forgotten() -> None:
    meter = Meter(900)
    meter.measure(FIRST, 0.0, 1e9)
    meter.measure(change(FIRST, resource="other"), 500.0, 1e9)
    meter.forget(before=400.0)
    assert meter.measure(FIRST, 600.0, 1e9) == []
    assert meter.measure(change(FIRST, resource="other"), 600.0, 1e9)
    meter.forget()
    assert meter.measure(FIRST, 700.0, 1e9) == []


maybe = st.none() | st.floats() | st.floats(0, 1e12)


@given(st.lists(st.tuples(st.floats(-10, 1000), *[maybe] * 9), max_size=8))
def test_any_counters(looks: list[tuple[float | None, ...]]) -> None:
    meter, now = Meter(900), 0.0
    for wait, *fields in looks:
        now += wait or 0
        for one in meter.measure(Use("vm", now, *fields), now, 1e9 + now):
            assert math.isfinite(one.value)
            assert 0 <= one.value <= (100 if METRICS[one.metric] == "percent" else FASTEST)
            assert 0.49 <= one.until - one.since <= 900
