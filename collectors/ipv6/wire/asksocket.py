"""Sends packets that ask for ICMPv6 and hears the answers, several times before silence is believed.

Raw sockets (CAP_NET_RAW): raw(7), ipv6(7), RFC 3542. The route: rtnetlink(7), RTM_GETROUTE.
Hosts send few ICMPv6 errors a second (Linux: six at once to one address, then one a second), hence
the pauses between the rounds.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import select
import socket
import struct
import time
from collections.abc import Callable, Container, Mapping, Sequence
from typing import Final, NamedTuple

from collectors.ipv6.wire.asking import ANSWERS, REPLY, Asked, Heard, heard
from collectors.link.pathsocket import Place

ROUNDS: Final = (0.5, 1.2, 1.2, 1.2)  # seconds that answers are waited for in each
SELDOM: Final = 3  # rounds of what is only for information
_ICMPV6_FILTER = 1
_IPV6_MTU_DISCOVER, _PROBE = 23, 3
_SO_ATTACH_FILTER = 26
_LD_BYTE, _LD_WORD, _EQUAL, _RETURN, _NET = 0x30, 0x20, 0x15, 0x06, 0xFFF00000
_MESSAGE = 2048
_DRAIN = 4096  # messages in one round; a flood of others must not hold us up

Question = Callable[[], Asked]


class Route(NamedTuple):
    """How this machine reaches an address: its own address, the device, its MTU, and the gateway,
    empty where the address is on the link."""

    source: str
    device: str
    mtu: int
    gateway: str = ""


class Asker:
    """Asks one target. Raises OSError where raw sockets may not be opened."""

    def __init__(self, place: Place) -> None:
        self._place = place
        with contextlib.ExitStack() as stack:
            self._out, self._in = (
                stack.enter_context(socket.socket(socket.AF_INET6, socket.SOCK_RAW, protocol))
                for protocol in (socket.IPPROTO_RAW, socket.IPPROTO_ICMPV6)
            )
            self._out.setblocking(False)
            self._out.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PROBE)
            self._in.setblocking(False)
            words = [0xFFFFFFFF] * 8  # a set bit blocks the type
            for kind in ANSWERS:
                words[kind >> 5] &= ~(1 << (kind & 31))
            self._in.setsockopt(socket.IPPROTO_ICMPV6, _ICMPV6_FILTER, struct.pack("@8I", *words))
            _attach(self._in, socket.inet_pton(socket.AF_INET6, place.destination[0]))
            self._opened = stack.pop_all()

    def __enter__(self) -> Asker:
        return self

    def __exit__(self, *error: object) -> None:
        self._opened.close()

    def ask(
        self,
        questions: Mapping[str, Question],
        enough: Callable[[str, Heard], bool],
        left: Callable[[], float],
        seldom: Container[str] = (),
    ) -> dict[str, list[Heard]]:
        """What was heard of each question. One that has heard `enough` is not asked again; what is
        silent is asked in every round, `seldom` in fewer. `left` gives the seconds left and raises
        at the end."""
        found: dict[str, list[Heard]] = {name: [] for name in questions}
        sent: list[Asked] = []
        names: list[str] = []
        for number, wait in enumerate(ROUNDS):
            open_ = [
                name
                for name in questions
                if not (number >= SELDOM and name in seldom)
                and not any(enough(name, one) for one in found[name])
            ]
            if not open_:
                break
            for name in open_:
                one = questions[name]()
                sent.append(one)
                names.append(name)
                for packet in one.packets:
                    self._send(packet)
            self._listen(sent, names, found, enough, min(wait, left()))
        return found

    def _send(self, packet: bytes) -> None:
        try:
            self._out.sendto(packet, self._place.destination)
        except OSError as error:
            # a full buffer, our own filter or an address that was refused a moment ago: as if lost
            if error.errno in (errno.EBADF, errno.EINVAL, errno.EAFNOSUPPORT):
                raise

    def _listen(
        self,
        sent: Sequence[Asked],
        names: Sequence[str],
        found: dict[str, list[Heard]],
        enough: Callable[[str, Heard], bool],
        seconds: float,
    ) -> None:
        end = time.monotonic() + seconds
        poll = select.poll()
        poll.register(self._in, select.POLLIN)
        for _ in range(_DRAIN):
            silent = any(not any(enough(n, h) for h in found[n]) for n in names)
            # what has come by the end is read, however late we are
            left = max(0.0, end - time.monotonic())
            if not silent or not poll.poll(left * 1000):
                return
            try:
                message, source = self._in.recvfrom(_MESSAGE)
            except OSError:  # an error that the kernel keeps for the socket, told once
                continue
            answer = heard(sent, str(source[0]), message)
            if answer:
                known = found[names[answer[0]]]
                if answer[1] not in known and len(known) < 8:
                    known.append(answer[1])


def _attach(opened: socket.socket, target: bytes) -> None:
    """Only replies from the target, and errors about what was sent to it: a hundred sites may be
    asked at a time, and every raw socket is shown everything. The filter sees packets from the ICMPv6
    header on, and the IPv6 header at offsets of their own (linux/filter.h, SKF_NET_OFF)."""
    words = struct.unpack("!4I", target)
    replies = [
        ((_LD_WORD, 0, 0, _NET + 8 + 4 * n), (_EQUAL, 0, 2 * (3 - n) + 10, word))
        for n, word in enumerate(words)
    ]
    errors = [
        ((_LD_WORD, 0, 0, 8 + 24 + 4 * n), (_EQUAL, 0, 2 * (3 - n) + 1, word))
        for n, word in enumerate(words)
    ]
    program = [
        (_LD_BYTE, 0, 0, 0),
        (_EQUAL, 0, 9, REPLY),
        *(one for pair in replies for one in pair),
        (_RETURN, 0, 0, _MESSAGE),
        *(one for pair in errors for one in pair),
        (_RETURN, 0, 0, _MESSAGE),
        (_RETURN, 0, 0, 0),
    ]
    packed = b"".join(struct.pack("@HBBI", *one) for one in program)
    buffer = ctypes.create_string_buffer(packed)
    described = struct.pack("@HP", len(program), ctypes.addressof(buffer))
    opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)


def nonce(length: int) -> bytes:
    """Bytes that nobody off the way can guess."""
    return os.urandom(length)


# --- the route

_GETROUTE, _ERROR = 26, 2
_REQUEST = 1
_RTA_DST, _RTA_OIF, _RTA_GATEWAY = 1, 4, 5
_HEADER = struct.Struct("=IHHII")
_ROUTE = struct.Struct("=BBBBBBBBI")


def route(place: Place, mtu_of: Callable[[str], int]) -> Route:
    """The kernel's route to a place; raises OSError where there is none."""
    address = socket.inet_pton(socket.AF_INET6, place.destination[0])
    attributes = struct.pack("=HH", 4 + len(address), _RTA_DST) + address
    scope = place.destination[3] if len(place.destination) > 3 else 0
    if scope:
        attributes += struct.pack("=HHI", 8, _RTA_OIF, scope)
    body = _ROUTE.pack(socket.AF_INET6, 128, 0, 0, 0, 0, 0, 0, 0) + attributes
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as asking:
        asking.settimeout(2)
        asking.send(_HEADER.pack(_HEADER.size + len(body), _GETROUTE, _REQUEST, 1, 0) + body)
        told = asking.recv(8192)
    kind = _HEADER.unpack_from(told)[1]
    if kind == _ERROR:
        number = -struct.unpack_from("=i", told, _HEADER.size)[0]
        raise OSError(number, os.strerror(number))
    index, gateway = 0, ""
    at = _HEADER.size + _ROUTE.size
    while at + 4 <= len(told):
        length, what = struct.unpack_from("=HH", told, at)
        if length < 4:
            break
        value = told[at + 4 : at + length]
        if what == _RTA_OIF:
            index = int(struct.unpack("=I", value)[0])
        elif what == _RTA_GATEWAY and len(value) == 16:
            gateway = socket.inet_ntop(socket.AF_INET6, value)
        at += (length + 3) & ~3
    device = socket.if_indextoname(index)
    return Route(place.source, device, mtu_of(device), gateway)
