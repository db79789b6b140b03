"""How far apart the values of an import are: those of every hour, say, fill one slot in twelve unless the step is told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

from exporters.history.schema import SLOT

_FEWEST: Final = 3  # distances
_USUALLY: Final = 0.9


class Gaps:
    """Of each metric, by its number."""

    def __init__(self) -> None:
        self._slots: dict[int, NDArray[np.int64]] = {}  # distance → how often
        self._dense: set[int] = set()

    def look(self, metrics: NDArray[np.int64], known: NDArray[np.bool_]) -> None:
        """Which slots of a day have values; a series a row, and the metric of each."""
        for metric in np.unique(metrics).tolist():
            if metric in self._dense:
                continue
            its = known[metrics == metric]
            if (its[:, 1:] & its[:, :-1]).any():
                self._dense.add(metric)
                continue
            rows, columns = np.nonzero(its)
            distances = np.diff(columns)[np.diff(rows) == 0]
            before = self._slots.get(metric, np.zeros(0, np.int64))
            size = max(len(before), int(distances.max(initial=0)) + 1)
            counts = np.bincount(distances, minlength=size)
            counts[: len(before)] += before
            self._slots[metric] = counts

    def wide(self, name: Callable[[int], str]) -> Iterator[tuple[str, int]]:
        """Metrics whose values nearly all are equally far apart, more than a slot, and how many seconds."""
        for metric, counts in sorted(self._slots.items()):
            if metric not in self._dense and (total := int(counts.sum())) >= _FEWEST:
                usual = int(counts.argmax())
                if counts[usual] >= _USUALLY * total:
                    yield name(metric), usual * SLOT
