"""Thresholds of use, out of the parameters of the pack `utilisation`.

No standard sets these numbers: they are a city's own, and the defaults are proposals.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from rules.pack import outline, resolve
from rules.usagemodel import PACK

GIB: Final = 2**30
PERCENTS: Final = (
    *("idle_cpu", "low_cpu", "low_memory", "busy_cpu", "busy_memory", "busy_steal"),
    *("coverage", "headroom"),
)


class Thresholds(msgspec.Struct, frozen=True, gc=False):
    """What makes a resource idle, low, busy, and known well enough to be judged at all.

    Shares are percent, `idle_network` bytes/s in and out together, days those of 24 hours. Steps are the
    sizes that flavours have, ascending: virtual CPUs, and memory in bytes.
    """

    idle_cpu: float = 5.0
    idle_network: float = 3000.0
    low_cpu: float = 30.0
    low_memory: float = 60.0
    busy_cpu: float = 80.0
    busy_memory: float = 80.0
    busy_steal: float = 5.0
    coverage: float = 80.0
    age_days: float = 14.0
    unseen_days: float = 3.0
    stopped_days: float = 30.0
    detached_days: float = 30.0
    reclaim_months: int = 3
    shrink_months: int = 2
    grow_months: int = 1
    headroom: float = 25.0
    sketch_error: float = 1.0
    vcpu_steps: tuple[float, ...] = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128)
    memory_steps: tuple[int, ...] = tuple(
        n * GIB for n in (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
    )


def thresholds_of(params: Mapping[str, Any]) -> Thresholds:
    """Raises ValueError that names the parameter."""
    shares = {name: _number(params, name) for name in PERCENTS}
    for name in PERCENTS:
        if name != "headroom" and shares[name] > 100:
            raise _wrong(name, f"{shares[name]:g} is above 100 percent")
    for lower, upper in (("idle_cpu", "low_cpu"), ("low_cpu", "busy_cpu")):
        if shares[lower] > shares[upper]:
            raise _wrong(lower, f"{shares[lower]:g} is above {upper}, {shares[upper]:g}")
    if shares["low_memory"] > shares["busy_memory"]:
        raise _wrong("low_memory", f"is above busy_memory, {shares['busy_memory']:g}")
    error = _number(params, "sketch_error")
    if error >= 100:
        raise _wrong("sketch_error", f"{error:g} is not below 100 percent")
    return Thresholds(
        **shares,
        idle_network=_number(params, "idle_network"),
        age_days=_number(params, "age_days"),
        unseen_days=_number(params, "unseen_days"),
        stopped_days=_number(params, "stopped_days"),
        detached_days=_number(params, "detached_days"),
        reclaim_months=_count(params, "reclaim_months"),
        shrink_months=_count(params, "shrink_months"),
        grow_months=_count(params, "grow_months"),
        sketch_error=error,
        vcpu_steps=_steps(params, "vcpu_steps"),
        memory_steps=tuple(round(step * GIB) for step in _steps(params, "memory_steps")),
    )


def configured(overrides: Mapping[str, Any]) -> Thresholds:
    """The pack's own parameters with some overridden (`audit.params` of the configuration); no
    expression is compiled for it. Raises ValueError."""
    return thresholds_of(resolve(outline(PACK), overrides))


def _wrong(name: str, problem: str) -> ValueError:
    return ValueError(f"parameter {name!r} of pack {PACK}: {problem}")


def _number(params: Mapping[str, Any], name: str) -> float:
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise _wrong(name, f"{value!r} is not a number")
    if not 0 <= value <= 1e15 or not math.isfinite(value):
        raise _wrong(name, f"{value!r} is not a number from 0 up")
    return float(value)


def _count(params: Mapping[str, Any], name: str) -> int:
    value = params.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise _wrong(name, f"{value!r} is not 1 or more")
    return value


def _steps(params: Mapping[str, Any], name: str) -> tuple[float, ...]:
    """At least 1 each, so that no target is less than a machine can run on."""
    value = params.get(name)
    if not isinstance(value, (list, tuple)) or not value:
        raise _wrong(name, f"{value!r} is not a list of sizes")
    found = tuple(_number({name: step}, name) for step in value)
    if found[0] < 1 or any(a >= b for a, b in itertools.pairwise(found)):
        raise _wrong(name, f"{list(value)!r} is not ascending from 1 or more")
    return found
