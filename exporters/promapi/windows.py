"""Stretches of slots as queries have them: a window of some slots that ends where it is evaluated, at every step."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from exporters.history.reader import Span
from exporters.history.schema import SLOT

DAY: Final = 288  # slots


class Windows(NamedTuple):
    """Windows of `slots`, of which the first ends at slot `first`, the last at `last`, one every `step` slots."""

    slots: int
    first: int
    last: int
    step: int

    @property
    def ends(self) -> range:
        return range(self.first, self.last + 1, self.step)


def days(period: Span) -> list[Windows]:
    """A period in parts of 24 hours, whatever clocks show, and what is left at its beginning."""
    whole, left = divmod(period.end - period.first, DAY)
    found = [Windows(left, period.first + left, period.first + left, 1)] if left else []
    if whole:
        found.append(Windows(DAY, period.first + left + DAY, period.end, DAY))
    return found


def runs(chosen: NDArray[np.bool_], first: int) -> Iterator[Span]:
    """Stretches of slots that are chosen, one a slot from `first` on."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], chosen, [False]]).astype(np.int8)))
    for begin, end in edges.reshape(-1, 2).tolist():
        yield Span(first + begin, first + end)


def alike(stretches: Iterable[Span]) -> Iterator[tuple[Windows, frozenset[int]]]:
    """Windows that have these stretches among them, and at which slots those end: few of many windows, since
    working hours are the same on most days."""
    ends: dict[tuple[int, int], list[int]] = defaultdict(list)
    for one in stretches:
        ends[one.end - one.first, one.end % DAY].append(one.end)
    for (slots, _), its in sorted(ends.items()):
        step = math.gcd(*(end - its[0] for end in its)) or 1
        yield Windows(slots, its[0], its[-1], step), frozenset(its)


def moments(windows: Windows) -> tuple[float, float, int]:
    """When they are evaluated: since, until, step in seconds."""
    return windows.first * SLOT, windows.last * SLOT, windows.step * SLOT
