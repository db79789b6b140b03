"""One socket that sends and receives ICMP echoes of one family, for any number of targets.

Raw with a kernel filter on type and identifier (CAP_NET_RAW), else an ICMP datagram socket, which
the kernel gives to the groups in net.ipv4.ping_group_range. Receive times are the kernel's. Formats:
raw(7), icmp(7), ip(7), ipv6(7), RFC 3542 section 3, linux/errqueue.h, linux/icmp.h.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
import sys
import time
from typing import Any, Final

from collectors.link import icmpfilter, icmppacket
from collectors.link.clockskew import ClockSkew
from collectors.link.icmpbatch import Batch
from collectors.link.icmppacket import MARK, Echo, Quoted, Sink, SocketMode
from collectors.link.resolve import AF
from collectors.model import AddressFamily

SO_SNDBUFFORCE, SO_RCVBUFFORCE = 32, 33
SO_TIMESTAMPNS = 35
SO_ATTACH_FILTER = 26
IP_TOS, IP_TTL, IP_PKTINFO, IP_MTU_DISCOVER, IP_RECVERR, IP_RECVTTL = 1, 2, 8, 10, 11, 12
IPV6_MTU_DISCOVER, IPV6_RECVERR, IPV6_PKTINFO, IPV6_RECVHOPLIMIT = 23, 25, 50, 51
IPV6_HOPLIMIT, IPV6_TCLASS = 52, 67
PMTUDISC_DO = 2
SO_EE_ORIGIN_ICMP, SO_EE_ORIGIN_ICMP6 = 2, 3

BUFFER = 4 << 20  # bytes; the kernel doubles it
_ACCOUNTED = 1024  # bytes that the kernel counts for a small packet
DRAIN = 4096  # messages in one go, lest a flood keep us from sending
_TIMESPEC = struct.Struct("@ll")
_EXTENDED_ERROR = struct.Struct("@IBBBBII")
_MESSAGE = 2048  # cuts what is longer, whose checksum is then wrong
_ANCILLARY = 512
_WORD = struct.Struct("@i")

_PROTOCOL: Final[dict[AddressFamily, int]] = {
    "ipv4": socket.IPPROTO_ICMP,
    "ipv6": socket.IPPROTO_ICMPV6,
}

Ancillary = list[tuple[int, int, bytes]]


class EchoSocket:
    """Raises PermissionError where neither kind of socket may be opened, else OSError.

    `identifier` is the one of its echoes as it stands in memory.
    """

    def __init__(self, family: AddressFamily, dont_fragment: bool = False) -> None:
        self.family = family
        self.mode: SocketMode = "raw"
        kind, protocol = AF[family], _PROTOCOL[family]
        try:
            self._socket = socket.socket(kind, socket.SOCK_RAW, protocol)
        except PermissionError:
            self.mode = "datagram"
            self._socket = socket.socket(kind, socket.SOCK_DGRAM, protocol)
        try:
            self._set_up(dont_fragment)
        except BaseException:
            self._socket.close()
            raise
        raw = self.mode == "raw"
        self._batch = Batch(family, self._socket.fileno(), self.identifier) if raw else None
        self._clock = ClockSkew()

    def _set_up(self, dont_fragment: bool) -> None:
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
        if dont_fragment and v4:
            self._set(socket.IPPROTO_IP, IP_MTU_DISCOVER, PMTUDISC_DO)
        elif dont_fragment:
            self._set(socket.IPPROTO_IPV6, IPV6_MTU_DISCOVER, PMTUDISC_DO)
        if self.mode == "raw":
            self.identifier = int.from_bytes(os.urandom(2), sys.byteorder)
            self._filter()
        else:
            self._socket.bind(("" if v4 else "::", 0))
            self.identifier = socket.htons(self._socket.getsockname()[1])
            if v4:
                self._set(socket.IPPROTO_IP, IP_RECVERR, 1)
            else:
                self._set(socket.IPPROTO_IPV6, IPV6_RECVERR, 1)

    def _set(self, level: int, option: int, value: int) -> None:
        self._socket.setsockopt(level, option, value)

    def _filter(self) -> None:
        program = icmpfilter.program(self.family, self.identifier)
        code = ctypes.create_string_buffer(program, len(program))
        attached = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, attached)

    @property
    def steps(self) -> int:
        """How often the wall clock was seen to be set."""
        return self._clock.steps

    @property
    def capacity(self) -> int:
        """How many answers wait in the receive buffer before one is lost, by the kernel's count."""
        return self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // _ACCOUNTED

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def send(self, packet: bytes, address: tuple[Any, ...], ancillary: Ancillary) -> None:
        """Raises OSError as sendto(2)."""
        if ancillary:
            self._socket.sendmsg((packet,), ancillary, 0, address)
        else:
            self._socket.sendto(packet, address)

    def drain(self, sink: Sink) -> None:
        """Tell of all that has come, up to a bound."""
        timed = self._synchronise()
        if self._batch:
            self._batch.drain(sink, self._clock.ahead, timed)
            return
        for call in (self._receive, self._receive_error):
            for _ in range(DRAIN):
                try:
                    call(sink, timed)
                except BlockingIOError:
                    break
                except OSError:
                    continue  # told once of an earlier packet; the error queue knows of which

    def _synchronise(self) -> bool:
        """Before each batch, so that a step of the wall clock spoils no measurement unremarked."""
        for _ in range(8):
            before = time.monotonic_ns()
            wall = time.time_ns()
            after = time.monotonic_ns()
            if after - before < 10_000:  # else we were interrupted in between
                break
        return self._clock.look(before, wall, after)

    def _receive(self, sink: Sink, timed: bool) -> None:
        data, ancillary, _, source = self._socket.recvmsg(_MESSAGE, _ANCILLARY)
        at, hop_limit = self._ancillary(ancillary, timed)
        message = icmppacket.parse(self.family, data)
        if not isinstance(message, Echo) or message.identifier != self.identifier:
            sink.stray()
            return
        scope = source[3] if len(source) > 3 else 0
        packed = packed_source(self.family, source[0], scope)
        if len(message.payload) < MARK.size:
            sink.stray()
        else:
            index, nonce = MARK.unpack_from(message.payload)
            sink.answer(index, nonce, packed, at, hop_limit)

    def _receive_error(self, sink: Sink, timed: bool) -> None:
        """The next of the errors that the kernel has matched to this datagram socket."""
        data, ancillary, _, source = self._socket.recvmsg(_MESSAGE, _ANCILLARY, socket.MSG_ERRQUEUE)
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
            offender = _offender(value[_EXTENDED_ERROR.size :])
            sink.error(self.family, Quoted(echo, destination, type_, code), offender)
            return
        sink.stray()

    def _ancillary(self, ancillary: Ancillary, timed: bool) -> tuple[int | None, int | None]:
        at: int | None = None
        hop_limit: int | None = None
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS and timed:
                seconds, nanoseconds = _TIMESPEC.unpack_from(value)
                at = seconds * 1_000_000_000 + nanoseconds - self._clock.ahead
            elif (level, kind) in (
                (socket.IPPROTO_IP, IP_TTL),
                (socket.IPPROTO_IPV6, IPV6_HOPLIMIT),
            ):
                hop_limit = int.from_bytes(value[:4], sys.byteorder)
        return at, hop_limit


def packed_source(family: AddressFamily, address: str, scope: int) -> bytes:
    """An address as it stands in a sockaddr: of IPv6 with the scope behind."""
    packed = socket.inet_pton(AF[family], address.partition("%")[0])
    return packed + scope.to_bytes(4, sys.byteorder) if family == "ipv6" else packed


def send_ancillary(
    family: AddressFamily, dscp: int = 0, hop_limit: int = 0, source: str = "", device: str = ""
) -> Ancillary:
    """Control messages for one packet: DSCP, hop limit, source address and device (none where 0 or
    empty); raises OSError for a device that is not there."""
    index = socket.if_nametoindex(device) if device else 0
    v4 = family == "ipv4"
    level = socket.IPPROTO_IP if v4 else socket.IPPROTO_IPV6
    made: Ancillary = []
    if dscp:
        made.append((level, IP_TOS if v4 else IPV6_TCLASS, _WORD.pack(dscp << 2)))
    if hop_limit:
        made.append((level, IP_TTL if v4 else IPV6_HOPLIMIT, _WORD.pack(hop_limit)))
    if source or index:
        own = socket.inet_pton(AF[family], source or ("0.0.0.0" if v4 else "::"))  # noqa: S104
        place = _WORD.pack(index)
        info = (IP_PKTINFO, place + own + bytes(4)) if v4 else (IPV6_PKTINFO, own + place)
        made.append((level, *info))
    return made


def _offender(sockaddr: bytes) -> bytes:
    """The address in a struct sockaddr_in or sockaddr_in6, empty where there is none."""
    family = int.from_bytes(sockaddr[:2], sys.byteorder)
    if family == socket.AF_INET and len(sockaddr) >= 8:
        return sockaddr[4:8]
    if family == socket.AF_INET6 and len(sockaddr) >= 24:
        return sockaddr[8:24]
    return b""
