"""What was measured of a resource over a month, for people to look at: of every metric, judged by or not. Pure."""

from __future__ import annotations

import math
from datetime import datetime, tzinfo

from rules.usagejudgement import Figures
from rules.usagemodel import ResourceUse
from rules.usagemonth import MOST, PERCENTS, covered


def figures(use: ResourceUse, zone: tzinfo) -> dict[str, Figures]:
    """By metric; `zone` is that of the time of the peak."""
    found = {}
    for name, one in use.measured.items():
        if one.samples <= 0:
            continue
        most = MOST if name in PERCENTS else math.inf
        found[name] = Figures(
            average=_possible(one.mean, most),
            p50=_possible(one.p50, most),
            p95=_possible(one.p95, most),
            peak=_possible(one.maximum, most),
            peak_at=_moment(one.maximum_at, zone),
            work=_possible(one.work, most),
            off=_possible(one.off, most),
            coverage=covered(use, one),
            estimated=one.estimated,
        )
    return found


def _possible(value: float | None, most: float) -> float | None:
    if value is None or not (math.isfinite(value) and 0 <= value <= most):
        return None
    return value


def _moment(at: float, zone: tzinfo) -> str:
    try:
        return datetime.fromtimestamp(at, zone).isoformat(timespec="minutes")
    except (ValueError, OverflowError, OSError):
        return ""
