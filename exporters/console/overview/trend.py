"""Open hits by severity at the end of each of the last days. A day that nobody counted is a gap, never a zero."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Final

import msgspec
from sqlalchemy import Connection, func, select

from exporters.console.schema import day_tally
from exporters.console.web.asker import Asker
from rules.model import SEVERITIES, Severity

DAYS: Final = 30


class Day(msgspec.Struct, frozen=True):
    """`open` is null where nothing is known of the day."""

    day: date
    open: dict[Severity, int] | None

    @property
    def whole(self) -> int | None:
        return None if self.open is None else sum(self.open.values())


def trend(connection: Connection, asker: Asker, days: int = DAYS) -> tuple[Day, ...]:
    """The last so many days by the site's clock, the oldest first, today included."""
    today = asker.now.astimezone(asker.zone).date()
    first = today - timedelta(days=days - 1)
    tally = day_tally.c
    statement = (
        select(tally.day, tally.severity, func.sum(tally.open).label("open"))
        .where(tally.day >= first, tally.day <= today)
        .group_by(tally.day, tally.severity)
    )
    found: dict[date, dict[Severity, int]] = {}
    for row in connection.execute(asker.scoped(statement, tally.department_id)):
        of_day = found.setdefault(row.day, dict.fromkeys(SEVERITIES, 0))
        of_day[SEVERITIES[row.severity]] += int(row.open)
    return tuple(
        Day(day, found.get(day)) for day in (first + timedelta(days=n) for n in range(days))
    )


# --- as a picture

WIDTH, HEIGHT = 900, 180
_LEFT, _RIGHT, _TOP, _BOTTOM = 48, 8, 12, 24
_DRAWN: Final = tuple(reversed(SEVERITIES))  # from the ground up: critical first


class Bar(msgspec.Struct, frozen=True):
    severity: Severity
    x: float
    y: float
    width: float
    height: float
    day: date
    hits: int


class Picture(msgspec.Struct, frozen=True):
    """What a page draws: bars, the days without data as `gaps` (x, width), lines of the scale (y, value), and days under
    it (x, day)."""

    bars: tuple[Bar, ...]
    gaps: tuple[tuple[float, float], ...]
    scale: tuple[tuple[float, int], ...]
    days: tuple[tuple[float, date], ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = _LEFT
    right: int = WIDTH - _RIGHT
    ground: int = HEIGHT - _BOTTOM
    top: int = _TOP


def picture(days: tuple[Day, ...]) -> Picture:
    top = _rounded(max((day.whole or 0 for day in days), default=0))
    step = (WIDTH - _LEFT - _RIGHT) / max(len(days), 1)
    ground, high = HEIGHT - _BOTTOM, HEIGHT - _BOTTOM - _TOP
    bars: list[Bar] = []
    gaps: list[tuple[float, float]] = []
    labels: list[tuple[float, date]] = []
    for number, day in enumerate(days):
        x = round(_LEFT + number * step, 1)
        if (len(days) - 1 - number) % 5 == 0:
            labels.append((round(x + step / 2, 1), day.day))
        if day.open is None:
            gaps.append((x, round(step, 1)))
            continue
        y = float(ground)
        for severity in _DRAWN:
            height = day.open[severity] / top * high
            if height:
                y -= height
                bars.append(
                    Bar(
                        severity,
                        round(x + step * 0.14, 1),
                        round(y, 1),
                        round(step * 0.72, 1),
                        round(height, 1),
                        day.day,
                        day.open[severity],
                    )
                )
    scale = [(round(ground - high * part / 2, 1), top * part // 2) for part in range(3)]
    return Picture(tuple(bars), tuple(gaps), tuple(scale), tuple(labels))


def _rounded(most: int) -> int:
    """The end of a scale: an even number that people like."""
    unit = 1
    while True:
        for nice in (2, 4, 6, 8, 10):
            if most <= nice * unit:
                return nice * unit
        unit *= 10
