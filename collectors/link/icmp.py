"""ICMP echo to many targets at once over IPv4 and IPv6: loss, round-trip times, reasons.

One socket a family, paced sends, receives drained in between. Packets: icmppacket.py; sockets:
icmpsocket.py; what counts as an answer: icmptally.py.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import select
import socket
import sys
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, ClassVar

from collectors.link.icmppacket import SocketMode
from collectors.link.icmpsocket import EchoSocket
from collectors.link.icmptally import MASK, SECOND, Drop, EchoOptions, Problem, Tally
from collectors.link.resolve import AF
from collectors.model import AddressFamily, ProbeResult, Reason, Target, Watch

BURST = 64  # sends before the receive buffers are looked at again
_WATCH = SECOND // 4
_PAUSE = SECOND // 1000  # when the send buffer is full

# The system's refusals to send. EINVAL is what a blackhole route answers.
_REFUSALS: dict[int, Reason] = {
    errno.ENETUNREACH: "no_route",
    errno.ENETDOWN: "no_route",
    errno.EADDRNOTAVAIL: "no_route",
    errno.ENODEV: "no_route",
    errno.EINVAL: "no_route",
    errno.EHOSTUNREACH: "unreachable_host",
    errno.ECONNREFUSED: "unreachable_port",
    errno.EACCES: "unreachable_admin",  # a prohibit route
    errno.EPERM: "unreachable_admin",  # this machine's own packet filter
}


class IcmpProber:
    """A prober of both families. `drops` counts what came and was no answer."""

    name: ClassVar[str] = "icmp"

    def __init__(self, options: EchoOptions) -> None:
        self._options = options
        self._first = int.from_bytes(os.urandom(4), sys.byteorder)
        self.drops: Counter[Drop] = Counter()

    def probe(self, targets: Sequence[Target], watch: Watch | None = None) -> list[ProbeResult]:
        """One round, one result a target in their order; four times a second `watch` gets the
        results so far. Nothing that comes from the network raises. Not for two threads at once."""
        tally = Tally(self._options, targets, self._first)
        self._first = (self._first + tally.slots) & MASK
        round_ = _Round(self._options, targets, tally, self.drops)
        try:
            round_.run(watch)
        finally:
            round_.close()
        return tally.results(round_.modes, time.monotonic_ns(), final=True)


class _Round:
    """The sockets and the pace of one round."""

    def __init__(
        self,
        options: EchoOptions,
        targets: Sequence[Target],
        tally: Tally,
        drops: Counter[Drop],
    ) -> None:
        self._options, self._targets, self._tally, self._drops = options, targets, tally, drops
        self._sockets: dict[AddressFamily, EchoSocket] = {}
        self._refused: dict[AddressFamily, Problem] = {}
        self._addresses: list[tuple[Any, ...] | Problem] = []
        self._next = 0
        self._full_since = 0

    @property
    def modes(self) -> dict[AddressFamily, SocketMode]:
        return {family: opened.mode for family, opened in self._sockets.items()}

    def run(self, watch: Watch | None) -> None:
        poll = select.poll()
        for family in dict.fromkeys(target.family for target in self._targets):
            try:
                opened = self._sockets[family] = EchoSocket(family)
            except PermissionError:
                self._refused[family] = Problem(
                    "permission", "needs CAP_NET_RAW or a group in net.ipv4.ping_group_range"
                )
            except OSError as error:
                self._refused[family] = Problem("no_route", error.strerror or str(error))
            else:
                poll.register(opened.fileno(), select.POLLIN)
        self._locate()
        # answers wait at least 100 ms for our attention, also where the buffer may not be large
        rate = min([self._options.rate, *(s.capacity * 10 for s in self._sockets.values())])
        step = max(self._options.spacing / max(len(self._targets), 1), 1 / rate)
        self._start = watched = now = end = time.monotonic_ns()
        self._step = step * SECOND
        while self._tally.open and (self._next < self._tally.slots or now < end):
            if self._next < self._tally.slots:
                wait = self._burst(now)
                end = time.monotonic_ns() + int(self._options.timeout * SECOND)
            else:
                wait = end - now
            if watch:
                if now - watched >= _WATCH:
                    watched = now
                    watch(self._tally.results(self.modes, now, final=False))
                wait = min(wait, _WATCH)
            # up to the next millisecond, which is as fine as poll waits
            if poll.poll(max(0, -(-wait // 1_000_000))):
                self._drain()
            now = time.monotonic_ns()

    def close(self) -> None:
        for opened in self._sockets.values():
            opened.close()

    def _locate(self) -> None:
        for number, target in enumerate(self._targets):
            found = _locate(target)
            self._addresses.append(found)
            problem = found if isinstance(found, Problem) else self._refused.get(target.family)
            if problem:
                for slot in range(number, self._tally.slots, len(self._targets)):
                    self._tally.failed(slot, problem)
            else:
                scope = found[3] if target.family == "ipv6" else 0
                self._tally.expect(number, (found[0], scope))

    def _due(self, slot: int) -> int:
        return self._start + int(slot * self._step)

    def _burst(self, now: int) -> int:
        """Send what is due; returns the nanoseconds until there is more to send."""
        last = min(self._next + BURST, self._tally.slots)
        while self._next < last and self._due(self._next) <= now:
            if not self._send(self._next):
                return _PAUSE
            self._next += 1
        return self._due(self._next) - now

    def _send(self, slot: int) -> bool:
        """Send or fail; False where the send buffer is full, for a while."""
        number = slot % len(self._targets)
        opened = self._sockets.get(self._targets[number].family)
        address = self._addresses[number]
        if opened is None or isinstance(address, Problem):  # failed from the start
            return True
        packet = self._tally.request(slot, opened.identifier)
        attempts = 1 if opened.mode == "raw" else 3
        while True:
            attempts -= 1
            now = time.monotonic_ns()
            try:
                opened.send(packet, address)
            except OSError as error:
                full = error.errno in (errno.EAGAIN, errno.ENOBUFS)
                self._full_since = (self._full_since or now) if full else 0
                if full and now - self._full_since < self._options.timeout * SECOND:
                    return False
                if attempts and not full:
                    self._drain()  # a datagram socket tells errors about earlier packets here
                    continue
                reason = _REFUSALS.get(error.errno or 0, "error")
                self._tally.failed(slot, Problem(reason, error.strerror or str(error)))
            else:
                self._full_since = 0
                self._tally.sent(slot, now)
            return True

    def _drain(self) -> None:
        for opened in self._sockets.values():
            for received in opened.drain():
                drop = self._tally.take(opened.family, received, time.monotonic_ns())
                if drop:
                    self._drops[drop] += 1


def _locate(target: Target) -> tuple[Any, ...] | Problem:
    """The socket address of a literal address."""
    device = target.address.partition("%")[2]
    try:
        rows = socket.getaddrinfo(
            *(target.address, None, AF[target.family], socket.SOCK_RAW, 0, socket.AI_NUMERICHOST)
        )
    except (OSError, UnicodeError) as error:
        if device:
            return Problem("no_route", f"no device {device}")
        return Problem("error", f"is no {target.family} address: {error}")
    text, *rest = rows[0][4]
    text = str(text).partition("%")[0]
    if ipaddress.ip_address(text).is_link_local and target.family == "ipv6" and not device:
        return Problem("no_route", "a link-local address needs its %device")
    return (text, *rest)
