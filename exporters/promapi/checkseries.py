"""Whether what the report asks for was recorded, by rules that ran every five minutes; and if not, why."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from statistics import median
from typing import Final

from exporters.promapi.checkasking import PER_HOUR, Asked, Hour
from exporters.promapi.finding import Finding, Level, finding
from exporters.promapi.series import RECORDED

# What the recording rules are made of, by metric (agents/usemetrics.py).
RAW: Final[Mapping[str, str]] = {
    "cpu": "jianwei_resource_cpu_ratio",
    "memory": "jianwei_resource_memory_ratio",
    "steal": "jianwei_resource_steal_ratio",
    "net_rx": "jianwei_resource_receive_bytes_per_second",
    "net_tx": "jianwei_resource_transmit_bytes_per_second",
}
NEEDED: Final = "cpu"  # without it nothing can be judged
DAY: Final = 86400


def of_recorded(asked: Asked, used: dict[str, float]) -> Iterator[Finding]:
    """Fills `used`: samples of CPU by resource."""
    days = (asked.period.until - asked.period.since) / DAY
    for metric, name in RECORDED.items():
        counts = asked.counts(name)
        if not counts:
            yield _missing(asked, metric, name)
            continue
        found: dict[str, float] = {}
        series: Counter[str] = Counter()
        for labels, count in counts.items():
            resource = dict(labels).get("resource", "")
            found[resource] = max(found.get(resource, 0.0), count)
            series[resource] += 1
        daily = sum(found.values()) / len(found) / days
        yield finding("ok", "recorded", name=name, resources=len(found), daily=f"{daily:.0f}")
        if several := sorted(resource for resource, count in series.items() if count > 1):
            yield finding("warning", "recorded.copies", several, name=name, count=len(several))
        if metric == NEEDED:
            used.update(found)


def of_interval(hours: list[Hour]) -> Iterator[Finding]:
    """Samples of most resources in an hour, in most hours."""
    each = [hour.samples for hour in hours if hour.resources]
    if each and not PER_HOUR - 1 <= (usual := median(each)) <= PER_HOUR + 1:
        yield finding("error", "interval.wrong", name=RECORDED[NEEDED], hourly=f"{usual:.1f}")


def _missing(asked: Asked, metric: str, name: str) -> Finding:
    raw = RAW[metric]
    if asked.there(raw, asked.noons()) is not None:
        return finding("error", "recorded.rule", name=name, raw=raw)
    level: Level = "error" if metric == NEEDED else "warning"
    return finding(level, "recorded.absent", name=name, raw=raw)
