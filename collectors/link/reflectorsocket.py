"""The socket of a reflector: what came with when, how far and for which of our addresses, and an
answer from that address in the same traffic class.

Formats: ip(7), ipv6(7) and RFC 3542 sections 4 to 6 (ancillary data), SO_TIMESTAMPNS.
"""

from __future__ import annotations

import ipaddress
import socket
import struct
import sys
import time
from typing import Any, Final, NamedTuple

SO_TIMESTAMPNS = 35
IP_TOS, IP_TTL, IP_PKTINFO, IP_RECVTTL, IP_RECVTOS = 1, 2, 8, 12, 13
IPV6_UNICAST_HOPS, IPV6_RECVPKTINFO, IPV6_PKTINFO = 16, 49, 50
IPV6_RECVHOPLIMIT, IPV6_HOPLIMIT, IPV6_RECVTCLASS, IPV6_TCLASS = 51, 52, 66, 67
_TIMESPEC = struct.Struct("@ll")
_PKTINFO: Final = struct.Struct("@i4s4s")  # struct in_pktinfo: index, our address, the header's
_HOPS = 255  # so that a sender can count them
_DATAGRAM, _ANCILLARY = 65535, 512
_DSCP = 0xFC  # of the traffic class; the rest is ECN, which is not ours to repeat

Ancillary = tuple[int, int, bytes]


class Arrived(NamedTuple):
    """A datagram, when by the kernel's wall clock (ns), its hop limit, and what goes with an
    answer so that it leaves from the address that was asked. `broadcast`: it was none of ours."""

    data: bytes
    source: tuple[Any, ...]
    at: int
    ttl: int | None
    ancillary: tuple[Ancillary, ...]
    broadcast: bool


def parse_listen(entry: str) -> tuple[str, int]:
    """`address:port` or `[address]:port`; ValueError says what is wrong."""
    host, _, port = entry.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    text = host[1:-1] if bracketed else host
    try:
        address = ipaddress.ip_address(text)
    except ValueError as error:
        raise ValueError(f"{entry!r} is no address to listen on: {error}") from error
    if bracketed != (address.version == 6) or not port.isdecimal() or int(port) > 65535:
        raise ValueError(f"{entry!r} is not written address:port or [address]:port")
    return str(address), int(port)


class ReflectorSocket:
    """Non-blocking; raises OSError where the address is not to be had."""

    def __init__(self, host: str, port: int) -> None:
        v6 = ":" in host
        self._socket = socket.socket(socket.AF_INET6 if v6 else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            self._socket.setblocking(False)
            self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            level = socket.IPPROTO_IPV6 if v6 else socket.IPPROTO_IP
            options = [(IP_PKTINFO, 1), (IP_RECVTTL, 1), (IP_RECVTOS, 1), (IP_TTL, _HOPS)]
            if v6:
                options = [
                    (socket.IPV6_V6ONLY, 1),
                    (IPV6_RECVPKTINFO, 1),
                    (IPV6_RECVHOPLIMIT, 1),
                    (IPV6_RECVTCLASS, 1),
                    (IPV6_UNICAST_HOPS, _HOPS),
                ]
            for option, value in options:
                self._socket.setsockopt(level, option, value)
            found = socket.getaddrinfo(host, port, flags=socket.AI_NUMERICHOST)
            self._socket.bind(found[0][4])
            self.address: tuple[str, int] = (host, self._socket.getsockname()[1])
        except BaseException:
            self._socket.close()
            raise

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def receive(self) -> Arrived:
        """Raises BlockingIOError where nothing is there, and OSError."""
        data, ancillary, _, source = self._socket.recvmsg(_DATAGRAM, _ANCILLARY)
        at = time.time_ns()
        ttl: int | None = None
        back: list[Ancillary] = []
        broadcast = False
        for level, kind, value in ancillary:
            if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                seconds, nanoseconds = _TIMESPEC.unpack_from(value)
                at = seconds * 1_000_000_000 + nanoseconds
            elif (level, kind) in (
                (socket.IPPROTO_IP, IP_TTL),
                (socket.IPPROTO_IPV6, IPV6_HOPLIMIT),
            ):
                ttl = int.from_bytes(value[:4], sys.byteorder)
            elif (level, kind) == (socket.IPPROTO_IP, IP_TOS):
                back.append((level, kind, struct.pack("@i", value[0] & _DSCP)))
            elif (level, kind) == (socket.IPPROTO_IPV6, IPV6_TCLASS):
                number = int.from_bytes(value[:4], sys.byteorder)
                back.append((level, kind, struct.pack("@i", number & _DSCP)))
            elif (level, kind) == (socket.IPPROTO_IP, IP_PKTINFO):
                _, ours, asked = _PKTINFO.unpack_from(value)
                broadcast = ours != asked
                back.append((level, kind, _PKTINFO.pack(0, ours, bytes(4))))
            elif (level, kind) == (socket.IPPROTO_IPV6, IPV6_PKTINFO):
                broadcast = value[0] == 0xFF
                back.append((level, kind, value))
        return Arrived(data, source, at, ttl, tuple(back), broadcast)

    def answer(self, packet: bytes, to: Arrived) -> None:
        """Raises OSError where it cannot be sent."""
        self._socket.sendmsg([packet], to.ancillary, 0, to.source)
