"""STAMP packets against RFC 8762's offsets and against scapy, and under any bytes."""

from __future__ import annotations

import hashlib
import hmac
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import stamppacket
from collectors.link.stamppacket import Reply, Request

KEY = b"a key that is no multiple of anything"
NOW = 1_790_000_000_123_456_789  # 2026-09-21
NTP = struct.pack("!II", 1_790_000_000 + 2_208_988_800, 123_456_789 * 2**32 // 10**9)
REQUEST = Request(0x01020304, NTP, 0x8A0B)
# offset, bytes: of RFC 8762 figures 2 to 5
PLAIN_REQUEST = {0: b"\1\2\3\4", 4: NTP, 12: b"\x8a\x0b"}
SIGNED_REQUEST = {0: b"\1\2\3\4", 16: NTP, 24: b"\x8a\x0b"}
LATER = struct.pack("!II", 1_790_000_001 + 2_208_988_800, 0)
SENT, RECEIVED = 1_790_000_001_000_000_000, NOW
PLAIN_REPLY = {
    0: b"\0\0\0\x07",
    4: LATER,
    12: b"\x01\x05",
    16: NTP,
    24: b"\1\2\3\4",
    28: NTP,
    36: b"\x8a\x0b",
    40: b"\xfd",
}
SIGNED_REPLY = {
    0: b"\0\0\0\x07",
    16: LATER,
    24: b"\x01\x05",
    32: NTP,
    48: b"\1\2\3\4",
    64: NTP,
    72: b"\x8a\x0b",
    80: b"\xfd",
}


def placed(parts: dict[int, bytes], size: int) -> bytes:
    made = bytearray(size)
    for offset, part in parts.items():
        made[offset : offset + len(part)] = part
    return bytes(made)


def signed(head: bytes) -> bytes:
    return head + hmac.new(KEY, head, hashlib.sha256).digest()[:16]


def reply(key: bytes | None) -> bytes:
    return stamppacket.pack_reply(7, RECEIVED, SENT, 0x0105, REQUEST, 0xFD, key)


def test_every_field_is_where_the_rfc_puts_it() -> None:
    assert stamppacket.pack_request(REQUEST, None) == placed(PLAIN_REQUEST, 44)
    assert stamppacket.pack_request(REQUEST, KEY) == signed(placed(SIGNED_REQUEST, 96))
    assert reply(None) == placed(PLAIN_REPLY, 44)
    assert reply(KEY) == signed(placed(SIGNED_REPLY, 96))
    assert stamppacket.pack_request(REQUEST, KEY, 5)[112:] == bytes(5)


@pytest.mark.parametrize("key", [None, KEY])
def test_what_is_packed_is_read_again(key: bytes | None) -> None:
    assert stamppacket.parse_request(stamppacket.pack_request(REQUEST, key, 3), key) == REQUEST
    read = stamppacket.parse_reply(reply(key) + b"more", key)
    assert isinstance(read, Reply)
    assert (read.sequence, read.request, read.ttl) == (7, REQUEST, 0xFD)
    assert (read.received, read.sent) == (RECEIVED, SENT)
    assert read.error == (False, False, 5 * 2**-31)


def test_scapy_reads_and_writes_the_same() -> None:
    stamp = pytest.importorskip("scapy.contrib.stamp")
    request = stamp.STAMPSessionSenderTestUnauthenticated(stamppacket.pack_request(REQUEST, None))
    assert (request.seq, request.err_estimate.S, request.err_estimate.Z) == (0x01020304, 1, 0)
    assert (request.err_estimate.scale, request.err_estimate.multiplier) == (10, 11)
    assert bytes(request)[4:12] == NTP
    answer = stamp.STAMPSessionReflectorTestUnauthenticated(reply(None))
    assert (answer.seq, answer.seq_sender, answer.ttl_sender) == (7, 0x01020304, 0xFD)
    assert (answer.err_estimate.scale, answer.err_estimate.multiplier) == (1, 5)
    assert float(answer.ts) - float(answer.ts_rx) == pytest.approx((SENT - NOW) / 1e9, abs=1e-6)
    theirs = stamp.STAMPSessionReflectorTestUnauthenticated(
        seq=9,
        ts=1_790_000_001 + 2_208_988_800,
        ts_rx=1_790_000_000 + 2_208_988_800,
        seq_sender=5,
        ts_sender=1_790_000_000 + 2_208_988_800,
        ttl_sender=61,
        err_estimate=stamp.ErrorEstimate(S=1, scale=3, multiplier=200),
        ssid=0,
    )
    read = stamppacket.parse_reply(bytes(theirs), None)
    assert isinstance(read, Reply)
    assert (read.sequence, read.request.sequence, read.ttl) == (9, 5, 61)
    assert (read.received, read.sent) == (1_790_000_000 * 10**9, 1_790_000_001 * 10**9)
    assert read.error == (True, False, 200 * 2**-29)


def test_an_answer_of_twamp_light_is_one_of_stamp() -> None:
    """RFC 5357 section 4.2.1: the same fields, and nothing after the TTL."""
    read = stamppacket.parse_reply(reply(None)[:41], None)
    assert isinstance(read, Reply)
    assert read.ttl == 0xFD
    assert stamppacket.parse_reply(reply(None)[:40], None) == "malformed"


def test_timestamps_of_ptp() -> None:
    """RFC 8186: with the Z bit the two halves are seconds and nanoseconds since 1970."""
    data = bytearray(reply(None))
    data[4:12] = struct.pack("!II", 1_790_000_001, 5)
    data[12] |= 0x40
    data[16:24] = struct.pack("!II", 1_790_000_000, 999_999_999)
    read = stamppacket.parse_reply(bytes(data), None)
    assert isinstance(read, Reply)
    assert read.error.ptp
    assert (read.received, read.sent) == (1_790_000_000_999_999_999, 1_790_000_001_000_000_005)


@pytest.mark.parametrize("other", [b"", b"another", KEY + b"!", KEY * 9])
def test_another_key_is_no_authentication(other: bytes) -> None:
    request, answer = stamppacket.pack_request(REQUEST, KEY), reply(KEY)
    assert stamppacket.parse_request(request, other) == "authentication"
    assert stamppacket.parse_reply(answer, other) == "authentication"
    for bit in range(len(request) * 8):
        changed = bytearray(request)
        changed[bit // 8] ^= 1 << bit % 8
        assert stamppacket.parse_request(bytes(changed), KEY) == "authentication"
    # an answer without HMAC to somebody who has a key
    assert stamppacket.parse_reply(reply(None), KEY) == "authentication"


@given(st.integers(0, (1 << 64) // 4 - 1))
def test_a_time_is_itself_again(nanoseconds: int) -> None:
    """From 1970 to 2104, where NTP's second era ends."""
    nanoseconds %= (2**32 + 2**31 - 2_208_988_800) * 10**9
    assert stamppacket.from_stamp(stamppacket.ntp(nanoseconds), ptp=False) == nanoseconds


@given(st.booleans(), st.floats(0, 1e6))
def test_an_error_estimate_promises_no_less_error(synchronised: bool, seconds: float) -> None:
    word = stamppacket.error_word(synchronised, seconds)
    read = stamppacket.error_estimate(word)
    assert 0 < word < 1 << 16
    assert read.synchronised == synchronised
    assert not read.ptp
    assert read.seconds is not None
    assert seconds <= read.seconds <= seconds * 1.02 + 2**-31


def test_a_clock_that_does_not_know_its_error() -> None:
    assert stamppacket.error_estimate(0x0100).seconds is None


@given(st.binary(max_size=200), st.sampled_from([None, KEY]))
def test_any_bytes_are_a_packet_or_a_flaw(data: bytes, key: bytes | None) -> None:
    for parsed in (stamppacket.parse_request(data, key), stamppacket.parse_reply(data, key)):
        assert isinstance(parsed, Request | Reply) or parsed in ("malformed", "authentication")
