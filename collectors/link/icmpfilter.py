"""The socket filter of a raw ICMP socket: only answers to us, and errors about what we sent.

Classic BPF (linux/filter.h, Documentation/networking/filter.rst). The kernel copies every ICMP
message to every raw socket; what is filtered here costs no copy and no wake-up. A raw IPv4 socket
shows the filter the packet from its IP header on, a raw IPv6 socket from its ICMPv6 header on.

The kernel does not look at the checksum of ICMP before a raw socket gets it (of ICMPv6 it does). The
filter sums up messages of the usual size, at a fraction of what it costs in Python.
"""

from __future__ import annotations

import socket
import struct
from typing import Final

from collectors.link.icmppacket import ERRORS, REPLY
from collectors.model import AddressFamily

VERIFIED: Final = 20 + 64  # bytes of a packet whose checksum is looked at: IPv4 without options

_LD_HALF, _LD_BYTE = 0x28, 0x30  # at an absolute offset
_LD_LENGTH, _LDX_NUMBER, _STORE, _LOAD, _FROM_X, _SHIFT_BACK = 0x80, 0x01, 0x02, 0x60, 0x87, 0x74
_LDX_HEADER = 0xB1  # the index register = length of the IPv4 header at the offset
_LD_HALF_X, _LD_BYTE_X = 0x48, 0x50  # at an offset from the index register
_AND, _SHIFT, _ADD_X, _TO_X = 0x54, 0x64, 0x0C, 0x07
_EQUAL = 0x15
_RETURN = 0x06
_ALL: Final = 0xFFFF

_Instruction = tuple[int, int, int, int]
_PACK = struct.Struct("@HBBI").pack


def program(family: AddressFamily, identifier: int) -> bytes:
    """The filter as an array of struct sock_filter; `identifier` as it stands in memory."""
    wire = socket.ntohs(identifier)
    code = _ipv4(wire) if family == "ipv4" else _ipv6(wire)
    return b"".join(_PACK(*one) for one in code)


def _ipv4(identifier: int) -> list[_Instruction]:
    unreachable, exceeded = ERRORS["ipv4"]
    summing = _checksum()
    far = len(summing)  # behind the sum stand: accept, refuse
    return [
        (_LDX_HEADER, 0, 0, 0),
        (_LD_BYTE_X, 0, 0, 0),
        (_EQUAL, 0, 2, REPLY["ipv4"]),
        (_LD_HALF_X, 0, 0, 4),
        (_EQUAL, 9, 10 + far, identifier),
        (_EQUAL, 1, 0, unreachable),
        (_EQUAL, 0, 8 + far, exceeded),
        # X += the length of the quoted IPv4 header, whose first byte is 8 behind the ICMP header
        (_LD_BYTE_X, 0, 0, 8),
        (_AND, 0, 0, 15),
        (_SHIFT, 0, 0, 2),
        (_ADD_X, 0, 0, 0),
        (_TO_X, 0, 0, 0),
        (_LD_HALF_X, 0, 0, 12),
        (_EQUAL, far, 1 + far, identifier),
        *summing,
        (_RETURN, 0, 0, _ALL),
        (_RETURN, 0, 0, 0),
    ]


def _checksum() -> list[_Instruction]:
    """Goes on behind its end where a packet of the usual size sums up to 0xffff (RFC 1071), or is of
    another size, and one further where it does not."""
    fold = [
        *((_SHIFT_BACK, 0, 0, 16), (_STORE, 0, 0, 0), (_FROM_X, 0, 0, 0), (_AND, 0, 0, 0xFFFF)),
        *((_TO_X, 0, 0, 0), (_LOAD, 0, 0, 0), (_ADD_X, 0, 0, 0), (_TO_X, 0, 0, 0)),
    ]
    words = [
        instruction
        for offset in range(20, VERIFIED, 2)
        for instruction in ((_LD_HALF, 0, 0, offset), (_ADD_X, 0, 0, 0), (_TO_X, 0, 0, 0))
    ]
    whole = [(_LDX_NUMBER, 0, 0, 0), *words, *fold, *fold, (_EQUAL, 0, 1, 0xFFFF)]
    size = len(whole)
    return [
        (_LD_BYTE, 0, 0, 0),
        (_EQUAL, 0, size + 2, 0x45),
        (_LD_LENGTH, 0, 0, 0),
        (_EQUAL, 0, size, VERIFIED),
        *whole,
    ]


def _ipv6(identifier: int) -> list[_Instruction]:
    unreachable, exceeded = ERRORS["ipv6"]
    return [
        (_LD_BYTE, 0, 0, 0),
        (_EQUAL, 0, 2, REPLY["ipv6"]),
        (_LD_HALF, 0, 0, 4),
        (_EQUAL, 4, 5, identifier),
        (_EQUAL, 1, 0, unreachable),
        (_EQUAL, 0, 3, exceeded),
        # the identifier of the request that is quoted behind 8 bytes of ICMPv6 and 40 of IPv6
        (_LD_HALF, 0, 0, 8 + 40 + 4),
        (_EQUAL, 0, 1, identifier),
        (_RETURN, 0, 0, _ALL),
        (_RETURN, 0, 0, 0),
    ]
