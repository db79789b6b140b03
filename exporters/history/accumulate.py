"""Values that held for a while become averages and maxima of slots. Pure.

A value counts in a slot for as many seconds as it held there (docs/history.md, What the agent writes).
Slots are by the wall clock; nobody but who adds knows what that clock did.
"""

from __future__ import annotations

import math
from array import array
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


# One slot of one series under way is four numbers in an array, since there may be many: seconds seen, their
# average, the maximum, and how far it was told, so that no second counts twice.
_SECONDS, _AVERAGE, _MAXIMUM, _UNTIL = range(4)
_EMPTY: Final = (0.0, 0.0, 0.0, -math.inf)
_Cells = dict[str, dict[str, "array[float]"]]  # by resource and metric


class Accumulator:
    """Slots under way of any number of series. `slot` is their length in seconds."""

    def __init__(self, slot: int = SLOT) -> None:
        self._slot = slot
        self._cells: dict[int, _Cells] = {}
        self._closed = -math.inf  # before this time slots are over, and nothing changes them

    def add(self, one: Stretch) -> None:
        """What is no number, negative, endless or longer than LONGEST says nothing."""
        value, since, until = one.value, one.since, one.until
        if not (math.isfinite(value) and value >= 0 and 0 < until - since <= LONGEST):
            return
        since = max(since, self._closed)
        number = math.floor(since / self._slot)
        while number * self._slot < until:
            begin, end = number * self._slot, (number + 1) * self._slot
            metrics = self._cells.setdefault(number, {}).setdefault(one.resource, {})
            cell = metrics.get(one.metric)
            if cell is None:
                cell = metrics[one.metric] = array("d", _EMPTY)
            seconds = min(until, end) - max(since, begin, cell[_UNTIL])
            if seconds > 0:
                cell[_SECONDS] += seconds
                cell[_AVERAGE] += (value - cell[_AVERAGE]) * min(1.0, seconds / cell[_SECONDS])
                cell[_UNTIL] = min(until, end)
                # the end of what mostly was before this slot is no peak of it
                if seconds >= min(one.until - one.since, self._slot) / 2:
                    cell[_MAXIMUM] = max(cell[_MAXIMUM], value)
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

    def _told(self, cells: dict[int, _Cells]) -> dict[int, list[Rollup]]:
        found = {
            number: [
                Rollup(resource, metric, cell[_AVERAGE], max(cell[_MAXIMUM], cell[_AVERAGE]))
                for resource, metrics in resources.items()
                for metric, cell in metrics.items()
                if cell[_SECONDS] >= LEAST * self._slot
            ]
            for number, resources in cells.items()
        }
        return {number: rows for number, rows in found.items() if rows}
