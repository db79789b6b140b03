"""A wall clock that is set, slewed, or read slowly."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link.clockskew import ClockSkew
from collectors.link.icmpflows import SECOND


def looked(*walls: tuple[int, int], slow: int = 1000) -> tuple[list[bool], ClockSkew]:
    """Looks at (monotonic, wall ahead by), each taking `slow` nanoseconds."""
    clock = ClockSkew()
    told = [clock.look(at, at + ahead + slow // 2, at + slow) for at, ahead in walls]
    return told, clock


@pytest.mark.parametrize("by", [-3600 * SECOND, -5_000_000, 5_000_000, SECOND])
def test_a_step_is_told_once(by: int) -> None:
    told, clock = looked(
        (SECOND, 7 * SECOND),
        (2 * SECOND, 7 * SECOND),
        (3 * SECOND, 7 * SECOND + by),
        (4 * SECOND, 7 * SECOND + by),
    )
    assert told == [True, True, False, True]
    assert clock.steps == 1
    assert clock.ahead == pytest.approx(7 * SECOND + by, abs=1)


@given(st.lists(st.integers(1, 600), max_size=20), st.integers(-500, 500))
def test_slewing_is_no_step(seconds: list[int], millionths: int) -> None:
    at, walls = SECOND, [(SECOND, 0)]
    for one in seconds:
        at += one * SECOND
        walls.append((at, (at - SECOND) * millionths // 1_000_000))
    told, clock = looked(*walls)
    assert all(told)
    assert clock.steps == 0


def test_a_look_that_was_interrupted_proves_nothing() -> None:
    clock = ClockSkew()
    assert clock.look(SECOND, 5 * SECOND, SECOND + 10)
    assert clock.look(2 * SECOND, 6 * SECOND + 40_000_000, 2 * SECOND + 80_000_000)
    assert clock.steps == 0
