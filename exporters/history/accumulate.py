"""Values that held for a while become averages and maxima of slots. Pure.

A value counts in a slot for as many seconds as it held there (docs/history.md, What the agent writes).
Slots are by the wall clock; nobody but who adds knows what that clock did.
"""

from __future__ import annotations

import math
from typing import Final, NamedTuple

from exporters.history.schema import SLOT

LEAST: Final = 1 / 3  # of a slot must have been seen, or it is left out
LONGEST: Final = 3600.0  # seconds that a value may hold; longer ago nobody knows


class Stretch(NamedTuple):
    """A value of a resource from `since` to `until`, Unix times: a rate between two looks, or a level."""

    resource: str
    metric: str
    value: float
    since: float
    until: float


class Rollup(NamedTuple):
    """What a resource used in one slot, in the unit of the metric (units.py)."""

    resource: str
    metric: str
    average: float
    maximum: float


class _Cell:
    """One slot of one series under way. `until` is how far it was told: no second counts twice."""

    __slots__ = ("average", "maximum", "seconds", "until")

    def __init__(self) -> None:
        self.seconds = self.average = self.maximum = 0.0
        self.until = -math.inf


class Accumulator:
    """Slots under way of any number of series. `slot` is their length in seconds."""

    def __init__(self, slot: int = SLOT) -> None:
        self._slot = slot
        self._cells: dict[int, dict[tuple[str, str], _Cell]] = {}
        self._closed = -math.inf  # before this time slots are over, and nothing changes them

    def add(self, one: Stretch) -> None:
        """What is no number, negative, endless or longer than LONGEST says nothing."""
        value, since, until = one.value, one.since, one.until
        if not (math.isfinite(value) and value >= 0 and 0 < until - since <= LONGEST):
            return
        since = max(since, self._closed)
        key = one.resource, one.metric
        number = math.floor(since / self._slot)
        while number * self._slot < until:
            begin, end = number * self._slot, (number + 1) * self._slot
            part = self._cells.setdefault(number, {}).setdefault(key, _Cell())
            seconds = min(until, end) - max(since, begin, part.until)
            if seconds > 0:
                part.seconds += seconds
                part.average += (value - part.average) * min(1.0, seconds / part.seconds)
                part.until = min(until, end)
                # the end of what mostly was before this slot is no peak of it
                if seconds >= min(one.until - one.since, self._slot) / 2:
                    part.maximum = max(part.maximum, value)
            number += 1

    def close(self, until: float) -> dict[int, list[Rollup]]:
        """The slots that are over at a time up to which everything was told, in their order; they take no more."""
        over = sorted(number for number in self._cells if (number + 1) * self._slot <= until)
        self._closed = max(self._closed, math.floor(until / self._slot) * self._slot)
        return self._told({number: self._cells.pop(number) for number in over})

    def unfinished(self) -> dict[int, list[Rollup]]:
        """The slots under way as they are now; they go on."""
        return self._told(self._cells)

    def interrupt(self) -> dict[int, list[Rollup]]:
        """The clock was set: all slots are over, and any slot may begin."""
        cells, self._cells, self._closed = self._cells, {}, -math.inf
        return self._told(dict(sorted(cells.items())))

    def _told(self, cells: dict[int, dict[tuple[str, str], _Cell]]) -> dict[int, list[Rollup]]:
        found = {
            number: [
                Rollup(*key, cell.average, max(cell.maximum, cell.average))
                for key, cell in series.items()
                if cell.seconds >= LEAST * self._slot
            ]
            for number, series in cells.items()
        }
        return {number: rows for number, rows in found.items() if rows}
