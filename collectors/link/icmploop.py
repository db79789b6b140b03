"""The loop that sends echoes to many targets at their pace and takes what comes back.

One socket a family, receives drained in between. Packets: icmppacket.py; sockets: icmpsocket.py,
icmpbatch.py, icmpvolley.py, icmpfilter.py; what counts as an answer: icmpflows.py.
"""

from __future__ import annotations

import errno
import math
import os
import select
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from collectors.link.icmpflows import SECOND, Flow, Flows, Problem
from collectors.link.icmppacket import SocketMode
from collectors.link.icmpsocket import Ancillary, EchoSocket, packed_source, send_ancillary
from collectors.link.icmpvolley import LEAST, Volley
from collectors.link.refusals import REFUSALS
from collectors.link.resolve import AF
from collectors.model import AddressFamily, Target

BURST = 64  # sends before the receive buffers are looked at again
_WATCH = SECOND // 4
_NAPS = (SECOND // 2000, SECOND // 200)  # shorter ones cost more than they bring
_ATTENTION = 0.05  # seconds for which answers may wait in the receive buffer

Place = tuple[tuple[Any, ...], Ancillary] | Problem


class Sockets:
    """A socket for each family that targets have, or why there is none."""

    def __init__(self, targets: Sequence[Target], dont_fragment: bool = False) -> None:
        self.opened: dict[AddressFamily, EchoSocket] = {}
        self.refused: dict[AddressFamily, Problem] = {}
        for family in dict.fromkeys(target.family for target in targets):
            try:
                self.opened[family] = EchoSocket(family, dont_fragment)
            except PermissionError:
                self.refused[family] = Problem(
                    "permission", "needs CAP_NET_RAW or a group in net.ipv4.ping_group_range"
                )
            except OSError as error:
                self.refused[family] = Problem("no_route", error.strerror or str(error))

    def __enter__(self) -> Sockets:
        return self

    def __exit__(self, *error: object) -> None:
        for opened in self.opened.values():
            opened.close()

    @property
    def modes(self) -> dict[AddressFamily, SocketMode]:
        return {family: opened.mode for family, opened in self.opened.items()}

    @property
    def steps(self) -> int:
        """How often the wall clock was seen to be set."""
        return max((opened.steps for opened in self.opened.values()), default=0)


class EchoLoop:
    """Sends the requests of flows at their pace, each flow once in `spacing` seconds, and takes what
    comes. `stop` may be called by another thread, and ends a `run` at once."""

    def __init__(self, flows: Flows, sockets: Sockets, spacing: float) -> None:
        self.flows, self.sockets = flows, sockets
        self.lost_pace = 0.0  # seconds by which the pace was given up, ever
        self.addresses = [""] * len(flows)  # where flows go; empty where they cannot
        self.moves = 0  # how often that has changed
        self._lags = (0, 0.0, 0.0)  # a minute, its longest lag, and that of the minute before
        self._spacing = int(spacing * SECOND)
        room = min((s.capacity for s in sockets.opened.values()), default=1)
        least, most = _NAPS
        self._nap = min(max(int(spacing * SECOND) // 50, least), most)
        self._step = max(spacing / max(len(flows), 1), _ATTENTION / room) * SECOND
        self._places: list[Place] = [Problem("dns_error", "not looked up yet")] * len(flows)
        self._moving: deque[tuple[int, str | Problem]] = deque()
        self._full_since = 0
        self._stopping = False
        self._wake = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
        self._poll = select.poll()
        self._poll.register(self._wake, select.POLLIN)
        for opened in sockets.opened.values():
            self._poll.register(opened.fileno(), select.POLLIN)
        self._volley = self._volleys()
        self._apart = set(range(len(flows)))  # flows that cannot go in a volley
        for number, flow in enumerate(flows.flows):
            if flow.target.address:
                self._locate(number, flow.target.address)

    def __del__(self) -> None:
        os.close(self._wake)

    @property
    def lag(self) -> float:
        """Seconds behind the pace, at worst in the last minute or two."""
        return max(self._lags[1:])

    @property
    def interval(self) -> float:
        """Seconds between two requests of a flow."""
        return self._step * len(self.flows) / SECOND

    def locate(self, number: int, where: str | Problem) -> None:
        """Where a flow goes from now on, or why it cannot go anywhere; from any thread."""
        self._moving.append((number, where))

    def _locate(self, number: int, where: str | Problem) -> None:
        flow = self.flows.flows[number]
        place = where if isinstance(where, Problem) else _place(flow, where)
        if not isinstance(place, Problem):
            place = self.sockets.refused.get(flow.target.family, place)
        if isinstance(place, Problem):
            self.addresses[number] = ""
        else:
            host, *_, scope = place[0]
            self.flows.locate(number, packed_source(flow.target.family, host, scope))
            self.addresses[number] = str(where)
        self._places[number] = place
        self.moves += 1
        if self._volley and not isinstance(place, Problem) and not place[1]:
            self._volley.aim(number, place[0])
            self._apart.discard(number)
        else:
            self._apart.add(number)

    def _volleys(self) -> Volley | None:
        """Volleys where all flows are of one family; at an even pace there is nothing in a volley."""
        families = {flow.target.family for flow in self.flows.flows}
        opened = self.sockets.opened.get(next(iter(families), "ipv4"))
        fast = self._step < self._nap / LEAST
        if not fast or len(families) != 1 or opened is None or opened.mode != "raw":
            return None
        return Volley(self.flows, opened.family, opened.fileno(), opened.identifier)

    def stop(self) -> None:
        self._stopping = True
        os.eventfd_write(self._wake, 1)

    def run(self, slots: int | None = None, watch: Callable[[], None] | None = None) -> None:
        """Send this many requests (None: for ever) and wait until all are settled, or stopped."""
        flows, step = self.flows, self._step
        start = watched = now = time.monotonic_ns()
        first = flows.next
        last = math.inf if slots is None else first + slots
        while not self._stopping:
            while self._moving:
                self._locate(*self._moving.popleft())
            wait = SECOND
            if flows.next < last:
                due = start + int((flows.next - first) * step)
                lag = now - due
                if lag >= 0:
                    self._note(now, lag / SECOND)
                    if slots is None and lag > self._spacing:
                        start += lag
                        self.lost_pace += lag / SECOND
                    self._burst(start - int(first * step), last, now)
                    due = start + int((flows.next - first) * step)
                    now = time.monotonic_ns()
                wait = min(wait, due - now)
                if self._full_since:
                    wait = self._nap
            elif not flows.open:
                break
            self._drain()
            expires = flows.expire(now)
            if expires:
                wait = min(wait, expires - now)
            if watch:
                if now - watched >= _WATCH:
                    watched = now
                    watch()
                wait = min(wait, _WATCH)
            if wait > 0:
                self._rest(wait)
            now = time.monotonic_ns()

    def _note(self, now: int, lag: float) -> None:
        minute, last, before = self._lags
        if now // (60 * SECOND) != minute:
            minute, last, before = now // (60 * SECOND), 0.0, last
        self._lags = minute, max(last, lag), before

    def _rest(self, wait: int) -> None:
        """Answers are stamped by the kernel and can wait: only the last ones are waited for."""
        if wait <= 2 * self._nap:
            time.sleep(max(wait, self._nap) / SECOND)
        else:
            self._poll.poll(-(-wait // 1_000_000))

    def _burst(self, start: int, last: float, now: int) -> None:
        """Send what is due, up to a bound."""
        flows, places, count = self.flows, self._places, len(self.flows.flows)
        upto = min(last, (now - start) // self._step + 1, flows.next + BURST)
        volley = self._volley if not self._apart else None
        while flows.next < upto:
            if volley and volley.send(int(upto) - flows.next):
                continue
            number = flows.next % count
            place = places[number]
            if isinstance(place, Problem):
                flows.was_not_sent(now, place)
                continue
            opened = self.sockets.opened[flows.flows[number].target.family]
            packet = flows.request(opened.identifier)
            if not packet or not self._send(opened, packet, place, number):
                return

    def _send(
        self,
        opened: EchoSocket,
        packet: bytes,
        place: tuple[tuple[Any, ...], Ancillary],
        number: int,
    ) -> bool:
        """Send or fail; False where the send buffer is full, for a while."""
        attempts = 1 if opened.mode == "raw" else 3
        while True:
            attempts -= 1
            now = time.monotonic_ns()
            try:
                opened.send(packet, *place)
            except OSError as error:
                full = error.errno in (errno.EAGAIN, errno.ENOBUFS)
                self._full_since = (self._full_since or now) if full else 0
                if full and now - self._full_since < self.flows.timeout:
                    return False
                if attempts and not full:
                    self._drain()  # a datagram socket tells errors about earlier packets here
                    continue
                self._full_since = 0
                reason = REFUSALS.get(error.errno or 0, "error")
                self.flows.was_not_sent(now, Problem(reason, error.strerror or str(error)))
            else:
                self._full_since = 0
                self.flows.was_sent(now)
            return True

    def _drain(self) -> None:
        for opened in self.sockets.opened.values():
            opened.drain(self.flows)


def _place(flow: Flow, address: str) -> Place:
    """The socket address of a literal address, and what else is told to the system."""
    family = flow.target.family
    text, _, device = address.partition("%")
    try:
        packed = socket.inet_pton(AF[family], text)
    except (OSError, ValueError):
        return Problem("error", f"{address!r} is no {family} address")
    if family == "ipv6" and packed[0] == 0xFE and packed[1] & 0xC0 == 0x80 and not device:
        return Problem("no_route", "a link-local address needs its %device")
    try:
        scope = socket.if_nametoindex(device) if device else 0
    except OSError:
        return Problem("no_route", f"no device {device}")
    try:
        ancillary = send_ancillary(family, flow.dscp, flow.hop_limit, flow.source, flow.device)
    except OSError as error:
        return Problem("no_route", f"{flow.source or flow.device}: {error.strerror or error}")
    return ((text, 0) if family == "ipv4" else (text, 0, 0, scope)), ancillary
