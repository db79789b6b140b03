"""Packets into the parser, and requests, without any network."""

from __future__ import annotations

import socket
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import icmppacket
from collectors.link.icmpflows import Flow, Flows
from collectors.link.icmppacket import Echo, Quoted
from collectors.model import AddressFamily, Target
from tests.collectors.echoes import IPV4, IPV6, request

FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")
families = st.sampled_from(FAMILIES)


def sum_is_right(message: bytes) -> bool:
    """RFC 1071, word by word."""
    message += b"\0" * (len(message) % 2)
    total: int = sum(word for (word,) in struct.iter_unpack("!H", message))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def ipv4_packet(message: bytes, options: int = 0, protocol: int = 1) -> bytes:
    words = 5 + options
    head = struct.pack(
        "!BBHHHBBH4s4s",
        *(0x40 | words, 0, 4 * words + len(message), 0, 0, 57, protocol, 0),
        *map(socket.inet_aton, ("198.51.100.1", IPV4)),
    )
    return head + bytes(4 * options) + message


def ipv6_packet(message: bytes, next_header: int = 58) -> bytes:
    addresses = b"".join(socket.inet_pton(socket.AF_INET6, a) for a in ("2001:db8::f", IPV6))
    return struct.pack("!IHBB", 6 << 28, len(message), next_header, 57) + addresses + message


def error(family: AddressFamily, kind: int, code: int, packet: bytes) -> bytes:
    """An ICMP error with a right checksum."""
    body = struct.pack("!BBHI", kind, code, 0, 0) + packet
    padded = body + b"\0" * (len(body) % 2)
    check = -int.from_bytes(padded, "big") % 0xFFFF
    return body[:2] + struct.pack("!H", check) + body[4:]


@given(st.integers(0, 0xFFFF), st.integers(12, 1400))
def test_requests_have_the_right_sum(identifier: int, payload: int) -> None:
    targets = [Target("a", IPV4, "ipv4"), Target("b", IPV6, "ipv6")]
    flows = Flows([Flow(target, payload) for target in targets], 1.0, 1.0)
    message = flows.request(identifier)
    assert sum_is_right(message)
    assert message[:2] == bytes([8, 0])
    assert message[4:6] == struct.pack("=H", identifier)
    assert len(message) == 8 + payload
    flows.was_sent(1)
    message = flows.request(identifier)
    assert (message[0], message[2:4], len(message)) == (128, b"\0\0", 8 + payload)


@given(families, st.binary(max_size=200))
def test_any_bytes_are_a_message_or_none(family: AddressFamily, data: bytes) -> None:
    icmppacket.quoted_echo(family, data)
    parsed = icmppacket.parse(family, data)
    assert parsed is None or family == "ipv6" or sum_is_right(data)
    inner = icmppacket.ip_payload(data)
    assert data.endswith(inner)


@given(families, st.data())
def test_any_message_with_a_right_head_survives(family: AddressFamily, data: st.DataObject) -> None:
    """Deeper than arbitrary bytes come: errors with arbitrary quotations."""
    kinds = st.sampled_from([*icmppacket.ERRORS[family], icmppacket.REPLY[family]])
    packet = data.draw(
        st.binary(max_size=100)
        | st.builds(ipv4_packet, st.binary(max_size=64), st.integers(0, 10))
        | st.builds(ipv6_packet, st.binary(max_size=64))
    )
    message = error(family, data.draw(kinds), data.draw(st.integers(0, 255)), packet)
    parsed = icmppacket.parse(family, message)
    if isinstance(parsed, Quoted):
        assert len(parsed.destination) == (4 if family == "ipv4" else 16)
        assert icmppacket.reason(family, parsed.type, parsed.code)


@pytest.mark.parametrize("options", [0, 1, 10])
def test_options_in_a_quoted_header(options: int) -> None:
    asked = request("ipv4", b"payload")
    parsed = icmppacket.parse("ipv4", error("ipv4", 3, 13, ipv4_packet(asked, options)))
    assert parsed == Quoted(Echo(7, 8, b"payload"), socket.inet_aton(IPV4), 3, 13)
    assert icmppacket.ip_payload(ipv4_packet(asked, options)) == asked


def test_errors_about_others_are_not_ours() -> None:
    udp, asked = b"\x08\0" + bytes(6), request("ipv4", b"")
    assert icmppacket.parse("ipv4", error("ipv4", 3, 3, ipv4_packet(udp, protocol=17))) is None
    assert icmppacket.parse("ipv6", error("ipv6", 1, 4, ipv6_packet(udp, next_header=17))) is None
    assert icmppacket.parse("ipv4", error("ipv4", 5, 1, ipv4_packet(asked))) is None  # redirect


@pytest.mark.parametrize(
    ("family", "kind", "code", "reason"),
    [
        ("ipv4", 3, 0, "unreachable_network"),
        ("ipv4", 3, 1, "unreachable_host"),
        ("ipv4", 3, 3, "unreachable_port"),
        ("ipv4", 3, 4, "error"),
        ("ipv4", 3, 13, "unreachable_admin"),
        ("ipv4", 11, 0, "ttl_exceeded"),
        ("ipv4", 11, 1, "error"),
        ("ipv6", 1, 0, "unreachable_network"),
        ("ipv6", 1, 1, "unreachable_admin"),
        ("ipv6", 1, 3, "unreachable_host"),
        ("ipv6", 1, 4, "unreachable_port"),
        ("ipv6", 3, 0, "ttl_exceeded"),
    ],
)
def test_what_errors_mean(family: AddressFamily, kind: int, code: int, reason: str) -> None:
    assert icmppacket.reason(family, kind, code) == reason
