"""Availability of lines over a period, with maintenance windows left out. Pure.

All is by slots of five minutes: a slot is in a window when it begins in it. Of a slot some seconds are known and in some
of those the line was up or degraded; the others of them it was down. What is not known is neither.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from collectors.link.lines import LEVELS
from exporters.history.reader import Span, span
from exporters.history.schema import SLOT
from exporters.report.document import Line, LineLevel, LinesPart, Maintenance
from exporters.report.sections.maintenancefile import Window
from exporters.report.sections.settings import LinesSettings
from rules.waivers import PLAIN

NOISE: Final = 0.1  # seconds of a slot; less is what rounding makes
_HOUR: Final = 3600.0

Floats = NDArray[np.floating]


class Facts(NamedTuple):
    """What is written of a line."""

    site: str
    level: str
    carrier: str


class Block(NamedTuple):
    """Some lines, one a row: a column for each of `slots`, which ascend; percent, NaN where nothing is known."""

    names: list[str]
    slots: NDArray[np.int64]
    up: Floats
    known: Floats


class Tally(NamedTuple):
    """Seconds of one line outside maintenance, but `maintenance`; outages as they follow each other."""

    up: float
    known: float
    unknown: float
    maintenance: float
    outages: int
    longest: float

    @property
    def down(self) -> float:
        return self.known - self.up

    @property
    def availability(self) -> float | None:
        return 100 * self.up / self.known if self.known > 0 else None


def matches(window: Window, name: str, level: str) -> bool:
    """Whether a window is for a line."""
    if not window.lines and not window.levels:
        return True
    return level in window.levels or any(
        fnmatch.fnmatchcase(name, pattern.translate(PLAIN)) for pattern in window.lines
    )


def slots_of(window: Window, period: Span) -> tuple[int, int]:
    """Slots of a period that begin in a window; none where both are the same."""
    own = span(window.since.timestamp(), window.until.timestamp())
    first = min(max(own.first, period.first), period.end)
    return first, max(first, min(own.end, period.end))


class Calendar:
    """Which slots of a period are maintenance, by line."""

    def __init__(self, windows: Iterable[Window], period: Span, facts: Mapping[str, Facts]) -> None:
        self.period, self._facts = period, facts
        its = [(window, slots_of(window, period)) for window in windows]
        self.windows = [(window, slots) for window, slots in its if slots[1] > slots[0]]
        self._masks: dict[tuple[bool, ...], NDArray[np.bool_]] = {}

    def inside(self, name: str) -> NDArray[np.bool_]:
        """Of each slot of the period, whether it is maintenance of a line; overlaps count once."""
        level = self._facts[name].level if name in self._facts else ""
        own = tuple(matches(window, name, level) for window, _ in self.windows)
        if own not in self._masks:
            mask = np.zeros(max(0, self.period.end - self.period.first), np.bool_)
            for (_, (first, end)), mine in zip(self.windows, own, strict=True):
                if mine:
                    mask[first - self.period.first : end - self.period.first] = True
            self._masks[own] = mask
        return self._masks[own]

    def told(self, names: Sequence[str]) -> tuple[Maintenance, ...]:
        """The windows of the period, and what each took of these lines."""
        found = []
        for window, (first, end) in self.windows:
            matched = sum(
                matches(window, name, self._facts[name].level if name in self._facts else "")
                for name in names
            )
            found.append(
                Maintenance(
                    since=window.since,
                    until=window.until,
                    lines=window.lines,
                    levels=window.levels,
                    reason=window.reason,
                    approver=window.approver,
                    matched=matched,
                    hours=matched * (end - first) * SLOT / _HOUR,
                )
            )
        return tuple(sorted(found, key=lambda one: (one.since, one.until)))


def tallies(blocks: Iterable[Block], calendar: Calendar) -> dict[str, Tally]:
    """By line; slots that no block has are not known."""
    found: dict[str, Tally] = {}
    for block in blocks:
        found.update(zip(block.names, _of_block(block, calendar), strict=True))
    return found


def _of_block(block: Block, calendar: Calendar) -> list[Tally]:
    if not block.names:
        return []
    period = calendar.period
    masks = np.array([calendar.inside(name) for name in block.names])
    inside = masks[:, block.slots - period.first]
    share, there = (one.astype(np.float64) for one in (block.up, block.known))
    counts = ~(np.isnan(share) | np.isnan(there) | inside)
    known = np.where(counts, there * (SLOT / 100), 0.0)
    up = np.where(counts, known * np.clip(share, 0, 100) / 100, 0.0)
    down = known - up
    lost = down >= NOISE
    follows = np.zeros(lost.shape, np.bool_)
    follows[:, 1:] = lost[:, :-1] & (np.diff(block.slots) == 1)
    begins = lost & ~follows
    outages = begins.sum(axis=1)
    longest = np.zeros(len(block.names))
    if lost.any():
        run = np.cumsum(begins[lost]) - 1  # row by row, as the mask takes them
        lengths = np.bincount(run, weights=down[lost])
        np.maximum.at(longest, np.nonzero(begins)[0], lengths)
    maintenance = masks.sum(axis=1) * float(SLOT)
    whole = (period.end - period.first) * float(SLOT) - maintenance
    total_known, total_up = known.sum(axis=1), up.sum(axis=1)
    return [
        Tally(*row)
        for row in zip(
            total_up.tolist(),
            total_known.tolist(),
            np.maximum(0.0, whole - total_known).tolist(),
            maintenance.tolist(),
            outages.tolist(),
            longest.tolist(),
            strict=True,
        )
    ]


def lines_part(
    found: Mapping[str, Tally],
    facts: Mapping[str, Facts],
    calendar: Calendar,
    settings: LinesSettings,
    source: str,
) -> LinesPart:
    """Lines that are written down and were not measured are not known for all of the period."""
    names = sorted({*found, *facts})
    period = (calendar.period.end - calendar.period.first) * float(SLOT)
    lines = []
    for name in names:
        tally = found.get(name)
        if tally is None:
            maintenance = float(calendar.inside(name).sum()) * SLOT
            tally = Tally(0.0, 0.0, period - maintenance, maintenance, 0, 0.0)
        lines.append(_line(name, facts.get(name), tally, settings))
    lines.sort(key=lambda one: (_place(one.level), one.name))
    by_name = {one.name: found[one.name] for one in lines if one.name in found}
    worst = [one for one in lines if one.down]
    worst.sort(key=lambda one: (one.availability, -(one.down or 0.0), one.name))
    return LinesPart(
        levels=tuple(
            _level(level, [one for one in lines if one.level == level], by_name, settings)
            for level in sorted({one.level for one in lines}, key=_place)
        ),
        worst=tuple(worst[: settings.worst]),
        lines=tuple(lines),
        maintenance=calendar.told(names),
        source=source,
    )


def _place(level: str) -> tuple[int, str]:
    return (list(LEVELS).index(level) if level in LEVELS else len(LEVELS)), level


def _target(level: str, settings: LinesSettings) -> float | None:
    return {str(key): value for key, value in settings.sla.items()}.get(level)


def _line(name: str, facts: Facts | None, tally: Tally, settings: LinesSettings) -> Line:
    site, level, carrier = facts or Facts(name, "", "")
    target = _target(level, settings)
    time = tally.known + tally.unknown
    whole = time > 0 and 100 * tally.known / time >= settings.least_known
    availability = tally.availability
    met = None
    if whole and target is not None and availability is not None:
        met = availability >= target
    some = tally.known > 0
    return Line(
        name=name,
        site=site or name,
        level=level,
        carrier=carrier,
        availability=availability,
        target=target,
        met=met,
        down=tally.down / _HOUR if some else None,
        unknown=tally.unknown / _HOUR,
        maintenance=tally.maintenance / _HOUR,
        outages=tally.outages if some else None,
        longest=tally.longest / _HOUR if some else None,
        whole=whole,
    )


def _level(
    level: str, lines: Sequence[Line], tallies: Mapping[str, Tally], settings: LinesSettings
) -> LineLevel:
    own = [tallies[one.name] for one in lines if one.name in tallies]
    up, known = (sum(getattr(one, key) for one in own) for key in ("up", "known"))
    down = [one.down for one in lines if one.down is not None]
    return LineLevel(
        level=level,
        lines=len(lines),
        measured=len(down),
        availability=100 * up / known if known > 0 else None,
        target=_target(level, settings),
        met=sum(one.met is True for one in lines),
        missed=sum(one.met is False for one in lines),
        down=sum(down) if down else None,
        unknown=sum(one.unknown for one in lines),
        maintenance=sum(one.maintenance for one in lines),
    )
