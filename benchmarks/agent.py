"""`make bench`: the agent and Debian's node_exporter, side by side in one run.

Both run with their defaults, are scraped in turn as Prometheus does (OpenMetrics or text, gzip,
one kept connection), and pay for all they do meanwhile, between scrapes too. A measurement, no
judgement: the exit status is 0 in any case.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from functools import partial
from statistics import median, quantiles
from typing import Any, NamedTuple

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import generate_latest

from benchmarks.exporter import Exporter, agent, node_exporter, series
from collectors.model import Family, gauge, sample
from exporters.prometheus.encoder import Encoder

WARM_UP = 50
SCRAPES = 400
STARTS = 5
SERIES = 100_000


class Figure(NamedTuple):
    """One result. `target` is the highest (or with `at_least` the lowest) good value."""

    name: str
    value: float
    unit: str
    peer: float | None = None
    target: float | None = None
    at_least: bool = False

    @property
    def met(self) -> bool | None:
        if self.target is None:
            return None
        return self.value >= self.target if self.at_least else self.value <= self.target

    def __str__(self) -> str:
        notes = []
        if self.peer is not None:
            ratio = f", ratio {self.value / self.peer:.2f}" if self.peer else ""
            notes.append(f"peer {self.peer:.4g}{ratio}")
        if self.target is not None:
            sign = "≥" if self.at_least else "≤"
            notes.append(f"target {sign} {self.target:.4g}, {'met' if self.met else 'missed'}")
        return f"{self.name}: {self.value:.4g} {self.unit} ({'; '.join(notes)})"


class Cost(NamedTuple):
    """What the scrapes of one exporter cost: CPU seconds each, and every latency in seconds."""

    series: int
    cpu: float
    latencies: list[float]
    memory: tuple[float, float]


def scrape_in_turn(exporters: list[Exporter], scrapes: int) -> list[Cost]:
    for exporter in exporters:
        for _ in range(WARM_UP):
            exporter.scrape()
    before = [exporter.cpu() for exporter in exporters]
    latencies: list[list[float]] = [[] for _ in exporters]
    for _ in range(scrapes):
        for exporter, times in zip(exporters, latencies, strict=True):
            begin = time.perf_counter()
            exporter.scrape()
            times.append(time.perf_counter() - begin)
    used = [exporter.cpu() for exporter in exporters]
    return [
        Cost(series(exporter.scrape()), (end - start) / scrapes, times, exporter.memory())
        for exporter, start, end, times in zip(exporters, before, used, latencies, strict=True)
    ]


def start_time(start: Callable[[], AbstractContextManager[Exporter]], starts: int) -> float:
    times = []
    for _ in range(starts):
        with start() as exporter:
            times.append(exporter.started)
    return median(times)


def exporters(scrapes: int, starts: int, config: str | None, command: str = "") -> Iterable[Figure]:
    own = partial(agent, *(("--config", config) if config else ()), command=command)
    with own() as mine, node_exporter() as theirs:
        our, peer = scrape_in_turn([mine, theirs], scrapes)
    yield Figure("series", our.series, "", peer.series, peer.series, at_least=True)
    yield Figure("CPU per scrape", our.cpu * 1e3, "ms", peer.cpu * 1e3, 0.7 * peer.cpu * 1e3)
    per_series = our.cpu / our.series, peer.cpu / peer.series
    yield Figure("CPU per series", per_series[0] * 1e6, "µs", per_series[1] * 1e6)
    middle = median(our.latencies) * 1e3, median(peer.latencies) * 1e3
    yield Figure("scrape latency, median", middle[0], "ms", middle[1], 15)
    high = [quantiles(cost.latencies, n=20)[-1] * 1e3 for cost in (our, peer)]
    yield Figure("scrape latency, 95th percentile", high[0], "ms", high[1])
    yield Figure(f"RSS after {scrapes} scrapes", our.memory[0], "MB", peer.memory[0], 45)
    yield Figure(f"PSS after {scrapes} scrapes", our.memory[1], "MB", peer.memory[1])
    yield Figure(
        f"start to first scrape, median of {starts}",
        start_time(own, starts),
        "s",
        start_time(node_exporter, starts),
        1.5,
    )


def encoder(count: int) -> Iterable[Figure]:
    """The same families through our encoder, made afresh each time, and prometheus_client's."""

    def families() -> list[Family]:
        return [
            gauge(
                f"node_family_{number}_bytes",
                "A family.",
                *(sample(n * 1237.5, device=f"sd{n}", fstype="ext4") for n in range(1000)),
            )
            for number in range(count // 1000)
        ]

    ours = Encoder()
    page = ours.encode(families())
    fast = min(_timed(ours.encode, families()) for _ in range(5))
    registry: Any = _Registry(families())
    assert generate_latest(registry) == page
    slow = min(_timed(generate_latest, registry) for _ in range(3))
    yield Figure(f"encoding {count} series", fast * 1e3, "ms", slow * 1e3)


class _Registry:
    def __init__(self, families: list[Family]) -> None:
        self._metrics: list[Metric] = []
        for family in families:
            metric = GaugeMetricFamily(family.name, family.help, labels=["device", "fstype"])
            for row in family.samples:
                metric.add_metric([value for _, value in row.labels], row.value)
            self._metrics.append(metric)

    def collect(self) -> list[Metric]:
        return self._metrics


def _timed(call: Callable[[Any], object], argument: object) -> float:
    begin = time.process_time()
    call(argument)
    return time.process_time() - begin


def main() -> None:
    parser = argparse.ArgumentParser(description="The agent beside node_exporter.")
    parser.add_argument("--json", action="store_true", help="print one JSON list")
    parser.add_argument("--scrapes", type=int, default=SCRAPES, help="measured pairs of scrapes")
    parser.add_argument("--starts", type=int, default=STARTS, help="starts of each")
    parser.add_argument("--config", help="the agent's configuration instead of the default one")
    parser.add_argument("--jianwei", default="", help="the program, as bin/jianwei of a bundle")
    options = parser.parse_args()
    measured = exporters(options.scrapes, options.starts, options.config, options.jianwei)
    figures = []
    for figure in itertools.chain(encoder(SERIES), measured):
        figures.append({**figure._asdict(), "met": figure.met})
        if not options.json:
            print(figure, flush=True)
    if options.json:
        print(json.dumps(figures, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    main()
