"""ICMP echo messages and the errors about them: bytes to tuples and back, pure.

Formats: RFC 792, RFC 1122 3.2.2.1, RFC 1812 5.2.7.1 (ICMP), RFC 4443 (ICMPv6). What is not such a
message, is cut short or has a wrong checksum is None, never an error: anybody can send it.
"""

from __future__ import annotations

import struct
from typing import Final, Literal, NamedTuple, Protocol

from collectors.model import AddressFamily, Reason

SocketMode = Literal["", "raw", "datagram"]

REQUEST: Final[dict[AddressFamily, int]] = {"ipv4": 8, "ipv6": 128}
REPLY: Final[dict[AddressFamily, int]] = {"ipv4": 0, "ipv6": 129}
# Unreachable and time exceeded.
ERRORS: Final[dict[AddressFamily, tuple[int, int]]] = {"ipv4": (3, 11), "ipv6": (1, 3)}

HEADER = struct.Struct("=BBHHH")
# What our payloads begin with, in the byte order of this machine: an index and a nonce.
MARK = struct.Struct("=IQ")
# The head of an echo message and the mark. A checksum may be summed in either byte order (RFC 1071).
HEAD = struct.Struct("=BBHHHIQ")
_ICMP: Final[dict[AddressFamily, int]] = {"ipv4": 1, "ipv6": 58}
_IPV6_HEADER = 40

_UNREACHABLE_IPV4: Final[dict[int, Reason]] = {
    **dict.fromkeys((0, 6, 11), "unreachable_network"),
    **dict.fromkeys((1, 7, 8, 12), "unreachable_host"),
    **dict.fromkeys((2, 3), "unreachable_port"),
    **dict.fromkeys((9, 10, 13, 14, 15), "unreachable_admin"),
}
_UNREACHABLE_IPV6: Final[dict[int, Reason]] = {
    **dict.fromkeys((0, 2), "unreachable_network"),
    3: "unreachable_host",
    4: "unreachable_port",
    **dict.fromkeys((1, 5, 6), "unreachable_admin"),
}


class Echo(NamedTuple):
    """An echo reply, or the request that an error quotes (then the payload may be cut short).

    Identifier and sequence are in the byte order of this machine, as we write them.
    """

    identifier: int
    sequence: int
    payload: bytes


class Quoted(NamedTuple):
    """An ICMP error: the request it quotes, where that was sent, and what the error says."""

    echo: Echo
    destination: bytes
    type: int
    code: int


class Sink(Protocol):
    """Who is told what came. Addresses are packed, of IPv6 with the scope behind (sockaddr_in6)."""

    def answer(
        self, index: int, nonce: int, source: bytes, at: int | None, hop_limit: int | None
    ) -> None:
        """An echo reply; `at` nanoseconds by the monotonic clock, None where nobody knows."""
        ...

    def error(self, family: AddressFamily, quoted: Quoted, offender: bytes) -> None:
        """An ICMP error, and who sent it."""
        ...

    def stray(self) -> None:
        """Something that is none of ours."""
        ...


def ip_payload(packet: bytes) -> bytes:
    """The ICMP message in an IPv4 packet, as a raw socket gives it; empty where there is none."""
    length = header_length(packet)
    return packet[length:] if length else b""


def parse(family: AddressFamily, message: bytes) -> Echo | Quoted | None:
    """A whole ICMP message; raw IPv4 sockets get it before its checksum has been looked at."""
    if len(message) < HEADER.size:
        return None
    if family == "ipv4" and number(message) % 0xFFFF:
        return None
    kind, code, _, identifier, sequence = HEADER.unpack_from(message)
    if kind == REPLY[family]:
        return Echo(identifier, sequence, message[HEADER.size :]) if code == 0 else None
    if kind in ERRORS[family]:
        return _quoted(family, kind, code, message[HEADER.size :])
    return None


def quoted_echo(family: AddressFamily, message: bytes) -> Echo | None:
    """The echo request that an error quotes."""
    if len(message) < HEADER.size:
        return None
    kind, _, _, identifier, sequence = HEADER.unpack_from(message)
    return Echo(identifier, sequence, message[HEADER.size :]) if kind == REQUEST[family] else None


def reason(family: AddressFamily, kind: int, code: int) -> Reason:
    """What an ICMP error means."""
    unreachable, exceeded = ERRORS[family]
    if kind == exceeded:
        return "ttl_exceeded" if code == 0 else "error"
    if kind != unreachable:
        return "error"
    table = _UNREACHABLE_IPV4 if family == "ipv4" else _UNREACHABLE_IPV6
    return table.get(code, "error")


def _quoted(family: AddressFamily, kind: int, code: int, packet: bytes) -> Quoted | None:
    if family == "ipv4":
        length = header_length(packet)
        if not length or packet[9] != _ICMP[family]:
            return None
        destination = packet[16:20]
    else:
        length = _IPV6_HEADER
        if len(packet) < length or packet[0] >> 4 != 6 or packet[6] != _ICMP[family]:
            return None
        destination = packet[24:40]
    echo = quoted_echo(family, packet[length:])
    return Quoted(echo, destination, kind, code) if echo else None


def header_length(packet: bytes) -> int:
    """Length of an IPv4 header, 0 where there is none."""
    if len(packet) < 20 or packet[0] >> 4 != 4:
        return 0
    length = (packet[0] & 15) * 4
    return length if 20 <= length <= len(packet) else 0


def number(message: bytes) -> int:
    """The message as one number of 16-bit words: modulo 0xffff it is their ones' complement sum."""
    return int.from_bytes(message, "big") << 8 * (len(message) & 1)
