"""Statistics of round-trip times: exact ones of a window, jitter and delay variation.

RFC 5481: the packet delay variation is D(i) − D(min), the inter-packet delay variation
D(i) − D(i−1) of packets that follow each other; both are told as 95th percentiles (nearest rank).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple


def percentile(ordered: Sequence[float], share: float) -> float:
    """Nearest rank: the smallest value that at least `share` (0 to 1) of all do not exceed."""
    return ordered[max(math.ceil(share * len(ordered)), 1) - 1]


def median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return (ordered[middle] + ordered[~middle]) / 2


def rtt_statistics(rtts: Sequence[float]) -> dict[str, float]:
    """Minimum, median, 95th percentile (nearest rank), maximum and mean, empty without any."""
    if not rtts:
        return {}
    ordered = sorted(rtts)
    return {
        "min": ordered[0],
        "median": median(ordered),
        "p95": percentile(ordered, 0.95),
        "max": ordered[-1],
        "mean": math.fsum(ordered) / len(ordered),
    }


class Window(NamedTuple):
    """Statistics of the last outcomes of a flow, in the unit of the round-trip times."""

    minimum: float
    median: float
    p95: float
    maximum: float
    pdv: float
    ipdv: float | None


def window(outcomes: Sequence[float]) -> Window | None:
    """Of outcomes in order, those below 0 being losses; None where there is no round-trip time."""
    ordered = sorted([one for one in outcomes if one >= 0])
    if not ordered:
        return None
    steps = sorted(
        abs(one - before) for before, one in pairwise(outcomes) if before >= 0 and one >= 0
    )
    low, p95 = ordered[0], percentile(ordered, 0.95)
    ipdv = percentile(steps, 0.95) if steps else None
    return Window(low, median(ordered), p95, ordered[-1], p95 - low, ipdv)
