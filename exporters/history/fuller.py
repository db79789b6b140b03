"""Values that several files have of a day: of each slot that of the file with more of the day."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from exporters.history.blocks import Floats


class Fuller:
    """`averages` and `maxima` of some series of a day, the best of what was added, in whatever order.

    `suspects` are series of resources that files have different names for: id and names. Those of which files
    have different values too are in `clones`; `differing` counts such slots, of all series."""

    def __init__(self, suspects: Mapping[int, tuple[str, set[str]]]) -> None:
        self._suspects = suspects
        self.clones: dict[str, set[str]] = {}
        self.differing = 0
        self.begin(np.empty(0, np.int64), 0)

    def begin(self, numbers: NDArray[np.int64], slots: int) -> None:
        """Another day, or other series; `numbers` are theirs."""
        self._numbers = numbers
        self.averages: Floats = np.full((len(numbers), slots), np.nan, np.float32)
        self.maxima: Floats = self.averages.copy()
        self._counts = np.zeros((len(numbers), slots), np.int16)

    def add(self, rows: NDArray[np.int64], averages: Floats, maxima: Floats) -> None:
        """What one more file has of some rows."""
        known = np.isfinite(averages)
        counts = known.sum(axis=1, dtype=np.int16)[:, None]
        low, high, before = self.averages[rows], self.maxima[rows], self._counts[rows]
        higher = (averages > low) | ((averages == low) & (maxima > high))
        better = known & ((counts > before) | ((counts == before) & higher))
        self.averages[rows] = np.where(better, averages, low)
        self.maxima[rows] = np.where(better, maxima, high)
        self._counts[rows] = np.where(better, counts, before)
        differ = known & np.isfinite(low) & ((averages != low) | (maxima != high))
        self.differing += int(differ.sum())
        if self._suspects:
            for number in self._numbers[rows[differ.any(axis=1)]].tolist():
                if number in self._suspects:
                    id_, names = self._suspects[number]
                    self.clones[id_] = names
