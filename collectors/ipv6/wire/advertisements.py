"""Router advertisements and answers of DHCPv6 servers, as packets. Pure.

RFC 4861 (4.2, 4.6, 6.1.2), RFC 4191 (preference, routes), RFC 8106 (DNS), RFC 8781 (NAT64 prefix),
RFC 6980 and 7113 (in fragments they are attacks), RFC 8415 (DHCPv6), RFC 3646 (its DNS servers).
Anybody on the link can send them: what does not parse is a `Bad`, never an error.
"""

from __future__ import annotations

import ipaddress
import struct
from collections.abc import Iterator
from typing import Final, Literal

import msgspec

from collectors.ipv6.wire.asking import (
    DESTINATION,
    FRAGMENT,
    HEADER,
    HOP_BY_HOP,
    ICMPV6,
    ROUTING,
    UDP,
    checksum,
)

RA_TYPE: Final = 134
SERVER_PORT, CLIENT_PORT = 547, 546
ADVERTISE, REPLY = 2, 7

Kind = Literal["ra", "dhcpv6"]
Preference = Literal["", "low", "medium", "high"]
# forged: no host takes it, so that only who means harm sends it; malformed: anything else.
Problem = Literal["hop_limit", "source", "fragment", "malformed"]
FORGED: Final[frozenset[Problem]] = frozenset({"hop_limit", "source", "fragment"})

_PREFERENCES: Final[tuple[Preference, ...]] = ("medium", "high", "medium", "low")  # 10 is reserved
_MOST = 32  # of each list in one message
_CHAIN = 8  # extension headers
_IA_NA, _IA_TA, _IA_ADDRESS, _DNS, _IA_PD, _IA_PREFIX = 3, 4, 5, 23, 25, 26
_HEADS: Final = {_IA_NA: 12, _IA_TA: 4, _IA_PD: 12}  # bytes before the options within
_NAT64_LENGTHS: Final = (96, 64, 56, 48, 40, 32)  # RFC 8781, by the code


class Advertisement(msgspec.Struct, frozen=True):
    """One message. `lladdr` is the hardware address it names, `lifetime` that of a default router in
    seconds (0: it is none); prefixes of DHCPv6 are the addresses and prefixes it offers."""

    kind: Kind
    address: str
    lladdr: str = ""
    prefixes: tuple[str, ...] = ()
    preference: Preference = ""
    lifetime: int | None = None
    managed: bool = False
    other: bool = False
    mtu: int | None = None
    dns: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    nat64: tuple[str, ...] = ()


class Bad(msgspec.Struct, frozen=True):
    """A message that hosts must not take, and why."""

    problem: Problem
    kind: Kind
    address: str


def parse(packet: bytes) -> Advertisement | Bad | None:
    """An IPv6 packet from its header on; None where it is neither kind of message."""
    if len(packet) < HEADER or packet[0] >> 4 != 6:
        return None
    source = str(ipaddress.IPv6Address(packet[8:24]))
    end = HEADER + int.from_bytes(packet[4:6], "big")
    header, at, fragment = _upper(packet)
    cut = len(packet) < end
    upper = packet[at:end]
    if header == ICMPV6 and upper[:1] == bytes((RA_TYPE,)):
        if fragment:
            return Bad("fragment", "ra", source)
        if cut or checksum(packet[8:24], packet[24:40], ICMPV6, upper):
            return Bad("malformed", "ra", source)
        return _checked(packet, source) or _ra(upper, source)
    if header == UDP and not fragment and upper[:2] == SERVER_PORT.to_bytes(2, "big"):
        # the checksum may not be made yet: network cards do that
        return _dhcpv6(upper, source)
    if fragment and header in (ICMPV6, HOP_BY_HOP, ROUTING, DESTINATION) and not upper:
        # all that tells what it is has been moved to a later fragment, which hides it from switches
        return Bad("fragment", "ra", source) if packet[24] == 0xFF else None
    return None


def _upper(packet: bytes) -> tuple[int, int, bool]:
    """The first header that is no extension, where it is, and whether in a (first) fragment. Other
    fragments have no header at all."""
    header, at, fragment = packet[6], HEADER, False
    for _ in range(_CHAIN):
        if header not in (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION):
            break
        if len(packet) < at + 8:
            return header, len(packet), fragment
        following, length = packet[at], packet[at + 1]
        if header == FRAGMENT:
            if int.from_bytes(packet[at + 2 : at + 4], "big") >> 3:
                return -1, len(packet), True
            fragment, at = True, at + 8
        else:
            at += 8 + 8 * length
        header = following
    return header, at, fragment


def _checked(packet: bytes, source: str) -> Bad | None:
    """What a host looks at before anything else: nobody who is not on the link can send 255."""
    if packet[7] != 255:
        return Bad("hop_limit", "ra", source)
    if not ipaddress.IPv6Address(packet[8:24]).is_link_local:
        return Bad("source", "ra", source)
    return None


def _ra(message: bytes, source: str) -> Advertisement | Bad:
    bad = Bad("malformed", "ra", source)
    if len(message) < 16 or message[1] != 0:
        return bad
    flags, lifetime = struct.unpack_from("!BH", message, 5)
    lladdr, mtu = "", None
    prefixes: list[str] = []
    routes: list[str] = []
    dns: list[str] = []
    nat64: list[str] = []
    try:
        for kind, value in _options(message[16:]):
            if kind == 1:
                lladdr = lladdr or value[:6].hex(":")
            elif kind == 3:
                length, packed = value[0], value[14:30]
                prefixes.append(_network(packed, length))
            elif kind == 5:
                mtu = int(struct.unpack_from("!I", value, 2)[0])
            elif kind == 24:
                routes.append(_network(value[6:].ljust(16, b"\0"), value[0]))
            elif kind == 25:
                dns += _addresses(value[6:])
            elif kind == 38:
                scaled = value[1] & 7
                packed = value[2:14].ljust(16, b"\0")
                nat64.append(_network(packed, _NAT64_LENGTHS[scaled]))
    except (ValueError, IndexError, struct.error):
        return bad
    return Advertisement(
        *("ra", source, lladdr, _unique(prefixes), _PREFERENCES[flags >> 3 & 3], lifetime),
        managed=bool(flags & 0x80),
        other=bool(flags & 0x40),
        mtu=mtu,
        dns=_unique(dns),
        routes=_unique(routes),
        nat64=_unique(nat64),
    )


def _options(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Options of neighbour discovery, without type and length; raises ValueError."""
    at = 0
    while at < len(data):
        length = 8 * data[at + 1]
        if not length or at + length > len(data):
            raise ValueError("an option of no length, or beyond the end")
        yield data[at], data[at + 2 : at + length]
        at += length


def _dhcpv6(datagram: bytes, source: str) -> Advertisement | Bad | None:
    bad = Bad("malformed", "dhcpv6", source)
    if len(datagram) < 12:
        return bad
    length = int.from_bytes(datagram[4:6], "big")
    if not 12 <= length <= len(datagram):
        return bad
    if datagram[8] not in (ADVERTISE, REPLY):
        return None
    prefixes: list[str] = []
    dns: list[str] = []
    try:
        for code, value in _dhcp_options(datagram[12:length]):
            if code in _HEADS:
                prefixes += _offered(value[_HEADS[code] :])
            elif code == _DNS:
                dns += _addresses(value)
    except (ValueError, IndexError, struct.error):
        return bad
    return Advertisement("dhcpv6", source, prefixes=_unique(prefixes), dns=_unique(dns))


def _offered(options: bytes) -> Iterator[str]:
    for code, value in _dhcp_options(options):
        if code == _IA_ADDRESS:
            yield _network(value[:16], 128)
        elif code == _IA_PREFIX:
            yield _network(value[9:25], value[8])


def _dhcp_options(data: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(data):
        code, length = struct.unpack_from("!HH", data, at)
        if at + 4 + length > len(data):
            raise ValueError("an option beyond the end")
        yield code, data[at + 4 : at + 4 + length]
        at += 4 + length


def _network(packed: bytes, length: int) -> str:
    return str(ipaddress.IPv6Network((packed, length), strict=False))


def _addresses(data: bytes) -> list[str]:
    if len(data) % 16:
        raise ValueError("not whole addresses")
    return [str(ipaddress.IPv6Address(data[at : at + 16])) for at in range(0, len(data), 16)]


def _unique(found: list[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(found))[:_MOST]
