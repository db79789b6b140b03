"""What this machine's wall clock says of itself, and how far it is ahead of the monotonic one."""

from __future__ import annotations

import time
from typing import NamedTuple

from collectors.sources import inventories

STA_UNSYNC = 0x0040  # linux/timex.h
UNKNOWN_ERROR = 16.0  # seconds: what the kernel itself says of a clock that nobody keeps
_MICRO = 1e-6
_INTERRUPTED = 10_000  # ns between two readings of a clock: then something came in between


class ClockState(NamedTuple):
    """Whether something external keeps the clock, and the error it may have, in seconds."""

    synchronised: bool
    error: float


def clock_state() -> ClockState:
    """adjtimex(2): the kernel's bound of the error, which grows until the clock is next set."""
    try:
        (timex,) = inventories.timex()
    except OSError:  # not allowed here
        return ClockState(False, UNKNOWN_ERROR)
    return ClockState(not timex.status & STA_UNSYNC, max(timex.maxerror, 1) * _MICRO)


def skew() -> int:
    """How far the wall clock is ahead of the monotonic one, in nanoseconds. It is the same before
    and after a measurement unless the wall clock was set meanwhile."""
    ahead = 0
    for _ in range(8):
        before = time.monotonic_ns()
        wall = time.time_ns()
        after = time.monotonic_ns()
        ahead = wall - (before + after) // 2
        if after - before < _INTERRUPTED:
            break
    return ahead
