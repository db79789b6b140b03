"""How far the wall clock, which stamps packets, is ahead of the monotonic one, and whether it was set.

Pure. All times in nanoseconds.
"""

from __future__ import annotations

STEP = 1_000_000  # that the wall clock may stray from the monotonic one unremarked
SLEW = 1000  # it may be slewed by 0.05 %; twice that is borne


class ClockSkew:
    """`ahead` is how far the wall clock is ahead, `steps` counts how often it was seen to be set."""

    __slots__ = ("_looked", "ahead", "steps")

    def __init__(self) -> None:
        self.ahead = self.steps = 0
        self._looked = 0

    def look(self, before: int, wall: int, after: int) -> bool:
        """The wall clock was read between two readings of the monotonic one. False where it was set
        since the last look: what came in between is stamped by either."""
        ahead = wall - (before + after) // 2
        first, passed = not self._looked, after - self._looked
        strayed = abs(ahead - self.ahead)
        self.ahead, self._looked = ahead, after
        if first or strayed <= STEP + passed // SLEW + after - before:
            return True
        self.steps += 1
        return False
