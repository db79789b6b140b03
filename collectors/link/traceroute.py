"""Traces of many targets at once, by ICMP echo, UDP or TCP SYN: who answers at which distance.

All distances of a target are asked without waiting for one another, at a bounded rate and with a
bounded number of packets under way; none beyond the target's is asked once that is known. Round-trip
times are from just before the send call to the kernel's receive stamp. Packets, and why load
balancing does not invent ways: pathpackets.py; sockets: pathsocket.py; what to ask: pathtrace.py.

A UDP trace ends where the target says "port unreachable"; a service that answers is not heard.
"""

from __future__ import annotations

import errno
import heapq
import select
import socket
import time
from collections import Counter
from collections.abc import Sequence
from typing import Final, Literal

import msgspec

from collectors.link.path import Path
from collectors.link.pathjob import Job, Probe, TraceOptions
from collectors.link.pathmtu import MtuSearch
from collectors.link.pathpackets import Flow, Key, key
from collectors.link.pathsocket import (
    PathSocket,
    Place,
    Received,
    device_mtus,
    locate,
    reserve,
)
from collectors.link.pathtrace import Trace
from collectors.link.refusals import REFUSALS
from collectors.model import AddressFamily, Reason, Target

SECOND: Final = 1_000_000_000
BURST = 32  # sends before the receive buffers are looked at again
_PAUSE = SECOND // 100  # until a job that has nothing to send is asked again
_FULL = SECOND // 1000  # when the send buffer is full
_ATTEMPTS = 8  # at a source port that is free

# Why a message was not counted as an answer.
Drop = Literal["stray", "spoofed", "late", "duplicate"]
Sent = tuple[Flow, int]


class Tracer:
    """Traces of one round of targets after another. `drops` counts what came and was no answer."""

    def __init__(self, options: TraceOptions) -> None:
        self._options = options
        self.drops: Counter[Drop] = Counter()

    def trace(self, targets: Sequence[Target]) -> list[Path]:
        """One path a target, in their order. Nothing that the network does raises."""
        round_ = _Round(self._options, targets, self.drops)
        try:
            return round_.run()
        finally:
            round_.close()


class _Round:
    def __init__(
        self, options: TraceOptions, targets: Sequence[Target], drops: Counter[Drop]
    ) -> None:
        self._options, self._targets, self._drops = options, targets, drops
        self._paths: list[Path | None] = [None] * len(targets)
        self._sockets: dict[AddressFamily, PathSocket] = {}
        self._flows: dict[Key, tuple[Job, Flow]] = {}
        self._queue: list[tuple[int, int, Job]] = []  # by the time each may send next
        self._under_way: dict[Sent, tuple[Job, int]] = {}  # in the order sent
        self._settled: dict[Sent, Drop] = {}  # what another answer would be
        self._held: tuple[int, Job, Probe] | None = None  # the send buffer was full
        self._full_since = 0
        self._timeout = int(options.timeout * SECOND)
        self._due = 0
        self._mtus = device_mtus() if options.mtu else []

    def run(self) -> list[Path]:
        for number, target in enumerate(self._targets):
            self._begin(number, target)
        poll = select.poll()
        for opened in self._sockets.values():
            for one in opened.inputs:
                poll.register(one.fileno(), select.POLLIN)
        end = time.monotonic_ns() + int(self._options.limit * SECOND)
        while (self._queue or self._held) and (left := end - time.monotonic_ns()) > 0:
            wait = min(self._burst(), left)
            if poll.poll(max(0, -(-wait // 1_000_000))):
                self._drain()
            self._expire(time.monotonic_ns())
        self._cut()
        return [path for path in self._paths if path]

    def close(self) -> None:
        for opened in self._sockets.values():
            opened.close()
        for job, _ in self._flows.values():
            _release(job)

    # --- beginning and end of a target

    def _begin(self, number: int, target: Target) -> None:
        options = self._options
        reserved: list[socket.socket] = []
        try:
            if target.family not in self._sockets:
                tcp = options.method == "tcp"
                self._sockets[target.family] = PathSocket(target.family, tcp)
            place = locate(target)
            flows = [self._flow(target, place, n, reserved) for n in range(options.flows)]
        except OSError as error:
            for opened in reserved:
                opened.close()
            self._paths[number] = self._failed(target, error)
            return
        self._enter(number, Trace(target, place, options, flows, reserved))

    def _flow(
        self, target: Target, place: Place, number: int, reserved: list[socket.socket]
    ) -> Flow:
        """A flow of its own; the port must be nobody else's."""
        options = self._options
        for attempt in range(_ATTEMPTS):
            flow = Flow(
                *(options.method, target.family, place.source, place.destination[0]),
                seed=options.seed,
                number=number + attempt * options.flows,
                port=options.port,
                indexes=Trace.indexes(options),
            )
            if options.method == "icmp":
                return flow
            try:
                tcp = options.method == "tcp"
                reserved.append(reserve(target.family, tcp, flow.identifier))
            except OSError as error:
                if error.errno != errno.EADDRINUSE or attempt == _ATTEMPTS - 1:
                    raise
            else:
                return flow
        raise AssertionError("the last attempt returns or raises")

    def _failed(self, target: Target, error: OSError) -> Path:
        reason: Reason = REFUSALS.get(error.errno or 0, "error")
        detail = f"this machine: {error.strerror or error}"
        if isinstance(error, PermissionError) and target.family not in self._sockets:
            reason, detail = "permission", "needs CAP_NET_RAW"
        return Path(
            *(target.name, target.address, target.family, self._options.method),
            reason=reason,
            detail=detail,
            time=time.time(),
        )

    def _enter(self, number: int, job: Job) -> None:
        for flow in job.flows:
            place = socket.inet_pton(
                socket.AF_INET if job.target.family == "ipv4" else socket.AF_INET6,
                job.place.destination[0],
            )
            self._flows[job.target.family, flow.protocol, place, flow.identifier] = job, flow
        heapq.heappush(self._queue, (time.monotonic_ns(), number, job))

    def _end(self, number: int, job: Job) -> None:
        """A job is over; what it found goes into the path, and perhaps another one begins."""
        self._flows = {k: known for k, known in self._flows.items() if known[0] is not job}
        for sent in [s for s, (owner, _) in self._under_way.items() if owner is job]:
            del self._under_way[sent]
        _release(job)
        if isinstance(job, Trace):
            path = self._paths[number] = job.path()
            if self._options.mtu and path.reached:
                self._enter(number, MtuSearch(job.target, job.place, self._options, self._mtus))
        elif isinstance(job, MtuSearch) and (known := self._paths[number]):
            self._paths[number] = msgspec.structs.replace(
                known,
                mtu=job.mtu,
                mtu_black_hole=job.black_hole,
                mtu_source=job.told_by,
            )

    def _cut(self) -> None:
        """What is not over by the limit: the hops seen so far; an MTU that is not known."""
        left = [(number, job) for _, number, job in self._queue]
        if self._held:
            left.append(self._held[:2])
        for number, job in left:
            if isinstance(job, Trace):
                self._paths[number] = job.path()

    # --- sending

    def _burst(self) -> int:
        """Send what is due; nanoseconds until there is more to do."""
        for _ in range(BURST):
            now = time.monotonic_ns()
            if now < self._due:
                return self._due - now
            if self._held:
                number, job, probe = self._held
                self._held = None
                if not self._send(number, job, probe):
                    return _FULL
                continue
            if not self._queue:
                return 0
            if self._queue[0][0] > now:
                return self._queue[0][0] - now
            if len(self._under_way) >= self._options.window:
                return _FULL
            _, number, job = heapq.heappop(self._queue)
            if found := job.next():
                if not self._send(number, job, found):
                    return _FULL
            elif job.over:
                self._end(number, job)
            else:
                heapq.heappush(self._queue, (now + _PAUSE, number, job))
        return 0

    def _send(self, number: int, job: Job, probe: Probe) -> bool:
        """Send, or fail; False where the send buffer is full, for a while."""
        now = time.monotonic_ns()
        try:
            self._sockets[job.target.family].send(probe.packet, job.place)
        except OSError as error:
            full = error.errno in (errno.EAGAIN, errno.ENOBUFS)
            self._full_since = (self._full_since or now) if full else 0
            if full and now - self._full_since < self._timeout:
                self._held = number, job, probe
                return False
            job.refused(probe, error)
        else:
            self._full_since = 0
            self._under_way[probe.flow, probe.number] = job, now
        self._due = max(self._due + SECOND // self._options.rate, now - _PAUSE)
        heapq.heappush(self._queue, (now + int(self._options.spacing * SECOND), number, job))
        return True

    # --- receiving

    def _expire(self, now: int) -> None:
        while self._under_way:
            sent, (job, at) = next(iter(self._under_way.items()))
            if now - at < self._timeout:
                return
            del self._under_way[sent]
            self._settled[sent] = "late"
            job.lost(*sent)

    def _drain(self) -> None:
        for family, opened in self._sockets.items():
            for received in opened.drain():
                if drop := self._take(family, received):
                    self._drops[drop] += 1

    def _take(self, family: AddressFamily, received: Received) -> Drop | None:
        answer = received.answer
        found = key(family, answer) if answer else None
        known = self._flows.get(found) if found else None
        if not (answer and known):
            return "stray"
        job, flow = known
        index = flow.index(answer)
        if index is None:
            return "spoofed"
        under_way = self._under_way.pop((flow, index), None)
        if under_way is None:  # a number that was not sent is a guess
            return self._settled.get((flow, index), "spoofed")
        self._settled[flow, index] = "duplicate"
        elapsed = time.monotonic_ns() - under_way[1]
        took = received.at - under_way[1]
        if not 0 <= took <= elapsed:  # the wall clock stepped between stamp and receive
            took = elapsed
        job.took(flow, index, answer, received.source[0], took / SECOND)
        return None


def _release(job: Job) -> None:
    for opened in job.reserved:
        opened.close()
