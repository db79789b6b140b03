"""What a queue lost, by reason."""

from __future__ import annotations

from typing import Final, Literal

Lost = Literal["full", "old", "damaged", "disk"]
LOST: Final[tuple[Lost, ...]] = ("full", "old", "damaged", "disk")


class Losses:
    """Counts samples since the queue was opened; `disk`: those that could not be put."""

    def __init__(self) -> None:
        self.by_reason: dict[Lost, int] = dict.fromkeys(LOST, 0)
        self._until = 0

    def count(self, why: Lost, begin: int, end: int) -> None:
        """Those of the samples ever queued from `begin` to `end`; once, however often they are read past."""
        self.by_reason[why] += max(0, end - max(begin, self._until))
        self._until = max(self._until, end)

    def not_put(self, samples: int) -> None:
        self.by_reason["disk"] += samples
