"""When a connection stood and when an answer began, by the kernel's clock and not by ours.

Many sites are looked at side by side; a thread that waits for its turn would find every site slow,
and one family slower than the other by chance. The round trip of the handshake is in TCP_INFO
(tcp(7)), the arrival of a segment in SO_TIMESTAMPNS (socket(7)).
"""

from __future__ import annotations

import socket
import ssl
import struct
import time
from typing import Final

from collectors.link.connect import CHUNK, Deadline, Stream, failed

_SO_TIMESTAMPNS: Final = 35  # asm-generic/socket.h, of 64 bits
_STAMP = struct.Struct("ll")  # struct timespec
_RTT, _RETRANSMITTED = 68, 100  # offsets in struct tcp_info of linux/tcp.h
_INFO = 104


class Clocked(Stream):
    """A stream that knows how long its first answer took: `first_byte`, in seconds, None before."""

    def __init__(self, connected: socket.socket, deadline: Deadline) -> None:
        super().__init__(connected, deadline)
        connected.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self.first_byte: float | None = None
        self._sent = self._started = 0.0

    def send(self, data: bytes) -> None:
        self._sent, self._started = time.time(), time.perf_counter()
        super().send(data)

    def receive(self, limit: int = CHUNK) -> bytes:
        if self.first_byte is not None or not self._sent:
            return super().receive(limit)
        try:
            data, stamp = self._first(limit)
        except OSError as error:
            raise failed(error, self._deadline) from error
        waited = time.perf_counter() - self._started
        told = stamp - self._sent
        # a clock that was set meanwhile tells nothing
        self.first_byte = told if stamp and 0 < told < waited else waited
        return data

    def _first(self, limit: int) -> tuple[bytes, float]:
        """The first data, and when its last segment came. Over TLS something may come before that
        is no data of the application: session tickets."""
        while True:
            self.socket.settimeout(self._deadline.left())
            # an SSLSocket refuses this, being afraid for what it has encrypted; nothing is taken
            _, ancillary, _, _ = socket.socket.recvmsg(self.socket, 1, 64, socket.MSG_PEEK)
            self.socket.settimeout(0)
            try:
                data = self.socket.recv(limit)
            except ssl.SSLWantReadError:
                continue
            return data, _stamp(ancillary)


def round_trip(connected: socket.socket) -> float | None:
    """Seconds that the handshake took on the way, None where packets of it were lost."""
    try:
        info = connected.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, _INFO)
    except OSError:  # reset already
        return None
    if len(info) < _INFO:
        return None
    (rtt,), (retransmitted,) = (
        struct.unpack_from("I", info, _RTT),
        struct.unpack_from("I", info, _RETRANSMITTED),
    )
    return rtt / 1e6 if rtt and not retransmitted else None


def _stamp(ancillary: list[tuple[int, int, bytes]]) -> float:
    """The time of arrival, 0 where the kernel does not tell one."""
    for level, kind, data in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, _SO_TIMESTAMPNS) and len(data) >= _STAMP.size:
            seconds, nanoseconds = _STAMP.unpack_from(data)
            return float(seconds + nanoseconds / 1e9)
    return 0.0
