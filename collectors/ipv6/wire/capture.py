"""Hears router advertisements and DHCPv6 servers on the links of this machine, for bounded time.

A packet socket a device (packet(7), CAP_NET_RAW) behind a filter (classic BPF, linux/filter.h): the
kernel hands over nothing else. To have everybody speak, one router solicitation (RFC 4861, 4.1), one
DHCPv6 solicitation and one information request (RFC 8415, 16) may be sent.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import time
from collections.abc import Iterator, Sequence
from typing import Final

from collectors.ipv6.wire.advertisements import CLIENT_PORT, RA_TYPE, SERVER_PORT, parse
from collectors.ipv6.wire.advertisers import NONE_UP, Expected, Heard, Seen, Watched
from collectors.ipv6.wire.asking import DESTINATION, FRAGMENT, HOP_BY_HOP, ICMPV6, ROUTING, UDP

MAX_PACKETS: Final = 1_000_000  # of one watch, so that a flood does not keep a core busy for long
_AT_A_TIME = 64  # packets of one device, before it is the others' turn
_QUEUED = 4 << 20  # bytes that may wait for us
_PACKET = 65536
_ETH_P_IPV6 = 0x86DD
_OUTGOING = 4  # PACKET_OUTGOING: our own
_SO_ATTACH_FILTER = 26
_SOL_PACKET, _PACKET_STATISTICS = 263, 6
_SIOCGIFFLAGS = 0x8913
_UP_AND_RUNNING = 0x1 | 0x40  # IFF_UP, IFF_RUNNING: switched on, and with a carrier
_LINK_LOCAL = "20"  # the scope in if_inet6
_UNUSABLE = 0x08 | 0x40  # dadfailed, tentative

_LD_BYTE, _LD_HALF, _AND, _EQUAL, _RETURN = 0x30, 0x28, 0x54, 0x15, 0x06
# From the IPv6 header on. Behind an extension header anything to multicast or link-local addresses.
_FILTER: Final = (
    (_LD_BYTE, 0, 0, 6),
    (_EQUAL, 5, 0, ICMPV6),
    (_EQUAL, 6, 0, UDP),
    (_EQUAL, 7, 0, HOP_BY_HOP),
    (_EQUAL, 6, 0, ROUTING),
    (_EQUAL, 5, 0, FRAGMENT),
    (_EQUAL, 4, 9, DESTINATION),
    (_LD_BYTE, 0, 0, 40),
    (_EQUAL, 6, 7, RA_TYPE),
    (_LD_HALF, 0, 0, 40),
    (_EQUAL, 4, 5, SERVER_PORT),
    (_LD_HALF, 0, 0, 24),
    (_AND, 0, 0, 0xFF00),
    (_EQUAL, 1, 0, 0xFF00),
    (_EQUAL, 0, 1, 0xFE00),
    (_RETURN, 0, 0, _PACKET),
    (_RETURN, 0, 0, 0),
)


class NoDevice(Exception):
    """An interface that is not there or not up, or has no IPv6."""


def devices(names: Sequence[str] = (), skip_down: bool = False) -> list[str]:
    """The interfaces to watch: those named, or all that are up and have a link-local address.

    Raises NoDevice where there is none, or, without `skip_down`, where one named is not up.
    """
    there = [name for _, name in socket.if_nameindex()]
    named = list(dict.fromkeys(names))
    for name in () if skip_down else named:
        if name not in there:
            raise NoDevice(f"no interface {name!r}; there are: {', '.join(there)}")
        if not is_up(name):
            raise NoDevice(f"interface {name!r} is down, or has no carrier: nothing is heard there")
    wanted = named or [name for name in _link_local() if name != "lo"]
    found = [name for name in wanted if name in there]
    up = [name for name in found if is_up(name)]
    if not up:
        among = f" among {', '.join(named)}" if named else ""
        raise NoDevice(f"{NONE_UP}{among}; there are: {', '.join(there)}")
    return up


def is_up(name: str) -> bool:
    """Whether an interface is there, switched on and has a carrier (netdevice(7))."""
    request = struct.pack("@16sh22x", os.fsencode(name)[:15], 0)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as opened:
        try:
            answer = fcntl.ioctl(opened, _SIOCGIFFLAGS, request)
        except OSError as error:
            if error.errno in (errno.ENODEV, errno.ENXIO):
                return False
            raise
    (flags,) = struct.unpack_from("@h", answer, 16)
    return bool(flags & _UP_AND_RUNNING == _UP_AND_RUNNING)


def _link_local() -> dict[str, str]:
    """Link-local addresses that can be sent from, by device."""
    found: dict[str, str] = {}
    try:
        with open("/proc/thread-self/net/if_inet6", encoding="ascii") as file:
            lines = file.read().splitlines()
    except FileNotFoundError:  # a kernel without IPv6
        return {}
    for line in lines:
        packed, _, _, scope, flags, device = line.split()
        if scope == _LINK_LOCAL and not int(flags, 16) & _UNUSABLE:
            found.setdefault(device, socket.inet_ntop(socket.AF_INET6, bytes.fromhex(packed)))
    return found


def watch(names: Sequence[str], seconds: float, known: Expected, solicit: bool = False) -> Watched:
    """Listen on these devices. Raises PermissionError, and OSError where a device goes away at the
    start."""
    with contextlib.ExitStack() as stack:
        hearing = {}
        poll = select.poll()
        for name in names:
            opened = stack.enter_context(_listening(name))
            hearing[opened.fileno()] = opened, name
            poll.register(opened, select.POLLIN)
        if solicit:
            addresses = _link_local()
            for opened, name in hearing.values():
                if address := addresses.get(name):
                    stack.enter_context(_solicited(name, address, opened.getsockname()[4]))
        return _hear(names, hearing, poll, seconds, known)


def _hear(
    names: Sequence[str],
    hearing: dict[int, tuple[socket.socket, str]],
    poll: select.poll,
    seconds: float,
    known: Expected,
) -> Watched:
    heard = Heard()
    lost: set[str] = set()
    packets = 0
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0 and packets < MAX_PACKETS and not heard.full:
        for number, _ in poll.poll(left * 1000):
            opened, name = hearing[number]
            for packet, where in _waiting(opened, name, lost):
                packets += 1
                message = None if where[2] == _OUTGOING else parse(packet)
                if message:
                    heard.take(Seen(name, where[4].hex(":"), message))
    limited = heard.full or packets >= MAX_PACKETS
    limited = limited or any(_dropped(opened) for opened, _ in hearing.values())
    gone = tuple(name for name in names if name in lost or not is_up(name))
    return Watched(tuple(names), seconds, *heard.told(known), packets, limited, gone)


def _waiting(
    opened: socket.socket, name: str, lost: set[str]
) -> Iterator[tuple[bytes, tuple[str, int, int, int, bytes]]]:
    """Some of the packets that wait at a device; where it went down it is `lost`."""
    for _ in range(_AT_A_TIME):
        try:
            yield opened.recvfrom(_PACKET)
        except BlockingIOError:
            return
        except OSError:  # told once: it may come up again
            lost.add(name)
            return


def _dropped(opened: socket.socket) -> bool:
    """Whether packets came faster than they were taken, and were thrown away (packet(7))."""
    statistics = opened.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, 8)
    return bool(struct.unpack("@II", statistics)[1])


@contextlib.contextmanager
def _listening(name: str) -> Iterator[socket.socket]:
    """A socket that gets packets from the IPv6 header on, from when it is bound."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0) as opened:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _QUEUED)
        program = ctypes.create_string_buffer(
            b"".join(struct.pack("@HBBI", *one) for one in _FILTER)
        )
        described = struct.pack("@HP", len(_FILTER), ctypes.addressof(program))
        opened.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, described)
        opened.bind((name, _ETH_P_IPV6))
        yield opened


# --- asking everybody to speak


@contextlib.contextmanager
def _solicited(name: str, address: str, station: bytes) -> Iterator[None]:
    """Asks, and keeps the client's port open, lest the kernel refuse the answers.

    Where a DHCPv6 client has the port already, it is asked from another one, and answered at that of
    the client all the same. What cannot be sent (the device is down) is not.
    """
    index = socket.if_nametoindex(name)
    with (
        socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as routers,
        socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as servers,
    ):
        routers.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        for port in (CLIENT_PORT, 0):
            with contextlib.suppress(OSError):
                servers.bind((address, port, 0, index))
                break
        with contextlib.suppress(OSError):
            routers.bind((address, 0, 0, index))
            routers.sendto(router_solicitation(station), ("ff02::2", 0, 0, index))
        with contextlib.suppress(OSError):
            for message in dhcpv6_requests(station):
                servers.sendto(message, ("ff02::1:2", SERVER_PORT, 0, index))
        yield


def router_solicitation(station: bytes) -> bytes:
    """The kernel makes the checksum."""
    option = struct.pack("!BB6s", 1, 1, station) if len(station) == 6 else b""
    return bytes((133, 0, 0, 0, 0, 0, 0, 0)) + option


def dhcpv6_requests(station: bytes) -> tuple[bytes, bytes]:
    """A solicitation of an address, which binds nothing, and an information request."""
    client = struct.pack("!HHHH", 1, 4 + len(station), 3, 1) + station  # a DUID of the station
    wanted = struct.pack("!HHHHHH", 6, 4, 23, 24, 8, 2) + b"\0\0"  # DNS; elapsed time
    address = struct.pack("!HH4sII", 3, 12, os.urandom(4), 0, 0)
    return (
        bytes((1,)) + os.urandom(3) + client + wanted + address,
        bytes((11,)) + os.urandom(3) + client + wanted,
    )
