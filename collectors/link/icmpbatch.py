"""Messages of a raw ICMP socket, many a call: recvmmsg(2) into one buffer, a row a message.

A call for each message, with Python objects for its parts, would cost more than all that is done
with it. A row is the message, its control messages (cmsg(3)) and its source (sockaddr_in,
sockaddr_in6) as a 64-bit kernel lays them out. What is not an echo reply of the usual form is looked
at by icmppacket.py.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Callable
from typing import ClassVar

from collectors.link import icmppacket
from collectors.link.icmppacket import HEAD, MARK, REPLY, Echo, Sink
from collectors.model import AddressFamily

ROWS = 64
BATCHES = 64  # in one go, lest a flood keep us from sending
_MESSAGE, _CONTROL, _NAME = 2048, 64, 28
_ROW = _MESSAGE + _CONTROL + _NAME + 4
_SO_TIMESTAMPNS = (socket.SOL_SOCKET, 35)
_IPV6_HOPLIMIT = (socket.IPPROTO_IPV6, 52)
_IPV4_HEADER = 20  # without options
_USUAL = 0x45  # version 4, five words


class _Vector(ctypes.Structure):
    _fields_: ClassVar = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]


class _Header(ctypes.Structure):
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
        self._buffer = bytearray(ROWS * _ROW)
        buffer = (ctypes.c_char * len(self._buffer)).from_buffer(self._buffer)
        base = ctypes.addressof(buffer)
        vectors, headers = (_Vector * ROWS)(), (_Header * ROWS)()
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
        recvmmsg = ctypes.CDLL(None, use_errno=True).recvmmsg
        recvmmsg.argtypes = (
            *(ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int, ctypes.c_void_p),
        )
        self._receive: Callable[[], int] = lambda: recvmmsg(
            fileno, address, ROWS, socket.MSG_DONTWAIT, None
        )
        v4 = family == "ipv4"
        used = (_IPV4_HEADER if v4 else 0) + HEAD.size
        name, control = "4x4s" if v4 else "8x20s", "8xiiqq" if v4 else "8xiiqq8xiii"
        rest = _MESSAGE - used + _CONTROL - struct.calcsize(f"={control}")
        # version and TTL (IPv4); type, code, identifier; index, nonce; source; control messages
        head = "B7xB11x" if v4 else ""
        self._message = struct.Struct(f"={head}BB2xH2xIQ").unpack_from
        self._ancillary = struct.Struct(f"={control}{rest - _MESSAGE + used}x{name}").unpack_from
        self._lengths = struct.Struct(f"={_Header.control_length.offset}xQ8xI").unpack_from

    def drain(self, sink: Sink, skew: int, timed: bool) -> None:
        """Tell of what has come. `skew` is how far the clock that stamps is ahead, in nanoseconds;
        the stamps are of no use unless `timed`."""
        v4, reply, ours = self._family == "ipv4", REPLY[self._family], self._identifier
        begin = _IPV4_HEADER if v4 else 0
        shortest = begin + HEAD.size
        buffer, headers, size = self._buffer, self._headers, ctypes.sizeof(_Header)
        message, ancillary, lengths, answer = (
            *(self._message, self._ancillary, self._lengths, sink.answer),
        )
        for _ in range(BATCHES):
            headers[:] = self._template
            count = self._receive()
            for number in range(count):
                row = number * _ROW
                controls, length = lengths(headers, number * size)
                if v4:
                    first, hops, kind, code, identifier, index, nonce = message(buffer, row)
                    level, of, seconds, nanoseconds, source = ancillary(buffer, row + _MESSAGE)
                    usual = (
                        first == _USUAL
                        and not int.from_bytes(buffer[row + begin : row + length], "little")
                        % 0xFFFF
                    )
                else:
                    kind, code, identifier, index, nonce = message(buffer, row)
                    level, of, seconds, nanoseconds, level2, of2, hops, source = ancillary(
                        buffer, row + _MESSAGE
                    )
                    usual = (level2, of2) == _IPV6_HOPLIMIT
                if not (
                    usual
                    and kind == reply
                    and code == 0
                    and identifier == ours
                    and length >= shortest
                ):
                    self._unusual(sink, bytes(buffer[row : row + length]), source)
                elif timed and controls and (level, of) == _SO_TIMESTAMPNS:
                    stamp = seconds * 1_000_000_000 + nanoseconds - skew
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
