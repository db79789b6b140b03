"""Many echo requests in one call: sendmmsg(2) over packets and addresses that are laid out once.

For rounds that are to be as fast as they can. Their send times are interpolated between the begin and
the end of the call, some microseconds apart; at an even pace each request has a call and a time of
its own. The interpreter is kept for the call (PyDLL), so that no other thread stretches it.
"""

from __future__ import annotations

import ctypes
import socket
import struct
import time
from typing import Any, Final

from collectors.link.icmpbatch import Header, Vector
from collectors.link.icmpflows import Flows
from collectors.link.icmppacket import HEAD
from collectors.model import AddressFamily

LEAST, MOST = 8, 64  # requests a call
_IPV4 = struct.Struct("=HHI20x")
_IPV6: Final = "=HHI16sI"
_SIZE = 28  # of a sockaddr_in6


class Volley:
    """The requests of flows that are all of one family and leave as the system sends them."""

    def __init__(self, flows: Flows, family: AddressFamily, fileno: int, identifier: int) -> None:
        self._flows, self._family = flows, family
        self._stride = HEAD.size + max(len(filling) for filling, _ in flows.fillings)
        count = len(flows)
        self._packets = bytearray(count * self._stride)
        self._names = bytearray(count * _SIZE)
        packets, names = _kept(self._packets), _kept(self._names)
        vectors, headers = (Vector * count)(), (Header * count)()
        size = 16 if family == "ipv4" else _SIZE
        for number, (filling, _) in enumerate(flows.fillings):
            at = number * self._stride
            self._packets[at : at + HEAD.size + len(filling)] = bytes(HEAD.size) + filling
            vector, header = vectors[number], headers[number]
            vector.base = ctypes.addressof(packets) + at
            vector.length = HEAD.size + len(filling)
            header.name, header.name_length = ctypes.addressof(names) + number * _SIZE, size
            header.vectors, header.vector_count = ctypes.addressof(vector), 1
        self._memory = (packets, names, vectors, headers)
        self._headers, self._each = ctypes.addressof(headers), ctypes.sizeof(Header)
        self._fileno, self._identifier = fileno, identifier
        self._sendmmsg = ctypes.PyDLL(None).sendmmsg
        self._sendmmsg.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_uint, ctypes.c_int)

    def aim(self, number: int, address: tuple[Any, ...]) -> None:
        """Where a flow goes from now on: an address as socket.sendto takes it."""
        if self._family == "ipv4":
            (host,) = struct.unpack("=I", socket.inet_aton(address[0]))
            name = _IPV4.pack(socket.AF_INET, 0, host)
        else:
            packed = socket.inet_pton(socket.AF_INET6, address[0])
            name = struct.pack(_IPV6, socket.AF_INET6, 0, 0, packed, address[3])
        self._names[number * _SIZE : (number + 1) * _SIZE] = name

    def send(self, many: int) -> bool:
        """The next requests, as many as there are in one piece of memory and no more than so many.
        False where none could be sent; then one alone will tell why."""
        flows = self._flows
        many = min(many, MOST, flows.together())
        if many < LEAST or not flows.write(many, self._packets, self._stride, self._identifier):
            return False
        first = flows.next % len(flows)
        begin = time.monotonic_ns()
        sent: int = self._sendmmsg(self._fileno, self._headers + first * self._each, many, 0)
        flows.were_sent(max(sent, 0), begin, (time.monotonic_ns() - begin) / many)
        return sent > 0


def _kept(buffer: bytearray) -> Any:
    """The memory of a bytearray, which must not be resized from now on."""
    return (ctypes.c_char * len(buffer)).from_buffer(buffer)
