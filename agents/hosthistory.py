"""This host as a resource of the history: what it uses, from one look to the next, and what it has."""

from __future__ import annotations

import math
from collections.abc import Iterator

import msgspec

from collectors.cloud.model import Size
from collectors.host import identity, use
from collectors.model import Answers, Source
from exporters.history.accumulate import Stretch
from exporters.history.rates import Meter

DEVICES_EVERY = 300.0  # seconds between two looks at which devices there are
SIZE = "size"  # the aspect


class HostSampler:
    """Looks at one host, which is no other meanwhile. Raises Unavailable and ParseError where it cannot be told
    which one it is; what else cannot be seen is in `problems`."""

    def __init__(self, source: Source, longest: float) -> None:
        self._source = source
        self._longest, self._meter = longest, Meter(longest)
        self._tally = use.Tally()
        self._names: frozenset[str] = frozenset()
        self._devices = use.Devices(None, None, None)
        self._looked = -math.inf  # by the steady clock
        self._space_at = -math.inf
        self.identity = self._identified()
        self.size = Size()
        self.problems: tuple[str, ...] = ()

    def sample(self, steady: float, wall: float) -> list[Stretch]:
        """What was used since the last sample; `steady` and `wall` are what the two clocks say."""
        seen = use.counters(Answers(self._source.answer(use.READINGS)))
        self.problems = seen.problems
        names = frozenset(seen.net or ()) | frozenset(seen.disks or ())
        if names != self._names or steady - self._looked >= DEVICES_EVERY:
            self._names, self._looked = names, steady
            self._devices = use.devices(Answers(self._source.answer(use.DEVICES)))
            self.identity = self._identified()  # a host may be given another name
        self.size = _known(use.size_of(seen, self._devices), self.size)
        told = self._tally.use(self.identity.id, wall, seen, self._devices)
        return [*self._meter.measure(told, steady, wall), *self._space(steady, wall)]

    def _identified(self) -> identity.Identity:
        return identity.identity(Answers(self._source.answer(identity.READINGS)))

    def _space(self, steady: float, wall: float) -> Iterator[Stretch]:
        """The level of now stands for the time since the last look."""
        pair = use.space(Answers(self._source.answer([use.MOUNTS])))
        seconds = steady - self._space_at
        if pair:
            self._space_at = steady
            if seconds <= self._longest:
                percent = 100 * pair[0] / pair[1]
                yield Stretch(self.identity.id, "disk", percent, wall - seconds, wall)


def _known(now: Size, before: Size) -> Size:
    """What cannot be seen now is as it was."""
    return Size(
        before.vcpus if now.vcpus is None else now.vcpus,
        before.memory if now.memory is None else now.memory,
        before.disk if now.disk is None else now.disk,
    )


def size_value(size: Size) -> str:
    """The value of a span of the aspect `size`: JSON with vcpus, memory and disk, null where not known."""
    return msgspec.json.encode(size).decode()
