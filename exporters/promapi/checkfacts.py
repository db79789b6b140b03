"""Whether agents told what resources are and whose, once a day of the month; and whether those facts and the use that
was recorded are of the same resources."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Final

from exporters.promapi.checkasking import FRESH, Asked
from exporters.promapi.finding import Finding, Level, finding
from exporters.promapi.series import DISK, INFO, MEMORY, PHYSICAL, STATE, USABLE, VCPUS

ABSENT: Final[Mapping[str, Level]] = {
    INFO: "error",
    STATE: "error",
    VCPUS: "error",
    MEMORY: "warning",
    DISK: "warning",
    PHYSICAL: "warning",
    USABLE: "warning",
}
SHORT: Final = 144  # samples: what was there for half a day may be in no noon


def of_facts(asked: Asked, used: Mapping[str, float]) -> Iterator[Finding]:
    """`used`: samples of CPU by resource."""
    told: dict[str, dict[float, float]] = {name: {} for name in ABSENT}
    names = "|".join(ABSENT)
    for at in asked.noons():
        query = f'count by (__name__) (last_over_time({{__name__=~"{names}"}}[{FRESH}]))'
        for one in asked.client.instant(query, at):
            told.get(one.labels.get("__name__", ""), {})[at] = one.value
    for name, level in ABSENT.items():
        if not told[name]:
            code = "facts.capacity" if name in (PHYSICAL, USABLE) else "facts.absent"
            yield finding(level, code, name=name)
            continue
        yield finding("ok", "facts", name=name, resources=f"{max(told[name].values()):.0f}")
    if told[INFO]:
        without = [at for at in asked.noons() if at not in told[INFO]]
        if without:
            days = [
                datetime.fromtimestamp(at - 1, asked.zone).strftime("%Y-%m-%d") for at in without
            ]
            yield finding("warning", "facts.days", days, name=INFO, count=len(days))
        yield from _resources(asked, used)


def _resources(asked: Asked, used: Mapping[str, float]) -> Iterator[Finding]:
    info = f"last_over_time({INFO}[{FRESH}])"
    running = f'last_over_time({STATE}{{state="active"}}[{FRESH}])'
    kinds: dict[str, str] = {}
    active: set[str] = set()
    several: set[str] = set()
    for at in asked.noons():
        for one in asked.client.instant(f"group by (resource, kind) ({info})", at):
            kinds[one.labels.get("resource", "")] = one.labels.get("kind", "")
        active |= _named(asked, f"group by (resource) ({running})", at)
        by_agent = f"group by (resource, instance, job) ({info})"
        several |= _named(asked, f"count by (resource) ({by_agent}) > 1", at)
    lasting = {resource for resource, samples in used.items() if samples > SHORT}
    runners = {resource for resource in active if kinds.get(resource, "volume") != "volume"}
    unused, unknown = sorted(runners - used.keys()), sorted(lasting - kinds.keys())
    if used and unused:
        yield finding("warning", "facts.unused", unused, count=len(unused), all=len(runners))
    if unknown:
        yield finding("warning", "facts.unknown", unknown, count=len(unknown), all=len(lasting))
    if several:
        yield finding("warning", "facts.copies", sorted(several), count=len(several))
    if both := used.keys() & kinds.keys():
        yield finding("ok", "facts.agree", count=len(both))


def _named(asked: Asked, query: str, at: float) -> set[str]:
    return {one.labels.get("resource", "") for one in asked.client.instant(query, at)}
