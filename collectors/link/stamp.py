"""STAMP session-sender: delay, jitter and loss of each direction by a reflector's timestamps.

RFC 8762, unauthenticated or with HMAC-SHA-256; a reflector of TWAMP Light answers too. Packets:
stamppacket.py; what counts as an answer: stamptally.py; what answers say: stampsummary.py.
"""

from __future__ import annotations

import random
import time
from typing import Annotated, NamedTuple

import msgspec

from collectors.link import clockstate, stamppacket
from collectors.link.datagram import Datagram, DatagramSocket, Located, Problem, locate, open_socket
from collectors.link.stamppacket import Request
from collectors.link.stampsummary import Summary, families, summarise
from collectors.link.stamptally import Tally
from collectors.link.tlsconfig import Protocol
from collectors.model import ProbeResult, Target
from collectors.strictyaml import Duration, Secret

# Where a session's numbers begin: see stamptally.Tally.
_FIRST = range(1 << 20, 1 << 31)
_AFTER = 0.001  # seconds in which a duplicate of the last answer may still come


class StampModule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the prober `stamp`.

    `count` packets, `spacing` apart; each is waited for as long as the last one can be. Where all
    of them do not fit into half of the time a probe has, they come closer. `port` is for targets
    without one. `ttl` 255 lets the reflector tell how many hops a packet took. `padding` is bytes
    beyond the packet's 44, or 112 with a `key`; both ends need the same key, of any length.
    """

    preferred_ip_protocol: Protocol = "ip6"
    ip_protocol_fallback: bool = True
    source_ip_address: str = ""
    count: Annotated[int, msgspec.Meta(ge=1, le=1000)] = 20
    spacing: Duration = Duration(0.02)
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] = stamppacket.PORT
    key: Secret | None = None
    dscp: Annotated[int, msgspec.Meta(ge=0, le=63)] = 0
    ttl: Annotated[int, msgspec.Meta(ge=1, le=255)] = 255
    padding: Annotated[int, msgspec.Meta(ge=0, le=8960)] = 0


class Session(NamedTuple):
    """A session that has ended, and the last of the reasons why packets had no answer."""

    summary: Summary
    problem: Problem | None


def probe(target: Target, settings: StampModule, timeout: float) -> ProbeResult:
    """One session with the target's reflector. It succeeds where any packet is answered in time."""
    start = time.perf_counter()
    clock = clockstate.clock_state()
    summary, problem = session(target, settings, timeout, clock)
    if summary.received:
        problem = None
    elif summary.drops.get("authentication"):
        problem = Problem("stamp_authentication", "answers have a wrong HMAC or none")
    elif summary.drops.get("malformed") or summary.drops.get("implausible"):
        problem = Problem("stamp_malformed", "what came is no STAMP answer")
    elif problem is None:
        late = f"; {summary.late} came too late" if summary.late else ""
        problem = Problem("timeout", f"no answer to {summary.sent} packets{late}")
    return ProbeResult(
        target=target.name,
        address=target.address,
        family=target.family,
        prober="stamp",
        sent=summary.sent,
        received=summary.received,
        rtts=summary.round_trip.delays,
        reason=problem.reason if problem else "",
        detail=problem.detail if problem else "",
        duration=time.perf_counter() - start,
        hop_limit=summary.hop_limit,
        late=summary.late,
        duplicates=summary.duplicates,
        families=families(summary, clock),
    )


def session(
    target: Target, settings: StampModule, timeout: float, clock: clockstate.ClockState
) -> Session:
    """Send and receive until every packet is answered or `timeout` has passed."""
    end = time.monotonic() + timeout
    gaps = settings.count - 1
    spacing = min(float(settings.spacing), timeout / 2 / gaps) if gaps else 0.0
    key = None if settings.key is None else settings.key.reveal().encode()
    first = random.choice(_FIRST)  # noqa: S311 - tells sessions apart, keeps nobody out
    located = locate(target.family, target.address, target.port or settings.port)
    peer = located.peer if isinstance(located, Located) else ("", 0, 0)
    tally = Tally(peer, first, timeout - gaps * spacing, key)
    if isinstance(located, Problem):
        return Session(summarise(tally), located)
    source = settings.source_ip_address
    opened = open_socket(target.family, source, settings.dscp, settings.ttl)
    if isinstance(opened, Problem):
        return Session(summarise(tally), opened)
    with opened:
        run = _Run(opened, located, tally, key, settings.padding, clock)
        run.send(settings.count, spacing)
        run.wait(end)
    return Session(summarise(tally), run.problem)


class _Run:
    """The socket's part of a session."""

    def __init__(
        self,
        opened: DatagramSocket,
        to: Located,
        tally: Tally,
        key: bytes | None,
        padding: int,
        clock: clockstate.ClockState,
    ) -> None:
        self._socket, self._to, self._tally = opened, to, tally
        self._key, self._padding = key, padding
        self._error = stamppacket.error_word(*clock)
        self._problems = 0
        self.problem: Problem | None = None

    def send(self, count: int, spacing: float) -> None:
        """Every packet in its time, taking answers meanwhile."""
        start = time.monotonic()
        for number in range(count):
            self._receive(start + number * spacing)
            skew, now = clockstate.skew(), time.time_ns()
            self._tally.sent(now, skew)
            request = Request(self._tally.first + number, stamppacket.ntp(now), self._error)
            packet = stamppacket.pack_request(request, self._key, self._padding)
            if refusal := self._socket.send(packet, self._to):
                self._tally.unsent()
                self.problem = refusal
                return

    def wait(self, end: float) -> None:
        """For answers to what was sent, unless errors have told that none will come."""
        while self._waiting() and time.monotonic() < end:
            self._receive(end, 1)
        self._receive(time.monotonic() + _AFTER)

    def _waiting(self) -> bool:
        return len(self._tally.taken) + self._problems < self._tally.count

    def _receive(self, until: float, most: int = 0) -> None:
        """Take what comes, at most `most` datagrams if that is not 0."""
        while heard := self._socket.receive(until, self._to):
            if isinstance(heard, Datagram):
                self._tally.take(heard, clockstate.skew())
            else:
                self.problem = heard
                self._problems += 1
            most -= 1
            if not most:
                return
