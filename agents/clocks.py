"""Two clocks side by side: the wall clock, which people and NTP set, and the monotonic one."""

from __future__ import annotations

import math
from typing import Final

CLOCK_SET: Final = 1.5  # seconds between two looks by which a clock is not slewed, but set


class Clocks:
    """Notices that the wall clock was set, or that the machine slept: the monotonic one does neither."""

    def __init__(self) -> None:
        self._ahead: float | None = None
        self._set_at = -math.inf

    def set_between(self, wall: float, steady: float) -> bool:
        """Whether it was since the last call; a leap second and a slew are not."""
        ahead, before = wall - steady, self._ahead
        self._ahead = ahead
        if before is None or abs(ahead - before) <= CLOCK_SET:
            return False
        self._set_at = steady
        return True

    def steady(self, at: float, now: float) -> float | None:
        """A wall time as a steady one; None where it was told by a clock that was set since then."""
        found = at - (self._ahead or 0.0)
        return found if self._set_at <= found <= now + CLOCK_SET else None
