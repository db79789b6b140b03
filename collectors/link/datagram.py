"""A UDP socket for probes: kernel receive times, hop limits, and ICMP errors as reasons.

It is not connected, so that a datagram from elsewhere can be counted instead of vanishing. Formats:
udp(7), ip(7), ipv6(7), RFC 3542 section 3, linux/errqueue.h.
"""

from __future__ import annotations

import os
import select
import socket
import struct
import sys
import time
from collections import deque
from typing import Any, NamedTuple

from collectors.link import icmppacket
from collectors.link.refusals import REFUSALS
from collectors.link.resolve import AF
from collectors.model import AddressFamily, Reason

SO_TIMESTAMPNS = 35
IP_TOS, IP_TTL, IP_RECVERR, IP_RECVTTL = 1, 2, 11, 12
IPV6_UNICAST_HOPS, IPV6_RECVERR, IPV6_RECVHOPLIMIT, IPV6_HOPLIMIT, IPV6_TCLASS = 16, 25, 51, 52, 67
_FROM_ICMP = (2, 3)  # SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6
_TIMESPEC = struct.Struct("@ll")
_EXTENDED_ERROR = struct.Struct("@IBBBBII")
MAX_DATAGRAM = 65535
_ANCILLARY = 512
_ATTEMPTS = 3
_MOST_PROBLEMS = 4096

Peer = tuple[str, int, int]  # address without device, port, IPv6 scope


class Problem(NamedTuple):
    """Why there will be no answer."""

    reason: Reason
    detail: str


class Datagram(NamedTuple):
    """What came, from whom, when by the wall clock of the kernel (ns), and its hop limit."""

    data: bytes
    source: Peer
    at: int
    hop_limit: int | None = None


class Located(NamedTuple):
    """A literal address as the kernel takes it, and as it names the sender of an answer."""

    sockaddr: tuple[Any, ...]
    peer: Peer


def locate(family: AddressFamily, address: str, port: int) -> Located | Problem:
    """A literal address, perhaps with its %device."""
    device = address.partition("%")[2]
    try:
        rows = socket.getaddrinfo(
            *(address, port, AF[family], socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)
        )
    except (OSError, UnicodeError) as error:
        if device:
            return Problem("no_route", f"no device {device}")
        return Problem("error", f"is no {family} address: {error}")
    return Located(rows[0][4], peer(rows[0][4]))


def peer(sockaddr: tuple[Any, ...]) -> Peer:
    return sockaddr[0].partition("%")[0], sockaddr[1], sockaddr[3] if len(sockaddr) > 3 else 0


def refused(error: OSError) -> Problem:
    """What a system call that failed says about the way to a target."""
    reason = REFUSALS.get(error.errno or 0, "error")
    return Problem(reason, (error.strerror or str(error)).lower())


def open_socket(
    family: AddressFamily, source: str = "", dscp: int = 0, ttl: int | None = None
) -> DatagramSocket | Problem:
    """A socket, or why there is none."""
    try:
        return DatagramSocket(family, source, dscp, ttl)
    except OSError as error:
        if source:
            return Problem("error", f"cannot send from {source}: {error.strerror or error}")
        return refused(error)


class DatagramSocket:
    """Raises OSError where the socket, or `source` as its address, is not to be had."""

    def __init__(
        self, family: AddressFamily, source: str = "", dscp: int = 0, ttl: int | None = None
    ) -> None:
        self.family = family
        self._socket = socket.socket(AF[family], socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._set_up(dscp, ttl)
            if source:
                self._socket.bind((source, 0))
        except BaseException:
            self._socket.close()
            raise
        self._problems: deque[Problem] = deque()
        self._poll = select.poll()
        self._poll.register(self._socket, select.POLLIN)

    def _set_up(self, dscp: int, ttl: int | None) -> None:
        options = [(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)]
        if self.family == "ipv4":
            level = socket.IPPROTO_IP
            options += [(level, IP_RECVERR, 1), (level, IP_RECVTTL, 1), (level, IP_TOS, dscp << 2)]
            hops = IP_TTL
        else:
            level = socket.IPPROTO_IPV6
            options += [
                (level, IPV6_RECVERR, 1),
                (level, IPV6_RECVHOPLIMIT, 1),
                (level, IPV6_TCLASS, dscp << 2),
            ]
            hops = IPV6_UNICAST_HOPS
        if ttl is not None:
            options.append((level, hops, ttl))
        for option in options:
            self._socket.setsockopt(*option)

    def __enter__(self) -> DatagramSocket:
        return self

    def __exit__(self, *error: object) -> None:
        self._socket.close()

    @property
    def port(self) -> int:
        """The local port, 0 before the first datagram is sent."""
        return int(self._socket.getsockname()[1])

    def send(self, data: bytes, to: Located) -> Problem | None:
        """None if it was sent. A full send buffer is waited for, at most a second."""
        problem = Problem("error", "the send buffer stays full")
        for _ in range(_ATTEMPTS):
            try:
                self._socket.sendto(data, to.sockaddr)
            except BlockingIOError:
                select.select([], [self._socket], [], 1.0)
            except OSError as error:
                problem = refused(error)
                if not self._hear(to):
                    return problem
                # it was told of an earlier datagram, which `receive` will say
            else:
                return None
        return problem

    def receive(self, end: float, to: Located) -> Datagram | Problem | None:
        """The next datagram, or ICMP error about what was sent to `to`; None at `end`
        (time.monotonic)."""
        while True:
            if self._problems:
                return self._problems.popleft()
            left = end - time.monotonic()
            ready = self._poll.poll(left * 1000) if left > 0 else []
            if not ready and left <= 0:
                return None
            if ready and ready[0][1] & select.POLLERR:
                if not self._hear(to):  # an error whose cause found no room in the queue
                    self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            elif ready:
                try:
                    data, ancillary, _, source = self._socket.recvmsg(MAX_DATAGRAM, _ANCILLARY)
                except OSError:  # no checksum, or an error that is in the queue, too
                    continue
                at, hop_limit = self._ancillary(ancillary)
                return Datagram(data, peer(source), at, hop_limit)

    def _hear(self, to: Located) -> bool:
        """Take every error in the queue; whether any was about our way to `to`."""
        heard = False
        while True:
            try:
                _, ancillary, _, source = self._socket.recvmsg(0, _ANCILLARY, socket.MSG_ERRQUEUE)
            except OSError:  # no more
                return heard
            if source and peer(source)[:2] != to.peer[:2]:
                continue
            for level, kind, value in ancillary:
                ours = (level, kind) in (
                    (socket.IPPROTO_IP, IP_RECVERR),
                    (socket.IPPROTO_IPV6, IPV6_RECVERR),
                )
                if ours and len(value) >= _EXTENDED_ERROR.size:
                    heard = True
                    if len(self._problems) < _MOST_PROBLEMS:
                        self._problems.append(self._problem(value))

    def _problem(self, value: bytes) -> Problem:
        number, origin, type_, code, *_ = _EXTENDED_ERROR.unpack_from(value)
        if origin in _FROM_ICMP:
            reason = icmppacket.reason(self.family, type_, code)
            return Problem(reason, f"ICMP type {type_} code {code}")
        return refused(OSError(number, os.strerror(number)))

    @staticmethod
    def _ancillary(ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int | None]:
        at: int | None = None
        hop_limit: int | None = None
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(value)
                at = seconds * 1_000_000_000 + nanoseconds
            elif (level, kind) in (
                (socket.IPPROTO_IP, IP_TTL),
                (socket.IPPROTO_IPV6, IPV6_HOPLIMIT),
            ):
                hop_limit = int.from_bytes(value[:4], sys.byteorder)
        return (time.time_ns() if at is None else at), hop_limit
