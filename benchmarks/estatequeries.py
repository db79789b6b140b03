"""What people and rules ask of an engine, timed while it scrapes: the expressions of deploy/prometheus/, what a dashboard
of the estate and of one host shows, and the statistics that the report asks for over recorded series.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence, Sized
from pathlib import Path
from statistics import median
from typing import Final, NamedTuple

import httpx
import yaml

from benchmarks.estateserver import address

_HOST: Final = 'instance=~"' + address(7).replace(".", "[.]") + ':.*"'
_BOARDS: Final = {
    "estate: hosts up by department": "sum by (department) (up)",
    "estate: ten busiest hosts": (
        'topk(10, 1 - avg by (instance) (rate(node_cpu_seconds_total{mode="idle"}[5m])))'
    ),
    "estate: memory in use by department": (
        "1 - sum by (department) (node_memory_MemAvailable_bytes)"
        " / sum by (department) (node_memory_MemTotal_bytes)"
    ),
    "host: CPU by mode": f"sum by (mode) (rate(node_cpu_seconds_total{{{_HOST}}}[5m]))",
    "host: everything it tells": f"count({{{_HOST}}})",
    "report: mean and peak of recorded CPU": (
        "max by (resource) (max_over_time(jianwei:resource_cpu:percent[1d]))"
    ),
    "report: 95th percentile of recorded CPU": (
        "max by (resource) (quantile_over_time(0.95, jianwei:resource_cpu:percent[1d]))"
    ),
}


class Timed(NamedTuple):
    name: str
    middle: float  # seconds
    slowest: float
    rows: int
    failed: str  # the last time it was not answered


def queries(rules: Sequence[Path]) -> Iterator[tuple[str, str]]:
    """Names and PromQL."""
    for path in rules:
        for group in yaml.safe_load(path.read_text())["groups"]:
            for rule in group["rules"]:
                name = rule.get("record") or rule["alert"]
                yield f"rule: {name}", rule["expr"]
    yield from _BOARDS.items()


class Stopwatch:
    """Asks one query after the other, so that nothing piles up."""

    def __init__(self, rules: Sequence[Path]) -> None:
        self._queries = list(queries(rules))
        self._next = 0
        self._took: dict[str, list[float]] = {}
        self._rows: dict[str, int] = {}
        self._failed: dict[str, str] = {}

    def ask(self, query: Callable[[str], Sized]) -> None:
        """The next one, by a function that takes PromQL."""
        name, promql = self._queries[self._next % len(self._queries)]
        self._next += 1
        begin = time.perf_counter()
        try:
            self._rows[name] = len(query(promql))
        except (httpx.HTTPError, RuntimeError) as error:
            self._failed[name] = str(error)
        self._took.setdefault(name, []).append(time.perf_counter() - begin)

    def told(self) -> list[Timed]:
        return [
            Timed(
                name, median(took), max(took), self._rows.get(name, 0), self._failed.get(name, "")
            )
            for name, took in self._took.items()
        ]
