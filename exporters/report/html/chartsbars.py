"""Charts of shares: capacity, departments beside each other, states, and the small strips of one resource.

Pure: the same data, the same text. Bars begin at 0; hatching and labels tell parts from one another without colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from exporters.report.html import look
from exporters.report.html.figures import number, percent
from exporters.report.html.svg import (
    INK,
    PAPER,
    RULE,
    SOFT,
    Fill,
    area,
    clean,
    coordinate,
    fitted,
    line,
    path,
    picture,
    room_of,
    text,
    ticks,
)
from exporters.report.html.words import say

WIDE: Final = 760.0
MAX_BARS: Final = 30


class Capacity(NamedTuple):
    """Of one resource, in one unit: what can be granted, what is, what is used; `shown` are the same as people read them."""

    name: str
    usable: float | None
    granted: float | None
    used: float | None
    shown: tuple[str, str, str]


class Bar(NamedTuple):
    """One department in core hours: `granted`, of that those whose use is `known`, of these `used`. `share` is percent used of
    known, `mark` its change."""

    name: str
    granted: float
    known: float
    used: float
    share: float | None
    mark: str


class Share(NamedTuple):
    key: str
    name: str
    held: int


def capacity(those: Sequence[Capacity], language: str) -> str:
    """Bars within bars: what can be granted, of it what is, of that what is used. 100 % is what can be granted, or what
    is granted where that is not known."""
    left, right, row = 92.0, 16.0, 74.0
    wide = WIDE - left - right
    body: list[str] = []
    most = max([_share(it.granted, _whole(it)) or 0.0 for it in those] + [1.0])
    most = min(most, 4.0)
    scale = wide / most
    for i, it in enumerate(those):
        y = 34 + row * i
        body.append(text(0, y + 17, fitted(it.name, 13, left), 13, font_weight="bold"))
        granted, used = _share(it.granted, _whole(it)), _share(it.used, _whole(it))
        if granted is None and it.usable is None:
            body.append(area(left, y, scale, 24, look.ABSENT))
            body.append(text(left + 10, y + 16, say("no_data", language), 11, fill=SOFT))
        elif it.usable is None:
            body.append(text(0, y + 32, say("of_granted", language), 10, fill=SOFT))
        else:
            body.append(area(left, y, scale, 24, Fill(PAPER, "", SOFT)))
        for part, inset, fill in ((granted, 2.5, look.GRANTED), (used, 7.0, look.USED)):
            if part is not None:
                long = min(part * scale, wide)
                body.append(area(left, y + inset, long, 24 - 2 * inset, fill))
        if it.usable is not None:
            end = left + scale
            body.append(line(end, y - 4, end, y + 28, stroke=INK, stroke_width=1.6))
        parts = (
            (say("usable", language), it.shown[0], None),
            (say("granted", language), it.shown[1], None if it.usable is None else granted),
            (say("used", language), it.shown[2], used),
        )
        x = left
        for (name, shown, share), fill in zip(
            parts, (_TRACK, look.GRANTED, look.USED), strict=True
        ):
            body.append(area(x, y + 33, 11, 10, fill))
            told = f"{name} {shown}" + (f" · {percent(100 * share)}" if share is not None else "")
            body.append(text(x + 16, y + 42, fitted(told, 11, wide / 3 - 14), 11, fill=INK))
            x += wide / 3
    for mark in (0.0, 0.25, 0.5, 0.75, 1.0):
        x = left + mark * scale
        body.append(text(x, 14, percent(100 * mark, 0), 10.5, text_anchor="middle", fill=SOFT))
        body.append(line(x, 19, x, 25))
    told = "; ".join(f"{it.name}: {' / '.join(it.shown)}" for it in those)
    return picture(WIDE, 34 + row * len(those), say("chart_capacity", language), told, body)


def departments(bars: Sequence[Bar], language: str) -> str:
    """What was granted to each, and what it used of it."""
    shown = bars[:MAX_BARS]
    left, right, row, first = 190.0, 128.0, 25.0, 44.0
    wide = WIDE - left - right
    marks = ticks(max([clean(it.granted) or 0.0 for it in shown] + [0.0]), 5)
    bottom = first + row * len(shown)
    body = [
        area(left, 2, 12, 10, look.GRANTED),
        text(left + 18, 12, say("granted_core_hours", language), 11, fill=SOFT),
        area(left + 150, 2, 12, 10, look.USED),
        text(left + 168, 12, say("used_core_hours", language), 11, fill=SOFT),
        area(left + 300, 2, 12, 10, look.UNKNOWN),
        text(left + 318, 12, say("used_unknown", language), 11, fill=SOFT),
        text(WIDE, 12, say("used_and_change", language), 11, fill=SOFT, text_anchor="end"),
    ]
    for mark in marks:
        x = left + wide * mark / marks[-1]
        digits = 0 if marks[1] >= 1 else 1
        body.append(line(x, first - 6, x, bottom, stroke=SOFT if mark == 0 else RULE))
        body.append(
            text(x, first - 11, number(mark, digits), 10.5, text_anchor="middle", fill=SOFT)
        )
    for i, it in enumerate(shown):
        y = first + row * i
        body.append(text(left - 10, y + 14, fitted(it.name, 12, left - 14), 12, text_anchor="end"))
        granted = max(clean(it.granted) or 0.0, 0.0)
        known = min(max(clean(it.known) or 0.0, 0.0), granted)
        used = min(max(clean(it.used) or 0.0, 0.0), known)
        parts = ((granted, 15, look.UNKNOWN), (known, 15, look.GRANTED), (used, 8, look.USED))
        for hours, high, fill in parts:
            if hours < granted or fill is not look.UNKNOWN or known < granted:
                long = wide * hours / marks[-1]
                body.append(area(left, y + 10.5 - high / 2, long, high, fill, number(hours)))
        told = percent(clean(it.share))
        body.append(text(WIDE - 72, y + 14, told, 11, text_anchor="end", font_weight="bold"))
        body.append(
            text(WIDE, y + 14, fitted(it.mark, 10.5, 68), 10.5, text_anchor="end", fill=SOFT)
        )
    told = "; ".join(f"{it.name}: {number(it.granted)} / {number(it.used)}" for it in shown)
    return picture(WIDE, bottom + 4, say("chart_departments", language), told, body)


def states(shares: Sequence[Share], language: str) -> str:
    """One bar of all resources by state; each part has its own hatching, and its count where it has room."""
    shares = [it for it in shares if it.held > 0]
    total = sum(it.held for it in shares)
    title = say("chart_states", language)
    if not total:
        nothing = text(10, 21, say("no_data", language), 11)
        return picture(WIDE, 34, title, "", [area(1, 4, WIDE - 2, 26, look.ABSENT), nothing])
    body: list[str] = []
    x = 1.0
    for it in shares:
        wide = (WIDE - 2) * it.held / total
        fill = look.STATES.get(it.key, look.PLAIN)
        told = f"{it.name} {it.held} ({percent(100 * it.held / total)})"
        body.append(area(x, 4, wide, 26, fill, told))
        label = number(it.held)
        room = room_of(label, 12) + 8
        if wide > room + 4:
            body.append(_counted(x + wide / 2, room, label, fill))
        x += wide
    told = "; ".join(f"{it.name}: {it.held}" for it in shares)
    return picture(WIDE, 34, title, told, body)


def swatch(key: str) -> str:
    """How a state looks, for a key."""
    fill = look.STATES.get(key, look.PLAIN)
    return (
        '<svg class="swatch" viewBox="0 0 18 13" width="18" height="13" aria-hidden="true">'
        f"{area(1, 1, 16, 11, fill)}</svg>"
    )


def _counted(x: float, room: float, label: str, fill: Fill) -> str:
    """A number on a part: on a patch of paper where it is hatched."""
    dark = not fill.hatch and fill.colour != PAPER
    patch = f"M{coordinate(x - room / 2)} 9.5h{coordinate(room)}v15h-{coordinate(room)}z"
    shown = text(
        x, 21.5, label, 12, text_anchor="middle", font_weight="bold", fill=PAPER if dark else INK
    )
    return ("" if dark else path(patch, fill=PAPER)) + shown


def strip(p50: float | None, p95: float | None, peak: float | None) -> str:
    """P50 to P95 as a bar on 0 to 100 %, the peak as a stroke; empty where nothing is known."""
    p50, p95, peak = (_within(v) for v in (p50, p95, peak))
    if p95 is None and peak is None:
        return ""
    body = [path("M1 10.5H101M1 8v5M51 8v5M101 8v5", stroke="#b9c2ca", fill="none")]
    if p95 is not None:
        low = p95 if p50 is None else min(p50, p95)
        wide = max(p95 - low, 1.0)
        shape = f"M{coordinate(1 + low)} 3h{coordinate(wide)}v7h-{coordinate(wide)}z"
        body.append(path(shape, fill=look.BLUE))
    if peak is not None:
        body.append(path(f"M{coordinate(1 + peak)} 1v11", stroke=look.VERMILLION, stroke_width=2))
    return _small(body)


def gauge(value: float | None, before: float | None = None) -> str:
    """A share of 100 as a bar, the month before as a stroke; empty where nothing is known."""
    value, before = _within(value), _within(before)
    if value is None:
        return ""
    body = [area(1, 2, 100, 9, Fill(PAPER, "", "#b9c2ca")), area(1, 2, value, 9, look.USED)]
    if before is not None:
        body.append(path(f"M{coordinate(1 + before)} 0v13", stroke=look.VERMILLION, stroke_width=2))
    return _small(body)


def _small(body: Sequence[str]) -> str:
    """A picture beside the numbers that it shows: nothing to be read out twice."""
    return (
        '<svg class="strip" viewBox="0 0 102 13" width="102" height="13" aria-hidden="true">'
        f"{''.join(body)}</svg>"
    )


_TRACK: Final = Fill(PAPER, "", SOFT)


def _whole(it: Capacity) -> float | None:
    return it.granted if it.usable is None else it.usable


def _share(part: float | None, whole: float | None) -> float | None:
    part, whole = clean(part), clean(whole)
    if part is None or whole is None or whole <= 0:
        return None
    return part / whole


def _within(value: float | None) -> float | None:
    value = clean(value)
    return None if value is None else min(max(value, 0.0), 100.0)
