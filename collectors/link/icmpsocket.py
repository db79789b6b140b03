"""One socket that sends and receives ICMP echoes of one family, for any number of targets.

Raw with a kernel filter on the type (CAP_NET_RAW), else an ICMP datagram socket, which the
kernel gives to the groups in net.ipv4.ping_group_range. Receive times are the kernel's. Formats:
raw(7), icmp(7), ip(7), ipv6(7), RFC 3542 section 3, linux/errqueue.h, linux/icmp.h.
"""

from __future__ import annotations

import os
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any, Final

from collectors.link import icmppacket
from collectors.link.icmppacket import Echo, Quoted, Received, SocketMode
from collectors.link.resolve import AF
from collectors.model import AddressFamily

SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
SO_TIMESTAMPNS = 35
SOL_RAW, ICMP_FILTER = 255, 1
ICMPV6_FILTER = 1
IP_TTL, IP_RECVERR, IP_RECVTTL = 2, 11, 12
IPV6_RECVERR, IPV6_RECVHOPLIMIT, IPV6_HOPLIMIT = 25, 51, 52
SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6 = 2, 3

BUFFER = 4 << 20  # bytes; the kernel doubles it
_ACCOUNTED = 1024  # bytes that the kernel counts for a small packet
DRAIN = 4096  # messages in one go, lest a flood keep us from sending
_TIMESPEC = struct.Struct("@ll")
_EXTENDED_ERROR = struct.Struct("@IBBBBII")
_MESSAGE = 2048  # cuts what is longer, whose checksum is then wrong
_ANCILLARY = 512

_PROTOCOL: Final[dict[AddressFamily, int]] = {
    "ipv4": socket.IPPROTO_ICMP,
    "ipv6": socket.IPPROTO_ICMPV6,
}


class EchoSocket:
    """Raises PermissionError where neither kind of socket may be opened, else OSError."""

    def __init__(self, family: AddressFamily) -> None:
        self.family = family
        self.mode: SocketMode = "raw"
        kind, protocol = AF[family], _PROTOCOL[family]
        try:
            self._socket = socket.socket(kind, socket.SOCK_RAW, protocol)
        except PermissionError:
            self.mode = "datagram"
            self._socket = socket.socket(kind, socket.SOCK_DGRAM, protocol)
        try:
            self._set_up()
        except BaseException:
            self._socket.close()
            raise
        self._skew = 0

    def _set_up(self) -> None:
        self._socket.setblocking(False)
        self._set(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        for forced, plain in (
            (SO_RCVBUFFORCE, socket.SO_RCVBUF),
            (SO_SNDBUFFORCE, socket.SO_SNDBUF),
        ):
            try:
                self._set(socket.SOL_SOCKET, forced, BUFFER)
            except PermissionError:
                self._set(socket.SOL_SOCKET, plain, BUFFER)
        v4 = self.family == "ipv4"
        if v4:
            self._set(socket.IPPROTO_IP, IP_RECVTTL, 1)
        else:
            self._set(socket.IPPROTO_IPV6, IPV6_RECVHOPLIMIT, 1)
        if self.mode == "raw":
            self.identifier = int.from_bytes(os.urandom(2), sys.byteorder)
            self._filter(icmppacket.REPLY[self.family], *icmppacket.ERRORS[self.family])
        else:
            self._socket.bind(("" if v4 else "::", 0))
            self.identifier = self._socket.getsockname()[1]
            if v4:
                self._set(socket.IPPROTO_IP, IP_RECVERR, 1)
            else:
                self._set(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)

    def _set(self, level: int, option: int, value: int) -> None:
        self._socket.setsockopt(level, option, value)

    def _filter(self, *wanted: int) -> None:
        """Both filters name the types that are blocked."""
        if self.family == "ipv4":
            blocked = 0xFFFFFFFF & ~sum(1 << kind for kind in wanted)
            self._socket.setsockopt(SOL_RAW, ICMP_FILTER, struct.pack("@I", blocked))
            return
        words = [0xFFFFFFFF] * 8
        for kind in wanted:
            words[kind >> 5] &= ~(1 << (kind & 31))
        self._socket.setsockopt(socket.IPPROTO_ICMPV6, ICMPV6_FILTER, struct.pack("@8I", *words))

    @property
    def capacity(self) -> int:
        """How many answers wait in the receive buffer before one is lost, by the kernel's count."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // _ACCOUNTED

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, packet: bytes, address: tuple[Any, ...]) -> None:
        """Raises OSError as sendto(2)."""
        self._socket.sendto(packet, address)

    def drain(self) -> Iterator[Received]:
        """All that has come, up to a bound."""
        self._synchronise()
        calls = (self._receive,) if self.mode == "raw" else (self._receive, self._receive_error)
        for call in calls:
            for _ in range(DRAIN):
                try:
                    received = call()
                except BlockingIOError:
                    break
                except OSError:
                    if self.mode == "raw":
                        raise
                    continue  # told once of an earlier packet; the error queue knows of which
                yield received

    def _synchronise(self) -> None:
        """Look how far the wall clock, which stamps packets, is ahead of the monotonic one.

        Done before each batch, so that a step of the wall clock spoils no measurement.
        """
        for _ in range(8):
            before = time.monotonic_ns()
            wall = time.time_ns()
            after = time.monotonic_ns()
            self._skew = wall - (before + after) // 2
            if after - before < 10_000:  # else we were interrupted in between
                return

    def _receive(self) -> Received:
        data, ancillary, _, source = self._socket.recvmsg(_MESSAGE, _ANCILLARY)
        at, hop_limit = self._ancillary(ancillary)
        message: Echo | Quoted | None = None
        if self.family == "ipv6" or self.mode == "datagram":
            message = icmppacket.parse(self.family, data)
        elif inner := icmppacket.ip_payload(data):
            message, hop_limit = icmppacket.parse("ipv4", inner[0]), inner[1]
        if message:
            echo = message.echo if isinstance(message, Quoted) else message
            if echo.identifier != self.identifier:
                message = None
        return Received(message, (source[0], source[3] if len(source) > 3 else 0), at, hop_limit)

    def _receive_error(self) -> Received:
        """The next of the errors that the kernel has matched to this datagram socket."""
        data, ancillary, _, source = self._socket.recvmsg(_MESSAGE, _ANCILLARY, socket.MSG_ERRQUEUE)
        at, _ = self._ancillary(ancillary)
        echo = icmppacket.quoted_echo(self.family, data)
        for level, kind, value in ancillary:
            wanted = (socket.IPPROTO_IP, IP_RECVERR)
            if self.family == "ipv6":
                wanted = (socket.IPPROTO_IPV6, IPV6_RECVERR)
            if (level, kind) != wanted or not echo:
                continue
            _, origin, type_, code, *_ = _EXTENDED_ERROR.unpack_from(value)
            if origin not in (SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6):
                continue
            destination = socket.inet_pton(AF[self.family], source[0])
            offender = _address(value[_EXTENDED_ERROR.size :])
            return Received(Quoted(echo, destination, type_, code), (offender, 0), at, None)
        return Received(None, (source[0], 0), at, None)

    def _ancillary(self, ancillary: list[tuple[int, int, bytes]]) -> tuple[int, int | None]:
        stamp: int | None = None
        hop_limit: int | None = None
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(value)
                stamp = seconds * 1_000_000_000 + nanoseconds
            elif (level, kind) in (
                (socket.IPPROTO_IP, IP_TTL),
                (socket.IPPROTO_IPV6, IPV6_HOPLIMIT),
            ):
                hop_limit = int.from_bytes(value[:4], sys.byteorder)
        return (time.monotonic_ns() if stamp is None else stamp - self._skew), hop_limit


def _address(sockaddr: bytes) -> str:
    """The address in a struct sockaddr_in or sockaddr_in6, empty where there is none."""
    family = int.from_bytes(sockaddr[:2], sys.byteorder)
    if family == socket.AF_INET and len(sockaddr) >= 8:
        return socket.inet_ntop(socket.AF_INET, sockaddr[4:8])
    if family == socket.AF_INET6 and len(sockaddr) >= 24:
        return socket.inet_ntop(socket.AF_INET6, sockaddr[8:24])
    return ""
