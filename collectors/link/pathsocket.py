"""The sockets of traces: whole packets out, ICMP and TCP answers in, with the kernel's receive time.

Raw sockets (CAP_NET_RAW), set up so that only the device's MTU limits what they send: no path MTU that
the kernel has cached makes it cut or refuse a packet. Formats: raw(7), ip(7), ipv6(7), RFC 3542 section 3, linux/icmp.h,
linux/filter.h, netdevice(7).
"""

from __future__ import annotations

import array
import ctypes
import errno
import fcntl
import ipaddress
import socket
import struct
import sys
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

from collectors.link.icmppacket import ip_payload
from collectors.link.pathpackets import TYPES, Answer, parse_icmp, parse_tcp
from collectors.link.resolve import AF
from collectors.model import AddressFamily, Target

_SO_ATTACH_FILTER, _SO_RCVBUFFORCE, _SO_TIMESTAMPNS = 26, 33, 35
_SOL_RAW, _ICMP_FILTER, _ICMPV6_FILTER = 255, 1, 1
_IP_MTU_DISCOVER, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE, _PMTUDISC_INTERFACE = 10, 23, 3, 4
_SIOCGIFMTU = 0x8921
_BUFFER = 4 << 20
_MESSAGE = 65536  # echo replies come back as large as they were sent
_ANCILLARY = 256
_TIMESPEC = struct.Struct("@ll")
DRAIN = 1024  # messages in one go, lest a flood keep us from sending

# Classic BPF on the flags of TCP: pass SYN with ACK, and RST, of all that this machine receives. A
# raw IPv4 socket sees the IP header, whose length goes to X; a raw IPv6 socket does not.
_LDX_IMM, _LDX_MSH, _LDB_IND, _JSET, _RET = 0x01, 0xB1, 0x50, 0x45, 0x06
_TCP_FILTER = (
    (_LDB_IND, 0, 0, 13),
    (_JSET, 3, 0, 0x04),
    (_JSET, 0, 3, 0x02),
    (_JSET, 0, 2, 0x10),
    (_RET, 0, 0, _MESSAGE),
    (_RET, 0, 0, _MESSAGE),
    (_RET, 0, 0, 0),
)


class Received(NamedTuple):
    """What came (None: nothing of ours), from where, and when by the monotonic clock in ns."""

    answer: Answer | None
    source: tuple[str, int]
    at: int


class Place(NamedTuple):
    """Where packets to a target go: our own address, and the target's for sendto(2)."""

    source: str
    destination: tuple[Any, ...]


class PathSocket:
    """Sends to and hears of all targets of one family. Raises OSError where it may not be opened."""

    def __init__(self, family: AddressFamily, tcp: bool) -> None:
        self.family = family
        self._skew = 0
        self._opened: list[socket.socket] = []
        v4 = family == "ipv4"
        try:
            self._out = self._open(socket.IPPROTO_RAW)  # never receives
            if v4:
                self._out.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
            else:
                self._out.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_PROBE)
            icmp = self._open(socket.IPPROTO_ICMP if v4 else socket.IPPROTO_ICMPV6)
            _filter_icmp(family, icmp)
            if v4:  # else each "fragmentation needed" would be kept as the kernel's own knowledge
                icmp.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_INTERFACE)
            self.inputs = [icmp]
            if tcp:
                self.inputs.append(self._open(socket.IPPROTO_TCP))
                _filter_tcp(family, self.inputs[1])
        except BaseException:
            self.close()
            raise

    def _open(self, protocol: int) -> socket.socket:
        opened = socket.socket(AF[self.family], socket.SOCK_RAW, protocol)
        self._opened.append(opened)
        opened.setblocking(False)
        if protocol != socket.IPPROTO_RAW:
            opened.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
            try:
                opened.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _BUFFER)
            except PermissionError:
                opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER)
        return opened

    def close(self) -> None:
        for opened in self._opened:
            opened.close()

    def send(self, packet: bytes, place: Place) -> None:
        """Raises OSError as sendto(2)."""
        self._out.sendto(packet, place.destination)

    def drain(self) -> Iterator[Received]:
        """All that has come, up to a bound."""
        self._synchronise()
        for number, opened in enumerate(self.inputs):
            for _ in range(DRAIN):
                try:
                    data, ancillary, _, source = opened.recvmsg(_MESSAGE, _ANCILLARY)
                except BlockingIOError:
                    break
                where = (str(source[0]).partition("%")[0], source[3] if len(source) > 3 else 0)
                yield Received(
                    self._parse(data, where[0], tcp=number == 1), where, self._at(ancillary)
                )

    def _parse(self, data: bytes, source: str, tcp: bool) -> Answer | None:
        message = ip_payload(data) if self.family == "ipv4" else data
        packed = socket.inet_pton(AF[self.family], source)
        return parse_tcp(packed, message) if tcp else parse_icmp(self.family, packed, message)

    def _synchronise(self) -> None:
        """How far the wall clock, which stamps packets, is ahead of the monotonic one: looked at
        before each batch, so that a step of the wall clock spoils no measurement."""
        for _ in range(8):
            before = time.monotonic_ns()
            wall = time.time_ns()
            after = time.monotonic_ns()
            self._skew = wall - (before + after) // 2
            if after - before < 10_000:  # else we were interrupted in between
                return

    def _at(self, ancillary: list[tuple[int, int, bytes]]) -> int:
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(value)
                return int(seconds * 1_000_000_000 + nanoseconds - self._skew)
        return time.monotonic_ns()


def _filter_icmp(family: AddressFamily, opened: socket.socket) -> None:
    """Both filters name the types that are blocked."""
    if family == "ipv4":
        blocked = 0xFFFFFFFF & ~sum(1 << kind for kind in TYPES[family])
        opened.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("@I", blocked))
        return
    words = [0xFFFFFFFF] * 8
    for kind in TYPES[family]:
        words[kind >> 5] &= ~(1 << (kind & 31))
    opened.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, struct.pack("@8I", *words))


def _filter_tcp(family: AddressFamily, opened: socket.socket) -> None:
    first = (_LDX_MSH if family == "ipv4" else _LDX_IMM, 0, 0, 0)
    program = b"".join(struct.pack("@HBBI", *one) for one in (first, *_TCP_FILTER))
    buffer = ctypes.create_string_buffer(program)
    described = struct.pack("@HP", len(program) // 8, ctypes.addressof(buffer))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


def locate(target: Target) -> Place:
    """Our own address towards a target, as the kernel's routes have it; raises OSError."""
    device = target.address.partition("%")[2]
    try:
        rows = socket.getaddrinfo(
            *(target.address, 0, AF[target.family], socket.SOCK_DGRAM, 0, socket.AI_NUMERICHOST)
        )
    except socket.gaierror as error:
        if device:
            raise OSError(errno.ENODEV, f"no device {device}") from error
        raise
    text, _, *rest = rows[0][4]
    text = str(text).partition("%")[0]
    if target.family == "ipv6" and ipaddress.ip_address(text).is_link_local and not rest[1]:
        raise OSError(errno.ENODEV, "a link-local address needs its %device")
    with socket.socket(AF[target.family], socket.SOCK_DGRAM) as asking:
        asking.connect((text, 9, *rest))  # sends nothing
        own = str(asking.getsockname()[0]).partition("%")[0]
    return Place(own, (text, 0, *rest))


def reserve(family: AddressFamily, tcp: bool, port: int) -> socket.socket:
    """A port that nobody else gets while the socket is open; raises OSError where somebody has it.

    Nothing listens there: the kernel itself resets what a target opens.
    """
    kind = socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM
    opened = socket.socket(AF[family], kind)
    try:
        # ours may share it: they go to different targets
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(("" if family == "ipv4" else "::", port))
    except BaseException:
        opened.close()
        raise
    return opened


def device_mtus() -> list[int]:
    """The MTUs of all devices, largest first."""
    found = {device_mtu(name) for _, name in socket.if_nameindex()}
    return sorted(found - {0}, reverse=True)


def device_mtu(name: str) -> int:
    """The MTU of a device, 0 where there is none of that name."""
    request = array.array("B", struct.pack("@16s24x", name.encode()))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asking:
        try:
            fcntl.ioctl(asking.fileno(), _SIOCGIFMTU, request)
        except OSError:  # it has just gone
            return 0
    return int.from_bytes(request[16:20].tobytes(), sys.byteorder)
