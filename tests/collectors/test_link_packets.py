"""Packets into the parser and the tally, without any network."""

from __future__ import annotations

import socket
import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import icmppacket
from collectors.link.icmppacket import Echo, Quoted, Received
from collectors.link.icmptally import SECOND, EchoOptions, Problem, Tally
from collectors.model import AddressFamily, ProbeResult, Target

IPV4, IPV6 = "192.0.2.1", "2001:db8::1"
FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")
families = st.sampled_from(FAMILIES)
OPTIONS = EchoOptions(count=3, spacing=0.1, timeout=1.0)
FIRST = 0xFFFFFFFE  # so that the index wraps


def sum_is_right(message: bytes) -> bool:
    """RFC 1071, word by word."""
    message += b"\0" * (len(message) % 2)
    total: int = sum(word for (word,) in struct.iter_unpack("!H", message))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total == 0xFFFF


def reply(family: AddressFamily, request: bytes) -> Echo:
    """What a peer that does as it should makes of a request."""
    kind, _, _, identifier, sequence = struct.unpack_from("!BBHHH", request)
    assert kind == icmppacket.REQUEST[family]
    return Echo(identifier, sequence, request[8:])


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


@given(st.integers(0, 0xFFFF), st.integers(0, 0xFFFF), st.binary(max_size=100))
def test_requests_have_the_right_sum(identifier: int, sequence: int, payload: bytes) -> None:
    message = icmppacket.request("ipv4", identifier, sequence, payload)
    assert sum_is_right(message)
    assert message[4:] == struct.pack("!HH", identifier, sequence) + payload
    assert icmppacket.request("ipv6", identifier, sequence, payload)[2:4] == b"\0\0"


@given(families, st.binary(max_size=200))
def test_any_bytes_are_a_message_or_none(family: AddressFamily, data: bytes) -> None:
    icmppacket.quoted_echo(family, data)
    parsed = icmppacket.parse(family, data)
    assert parsed is None or family == "ipv6" or sum_is_right(data)
    inner = icmppacket.ip_payload(data)
    assert inner is None or (data.endswith(inner[0]) and 0 <= inner[1] <= 255)


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
    request = icmppacket.request("ipv4", 7, 8, b"payload")
    parsed = icmppacket.parse("ipv4", error("ipv4", 3, 13, ipv4_packet(request, options)))
    assert parsed == Quoted(Echo(7, 8, b"payload"), socket.inet_aton(IPV4), 3, 13)
    assert icmppacket.ip_payload(ipv4_packet(request, options)) == (request, 57)


def test_errors_about_others_are_not_ours() -> None:
    udp, request = b"\x08\0" + bytes(6), icmppacket.request("ipv4", 7, 8, b"")
    assert icmppacket.parse("ipv4", error("ipv4", 3, 3, ipv4_packet(udp, protocol=17))) is None
    assert icmppacket.parse("ipv6", error("ipv6", 1, 4, ipv6_packet(udp, next_header=17))) is None
    assert icmppacket.parse("ipv4", error("ipv4", 5, 1, ipv4_packet(request))) is None  # redirect


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


# --- the tally


def tally_of(
    targets: Sequence[Target] = (Target("a", IPV4, "ipv4"), Target("b", IPV6, "ipv6")),
) -> Tally:
    """Every request sent: slot n at n seconds."""
    tally = Tally(OPTIONS, targets, FIRST)
    for number, target in enumerate(targets):
        tally.expect(number, (target.address, 0))
    for slot in range(tally.slots):
        tally.request(slot, 7)
        tally.sent(slot, (slot + 1) * SECOND)
    return tally


def answered(tally: Tally, slot: int, after: int = SECOND // 1000, now: int = 100 * SECOND) -> str:
    target = (("ipv4", IPV4), ("ipv6", IPV6))[slot % 2]
    family: AddressFamily = "ipv4" if slot % 2 == 0 else "ipv6"
    echo = reply(family, tally.request(slot, 7))
    at = (slot + 1) * SECOND + after
    return tally.take(family, Received(echo, (target[1], 0), at, 60), now)


def results(tally: Tally, now: int = 100 * SECOND, final: bool = True) -> list[ProbeResult]:
    return tally.results({"ipv4": "raw", "ipv6": "raw"}, now, final)


def test_answers_by_target() -> None:
    tally = tally_of()
    assert [answered(tally, slot) for slot in (0, 1, 2, 4)] == [""] * 4
    assert answered(tally, 0) == "duplicate"
    one, other = results(tally)
    assert (one.sent, one.received, one.duplicates, one.hop_limit) == (3, 3, 1, 60)
    assert one.rtts == (0.001,) * 3
    assert one.duration == pytest.approx(4.001)
    assert (other.sent, other.received) == (3, 1)
    assert other.loss == pytest.approx(2 / 3)
    assert tally.open == 2


def test_late_is_not_received_and_no_reason_to_wait() -> None:
    tally = tally_of()
    assert answered(tally, 1, after=SECOND + 1) == "late"
    assert answered(tally, 1, after=SECOND + 2) == "duplicate"
    other = results(tally)[1]
    assert (other.received, other.late, other.reason, other.detail) == (
        0,
        1,
        "timeout",
        "1 too late",
    )


@pytest.mark.parametrize("stamp", [-SECOND, 50 * SECOND])
def test_a_clock_step_falls_back_on_the_time_of_looking(stamp: int) -> None:
    tally = tally_of()
    assert answered(tally, 0, after=stamp, now=SECOND + 2_000_000) == ""
    assert results(tally)[0].rtts == (0.002,)


def test_under_way_only_outcomes_count() -> None:
    tally = tally_of()
    answered(tally, 0)
    one, other = results(tally, now=3 * SECOND, final=False)
    assert (one.sent, one.received, one.loss) == (1, 1, 0)
    assert (other.sent, other.received, other.success, other.reason) == (1, 0, False, "timeout")
    *_, other = results(tally_of(), now=2 * SECOND + 1, final=False)
    assert (other.sent, other.reason) == (0, "")


@pytest.mark.parametrize("quoted", [8, 20, 64])
def test_an_error_finds_its_target_however_short(quoted: int) -> None:
    tally = tally_of()
    message = tally.request(2, 7)[:quoted]
    parsed = icmppacket.parse("ipv4", error("ipv4", 3, 13, ipv4_packet(message)))
    assert tally.take("ipv4", Received(parsed, ("198.51.100.9", 0), 0), 0) == ""
    one, other = results(tally)
    assert (one.reason, one.detail) == ("unreachable_admin", "ICMP 3/13 from 198.51.100.9")
    assert other.reason == "timeout"
    answered(tally, 0)  # an answer outweighs an error
    assert results(tally)[0].reason == ""


def test_an_error_about_another_destination_is_forged() -> None:
    tally = tally_of()
    parsed = icmppacket.parse("ipv6", error("ipv6", 1, 1, ipv6_packet(tally.request(1, 7))))
    assert isinstance(parsed, Quoted)
    there = ("2001:db8::9", 0)
    wrong = parsed._replace(destination=bytes(16))
    assert tally.take("ipv6", Received(wrong, there, 0), 0) == "spoofed"
    assert results(tally)[1].reason == "timeout"
    assert tally.take("ipv6", Received(parsed, there, 0), 0) == ""
    assert results(tally)[1].reason == "unreachable_admin"


def test_what_could_not_be_sent() -> None:
    tally = Tally(OPTIONS, [Target("a", IPV4, "ipv4")], 0)
    for slot in range(tally.slots):
        tally.failed(slot, Problem("no_route", "Network is unreachable"))
    (result,) = results(tally)
    assert tally.open == 0
    assert (result.sent, result.loss, result.reason, result.duration) == (0, 1.0, "no_route", 0.0)


def messages(family: AddressFamily) -> st.SearchStrategy[Echo | Quoted | None]:
    marks = st.integers(FIRST - 3, FIRST + 9).map(lambda i: struct.pack("!I", i & 0xFFFFFFFF))
    payloads = st.binary(max_size=40) | st.builds(bytes.__add__, marks, st.binary(max_size=20))
    echoes = st.builds(Echo, st.just(7), st.integers(0, 0xFFFF), payloads)
    length = 4 if family == "ipv4" else 16
    quoted = st.builds(
        Quoted,
        echoes,
        st.binary(min_size=length, max_size=length),
        st.integers(0, 255),
        st.integers(0, 255),
    )
    return st.none() | echoes | quoted


@given(families, st.data())
def test_no_message_of_a_stranger_counts(family: AddressFamily, data: st.DataObject) -> None:
    tally = tally_of()
    before = results(tally)
    sources = st.tuples(st.sampled_from([IPV4, IPV6, "203.0.113.7"]), st.integers(0, 3))
    for message in data.draw(st.lists(messages(family), max_size=8)):
        received = Received(message, data.draw(sources), data.draw(st.integers(0, 1 << 62)))
        assert tally.take(family, received, 100 * SECOND) in ("stray", "spoofed")
    assert results(tally) == before
