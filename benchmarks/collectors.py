"""Where a scrape's CPU time goes: reading, parsing and writing of each collector, on this machine.

`python -m benchmarks.collectors`. Each is timed alone and warm, so the sum is less than a scrape of
the running agent costs; it is for comparing collectors, and one with itself after a change.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from collectors.catalogue import COLLECTORS
from collectors.model import Collector
from collectors.observe import observe
from collectors.sources.local import LocalSource
from exporters.prometheus.encoder import Encoder


class Cost(NamedTuple):
    """Of one collector: its series, and CPU seconds of each part."""

    name: str
    series: int
    read: float
    parse: float
    write: float

    def __str__(self) -> str:
        parts = "".join(f"{part * 1e6:8.0f}" for part in (self.read, self.parse, self.write))
        return f"{self.name:20}{self.series:7}{parts}"


def cost(source: LocalSource, collector: Collector, rounds: int) -> Cost:
    read = _cpu(partial(source.answer, collector.readings()), rounds)
    both = _cpu(partial(observe, source, [collector]), rounds)
    pages = [observe(source, [collector])[0].families for _ in range(rounds + 1)]
    following, encoder = iter(pages), Encoder()
    write = _cpu(lambda: encoder.encode(next(following)), rounds)
    series = sum(len(family.samples) for family in pages[0])
    return Cost(collector.name, series, read, both - read, write)


def _cpu(call: Callable[[], object], rounds: int) -> float:
    """CPU seconds of one call, once it is warm."""
    call()
    begin = time.process_time()
    for _ in range(rounds):
        call()
    return (time.process_time() - begin) / rounds


def main() -> None:
    parser = argparse.ArgumentParser(description="CPU time of each collector.")
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    on = [entry.cls() for entry in COLLECTORS.values() if entry.metrics and entry.on]
    source = LocalSource()
    costs = [cost(source, collector, rounds) for collector in on]
    print(f"{'':20}{'series':>7}{'read':>8}{'parse':>8}{'write':>8}  (µs)")
    for one in sorted(costs, key=lambda cost: -sum(cost[2:])):
        print(one)
    print(Cost("total", *(sum(column) for column in list(zip(*costs, strict=True))[1:])))


if __name__ == "__main__":
    main()
