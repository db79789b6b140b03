"""Use of a resource over a period, as it is judged: what it was given, how long, and what it used of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

PACK: Final = "utilisation"
FACT: Final = "usage"  # what it judges

# Two metrics exceed their quantiles of 97.5 % together in no more than 5 % of the slots, however they
# hang together; a thousandth more makes up for interpolation between two of the values.
UPPER: Final = 0.976

UNASSIGNED = ""  # the department of what nobody is known to hold; 未归属 to people


class Measured(msgspec.Struct, frozen=True, gc=False):
    """Statistics of one metric, in its unit, over five-minute averages; `maximum` is of any moment.

    `coverage` is the share of the period's slots that have a value, 0 to 1. `work` and `off` are averages
    in and out of working hours, None where nothing was measured then. `estimated`: quantiles are from
    sketches, with their relative error (exporters/history/sketch.py), since rollups are not kept so long.
    `upper` is the quantile UPPER, of which two bound the 95th percentile of a sum. It and `p50` are None where they
    were not asked for.
    """

    samples: int
    mean: float
    p50: float | None
    p95: float
    maximum: float
    maximum_at: float  # Unix time of the slot
    coverage: float
    work: float | None = None
    off: float | None = None
    estimated: bool = False
    upper: float | None = None


class ResourceUse(msgspec.Struct, frozen=True):
    """One resource over one period. Sizes are those at its end (bytes); None is not known.

    `measured` has no key where nothing was measured. `stopped_since`, `detached_since` and `released_at` are Unix times,
    None while it runs or is attached. `first_seen` is when it was granted. `month` is `2026-10`, or the
    period in words. `resized`: when its size changed within the period. `under_way`: the month is not over,
    and ends now.
    """

    resource: str
    name: str
    kind: str
    month: str
    since: float
    until: float
    first_seen: float
    last_seen: float
    state: str = "unknown"
    department: str = UNASSIGNED
    system: str = ""
    region: str = ""
    environment: str = ""
    attribution: str = "unassigned"
    project: str = ""
    vcpus: float | None = None
    memory: int | None = None
    disk: int | None = None
    stopped_since: float | None = None
    released_at: float | None = None
    detached_since: float | None = None
    attached: bool = False  # as far as anybody knows
    resized: tuple[float, ...] = ()
    moved: tuple[float, ...] = ()  # when it went to another department within the period
    measured: Mapping[str, Measured] = {}
    under_way: bool = False
