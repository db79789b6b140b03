"""Counters and levels between two looks become use: percent and bytes a second. Pure.

One meter for clouds and for the agent's own host. A pair of looks that is not one story (a counter
fell, CPUs were added, they are too far apart) gives no rate; what is not known gives none.
collectors/link/rates.py judges interfaces by what SNMP tells beside the counters, which nobody tells here.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Final

from collectors.cloud.model import Use
from exporters.history.accumulate import LONGEST, Stretch

SHORTEST: Final = 0.5  # seconds; closer looks differ by the ticks of the counters
# A domain's CPU time has its emulator's as well, so it may be above what was granted, and is then told as all of it.
BUSIEST: Final = 2.0
FASTEST: Final = 2e11  # bytes a second: nothing is faster, whatever the counters say

_COUNTERS: Final = ("cpu", "steal", "net_rx", "net_tx", "disk_read", "disk_write")
_TIMES: Final = ("cpu", "steal")


class Meter:
    """Remembers the last look at each resource. `longest` seconds may be between two of a pair, and never more
    than LONGEST."""

    def __init__(self, longest: float = LONGEST) -> None:
        self.longest = longest
        self._last: dict[str, tuple[Use, float]] = {}

    def measure(self, use: Use, steady: float, until: float) -> list[Stretch]:
        """What was used since the last look. `steady` is when this one was, by a clock that nobody sets,
        and `until` the same by the wall clock."""
        before = self._last.get(use.resource)
        if before is not None and 0 <= steady - before[1] < SHORTEST:
            return []
        self._last[use.resource] = use, steady
        if before is None:
            return []
        seconds = steady - before[1]
        if not SHORTEST <= seconds <= min(self.longest, LONGEST):
            return []
        return [
            Stretch(use.resource, metric, value, until - seconds, until)
            for metric, value in _used(before[0], use, seconds)
        ]

    def forget(self, before: float = math.inf) -> None:
        """Those not looked at since, by the steady clock; or all."""
        self._last = {key: kept for key, kept in self._last.items() if kept[1] >= before}


def _used(before: Use, after: Use, seconds: float) -> Iterator[tuple[str, float]]:
    used, total = after.memory_used, after.memory_total
    if used is not None and total and 0 <= used <= total < math.inf:
        yield "memory", min(100.0, 100 * used / total)  # rounding
    grown = {name: _grown(getattr(before, name), getattr(after, name)) for name in _COUNTERS}
    if any(value is not None and not value >= 0 for value in grown.values()):
        return  # it began anew, and with it all of its counters, whether that shows or not
    granted = after.vcpus if after.vcpus == before.vcpus else None
    for name, value in grown.items():
        if value is None:
            continue
        if name not in _TIMES:
            if value / seconds <= FASTEST:
                yield name, value / seconds
        elif granted and value <= BUSIEST * granted * seconds:
            yield name, min(100.0, 100 * value / (granted * seconds))


def _grown(before: float | None, after: float | None) -> float | None:
    return None if before is None or after is None else after - before
