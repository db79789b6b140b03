"""What one month of a resource's use shows, by itself: what is known, and what can be claimed of it.

Never claimed: idle without the network, anything without CPU, with too little coverage or age, or over two
sizes. A quantile from a sketch has an error, and counts only where all of it lies on one side.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Final, NamedTuple

from rules.usagejudgement import Reason, State
from rules.usagemodel import Measured, ResourceUse
from rules.usagethresholds import Thresholds

DAY: Final = 86400.0
PERCENTS: Final = ("cpu", "memory", "steal")
MOST: Final = 200.0  # percent; a value beyond is of another size or another unit
FULL: Final = 99.0  # percent of CPU from which nobody knows how much more was wanted
SAME: Final = (
    0.95  # of the samples of one direction the other has, where they are of the same slots
)
_TINY: Final = 1e-9  # of floating-point sums, where "at least" is asked


class Value(NamedTuple):
    """A 95th percentile, and the bounds it is certainly within."""

    value: float
    low: float
    high: float
    maximum: float
    estimated: bool

    def below(self, code: str, limit: float) -> Reason:
        return Reason(code, self.value, limit, estimated=self.estimated)


class Month(NamedTuple):
    """`claims` is the state and what else holds beside it: what is idle may be low as well."""

    state: State
    reasons: tuple[Reason, ...]
    claims: frozenset[State] = frozenset()
    values: Mapping[str, Value] = {}
    coverage: float | None = None  # percent
    busy_by: frozenset[str] = frozenset()
    seen: bool = True


def look(use: ResourceUse, limits: Thresholds, zone: tzinfo) -> Month:
    """Judge one month. Raises nothing, whatever the numbers are."""
    if use.state == "released":
        return Month(
            "insufficient", (Reason("released", text=day(use.released_at or use.last_seen, zone)),)
        )
    unseen = days(use.last_seen, use.until)
    if unseen is None or unseen > limits.unseen_days:
        reason = Reason("not_seen", unseen, limits.unseen_days, day(use.last_seen, zone))
        return Month("insufficient", (reason,), seen=False)
    if use.kind == "volume":
        return _volume(use, limits, zone)
    halted = None
    if use.kind == "server" and use.stopped_since is not None:
        halted = days(use.stopped_since, use.until)
        since = day(use.stopped_since, zone)
        if halted is not None and halted >= limits.stopped_days:
            reason = Reason("stopped", halted, limits.stopped_days, since)
            return Month("stopped", (reason,), frozenset(["stopped"]))
    found = _running(use, limits, zone)
    if halted is not None:
        reason = Reason("stopped_for", halted, limits.stopped_days, since)
        found = found._replace(reasons=(*found.reasons, reason))
    return found


def _volume(use: ResourceUse, limits: Thresholds, zone: tzinfo) -> Month:
    """Of a volume it is known whether it is attached; how full it is nobody outside can see."""
    if use.detached_since is not None:
        loose = days(use.detached_since, use.until)
        since = day(use.detached_since, zone)
        if loose is not None and loose >= limits.detached_days:
            reason = Reason("detached", loose, limits.detached_days, since)
            return Month("detached", (reason,), frozenset(["detached"]))
        if loose is not None:
            return Month("in-use", (Reason("detached_for", loose, limits.detached_days, since),))
    if use.attached or use.state == "active":
        return Month("in-use", (Reason("attached"),))
    if use.state == "unknown":
        return Month("insufficient", (Reason("volume_untold"),))
    return Month("insufficient", (Reason("volume_unknown", text=use.state),))


def _running(use: ResourceUse, limits: Thresholds, zone: tzinfo) -> Month:
    gaps: list[Reason] = []
    age, granted = days(use.first_seen, use.until), day(use.first_seen, zone)
    if age is None or age < limits.age_days - _TINY:
        gaps.append(Reason("age", age, limits.age_days, granted))
    passed = days(use.since, use.until)
    if use.under_way and (passed is None or passed < limits.age_days - _TINY):
        gaps.append(Reason("begun", passed, limits.age_days))
    if use.resized:
        gaps.append(Reason("resized", text=day(use.resized[-1], zone)))
    values: dict[str, Value] = {}
    share = None
    for name, one in use.measured.items():
        share_of = covered(use, one)
        if share_of >= limits.coverage - _TINY and (value := _value(name, one, limits)):
            values[name] = value
        if name == "cpu":
            share = share_of
    if "cpu" not in values:
        low = share is not None and share < limits.coverage - _TINY
        gaps.append(Reason("coverage", share, limits.coverage) if low else Reason("cpu_unknown"))
    if "net_rx" in values and "net_tx" in values:
        both = _network(use.measured["net_rx"], use.measured["net_tx"], limits)
        if both is not None:
            values["network"] = both
    if gaps:
        return Month("insufficient", tuple(gaps), values=values, coverage=share)
    found = _classified(use, values, share, limits, zone)
    if use.first_seen - use.since > DAY:
        reasons = (*found.reasons, Reason("part", age, text=granted))
        found = found._replace(reasons=reasons)
    return found


def _classified(
    use: ResourceUse,
    values: Mapping[str, Value],
    share: float | None,
    limits: Thresholds,
    zone: tzinfo,
) -> Month:
    busy, claims = certain = _claims(values, limits)
    cpu, memory, network = values["cpu"], values.get("memory"), values.get("network")
    state: State = "right-sized"
    reasons: list[Reason] = []
    # what waits for its host uses little, and is not idle for that
    if "steal" in busy or (busy and "idle" not in claims):
        state, claims = "busy", {"busy"}
        for name, limit in (
            ("cpu", limits.busy_cpu),
            ("memory", limits.busy_memory),
            ("steal", limits.busy_steal),
        ):
            if name in busy:
                reasons.append(values[name].below(f"{name}_above", limit))
        if "cpu" in busy and cpu.value >= FULL:
            reasons.append(Reason("saturated"))
    elif "idle" in claims and network:
        state = "idle"
        reasons.append(cpu.below("cpu_below", limits.idle_cpu))
        reasons.append(network.below("network_below", limits.idle_network))
        reasons.append(_memory(memory))
    elif "low" in claims:
        state = "low"
        reasons.append(cpu.below("cpu_below", limits.low_cpu))
        known = memory and memory.below("memory_below", limits.low_memory)
        reasons.append(known or Reason("memory_unknown"))
        if cpu.high < limits.idle_cpu and not network:
            reasons.append(Reason("network_unknown"))
    else:
        claims = {"right-sized"}
        reasons.append(Reason("cpu", cpu.value, estimated=cpu.estimated))
        reasons.append(_memory(memory))
    if state in ("idle", "low") and cpu.maximum > limits.busy_cpu:
        # a batch of one day a month is in no 95th percentile
        peak = min(cpu.maximum, 100.0)
        reasons.append(Reason("peak", peak, text=day(use.measured["cpu"].maximum_at, zone)))
    if any(value.estimated for value in values.values()) and certain != _claims(
        {n: v._replace(low=v.value, high=v.value) for n, v in values.items()}, limits
    ):
        reasons.append(Reason("near", limits.sketch_error))
    busy_by = frozenset(busy) if state == "busy" else frozenset()
    return Month(state, tuple(reasons), frozenset(claims), values, share, busy_by)


def _claims(values: Mapping[str, Value], limits: Thresholds) -> tuple[set[str], set[State]]:
    """By what it is certainly busy, and which of idle and low it certainly is."""
    cpu, memory, network = values["cpu"], values.get("memory"), values.get("network")
    busy: set[str] = set()
    if cpu.low > limits.busy_cpu:
        busy.add("cpu")
    if memory and memory.low > limits.busy_memory:
        busy.add("memory")
    if (steal := values.get("steal")) and steal.low > limits.busy_steal:
        busy.add("steal")
    claims: set[State] = set()
    if cpu.high < limits.idle_cpu and network and network.high < limits.idle_network:
        claims.add("idle")
    if cpu.high < limits.low_cpu and (not memory or memory.high < limits.low_memory):
        claims.add("low")
    return busy, claims


def _network(rx: Measured, tx: Measured, limits: Thresholds) -> Value | None:
    """What both directions together have as 95th percentile at most: their sum has not been kept, and 95th
    percentiles do not add up. Each is beyond its quantile UPPER in 2.4 % of its slots, so that both stay
    within the sum of these in 95 % of the slots; where they are known at different times nothing is."""
    few, many = sorted((rx.samples, tx.samples))
    if rx.upper is None or tx.upper is None or few < SAME * many:
        return None
    total, peaks = rx.upper + tx.upper, rx.maximum + tx.maximum
    error = limits.sketch_error / 100 if rx.estimated or tx.estimated else 0.0
    low, high = max(rx.p95, tx.p95) / (1 + error), total / (1 - error)
    if not (min(rx.upper, tx.upper) >= 0 and high < math.inf and peaks < math.inf):
        return None
    return Value(total, low, high, max(peaks, total), bool(error))


def _memory(memory: Value | None) -> Reason:
    if memory is None:
        return Reason("memory_unknown")
    return Reason("memory", memory.value, estimated=memory.estimated)


def covered(use: ResourceUse, one: Measured) -> float:
    """Percent of the slots since it was granted that have a value."""
    return 100 * min(1.0, one.coverage * _factor(use)) if 0 <= one.coverage <= 1 else 0.0


def _factor(use: ResourceUse) -> float:
    """From the share of the whole period to that of its part since it was granted; 0 if neither is a time."""
    whole, held = use.until - use.since, use.until - max(use.since, use.first_seen)
    return whole / held if 0 < held <= whole < math.inf else 0.0


def _value(name: str, one: Measured, limits: Thresholds) -> Value | None:
    """What was measured, None where that is no possible value."""
    value, maximum = one.p95, one.maximum
    if one.samples <= 0 or not (0 <= value < math.inf and 0 <= maximum < math.inf):
        return None
    if name in PERCENTS and value > MOST:
        return None
    if not one.estimated:
        return Value(value, value, value, max(maximum, value), False)
    error = limits.sketch_error / 100
    low, high = value / (1 + error), value / (1 - error)
    return Value(value, low, high, max(maximum, value), True)


def days(since: float, until: float) -> float | None:
    """None where that is no time."""
    passed = (until - since) / DAY
    return passed if math.isfinite(passed) else None


def day(at: float, zone: tzinfo) -> str:
    """`2026-10-31`, empty where there is no such day."""
    try:
        return datetime.fromtimestamp(at, zone).date().isoformat()
    except (ValueError, OverflowError, OSError):
        return ""
