"""This host as a resource of the history: what it uses, from one look to the next, and what it has."""

from __future__ import annotations

import msgspec

from collectors.cloud.model import Size
from collectors.host import identity, use
from collectors.model import Answers, Source
from exporters.history.accumulate import Stretch
from exporters.history.rates import Meter

SPACE_EVERY = 300.0  # seconds between two looks at file systems and at which devices there are
SIZE = "size"  # the aspect


class HostSampler:
    """Looks at one host, which is no other meanwhile. Raises Unavailable and ParseError where it cannot be told
    which one it is; what else cannot be seen is in `problems`."""

    def __init__(self, source: Source, longest: float) -> None:
        self._source = source
        self._meter = Meter(longest)
        self._tally = use.Tally()
        self._names: frozenset[str] = frozenset()
        self._devices = use.Devices(None, None, None)
        self._looked = -SPACE_EVERY  # by the steady clock
        self._space_at: float | None = None
        self.identity = identity.identity(Answers(source.answer(identity.READINGS)))
        self.size = Size()
        self.problems: tuple[str, ...] = ()

    def sample(self, steady: float, wall: float) -> list[Stretch]:
        """What was used since the last sample; `steady` and `wall` are what the two clocks say."""
        seen = use.counters(Answers(self._source.answer(use.READINGS)))
        self.problems = seen.problems
        names = frozenset(seen.net or ()) | frozenset(seen.disks or ())
        found: list[Stretch] = []
        due = steady - self._looked >= SPACE_EVERY
        if due or names != self._names:
            self._names = names
            self._devices = use.devices(Answers(self._source.answer(use.DEVICES)))
        if due:
            self._looked = steady
            found = self._space(steady, wall)
        self.size = _known(use.size_of(seen, self._devices), self.size)
        told = self._tally.use(self.identity.id, wall, seen, self._devices)
        return self._meter.measure(told, steady, wall) + found

    def _space(self, steady: float, wall: float) -> list[Stretch]:
        """The level of now stands for the time since the last look."""
        pair = use.space(Answers(self._source.answer([use.MOUNTS])))
        before, self._space_at = self._space_at, steady if pair else None
        if pair is None or before is None or steady - before > 3 * SPACE_EVERY:
            return []
        percent = 100 * pair[0] / pair[1]
        return [Stretch(self.identity.id, "disk", percent, wall - (steady - before), wall)]


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
