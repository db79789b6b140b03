"""IPv6 packets that make others send ICMPv6, and which answer is about which packet. Pure.

RFC 8200 (extension headers), RFC 4443 (ICMPv6), RFC 8754 (segment routing header), RFC 4727 (values
for experiments). Each packet ends with bytes drawn at random, and an answer counts only where it
brings all of it back: errors quote as much as fits (RFC 4443, 2.4), and ours are small.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Sequence
from typing import Final, NamedTuple

HEADER: Final = 40
HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION = 0, 43, 44, 60
UDP, ICMPV6, NOTHING, EXPERIMENT = 17, 58, 59, 253
UNREACHABLE, TOO_BIG, EXCEEDED, PROBLEM = 1, 2, 3, 4
ECHO, REPLY = 128, 129
ANSWERS: Final = (UNREACHABLE, TOO_BIG, EXCEEDED, PROBLEM, REPLY)
NONCE: Final = 16
# The two high bits are 10: who does not know the option discards the packet and says so.
_REPORTED_OPTION = 0x9E
_PADDING = 1
_SEGMENTS = 4  # the routing type


class Heard(NamedTuple):
    """An ICMPv6 message about one of our packets. `source` is who sent it."""

    type: int
    code: int
    source: str


class Asked(NamedTuple):
    """What is sent to ask one thing, `packets` as they are on the wire, and what tells its answers.

    `echo` is the identifier, the sequence number and the data that a reply brings back.
    """

    packets: tuple[bytes, ...]
    echo: bytes = b""


class Maker:
    """Packets from one address to another one."""

    def __init__(self, source: str, destination: str) -> None:
        self._source = ipaddress.IPv6Address(source.partition("%")[0]).packed
        self._destination = ipaddress.IPv6Address(destination.partition("%")[0]).packed

    def echo(self, nonce: bytes) -> Asked:
        """A plain echo request; the first four bytes of the nonce are identifier and sequence."""
        return Asked((self._packet(ICMPV6, self._request(nonce)),), nonce)

    def datagram(self, port: int, nonce: bytes) -> Asked:
        """UDP to a port where nobody should listen."""
        head = struct.pack("!HHHH", 61000 + nonce[0], port, 8 + len(nonce), 0)
        checksum = self._checksum(UDP, head + nonce) or 0xFFFF
        return Asked((self._packet(UDP, head[:6] + checksum.to_bytes(2, "big") + nonce),))

    def unknown_header(self, nonce: bytes) -> Asked:
        """A next header that no node may know."""
        return Asked((self._packet(EXPERIMENT, nonce),))

    def unknown_option(self, nonce: bytes) -> Asked:
        """A destination option that must be reported, before an echo request and before nothing: who
        filters echoes may still take the other one."""
        packets = (
            self._packet(DESTINATION, bytes((header, 0, _REPORTED_OPTION, 4, 0, 0, 0, 0)) + rest)
            for header, rest in ((ICMPV6, self._request(nonce)), (NOTHING, nonce))
        )
        return Asked(tuple(packets), nonce)

    def padded(self, header: int, nonce: bytes) -> Asked:
        """An echo request behind destination or hop-by-hop options that mean nothing."""
        options = bytes((ICMPV6, 0, _PADDING, 4, 0, 0, 0, 0))
        return Asked((self._packet(header, options + self._request(nonce)),), nonce)

    def fragments(self, pieces: int, nonce: bytes) -> Asked:
        """An echo request in one fragment (which is atomic, RFC 6946) or in two."""
        request = self._request(nonce)
        cut = len(request) if pieces == 1 else 16  # a multiple of 8
        parts = [request[:cut], request[cut:]][:pieces]
        packets = []
        for number, part in enumerate(parts):
            word = (number * cut) | (number < len(parts) - 1)
            packets.append(
                self._packet(FRAGMENT, struct.pack("!BBH4s", ICMPV6, 0, word, nonce[:4]) + part)
            )
        return Asked(tuple(packets), nonce)

    def segments(self, nonce: bytes) -> Asked:
        """An echo request behind a segment routing header whose last segment is already reached."""
        head = struct.pack("!BBBBBBH", ICMPV6, 2, _SEGMENTS, 0, 0, 0, 0) + self._destination
        # the header's own length is that of its 16-byte segment, in units of 8
        return Asked((self._packet(ROUTING, head + self._request(nonce)),), nonce)

    def _request(self, nonce: bytes) -> bytes:
        head = bytes((ECHO, 0, 0, 0))
        checksum = self._checksum(ICMPV6, head + nonce)
        return head[:2] + checksum.to_bytes(2, "big") + nonce

    def _checksum(self, protocol: int, content: bytes) -> int:
        return checksum(self._source, self._destination, protocol, content)

    def _packet(self, header: int, content: bytes) -> bytes:
        first = struct.pack("!IHBB", 6 << 28, len(content), header, 64)
        return first + self._source + self._destination + content


def checksum(source: bytes, destination: bytes, protocol: int, content: bytes) -> int:
    """The checksum of an upper layer (RFC 8200, 8.1); 0 of content that holds its own right one."""
    pseudo = source + destination + struct.pack("!II", len(content), protocol)
    data = pseudo + content + b"\0" * (len(content) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def heard(asked: Sequence[Asked], source: str, message: bytes) -> tuple[int, Heard] | None:
    """Which question an ICMPv6 message answers, and how; None where it answers none."""
    if len(message) < 8:
        return None
    what = Heard(message[0], message[1], source.partition("%")[0])
    if message[0] == REPLY:
        for number, one in enumerate(asked):
            if one.echo and message[1] == 0 and message[4:] == one.echo:
                return number, what
        return None
    if message[0] not in ANSWERS:
        return None
    for number, one in enumerate(asked):
        if any(_quotes(message[8:], packet) for packet in one.packets):
            return number, what
    return None


def _quotes(quoted: bytes, packet: bytes) -> bool:
    """Whether an error quotes a packet, of which routers may have changed the class of traffic, the
    flow label and the hop limit."""
    return (
        len(quoted) >= len(packet)
        and quoted[0] >> 4 == 6
        and quoted[4:7] == packet[4:7]
        and quoted[8 : len(packet)] == packet[8:]
    )
