"""Charts over time: twelve months, the days of one, and a spark line of either. Pure: the same data, the same text.

What is missing is a gap that says so. Bars begin at 0. Series differ by marker, dash and hatching as well as colour.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final, NamedTuple

from exporters.report.html import look
from exporters.report.html.figures import number, percent, short
from exporters.report.html.svg import (
    INK,
    RULE,
    SOFT,
    Fill,
    area,
    clean,
    coordinate,
    line,
    marker,
    path,
    picture,
    polyline,
    room_of,
    text,
    ticks,
)
from exporters.report.html.words import say

WIDE: Final = 760.0
LEFT: Final = 58.0
RIGHT: Final = 98.0
MAX_POINTS: Final = 62
_SHADE: Final = Fill("#eef1f4", "", "#eef1f4")


class Month(NamedTuple):
    """Of the trend: virtual CPUs granted, percent used of CPU and memory."""

    month: str
    granted: float | None
    cpu: float | None
    memory: float | None


class Day(NamedTuple):
    day: date
    average: float | None
    peak: float | None
    workday: bool


def trend(months: Sequence[Month], language: str) -> str:
    """What was granted as columns, what was used of it as lines below, month by month."""
    months = months[-MAX_POINTS:]
    upper, lower = (26.0, 126.0), (176.0, 316.0)
    step = (WIDE - LEFT - RIGHT) / max(len(months), 1)
    granted = [clean(it.granted) for it in months]
    body = [text(0, 12, say("chart_granted", language), 11.5, fill=SOFT)]
    top = _axis(body, upper, max([v for v in granted if v is not None], default=0.0), 3)
    for i, value in enumerate(granted):
        x, wide = LEFT + step * (i + 0.5), min(step * 0.58, 34)
        if value is None:
            _nothing(body, x - wide / 2, upper, wide, language, step > 40)
            continue
        y = _at(value, top, upper)
        body.append(area(x - wide / 2, y, wide, upper[1] - y, look.GRANTED, short(value)))
        body.append(text(x, y - 5, number(value), 10.5, text_anchor="middle"))
    body.append(text(0, 162, say("chart_used_share", language), 11.5, fill=SOFT))
    lines = (
        (look.CPU, "CPU", [clean(it.cpu) for it in months]),
        (look.MEMORY, say("memory", language), [clean(it.memory) for it in months]),
    )
    top = _axis(body, lower, max([v for *_, s in lines for v in s if v is not None], default=0), 5)
    ends: list[tuple[float, str, look.Stroke]] = []
    for stroke, name, series in lines:
        points = [
            None if v is None else (LEFT + step * (i + 0.5), _at(v, top, lower))
            for i, v in enumerate(series)
        ]
        body.append(
            polyline(points, stroke=stroke.colour, stroke_width=2, stroke_dasharray=stroke.dash)
        )
        body += [marker(stroke.marker, *p, stroke.colour) for p in points if p]
        if points and points[-1] is not None:
            ends.append((points[-1][1], f"{name} {percent(series[-1])}", stroke))
        elif any(points):
            ends.append((next(p for p in reversed(points) if p)[1], name, stroke))
    if len(ends) == 2 and abs(ends[0][0] - ends[1][0]) < 15:  # labels apart from one another
        high, low = sorted(ends, key=lambda it: it[0])
        middle = (high[0] + low[0]) / 2
        ends = [(middle - 7.5, *high[1:]), (middle + 7.5, *low[1:])]
    for y, told, stroke in ends:
        body.append(text(WIDE - RIGHT + 6, y + 4, told, 11, fill=stroke.colour, font_weight="bold"))
    for i, it in enumerate(months):
        x = LEFT + step * (i + 0.5)
        if it.cpu is None and it.memory is None:
            _nothing(body, x - 8, lower, 16, language, step > 40)
        if step > 34 or i % 3 == (len(months) - 1) % 3:
            body.append(text(x, 332, it.month[2:], 10.5, text_anchor="middle", fill=SOFT))
    told = "; ".join(
        f"{it.month}: {number(it.granted)} vCPU, CPU {percent(it.cpu)}, "
        f"{say('memory', language)} {percent(it.memory)}"
        for it in months
    )
    return picture(WIDE, 340, say("chart_trend", language), told, body)


def days(those: Sequence[Day], language: str) -> str:
    """Average and peak of each day; days off are shaded, days without data hatched."""
    those = those[:MAX_POINTS]
    frame = (30.0, 200.0)
    step = (WIDE - LEFT - 20) / max(len(those), 1)
    body: list[str] = [text(0, 12, say("chart_day_axis", language), 11.5, fill=SOFT)]
    for i, it in enumerate(those):
        if not it.workday:
            body.append(area(LEFT + step * i, frame[0], step, frame[1] - frame[0], _SHADE))
    values = [clean(v) for it in those for v in (it.average, it.peak)]
    top = _axis(body, frame, max([v for v in values if v is not None], default=0.0), 5, 20)
    peaks: list[tuple[float, float] | None] = []
    missing: list[int] = []
    for i, it in enumerate(those):
        x, wide = LEFT + step * (i + 0.5), step * 0.62
        average, peak = clean(it.average), clean(it.peak)
        if average is None and peak is None:
            missing.append(i)
            body.append(
                area(x - wide / 2, frame[0] + 2, wide, frame[1] - frame[0] - 2, look.ABSENT)
            )
        if average is not None:
            y = _at(average, top, frame)
            shown = f"{it.day.isoformat()} {percent(average)} / {percent(peak)}"
            body.append(area(x - wide / 2, y, wide, frame[1] - y, look.USED, shown))
        peaks.append(None if peak is None else (x, _at(peak, top, frame)))
        if step > 15 or i % 5 == 0:
            body.append(
                text(
                    x,
                    216,
                    str(it.day.day),
                    10.5,
                    text_anchor="middle",
                    fill=INK if it.workday else SOFT,
                )
            )
    body.append(polyline(peaks, stroke=look.PEAK.colour, stroke_width=1.4, stroke_dasharray="2 3"))
    body += [marker(look.PEAK.marker, *p, look.PEAK.colour) for p in peaks if p]
    for first, count in _stretches(missing):
        if step * count > 44:
            x = LEFT + step * (first + count / 2)
            body.append(_label(x, (frame[0] + frame[1]) / 2, say("no_data", language)))
    body += _key_of_days(language, bool(missing))
    told = "; ".join(
        f"{it.day.isoformat()}: {percent(it.average)} / {percent(it.peak)}" for it in those
    )
    return picture(WIDE, 226, say("chart_days", language), told, body)


def spark(values: Sequence[float | None], label: str) -> str:
    """The way of one figure through the months, its last point marked."""
    known = [v for v in map(clean, values) if v is not None]
    if len(known) < 3:
        return ""
    low, high = min(known), max(known)
    span = high - low or 1.0
    step = 92 / max(len(values) - 1, 1)
    points = [
        None if v is None else (4 + step * i, 22 - 18 * (v - low) / span)
        for i, v in enumerate(map(clean, values))
    ]
    body = [polyline(points, stroke=look.BLUE, stroke_width=1.6)]
    body += [marker("circle", *p, look.BLUE, 2.6) for p in points[-1:] if p]
    return picture(100, 26, label, "; ".join(number(v, 1) for v in values), body)


def _axis(
    body: list[str], frame: tuple[float, float], top: float, most: int, right: float = RIGHT
) -> float:
    """Draw the lines of a scale from 0 and say where it ends."""
    marks = ticks(top, most)
    digits = 0 if all(mark == int(mark) for mark in marks) else 1 if marks[1] >= 0.1 else 3
    for mark in marks:
        y = _at(mark, marks[-1], frame)
        body.append(line(LEFT, y, WIDE - right, y, stroke=SOFT if mark == 0 else RULE))
        body.append(text(LEFT - 8, y + 4, number(mark, digits), 10.5, text_anchor="end", fill=SOFT))
    return marks[-1]


def _at(value: float, top: float, frame: tuple[float, float]) -> float:
    return frame[1] - (frame[1] - frame[0]) * min(max(value / top, 0.0), 1.0)


def _nothing(
    body: list[str],
    x: float,
    frame: tuple[float, float],
    wide: float,
    language: str,
    labelled: bool,
) -> None:
    told = say("no_data", language)
    body.append(area(x, frame[0], wide, frame[1] - frame[0], look.ABSENT, told))
    if labelled:
        body.append(_label(x + wide / 2, (frame[0] + frame[1]) / 2, told))


def _label(x: float, y: float, content: str) -> str:
    """A text on a patch of paper: it covers what is behind."""
    wide = room_of(content, 10) + 6
    patch = path(
        f"M{coordinate(x - wide / 2)} {coordinate(y - 8)}h{coordinate(wide)}v15h-{coordinate(wide)}z",
        fill="#ffffff",
    )
    return patch + text(x, y + 3.5, content, 10, text_anchor="middle", fill=SOFT)


def _stretches(those: Sequence[int]) -> list[tuple[int, int]]:
    """First and length of each row of consecutive numbers."""
    found: list[tuple[int, int]] = []
    for it in those:
        if found and found[-1][0] + found[-1][1] == it:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((it, 1))
    return found


def _key_of_days(language: str, missing: bool) -> list[str]:
    """What bars, line and shade are, right-aligned above the chart."""
    x = WIDE - 20.0
    body: list[str] = []
    entries: list[tuple[str, Fill | None]] = [
        (say("day_off", language), _SHADE._replace(line="#b9c2ca")),
        (say("day_peak", language), None),
        (say("day_average", language), look.USED),
    ]
    if missing:
        entries.insert(0, (say("no_data", language), look.ABSENT))
    for name, fill in entries:
        x -= room_of(name, 11)
        body.append(text(x, 12, name, 11, fill=SOFT))
        if fill:
            body.append(area(x - 17, 3, 12, 10, fill))
        else:
            body.append(line(x - 25, 8, x - 5, 8, stroke=look.PEAK.colour, stroke_dasharray="2 3"))
            body.append(marker(look.PEAK.marker, x - 15, 8, look.PEAK.colour))
        x -= 38
    return body
