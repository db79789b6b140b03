"""Lines as resources of the history: how much of a slot is known of each, and how much of that it was there.

What is kept between two looks is four numbers a line: there may be ten thousand. What goes into the
history is told in exporters/history/units.py.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from typing import Final, NamedTuple

from collectors.link.lines import Line
from exporters.history.accumulate import Rollup
from exporters.history.schema import SLOT
from exporters.history.units import LINE, LINE_KNOWN, LINE_UP, line_id

AT_ONCE: Final = 500  # lines


class LineSeconds(NamedTuple):
    """Seconds that each line was up or degraded, and that are known of it, since it is looked at."""

    lines: tuple[Line, ...]
    up: array[float]
    known: array[float]


class Part(NamedTuple):
    """Some lines: id, kind, name and cloud of each as a resource, and their rows."""

    resources: list[tuple[str, str, str, str]]
    rows: list[Rollup]


class LineSlot(NamedTuple):
    """One slot: seconds in it, of each line."""

    number: int
    told: LineSeconds

    def __len__(self) -> int:
        """How many rows it makes."""
        return len(self.told.lines) + sum(known > 0 for known in self.told.known)

    def parts(self) -> Iterator[Part]:
        """What nobody knows of has no row `line_up`."""
        lines, up, known = self.told
        for first in range(0, len(lines), AT_ONCE):
            part = Part([], [])
            for at in range(first, min(first + AT_ONCE, len(lines))):
                name = lines[at].name
                own, seconds = line_id(name), known[at]
                percent = 100 * seconds / SLOT
                part.resources.append((own, LINE, name, ""))
                part.rows.append(Rollup(own, LINE_KNOWN, percent, percent))
                if seconds > 0:
                    percent = 100 * min(1.0, up[at] / seconds)
                    part.rows.append(Rollup(own, LINE_UP, percent, percent))
            yield part


class LineSlots:
    """The slot under way of all lines."""

    def __init__(self) -> None:
        self._begun: LineSeconds | None = None  # at the begin of the slot
        self._last: LineSeconds | None = None
        self._at = 0.0

    def look(self, now: float, told: LineSeconds) -> LineSlot | None:
        """What is told at a Unix time; the slot that is over since the last look, if one is. Time goes on
        evenly between two looks; of looks further apart than a slot nobody knows."""
        begun, last, before = self._begun, self._last, self._at
        self._last, self._at = told, now
        if (
            begun is None
            or last is None
            or not 0 < now - before <= SLOT
            or last.lines != told.lines
        ):
            self._begun = told
            return None
        number = math.floor(before / SLOT)
        end = (number + 1) * SLOT
        if now < end:
            return None
        share = (end - before) / (now - before)
        self._begun = at_end = LineSeconds(
            told.lines, _between(last.up, told.up, share), _between(last.known, told.known, share)
        )
        return _slot(number, begun, at_end) if len(told.lines) else None

    def unfinished(self) -> LineSlot | None:
        """The slot under way as far as it was told; it goes on."""
        if self._begun is None or self._last is None or not self._last.lines:
            return None
        return _slot(math.floor(self._at / SLOT), self._begun, self._last)

    def interrupt(self) -> None:
        """The clock was set: nobody knows which slots the seconds are of."""
        self._begun = self._last = None


def _between(one: array[float], other: array[float], share: float) -> array[float]:
    return array("d", (a + (b - a) * share for a, b in zip(one, other, strict=True)))


def _slot(number: int, begun: LineSeconds, ended: LineSeconds) -> LineSlot:
    """A line that is looked at anew begins at 0 again: of its slot nothing is known."""
    up, known = (
        array("d", (max(0.0, b - a) for a, b in zip(one, other, strict=True)))
        for one, other in ((begun.up, ended.up), (begun.known, ended.known))
    )
    return LineSlot(number, LineSeconds(ended.lines, up, known))
