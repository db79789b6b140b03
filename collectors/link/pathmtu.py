"""The largest packet that passes whole to a target and back: path-MTU discovery of our own.

Echo requests that no router may cut up (DF; IPv6 always) are sent at the size of our own device. A
router that cannot pass one names the size that it can (ICMP type 3 code 4, RFC 1191; ICMPv6 type 2,
RFC 8201), which is tried next. Where a large one vanishes and a small one is answered, sizes in
between are tried, several at once, until the largest that passes is known to the byte (in the manner
of RFC 8899): a black hole. The target's answers are as large, but the target may cut them up. The
kernel's cache of path MTUs is neither asked nor in the way: raw sockets know only the device's MTU.
"""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Iterable, Sequence

from collectors.link.pathjob import Probe, TraceOptions
from collectors.link.pathpackets import LEAST, Answer, Flow
from collectors.link.pathsocket import Place
from collectors.model import Target

COPIES = 2  # of each size, lest a lost packet be taken for one too large
POINTS = 12  # sizes tried at once
ROUNDS = 16  # at most; jumbo frames take 6
_HOPS = 255
_LARGEST = 65535


class MtuSearch:
    """A job. `mtu` is None where the target answers no echo at all, or none could be sent."""

    def __init__(
        self, target: Target, place: Place, options: TraceOptions, mtus: Sequence[int]
    ) -> None:
        self.target, self.place, self._options = target, place, options
        self.reserved: list[socket.socket] = []
        self.mtu: int | None = None
        self.black_hole = False
        self.told_by = ""
        self.over = False
        self._least = LEAST[target.family]
        # what a device takes, largest first; the one in use takes the first that is not refused
        self._devices = sorted({min(m, _LARGEST) for m in mtus if m >= self._least}, reverse=True)
        self._refusals = len(self._devices)  # at most
        self._start = os.urandom(12)  # shared, so that packets of all sizes are counted in one row
        self._by_size: dict[int, Flow] = {}
        self.flows = [self._flow(self._least)]
        self._sizes: list[int] = []  # of each packet, by its index
        self._under_way: set[int] = set()
        self._passes = 0
        self._ceiling = 0  # the largest size that may pass
        self._told: set[int] = set()  # sizes that were refused in words
        self._tested: set[int] = set()  # in this round
        self._silent = self._renewed = False
        self._rounds = 0
        self._plan: list[int] = []
        self._next_device()

    def _flow(self, size: int) -> Flow:
        if size not in self._by_size:
            self._by_size[size] = Flow(
                "icmp",
                self.target.family,
                self.place.source,
                self.place.destination[0],
                seed=self._options.seed,
                indexes=(POINTS + 3) * COPIES * ROUNDS + 2 * self._refusals,
                size=size,
                whole=True,
                start=self._start,
            )
        return self._by_size[size]

    def next(self) -> Probe | None:
        if not (self._plan or self._under_way or self.over):
            self._evaluate()
        if not self._plan:
            return None
        size, index = self._plan.pop(0), len(self._sizes)
        self._sizes.append(size)
        self._under_way.add(index)
        # the first flow knows the answers to all of them: they differ in nothing but the index
        return Probe(self.flows[0], index, self._flow(size).packet(index, _HOPS))

    def lost(self, flow: Flow, index: int) -> None:
        self._under_way.discard(index)

    def refused(self, probe: Probe, error: OSError) -> None:
        self._under_way.discard(probe.number)
        size = self._sizes[probe.number]
        if error.errno != errno.EMSGSIZE:
            self._end(None)
        elif size == self._ceiling:  # more than our own device takes
            self._next_device()

    def took(self, flow: Flow, index: int, answer: Answer, source: str, rtt: float) -> None:
        self._under_way.discard(index)
        size = self._sizes[index]
        if answer.kind == "reply":
            self._passes = max(self._passes, size)
        elif answer.kind == "too_big" and size <= self._ceiling:
            self._too_big(size, answer.mtu, source)

    def _too_big(self, size: int, said: int, source: str) -> None:
        """A router refuses a size and names another one, or 0 if it is older than RFC 1191. What
        is no smaller size, or less than every link must take, is no answer at all."""
        if self._least <= said < size:
            self._ceiling, self._renewed = said, True
            self._plan = [one for one in self._plan if one <= said]
        elif said or self.target.family == "ipv6":
            return
        self._told.add(size)
        self.told_by = source

    def _next_device(self) -> None:
        if not self._devices:
            self._end(None)
            return
        self._ceiling = self._devices.pop(0)
        self._rounds = 0
        self._round([self._ceiling])

    def _round(self, sizes: Iterable[int]) -> None:
        self._rounds += 1
        self._renewed = False
        wanted = sorted({self._least, *sizes}, reverse=True)
        self._tested = set(wanted)
        self._plan = wanted * COPIES

    def _end(self, mtu: int | None) -> None:
        self.mtu, self.over = mtu, True
        self._plan.clear()

    def _evaluate(self) -> None:
        """Everything of the round is answered or lost: what now?"""
        if not self._passes:  # not even the smallest
            self._end(None)
        elif self._passes >= self._ceiling or self._rounds >= ROUNDS:
            self._end(self._passes)
        elif self._renewed:
            # what vanished before somebody nearer to the target spoke is a hole all the same
            self.black_hole |= self._silent
            self._silent = False
            self._round([self._ceiling])
        else:
            failing = [size for size in self._tested if size > self._passes]
            fails = min(failing, default=self._ceiling)
            self._silent |= self._ceiling not in self._told
            if self._passes + 1 >= fails:
                self.black_hole |= fails not in self._told
                self._end(self._passes)
            else:
                step = max(1, -(-(fails - self._passes) // (POINTS + 1)))
                self._round({*range(self._passes + step, fails, step), fails})
