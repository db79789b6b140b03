"""The trace of one target: which distance to ask next, and the way that the answers make. No I/O."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator

from collectors.link import icmppacket
from collectors.link.path import Hop, Path
from collectors.link.pathjob import Probe, TraceOptions
from collectors.link.pathpackets import Answer, Flow
from collectors.link.pathsocket import Place
from collectors.link.refusals import REFUSALS
from collectors.model import Reason, Target

LOOP = 3  # times that one router must answer, others between, to make a loop


class _Way:
    """What one flow found. `end` is the last distance worth asking; beyond it nothing counts."""

    def __init__(self, max_hops: int) -> None:
        self.end = max_hops
        self.reached = False
        self.reason: Reason = ""
        self.detail = ""
        self.seen: dict[int, dict[str, float]] = {}  # distance → address → smallest RTT

    def add(self, ttl: int, address: str, rtt: float) -> None:
        at = self.seen.setdefault(ttl, {})
        at[address] = min(rtt, at.get(address, rtt))

    def close(self, ttl: int, reason: Reason, detail: str = "") -> None:
        """The way ends here; the nearest end is the true one."""
        if ttl < self.end or not (self.reached or self.reason):
            self.end, self.reached = ttl, not reason
            self.reason, self.detail = reason, detail

    def turns(self, address: str) -> list[int]:
        """Where a router answered, neighbouring distances counted as one."""
        found = sorted(ttl for ttl, at in self.seen.items() if ttl <= self.end and address in at)
        return [ttl for ttl in found if ttl - 1 not in found]


class Trace:
    """A job; `path` is its result."""

    def __init__(
        self,
        target: Target,
        place: Place,
        options: TraceOptions,
        flows: list[Flow],
        reserved: list[socket.socket],
    ) -> None:
        self.target, self.place, self.flows, self.reserved = target, place, flows, reserved
        self._options = options
        self._ways = {flow: _Way(options.max_hops) for flow in flows}
        self._plan = self._planned()
        self._planning = True
        self._under_way: set[tuple[Flow, int]] = set()
        self._refusal: tuple[Reason, str] | None = None

    @staticmethod
    def indexes(options: TraceOptions) -> int:
        """Packets of one flow at most."""
        return (options.probes + 1) * options.max_hops

    def next(self) -> Probe | None:
        if self._refusal:
            self._planning = False
        if not self._planning:
            return None
        following = next(self._plan, None)
        if following is None:
            self._planning = False
            return None
        flow, index = following
        self._under_way.add(following)
        return Probe(flow, index, flow.packet(index, self._ttl(index)))

    def _ttl(self, index: int) -> int:
        return index % self._options.max_hops + 1

    def _planned(self) -> Iterator[tuple[Flow, int]]:
        """Every distance once, then again: by then the target's is often known."""
        span = self._options.max_hops
        for probe in range(self._options.probes):
            for ttl in range(1, span + 1):
                for flow, way in self._ways.items():
                    if ttl <= way.end:
                        yield flow, probe * span + ttl - 1
        # silence just before the target may be its own, which would put it too far away
        for flow, way in self._ways.items():
            ttl = way.end - 1
            while way.reached and ttl and not way.seen.get(ttl):
                yield flow, self._options.probes * span + ttl - 1
                ttl -= 1

    def refused(self, probe: Probe, error: OSError) -> None:
        self._under_way.discard((probe.flow, probe.number))
        reason = REFUSALS.get(error.errno or 0, "error")
        self._refusal = reason, f"this machine: {error.strerror or error}"

    def lost(self, flow: Flow, index: int) -> None:
        self._under_way.discard((flow, index))

    def took(self, flow: Flow, index: int, answer: Answer, source: str, rtt: float) -> None:
        self._under_way.discard((flow, index))
        way, ttl = self._ways[flow], self._ttl(index)
        if answer.kind == "too_big":
            return  # our packets are small
        way.add(ttl, source, rtt)
        if answer.kind == "reply":
            way.close(ttl, "")
        elif answer.kind == "unreachable":
            reason = icmppacket.reason(self.target.family, answer.type, answer.code)
            own = source == self.place.destination[0]
            if own and reason == "unreachable_port" and self._options.method == "udp":
                way.close(ttl, "")
            else:
                way.close(ttl, reason, f"{source} at hop {ttl}")
        elif len(turns := way.turns(source)) >= LOOP:
            way.close(
                turns[LOOP - 1],
                "ttl_exceeded",
                f"a loop: {source} is hop {turns[0]} and {turns[1]}",
            )

    @property
    def over(self) -> bool:
        return not self._planning and not any(
            self._ttl(index) <= self._ways[flow].end for flow, index in self._under_way
        )

    def path(self) -> Path:
        """The ways of all flows in one: what differs between them are alternatives."""
        ways = list(self._ways.values())
        reached = [way for way in ways if way.reached]
        refused = [way for way in ways if way.reason]
        last = max(way.end for way in reached) if reached else self._last(ways)
        hops = tuple(_hop(ttl, ways) for ttl in range(1, last + 1))
        reason: Reason = ""
        detail = ""
        if not reached:
            if self._refusal:
                reason, detail = self._refusal
            elif refused:
                reason, detail = refused[0].reason, refused[0].detail
            elif last == self._options.max_hops:
                reason, detail = "ttl_exceeded", f"longer than {last} hops"
            else:
                reason = "timeout"
                detail = f"silence behind hop {last}" if last else "no hop answered"
        return Path(
            target=self.target.name,
            address=self.target.address,
            family=self.target.family,
            method=self._options.method,
            hops=hops,
            reached=bool(reached),
            reason=reason,
            detail=detail,
            time=time.time(),
        )

    def _last(self, ways: list[_Way]) -> int:
        """The last hop that answered; of a loop one turn is enough."""
        found = 0
        for way in ways:
            end = way.end
            if way.reason == "ttl_exceeded":
                end = min(
                    turns[1]
                    for at in way.seen.values()
                    for a in at
                    if len(turns := way.turns(a)) > 1
                )
            found = max([found, *(ttl for ttl in way.seen if ttl <= end)])
        return found


def _hop(ttl: int, ways: list[_Way]) -> Hop:
    addresses: dict[str, float] = {}
    reason: Reason = ""
    for way in ways:
        if ttl <= way.end:
            for address, rtt in way.seen.get(ttl, {}).items():
                addresses[address] = min(rtt, addresses.get(address, rtt))
            if ttl == way.end and way.reason not in ("", "ttl_exceeded"):
                reason = way.reason
    return Hop(ttl, tuple(addresses), (), min(addresses.values(), default=None), reason)
