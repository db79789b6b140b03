"""The account of one STAMP session: which datagrams are answers, and to what. Pure.

RFC 8762. What the answers say of each direction: stampsummary.py.
"""

from __future__ import annotations

from collections import Counter
from typing import Final, Literal, NamedTuple

from collectors.link import stamppacket
from collectors.link.datagram import Datagram, Peer
from collectors.link.stamppacket import ErrorEstimate

SECOND: Final = 1_000_000_000
STEP = 1_000_000  # ns by which two readings of the skew differ where nobody has set the clock
_BACKWARDS = -1_000_000  # ns: a round trip below this needs a reflector that lies

Drop = Literal["malformed", "authentication", "spoofed", "unasked", "implausible"]
DROPS: Final[tuple[Drop, ...]] = (
    *("malformed", "authentication", "spoofed", "unasked", "implausible"),
)


class Sent(NamedTuple):
    """A packet on its way: when by the wall clock (ns), its timestamp as written, the skew."""

    at: int
    stamp: bytes
    skew: int


class Times(NamedTuple):
    """One answer's times in seconds. `residence` is the reflector's own part."""

    round_trip: float
    forward: float
    backward: float
    residence: float


class Taken(NamedTuple):
    """The first answer to a packet: the reflector's number of it, and its times unless the wall
    clock was set meanwhile."""

    number: int
    late: bool
    times: Times | None


class Tally:
    """Packets are numbered from `first`. An answer later than `limit` seconds is a late one.

    RFC 8762 numbers them from 0; no reflector looks at where they begin, and a number that is
    not 0 tells one that copies it (stateless) from one that counts from 0 itself (stateful).
    """

    def __init__(self, peer: Peer, first: int, limit: float, key: bytes | None) -> None:
        self._peer, self.first, self._key = peer, first, key
        self._limit = int(limit * SECOND)
        self._sent: list[Sent] = []
        self.taken: dict[int, Taken] = {}  # by index, as they came
        self.again: set[int] = set()  # the reflector's numbers of requests that came doubled
        self.duplicates = self.clock_steps = 0
        self.reflector: ErrorEstimate | None = None
        self.ttl: int | None = None
        self.hop_limit: int | None = None
        self.drops: Counter[Drop] = Counter()
        self._numbers: set[int] = set()

    @property
    def count(self) -> int:
        """How many packets were sent."""
        return len(self._sent)

    def sent(self, at: int, skew: int) -> None:
        self._sent.append(Sent(at, stamppacket.ntp(at), skew))

    def unsent(self) -> None:
        """The last packet could not be sent after all."""
        self._sent.pop()

    def take(self, datagram: Datagram, skew: int) -> Drop | None:
        """Count what has come; why it is no answer, None if it is one."""
        drop = self._take(datagram, skew)
        if drop:
            self.drops[drop] += 1
        return drop

    def _take(self, datagram: Datagram, skew: int) -> Drop | None:
        if datagram.source != self._peer:
            return "spoofed"
        reply = stamppacket.parse_reply(datagram.data, self._key)
        if isinstance(reply, str):
            return reply
        index = reply.request.sequence - self.first
        if not 0 <= index < len(self._sent) or reply.request.stamp != self._sent[index].stamp:
            return "unasked"
        sent = self._sent[index]
        elapsed, residence = datagram.at - sent.at, reply.sent - reply.received
        stepped = abs(skew - sent.skew) > STEP + abs(elapsed) // 1000
        if residence < 0 or (not stepped and elapsed - residence < _BACKWARDS):
            return "implausible"
        new = reply.sequence not in self._numbers
        self._numbers.add(reply.sequence)
        if index in self.taken:
            self.duplicates += 1
            if new:
                self.again.add(reply.sequence)
            return None
        self.reflector, self.ttl, self.hop_limit = reply.error, reply.ttl, datagram.hop_limit
        times = None
        if stepped:
            self.clock_steps += 1
        else:
            times = Times(
                max(0, elapsed - residence) / SECOND,
                (reply.received - sent.at) / SECOND,
                (datagram.at - reply.sent) / SECOND,
                residence / SECOND,
            )
        late = not stepped and elapsed > self._limit
        self.taken[index] = Taken(reply.sequence, late, times)
        return None
