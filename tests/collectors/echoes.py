"""Flows for tests: what was sent and answered, without any network."""

from __future__ import annotations

import struct
from collections.abc import Sequence

from collectors.link.icmpflows import SECOND, Flow, Flows
from collectors.link.icmppacket import HEAD, MARK
from collectors.link.icmpsocket import packed_source
from collectors.link.metrics import Labelled, labelled
from collectors.model import AddressFamily, Target

IPV4, IPV6 = "192.0.2.1", "2001:db8::1"
IDENTIFIER = 7
UP, DOWN = Target("up", IPV4, "ipv4"), Target("down", IPV6, "ipv6")


class Sent:
    """Flows of one second's timeout; requests are kept as they were sent."""

    def __init__(
        self, targets: Sequence[Target] = (UP, DOWN), window: int = 4, histograms: bool = False
    ) -> None:
        self.flows = Flows([Flow(t) for t in targets], 1.0, 0.5, window, histograms)
        self.sources: list[bytes] = []
        for number, target in enumerate(targets):
            self.sources.append(packed_source(target.family, target.address, 0))
            self.flows.locate(number, self.sources[-1])
        self.packets: list[bytes] = []
        self.at: list[int] = []

    def send(self, at: float) -> int:
        """The next request, sent `at` seconds; its slot."""
        self.packets.append(self.flows.request(IDENTIFIER))
        self.at.append(int(at * SECOND))
        self.flows.was_sent(self.at[-1])
        return len(self.packets) - 1

    def answer(self, slot: int, after: float | None, hop_limit: int = 60) -> None:
        """The right answer to a request, `after` seconds (None: without a stamp)."""
        *_, index, nonce = HEAD.unpack_from(self.packets[slot])
        stamp = None if after is None else self.at[slot] + int(after * SECOND)
        source = self.sources[slot % len(self.sources)]
        self.flows.answer(index, nonce, source, stamp, hop_limit)


def some_flows() -> tuple[Flows, Labelled]:
    """One that answers thrice, one that does not."""
    sent = Sent(histograms=True)
    for second in range(3):
        sent.answer(sent.send(2.0 * second), 0.1 * (second + 1))
        sent.send(2.0 * second)
    sent.flows.expire(10 * SECOND)
    return sent.flows, labelled(sent.flows.flows, [IPV4, IPV6], histograms=True)


def request(family: AddressFamily, payload: bytes, sequence: int = 8) -> bytes:
    """An echo request with any payload."""
    message = struct.pack("=BBHHH", 8 if family == "ipv4" else 128, 0, 0, IDENTIFIER, sequence)
    return message + payload


def mark(index: int, nonce: int) -> bytes:
    return MARK.pack(index & 0xFFFFFFFF, nonce)
