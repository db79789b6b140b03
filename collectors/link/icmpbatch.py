"""Messages of a raw ICMP socket, many a call: recvmmsg(2) into one buffer, a row a message.

A call for each message, with Python objects for its parts, would cost more than all that is done
with it. A row is the message, its control messages (cmsg(3)) and its source (sockaddr_in,
sockaddr_in6) as a 64-bit kernel lays them out. What is not an echo reply of the usual form is looked
at by icmppacket.py.
"""

from __future__ import annotations

import ctypes
import mmap
import socket
import struct
import sys
from collections.abc import Callable
from typing import ClassVar

from collectors.link import icmppacket
from collectors.link.icmpfilter import VERIFIED
from collectors.link.icmppacket import HEAD, MARK, REPLY, Echo, Sink
from collectors.model import AddressFamily

ROWS = 64
BATCHES = 64  # in one go, lest a flood keep us from sending
_MESSAGE, _CONTROL, _NAME = 2048, 64, 28
_ROW = _MESSAGE + _CONTROL + _NAME + 4
# level and type of control messages, as the one number they are in memory
_SO_TIMESTAMPNS = int.from_bytes(struct.pack("=ii", socket.SOL_SOCKET, 35), sys.byteorder)
_IPV6_HOPLIMIT = int.from_bytes(struct.pack("=ii", socket.IPPROTO_IPV6, 52), sys.byteorder)
_PLACES = range(0, ROWS * _ROW, _ROW)
_IPV4_HEADER = 20  # without options
_USUAL = 0x45  # version 4, five words


class Vector(ctypes.Structure):
    """struct iovec."""

    _fields_: ClassVar = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class Header(ctypes.Structure):
    """struct mmsghdr: a msghdr, and how many bytes were received."""

    _fields_: ClassVar = [
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("vectors", ctypes.c_void_p),
        ("vector_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
        ("padding", ctypes.c_int),
        ("received", ctypes.c_uint),
    ]


class Batch:
    """Reads a raw socket of one family whose echoes carry `identifier`."""

    def __init__(self, family: AddressFamily, fileno: int, identifier: int) -> None:
        self._family, self._fileno, self._identifier = family, fileno, identifier
        self._buffer = mmap.mmap(-1, ROWS * _ROW)  # rows that no message came to take no memory
        buffer = (ctypes.c_char * len(self._buffer)).from_buffer(self._buffer)
        base = ctypes.addressof(buffer)
        vectors, headers = (Vector * ROWS)(), (Header * ROWS)()
        for number in range(ROWS):
            row, vector, header = base + number * _ROW, vectors[number], headers[number]
            vector.base, vector.length = row, _MESSAGE
            header.control, header.control_length = row + _MESSAGE, _CONTROL
            header.name, header.name_length = row + _MESSAGE + _CONTROL, _NAME
            header.vectors, header.vector_count = ctypes.addressof(vector), 1
        self._template = bytes(headers)
        self._headers = bytearray(self._template)
        self._kept = (
            buffer,
            vectors,
            (ctypes.c_char * len(self._headers)).from_buffer(self._headers),
        )
        address = ctypes.addressof(self._kept[2])
        recvmmsg = ctypes.PyDLL(None).recvmmsg  # it never blocks, so the interpreter is kept
        recvmmsg.argtypes = (
            *(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p),
        )
        self._receive: Callable[[], int] = lambda: recvmmsg(
            fileno, address, ROWS, socket.MSG_DONTWAIT, None
        )
        v4 = family == "ipv4"
        gap = _MESSAGE - (_IPV4_HEADER if v4 else 0) - HEAD.size
        # version and TTL (IPv4); type and code, identifier; index, nonce; control messages; source
        head, control = ("B7xB11x", "8xqqq") if v4 else ("", "8xqqq8xqi")
        behind, name = _CONTROL - struct.calcsize(f"={control}"), "4x4s" if v4 else "8x20s"
        self._row = struct.Struct(f"={head}H2xH2xIQ{gap}x{control}{behind}x{name}").unpack_from
        self._lengths = struct.Struct(
            f"={Header.control_length.offset}xQ8xI{ctypes.sizeof(Header) - Header.received.offset - 4}x"
        ).iter_unpack

    def drain(self, sink: Sink, skew: int, timed: bool) -> None:
        """Tell of what has come. `skew` is how far the clock that stamps is ahead, in nanoseconds;
        the stamps are of no use unless `timed`."""
        v4, ours = self._family == "ipv4", self._identifier
        reply = int.from_bytes(bytes((REPLY[self._family], 0)), sys.byteorder)  # with code 0
        begin = _IPV4_HEADER if v4 else 0
        shortest = begin + HEAD.size
        buffer, headers, parts, answer = self._buffer, self._headers, self._row, sink.answer
        for _ in range(BATCHES):
            headers[:] = self._template
            count = self._receive()
            for row, (controls, length) in zip(
                _PLACES[: max(count, 0)], self._lengths(headers), strict=False
            ):
                if v4:
                    first, hops, what, own, index, nonce, stamped, seconds, rest, source = parts(
                        buffer, row
                    )
                    usual = first == _USUAL and (
                        length == VERIFIED or _sums_up(buffer[row + begin : row + length])
                    )
                else:
                    what, own, index, nonce, stamped, seconds, rest, limited, hops, source = parts(
                        buffer, row
                    )
                    usual = limited == _IPV6_HOPLIMIT
                if not (usual and what == reply and own == ours and length >= shortest):
                    self._unusual(sink, bytes(buffer[row : row + length]), source)
                elif timed and controls and stamped == _SO_TIMESTAMPNS:
                    stamp = seconds * 1_000_000_000 + rest - skew
                    answer(index, nonce, source, stamp, hops)
                else:
                    answer(index, nonce, source, None, hops)
            if count < ROWS:
                return

    def _unusual(self, sink: Sink, packet: bytes, source: bytes) -> None:
        """An error, an answer with IP options, or none of ours."""
        v4 = self._family == "ipv4"
        parsed = icmppacket.parse(self._family, icmppacket.ip_payload(packet) if v4 else packet)
        if parsed is None:
            sink.stray()
        elif not isinstance(parsed, Echo):
            sink.error(self._family, parsed, source if v4 else source[:16])
        elif parsed.identifier != self._identifier or len(parsed.payload) < MARK.size:
            sink.stray()
        else:  # without a time: it counts, its round trip is not measured
            index, nonce = MARK.unpack_from(parsed.payload)
            sink.answer(index, nonce, source, None, None)


def _sums_up(message: bytes) -> bool:
    """Whether the checksum is right; the byte order does not matter for it (RFC 1071)."""
    return int.from_bytes(message, "little") % 0xFFFF == 0
