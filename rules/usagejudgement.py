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
    exemption: Exempted | None = None
    seen: bool = True  # whether it was there when the month ended, as far as anybody looked
