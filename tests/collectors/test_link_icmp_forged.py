"""The ICMP prober against a peer that forges, doubles and delays its answers, as root."""

from __future__ import annotations

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

from collectors.link.icmp import EchoOptions, IcmpProber
from collectors.link.icmpflows import Drop
from collectors.link.resolve import AF
from collectors.model import AddressFamily, ProbeResult, Target
from tests import netlab

pytestmark = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())

PEER = {"ipv4": "198.51.100.2", "ipv6": "2001:db8:1::2"}
OTHER = {"ipv4": "198.51.100.3", "ipv6": "2001:db8:1::3"}
PROTOCOL = {"ipv4": socket.IPPROTO_ICMP, "ipv6": socket.IPPROTO_ICMPV6}
COUNT = 4
FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")


class Request(NamedTuple):
    identifier: int
    sequence: int
    payload: bytes


class Peer:
    """The other end's raw sockets: its own address and another one it has."""

    def __init__(self, family: AddressFamily) -> None:
        self.family = family
        self.asker: tuple[str, int] = ("", 0)
        self._own, self._other = (
            socket.socket(AF[family], socket.SOCK_RAW, PROTOCOL[family]) for _ in range(2)
        )
        self._own.bind((PEER[family], 0))
        self._other.bind((OTHER[family], 0))
        self._own.settimeout(0.1)

    def requests(self, stop: threading.Event) -> Iterator[Request]:
        while not stop.is_set():
            try:
                data, address = self._own.recvfrom(2048)
            except TimeoutError:
                continue
            message = data[20:] if self.family == "ipv4" else data
            kind, _, _, identifier, sequence = struct.unpack_from("!BBHHH", message)
            if kind == (8 if self.family == "ipv4" else 128):
                self.asker = (address[0], 0)
                yield Request(identifier, sequence, message[8:])

    def answer(
        self, request: Request, payload: bytes | None = None, other: bool = False, sum_: int = 0
    ) -> None:
        """An echo reply; `sum_` spoils the checksum."""
        kind = 0 if self.family == "ipv4" else 129
        payload = request.payload if payload is None else payload
        message = struct.pack("!BBHHH", kind, 0, 0, request.identifier, request.sequence) + payload
        even = message + b"\0" * (len(message) % 2)
        total = sum(struct.unpack(f"!{len(even) // 2}H", even))
        while total >> 16:
            total = (total & 0xFFFF) + (total >> 16)
        check = ~total & 0xFFFF ^ sum_
        message = message[:2] + struct.pack("!H", check) + message[4:]
        (self._other if other else self._own).sendto(message, self.asker)

    def close(self) -> None:
        self._own.close()
        self._other.close()


Answer = Callable[[Peer, Request], None]


def forge(peer: Peer, request: Request) -> None:
    """Everything that is no answer."""
    index, nonce = request.payload[:4], request.payload[4:12]
    peer.answer(request, index + bytes(8) + request.payload[12:])
    peer.answer(request, other=True)
    peer.answer(request._replace(identifier=request.identifier ^ 1))
    peer.answer(request, request.payload[:11])
    peer.answer(request, b"")
    (number,) = struct.unpack("=I", index)
    for further in (1, COUNT, 1 << 31):
        peer.answer(request, struct.pack("=I", (number + further) & 0xFFFFFFFF) + nonce)
    if peer.family == "ipv4":
        peer.answer(request, sum_=0x0101)


def twice(peer: Peer, request: Request) -> None:
    forge(peer, request)
    peer.answer(request)
    peer.answer(request)


def late(peer: Peer, request: Request) -> None:
    time.sleep(0.25)
    peer.answer(request)


@pytest.fixture(scope="module")
def lab() -> Iterator[netlab.Lab]:
    with netlab.Lab() as made:
        made.namespace("a")
        made.namespace("b")
        pairs = {"ipv4": "198.51.100.1/24", "ipv6": "2001:db8:1::1/64"}
        lengths = {"ipv4": 24, "ipv6": 64}
        made.link("a", "b", [(pairs[f], f"{PEER[f]}/{lengths[f]}") for f in FAMILIES])
        for family in FAMILIES:
            nodad = ["nodad"] if family == "ipv6" else []
            made.run(
                "b",
                *("ip", "address", "add", f"{OTHER[family]}/{lengths[family]}", "dev", "to-a"),
                *nodad,
            )
        made.sysctl("b", "net.ipv4.icmp_echo_ignore_all=1", "net.ipv6.icmp.echo_ignore_all=1")
        yield made


def probe_peer(
    lab: netlab.Lab, family: AddressFamily, answer: Answer, timeout: float
) -> tuple[ProbeResult, dict[Drop, int]]:
    """One round against a peer that answers like this, and what was dropped."""
    ready, stop = threading.Event(), threading.Event()

    def respond() -> None:
        peer = Peer(family)
        try:
            ready.set()
            for request in peer.requests(stop):
                answer(peer, request)
        finally:
            peer.close()

    prober = IcmpProber(EchoOptions(COUNT, 0.05, timeout))
    there = lab.begin("b", respond)
    assert ready.wait(10)
    try:
        (result,) = lab.inside("a", lambda: prober.probe([Target("b", PEER[family], family)]))
    finally:
        stop.set()
        there.end()
    return result, dict(prober.drops)


@pytest.mark.parametrize("family", FAMILIES)
def test_forgeries_are_no_answers(lab: netlab.Lab, family: AddressFamily) -> None:
    result, drops = probe_peer(lab, family, forge, 0.3)
    assert (result.sent, result.received, result.reason) == (COUNT, 0, "timeout")
    assert result.duplicates == result.late == 0
    # nonce, source; length, unknown index, checksum. What has another identifier the kernel drops,
    # and a next index that is not sent yet is unknown
    assert drops["spoofed"] >= 2 * COUNT
    assert drops["stray"] >= 4 * COUNT
    assert set(drops) == {"spoofed", "stray"}


@pytest.mark.parametrize("family", FAMILIES)
def test_doubles_count_once_amid_forgeries(lab: netlab.Lab, family: AddressFamily) -> None:
    result, drops = probe_peer(lab, family, twice, 2)
    assert (result.sent, result.received, result.loss) == (COUNT, COUNT, 0)
    assert len(result.rtts) == COUNT
    # the round ends with the last answer, so the last double may come after it
    assert COUNT - 1 <= result.duplicates == drops["duplicate"] <= COUNT


@pytest.mark.parametrize("family", FAMILIES)
def test_what_comes_late_is_lost(lab: netlab.Lab, family: AddressFamily) -> None:
    options_timeout = 0.2
    result, drops = probe_peer(lab, family, late, options_timeout)
    assert (result.sent, result.received, result.reason) == (COUNT, 0, "timeout")
    assert result.late == drops["late"] > 0
