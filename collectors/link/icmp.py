"""ICMP echo to many targets at once over IPv4 and IPv6: loss, round-trip times, reasons.

One round, for `/probe` and the command line; the loop is icmploop.py.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import ClassVar

import msgspec

from collectors.link.icmpflows import SECOND, Drop, Flow, Flows, Problem
from collectors.link.icmploop import EchoLoop, Sockets
from collectors.link.icmppacket import MARK
from collectors.model import ProbeResult, Target, Watch

NAME = "icmp"
MAX_PAYLOAD = 1400
_RTTS = 5_000_000  # round-trip times kept at most in one round


class EchoOptions(msgspec.Struct, frozen=True):
    """`count` echoes to each target, `spacing` seconds apart, answered within `timeout` seconds.

    `rate` bounds packets a second over all targets and stretches the spacing where need be.
    `payload` is the size of the echo data in bytes; `dscp` and `hop_limit` are those of each packet
    (0: the system's), `source` the address to send from.
    """

    count: int = 5
    spacing: float = 0.2
    timeout: float = 3.5
    rate: int = 20_000
    payload: int = 56
    dscp: int = 0
    hop_limit: int = 0
    source: str = ""
    dont_fragment: bool = False

    def __post_init__(self) -> None:
        if not MARK.size <= self.payload <= MAX_PAYLOAD:
            raise ValueError(f"payload must be {MARK.size} to {MAX_PAYLOAD} bytes")
        if self.count < 1 or self.rate < 1 or self.spacing < 0 or self.timeout <= 0:
            raise ValueError("count, rate and timeout must be above 0, spacing not below")

    def flow(self, target: Target) -> Flow:
        return Flow(target, self.payload, self.dscp, self.hop_limit, self.source)


class IcmpProber:
    """A prober of both families, one round at a time. `drops` counts what came and was no answer."""

    name: ClassVar[str] = NAME

    def __init__(self, options: EchoOptions) -> None:
        self._options = options
        self.drops: Counter[Drop] = Counter()

    def probe(self, targets: Sequence[Target], watch: Watch | None = None) -> list[ProbeResult]:
        """One round, one result a target in their order; four times a second `watch` gets the
        results so far. Nothing that comes from the network raises. Not for two threads at once."""
        options = self._options
        if not targets:
            return []
        with Sockets(targets, options.dont_fragment) as sockets:
            step = max(options.spacing, len(targets) / options.rate)
            window = min(options.count, max(_RTTS // len(targets), 100))
            flows = Flows([options.flow(t) for t in targets], options.timeout, step, window)
            loop = EchoLoop(flows, sockets, step)
            loop.run(options.count * len(targets), watch and (lambda: watch(results(loop, False))))
            self.drops.update(flows.drops)
            return results(loop, final=True)


def results(loop: EchoLoop, final: bool, numbers: Iterable[int] | None = None) -> list[ProbeResult]:
    """One result for each of these flows (None: all). Before the final one, echoes that may still be answered are left out, and
    a target without any outcome has neither success nor a reason."""
    now = time.monotonic_ns()
    wanted = range(len(loop.flows)) if numbers is None else numbers
    return [_result(loop, number, now, final) for number in wanted]


def _result(loop: EchoLoop, number: int, now: int, final: bool) -> ProbeResult:
    flows, flow = loop.flows, loop.flows.flows[number]
    received, sent = flows.answered[number], flows.sent(number)
    late = flows.late[number]
    settled = sent if final else sent - flows.waiting(number)
    problem = Problem("")
    if not received:
        problem = flows.problems.get(number, problem)
        if not problem.reason and settled:
            problem = Problem("timeout", f"{late} too late" if late else "")
    return ProbeResult(
        target=flow.target.name,
        address=loop.addresses[number] or flow.target.address,
        family=flow.target.family,
        prober=NAME,
        sent=settled,
        received=received,
        rtts=tuple(rtt / SECOND for rtt in flows.outcomes(number) if rtt >= 0),
        reason=problem.reason,
        duration=flows.duration(number, now) / SECOND,
        detail=problem.detail,
        hop_limit=flows.hop_limit[number] or None,
        late=late,
        duplicates=flows.duplicates[number],
        mode=loop.sockets.modes.get(flow.target.family, ""),
    )
