"""STAMP test packets: bytes to tuples and back, pure.

Formats: RFC 8762 sections 4.2 and 4.3 (44 bytes, or 112 with HMAC-SHA-256 cut to 128 bits over the
96 before it), RFC 4656 section 4.1.2 (timestamps and error estimate), RFC 8186 (the Z bit). What
follows the packet is padding. An unauthenticated packet is also one of TWAMP Light (RFC 5357
appendix I), whose answers may be three bytes shorter. Anything else is a `Flaw`, never an error.
"""

from __future__ import annotations

import hmac
import math
import struct
from typing import Final, Literal, NamedTuple

PORT: Final = 862
PLAIN_SIZE, SIGNED_SIZE = 44, 112
SIGNED_BYTES = 96  # what the HMAC covers
_TWAMP_REPLY = 41

_PLAIN_REQUEST = struct.Struct("!I8sH30x")
_SIGNED_REQUEST = struct.Struct("!I12x8sH70x")
_PLAIN_REPLY = struct.Struct("!I8sH2x8sI8sH2xB3x")
_SIGNED_REPLY = struct.Struct("!I12x8sH6x8s8xI12x8sH6xB15x")

_STAMP = struct.Struct("!II")
_NTP_TO_UNIX = 2_208_988_800  # seconds from 1900 to 1970
_ERA = 1 << 32
_SECOND = 1_000_000_000

Flaw = Literal["malformed", "authentication"]


class ErrorEstimate(NamedTuple):
    """What a clock says of itself: whether something external synchronises it, whether it writes
    PTP's timestamps, and its error in seconds (None where it does not know: a multiplier of 0)."""

    synchronised: bool
    ptp: bool
    seconds: float | None


class Request(NamedTuple):
    """A sender's packet; timestamp and error estimate as they are, to be sent back."""

    sequence: int
    stamp: bytes
    error: int


class Reply(NamedTuple):
    """A reflector's packet. Times in nanoseconds since 1970: when it had the request and when it
    sent this. `request` is what it says it had, with `ttl` left."""

    sequence: int
    received: int
    sent: int
    error: ErrorEstimate
    request: Request
    ttl: int


def size(key: bytes | None) -> int:
    return PLAIN_SIZE if key is None else SIGNED_SIZE


def pack_request(request: Request, key: bytes | None, padding: int = 0) -> bytes:
    if key is None:
        return _PLAIN_REQUEST.pack(*request) + bytes(padding)
    return _signed(_SIGNED_REQUEST.pack(*request), key) + bytes(padding)


def parse_request(data: bytes, key: bytes | None) -> Request | Flaw:
    if len(data) < size(key):
        return "malformed"
    if key is None:
        return Request(*_PLAIN_REQUEST.unpack_from(data))
    return Request(*_SIGNED_REQUEST.unpack_from(data)) if _right(data, key) else "authentication"


def pack_reply(
    sequence: int,
    received: int,
    sent: int,
    error: int,
    request: Request,
    ttl: int,
    key: bytes | None,
) -> bytes:
    """An answer without what pads it."""
    form = _PLAIN_REPLY if key is None else _SIGNED_REPLY
    head = (sequence, ntp(sent), error & ~_Z, ntp(received))
    packet = form.pack(*head, request.sequence, request.stamp, request.error, ttl)
    return packet if key is None else _signed(packet, key)


def parse_reply(data: bytes, key: bytes | None) -> Reply | Flaw:
    if key is not None:
        if len(data) < SIGNED_SIZE:
            return "authentication" if len(data) >= _TWAMP_REPLY else "malformed"
        if not _right(data, key):
            return "authentication"
        fields = _SIGNED_REPLY.unpack_from(data)
    elif len(data) < _TWAMP_REPLY:
        return "malformed"
    else:
        fields = _PLAIN_REPLY.unpack_from(data.ljust(PLAIN_SIZE, b"\0"))
    sequence, sent, error, received, theirs, stamp, theirs_error, ttl = fields
    estimate = error_estimate(error)
    return Reply(
        sequence,
        from_stamp(received, estimate.ptp),
        from_stamp(sent, estimate.ptp),
        estimate,
        Request(theirs, stamp, theirs_error),
        ttl,
    )


def ntp(nanoseconds: int) -> bytes:
    """Nanoseconds since 1970 as an NTP timestamp, 32 bits of seconds and of their fraction."""
    seconds, rest = divmod(nanoseconds, _SECOND)
    return _STAMP.pack((seconds + _NTP_TO_UNIX) % _ERA, rest * _ERA // _SECOND)


def from_stamp(stamp: bytes, ptp: bool) -> int:
    """Nanoseconds since 1970. PTP's truncated format has seconds and nanoseconds, RFC 8186."""
    seconds, rest = _STAMP.unpack(stamp)
    if ptp:
        return int(seconds * _SECOND + rest)
    if seconds < _ERA // 2:  # RFC 4330 section 3: the second era, from 2036 on
        seconds += _ERA
    # rounded, so that what `ntp` cut off comes back
    return int((seconds - _NTP_TO_UNIX) * _SECOND + -(-rest * _SECOND // _ERA))


_S, _Z = 0x8000, 0x4000


def error_estimate(word: int) -> ErrorEstimate:
    scale, multiplier = word >> 8 & 0x3F, word & 0xFF
    seconds = math.ldexp(multiplier, scale - 32) if multiplier else None
    return ErrorEstimate(bool(word & _S), bool(word & _Z), seconds)


def error_word(synchronised: bool, seconds: float) -> int:
    """The error estimate of a clock that writes NTP timestamps: never less than `seconds`."""
    units = max(1, math.ceil(math.ldexp(seconds, 32)))
    scale = max(0, units.bit_length() - 8)
    multiplier = -(-units >> scale)
    if multiplier > 0xFF:
        multiplier, scale = multiplier + 1 >> 1, scale + 1
    return (_S if synchronised else 0) | min(scale, 0x3F) << 8 | multiplier


def _signed(packet: bytes, key: bytes) -> bytes:
    return packet + _mac(packet, key)


def _right(data: bytes, key: bytes) -> bool:
    return hmac.compare_digest(_mac(data[:SIGNED_BYTES], key), data[SIGNED_BYTES:SIGNED_SIZE])


def _mac(packet: bytes, key: bytes) -> bytes:
    return hmac.digest(key, packet, "sha256")[:16]
