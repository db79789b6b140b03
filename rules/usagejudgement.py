"""What is judged of the use of one resource: its state, why, its target size, what would come free."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal, get_args

import msgspec

State = Literal[
    "idle",
    "low",
    "right-sized",
    "busy",
    "insufficient",
    "exempt",
    "stopped",
    "detached",
    "in-use",
]
STATES: tuple[State, ...] = get_args(State)
Advice = Literal["none", "watch", "shrink", "grow", "reclaim"]
ADVICES: tuple[Advice, ...] = get_args(Advice)


class Reason(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One part of why, as data; rules/usagereasons.py has the words of each `code`.

    `value` is held against `limit`, both in the unit of the code. `text` is a day or a name.
    `estimated`: the value is from a sketch.
    """

    code: str
    value: float | None = None
    limit: float | None = None
    text: str = ""
    estimated: bool = False


class Amount(msgspec.Struct, frozen=True, gc=False):
    """Virtual CPUs, and bytes. None is not known, which is not 0."""

    vcpus: float | None = None
    memory: int | None = None
    disk: int | None = None


NOTHING = Amount(0.0, 0, 0)


class Figures(msgspec.Struct, frozen=True, gc=False):
    """Of one metric over the month, in its unit, as it was measured; None is not known or no possible value.

    `peak` is of any moment, `peak_at` its slot (`2026-10-14T15:05+08:00`, empty if unknown). `work` and `off` are averages
    in and out of working hours. `coverage` is percent of the time it was held. `estimated`: p50 and p95 are from
    sketches. What was measured too seldom to be judged is here as well.
    """

    average: float | None = None
    p50: float | None = None
    p95: float | None = None
    peak: float | None = None
    peak_at: str = ""
    work: float | None = None
    off: float | None = None
    coverage: float = 0.0
    estimated: bool = False


class Exempted(msgspec.Struct, frozen=True, gc=False):
    """The exemption that was in force, or that has expired (`in_force` false)."""

    id: str
    reason: str
    owner: str
    approver: str
    expires: date
    days_left: int
    in_force: bool = True


class Judgement(msgspec.Struct, frozen=True):
    """One resource in one month.

    `found` is what its use says, and is another than `state` only where that is `exempt`. `months` are those
    in a row in the state found, this one included; 0 where nothing was found out. `target` is the size to
    give it, None where none is advised or known. `free` is what would come free if the state found were
    acted on, whether or not `advice` says that it is time to. `figures` are the values of the month
    that could be used: 95th percentiles of cpu, memory, steal (percent), network (bytes/s), and coverage
    (percent).
    """

    resource: str
    name: str
    kind: str
    month: str
    state: State
    found: State
    advice: Advice
    months: int
    reasons: tuple[Reason, ...]
    department: str = ""
    system: str = ""
    region: str = ""
    environment: str = ""
    attribution: str = "unassigned"
    project: str = ""
    granted: Amount = Amount()
    target: Amount = Amount()
    free: Amount = Amount()
    figures: Mapping[str, float] = {}
    measured: Mapping[str, Figures] = {}  # by metric, what was measured of it at all
    exemption: Exempted | None = None
    seen: bool = True  # whether it was there when the month ended, as far as anybody looked
