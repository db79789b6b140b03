"""Packets of traces are what scapy would build, and of one flow; answers must match to the bit."""

from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link.hopnames import harmless
from collectors.link.icmppacket import ip_payload
from collectors.link.path import Method
from collectors.link.pathpackets import (
    HEADERS,
    Answer,
    Flow,
    key,
    parse_icmp,
    parse_tcp,
)
from collectors.model import AddressFamily

ADDRESSES: dict[AddressFamily, tuple[str, str]] = {
    "ipv4": ("192.0.2.1", "198.51.100.7"),
    "ipv6": ("2001:db8::1", "2001:db8:9::7"),
}
METHODS: tuple[Method, ...] = ("icmp", "udp", "tcp")
FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")
every = pytest.mark.parametrize("family", FAMILIES)
by_all = pytest.mark.parametrize("method", METHODS)


def flow(method: Method, family: AddressFamily, number: int = 0, seed: bytes = b"s") -> Flow:
    return Flow(method, family, *ADDRESSES[family], seed=seed, number=number, indexes=90)


def checksum(family: AddressFamily, packet: bytes, protocol: int) -> int:
    """The ones' complement sum over the transport part: 0xffff where its checksum is right."""
    upper = packet[HEADERS[family] :]
    pseudo = b""
    if protocol != 1:
        own, other = (ipaddress.ip_address(a).packed for a in ADDRESSES[family])
        pseudo = own + other + struct.pack("!II", len(upper), protocol)
    data = pseudo + upper + b"\0" * (len(upper) % 2)
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


@by_all
@every
def test_packets_are_valid_and_of_one_flow(method: Method, family: AddressFamily) -> None:
    from scapy.layers.inet import ICMP, IP, TCP, UDP
    from scapy.layers.inet6 import ICMPv6EchoRequest, IPv6

    one = flow(method, family)
    flows = set()
    packets = [one.packet(index, index % 30 + 1) for index in range(90)]
    assert len({len(packet) for packet in packets}) == 1
    assert len(set(packets)) == 90
    for index, packet in enumerate(packets):
        assert checksum(family, packet, one.protocol) == 0xFFFF
        ip = IP(packet) if family == "ipv4" else IPv6(packet)
        assert (ip.ttl if family == "ipv4" else ip.hlim) == index % 30 + 1
        assert (ip.src, ip.dst) == ADDRESSES[family]
        label = ip.fl if family == "ipv6" else ip.tos
        if method == "icmp":
            echo = ip[ICMP if family == "ipv4" else ICMPv6EchoRequest]
            upper: tuple[int, ...] = (
                echo.type,
                echo.code,
                echo.id,
                getattr(echo, "chksum", 0) or echo.cksum,
            )
        else:
            layer = ip[UDP if method == "udp" else TCP]
            upper = (layer.sport, layer.dport)
        flows.add((label, *upper))
    assert len(flows) == 1
    assert flow(method, family, seed=b"t").identifier != one.identifier


@by_all
@every
def test_the_next_trace_has_the_same_flow_and_others_another(
    method: Method, family: AddressFamily
) -> None:
    one, again = flow(method, family), flow(method, family)
    assert (one.identifier, one.label) == (again.identifier, again.label)
    assert one.packet(0, 1) != again.packet(0, 1)  # but it cannot be foreseen
    assert len({flow(method, family, number).identifier for number in range(8)}) == 8


def error(family: AddressFamily, packet: bytes, kind: int, code: int = 0, quote: int = 0) -> bytes:
    """An ICMP error about a packet, of which it quotes `quote` bytes beyond the IP header."""
    quoted = packet[: HEADERS[family] + quote] if quote else packet
    message = struct.pack("!BBHI", kind, code, 0, 0) + quoted
    if family == "ipv6":
        return message
    number = int.from_bytes(message, "big") << 8 * (len(message) & 1)
    return struct.pack("!BBHI", kind, code, -number % 0xFFFF, 0) + quoted


@by_all
@every
@pytest.mark.parametrize("quote", [8, 12, 28, 0])
def test_errors_about_our_packets_are_matched(
    method: Method, family: AddressFamily, quote: int
) -> None:
    one = flow(method, family)
    source = ipaddress.ip_address(ADDRESSES[family][0]).packed
    exceeded = 11 if family == "ipv4" else 3
    for index in (0, 1, 89):
        message = error(family, one.packet(index, 1), exceeded, quote=quote)
        answer = parse_icmp(family, source, message)
        assert answer is not None
        assert answer.kind == "exceeded"
        assert one.index(answer) == index
        peer = ipaddress.ip_address(ADDRESSES[family][1]).packed
        assert key(family, answer) == (family, one.protocol, peer, one.identifier)


@by_all
@every
@given(st.data())
def test_a_changed_quote_is_not_taken_for_another_packet(
    method: Method, family: AddressFamily, data: st.DataObject
) -> None:
    """Whoever does not know the ports, the checksum, the nonce and the base gets nothing counted."""
    one = flow(method, family)
    packet = bytearray(one.packet(3, 1))
    at = data.draw(st.integers(HEADERS[family], HEADERS[family] + 7))
    packet[at] ^= data.draw(st.integers(1, 255))
    exceeded = 11 if family == "ipv4" else 3
    answer = parse_icmp(family, b"", error(family, bytes(packet), exceeded, quote=8))
    assert answer is not None
    counting = {"icmp": (6, 7), "udp": (6, 7), "tcp": (4, 5, 6, 7)}[method]
    index = one.index(answer)
    if at - HEADERS[family] in counting:
        assert index != 3
    else:
        assert index is None


@every
def test_a_wrong_nonce_is_not_taken(family: AddressFamily) -> None:
    one = flow("icmp", family)
    packet = bytearray(one.packet(0, 1))
    packet[HEADERS[family] + 8] ^= 1
    answer = parse_icmp(family, b"", error(family, bytes(packet), 11 if family == "ipv4" else 3))
    assert answer is not None
    assert one.index(answer) is None
    head = packet[HEADERS[family] :]
    reply = Answer("reply", one.protocol, b"", bytes(head))
    assert one.index(reply) is None


@given(st.binary(max_size=200))
def test_any_bytes_parse_to_nothing_or_an_answer(data: bytes) -> None:
    """Whatever comes raises nothing, nor does asking every flow about it."""
    flows = [flow(method, family) for family in FAMILIES for method in METHODS]
    for family in FAMILIES:
        message = ip_payload(data) if family == "ipv4" else data
        for found in (
            parse_icmp(family, b"", message or b""),
            parse_tcp(b"", message or b""),
        ):
            if found:
                key(family, found)
                for one in flows:
                    index = one.index(found)
                    assert index is None or 0 <= index < 90


@every
@given(
    st.sampled_from([0, 3, 11, 1, 2, 129]),
    st.integers(0, 255),
    st.binary(max_size=120),
    st.integers(0, 60),
)
def test_made_up_errors_match_nothing(
    family: AddressFamily, kind: int, code: int, tail: bytes, cut: int
) -> None:
    """Well-formed up to the quoted header, and made up from there."""
    one = flow("icmp", family)
    quoted = one.packet(0, 1)[: HEADERS[family]] + tail
    message = error(family, quoted[: len(quoted) - cut], kind, code)
    found = parse_icmp(family, b"\x01" * 4, message)
    if found:
        assert one.index(found) is None


def test_names_of_hops_are_harmless() -> None:
    assert harmless("r1.example.net") == "r1.example.net"
    assert harmless("\x1b[2Jevil\u202e\n") == "??2Jevil??"
    assert len(harmless("a" * 1000)) == 253
