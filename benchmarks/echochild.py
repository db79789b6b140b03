"""A prober in a process of its own, for benchmarks/links.py: rounds when told, or paced and traced.

    python -m benchmarks.echochild rounds VERSION COUNT     a round for each line of standard input
    python -m benchmarks.echochild paced COUNT INTERVAL SECONDS     both versions, each answer printed

It prints JSON, a line each.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from typing import Any

from benchmarks.linklab import address
from collectors.link.icmpflows import Flow, Flows
from collectors.link.icmploop import EchoLoop, Sockets
from collectors.model import AddressFamily, Target

FASTEST = 1_000_000  # packets a second: as fast as it goes


class Traced(Flows):
    """Flows that remember the round-trip time of every index."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.seen: list[tuple[int, float]] = []

    def answer(
        self, index: int, nonce: int, source: bytes, at: int | None, hop_limit: int | None
    ) -> None:
        super().answer(index, nonce, source, at, hop_limit)
        place = (index - self._first & 0xFFFFFFFF) % self._slots
        self.seen.append((index, self._rtts[place]))


def targets(count: int, versions: tuple[int, ...]) -> list[Target]:
    families: dict[int, AddressFamily] = {4: "ipv4", 6: "ipv6"}
    return [
        Target(f"line-{n:05d}", address(n, version), families[version])
        for n in range(count)
        for version in versions
    ]


def rounds(version: int, count: int) -> None:
    """Wall and CPU time of one echo to each target, as a resident prober makes it."""
    wanted = targets(count, (version,))
    with Sockets(wanted) as sockets:
        spacing = count / FASTEST
        flows = Flows([Flow(target) for target in wanted], 1.0, spacing)
        loop = EchoLoop(flows, sockets, spacing)
        loop.run(count)  # caches of routes and neighbours
        print(json.dumps({"ready": True}), flush=True)
        for _ in sys.stdin:
            answered, wall, cpu = sum(flows.answered), time.perf_counter(), time.process_time()
            loop.run(count)
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
            told = {"wall": wall, "cpu": cpu, "answered": sum(flows.answered) - answered}
            print(json.dumps(told), flush=True)


def paced(count: int, interval: float, seconds: float) -> None:
    """Echoes at their pace, then what was sent, lost and measured."""
    wanted = targets(count, (4, 6))
    with Sockets(wanted) as sockets:
        flows = Traced([Flow(target) for target in wanted], 1.0, interval)
        loop = EchoLoop(flows, sockets, interval)
        print(json.dumps({"ready": True}), flush=True)
        sys.stdin.readline()
        cpu = time.process_time()
        timer = threading.Timer(seconds, loop.stop)
        timer.start()
        loop.run()
        cpu = time.process_time() - cpu
        time.sleep(1.2)
        for opened in sockets.opened.values():
            opened.drain(flows)
        flows.expire(time.monotonic_ns())
        sent = sum(flows.sent(n) for n in range(len(flows)))
        told = {"sent": sent, "lost": sum(flows.lost), "cpu": cpu, "lag": loop.lag}
        print(json.dumps({**told, "rtts": flows.seen}), flush=True)


if __name__ == "__main__":
    mode, *rest = sys.argv[1:]
    if mode == "rounds":
        rounds(int(rest[0]), int(rest[1]))
    else:
        paced(int(rest[0]), float(rest[1]), float(rest[2]))
