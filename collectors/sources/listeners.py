"""Sockets that take connections or datagrams from anybody, without naming their processes.

The kernel is asked by netlink, sock_diag(7), for these sockets alone. /proc/net/tcp would walk its
whole table of connections, and naming processes would walk every descriptor: too much for a scrape.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
import sys
from collections.abc import Iterator
from typing import Final, Literal

from collectors.rows import Socket

_SOCK_DIAG = 4  # NETLINK_SOCK_DIAG
_BY_FAMILY = 20  # SOCK_DIAG_BY_FAMILY
_ERROR, _DONE = 2, 3
_REQUEST_DUMP = 0x301  # NLM_F_REQUEST | NLM_F_DUMP
_HEADER = struct.Struct("=IHHII")
_ASK = struct.Struct("=BBBBI48x")  # struct inet_diag_req_v2
_PATIENCE = struct.pack("@ll", 2, 0)  # struct timeval: an answer is at once
_PORT = struct.Struct("!H")

_FAMILIES: Final[dict[Literal["ipv4", "ipv6"], socket.AddressFamily]] = {
    "ipv4": socket.AF_INET,
    "ipv6": socket.AF_INET6,
}
# protocol number, the kernel's state, and psutil's word for it
_STATES: Final[dict[Literal["tcp", "udp"], tuple[int, int, str]]] = {
    "tcp": (socket.IPPROTO_TCP, 10, "LISTEN"),
    "udp": (socket.IPPROTO_UDP, 7, "NONE"),
}


def listeners() -> Iterator[Socket]:
    """Listening TCP and unconnected UDP sockets of both families; raises OSError."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, _SOCK_DIAG) as netlink:
        # not settimeout, which adds a poll to every call
        netlink.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _PATIENCE)
        for family, number in _FAMILIES.items():
            for protocol, (protocol_number, state, word) in _STATES.items():
                ask = _ASK.pack(number, protocol_number, 0, 0, 1 << state)
                head = _HEADER.pack(_HEADER.size + len(ask), _BY_FAMILY, _REQUEST_DUMP, 1, 0)
                netlink.send(head + ask)
                for address, port in _dump(netlink, number):
                    yield Socket(family, protocol, word, address, port)


def _dump(netlink: socket.socket, family: int) -> Iterator[tuple[str, int]]:
    while True:
        data = netlink.recv(1 << 16)
        offset = 0
        while offset + _HEADER.size <= len(data):
            length, kind, *_ = _HEADER.unpack_from(data, offset)
            if kind == _DONE:
                return
            body = data[offset + _HEADER.size : offset + length]
            if kind == _ERROR:
                code = -int.from_bytes(body[:4], sys.byteorder, signed=True)
                if code == errno.ENOENT:  # the modules tcp_diag and udp_diag are not there
                    code = errno.EPROTONOSUPPORT
                raise OSError(code, os.strerror(code))
            if length < _HEADER.size:
                raise OSError(errno.EBADMSG, os.strerror(errno.EBADMSG))
            # after the four bytes: ports, then two addresses of 16 bytes whatever the family
            size = 4 if family == socket.AF_INET else 16
            yield socket.inet_ntop(family, body[8 : 8 + size]), _PORT.unpack_from(body, 4)[0]
            offset += (length + 3) & ~3
