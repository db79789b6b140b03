"""What a conversation with one target is, whatever it asks, and the options of traces."""

from __future__ import annotations

import socket
from typing import NamedTuple, Protocol

import msgspec

from collectors.link.path import Method
from collectors.link.pathpackets import Answer, Flow
from collectors.link.pathsocket import Place
from collectors.model import Target


class TraceOptions(msgspec.Struct, frozen=True):
    """`probes` to each of `max_hops` distances in each of `flows`, answered within `timeout` seconds.

    `rate` bounds packets a second and `window` packets under way over all targets; packets to one
    target are `spacing` seconds apart. After `limit` seconds what is known by then counts. `seed` chooses the flows: with the same one, the same flows.
    """

    method: Method = "icmp"
    port: int = 0
    max_hops: int = 30
    probes: int = 2
    flows: int = 1
    timeout: float = 1.0
    limit: float = 86400.0
    spacing: float = 0.01
    rate: int = 1000
    window: int = 500
    mtu: bool = False
    seed: bytes = b""

    def __post_init__(self) -> None:
        if not (1 <= self.max_hops <= 255 and 1 <= self.probes <= 10 and 1 <= self.flows <= 64):
            raise ValueError("max_hops must be 1 to 255, probes 1 to 10, flows 1 to 64")
        if self.rate < 1 or self.window < 1 or self.spacing < 0:
            raise ValueError("rate and window must be above 0, spacing not below")
        if self.timeout <= 0 or self.limit <= 0:
            raise ValueError("timeout and limit must be above 0")


class Probe(NamedTuple):
    """One packet to send: of which flow, its index there, and its bytes."""

    flow: Flow
    number: int
    packet: bytes


class Job(Protocol):
    """A conversation with one target. It does no I/O: it says what to send, and is told the rest."""

    target: Target
    place: Place
    flows: list[Flow]  # one for each key that answers may have
    reserved: list[socket.socket]

    def next(self) -> Probe | None:
        """What to send now, if anything."""
        ...

    def refused(self, probe: Probe, error: OSError) -> None:
        """This machine did not send it."""
        ...

    def took(self, flow: Flow, index: int, answer: Answer, source: str, rtt: float) -> None:
        """The first answer to a packet, in time; `rtt` in seconds."""
        ...

    def lost(self, flow: Flow, index: int) -> None:
        """No answer in time."""
        ...

    @property
    def over(self) -> bool:
        """Whether nothing is to be sent or waited for any more."""
        ...
