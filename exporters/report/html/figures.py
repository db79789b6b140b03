"""Numbers as the page shows them: thousands apart, one unit a column, and nothing unknown as a number."""

from __future__ import annotations

import math
from datetime import datetime
from typing import Final
from zoneinfo import ZoneInfo

from exporters.usage.amounts import GIB, TIB

NONE: Final = "—"
SPACE: Final = "\N{NO-BREAK SPACE}"
MINUS: Final = "\N{MINUS SIGN}"
LARGEST: Final = 1e15


def number(value: float | None, digits: int = 0) -> str:
    """`12,345.6`; a little is not nothing: `<0.1`."""
    if value is None or not math.isfinite(value):
        return NONE
    if abs(value) >= LARGEST:
        return f"{value:.3g}".replace("-", MINUS, 1)
    text = f"{abs(value):,.{digits}f}"
    if value and not text.strip("0."):
        return ("<" if value > 0 else f">{MINUS}") + f"{10**-digits:.{digits}f}"
    return MINUS + text if value < 0 else text


def short(value: float | None) -> str:
    """Three digits or all before the point: `8,820`, `64`, `12.5`, `0.25`."""
    if value is None or not math.isfinite(value):
        return NONE
    if value == int(value) or abs(value) >= 100:
        return number(value)
    return number(value, 1 if abs(value) >= 10 else 2)


def percent(value: float | None, digits: int = 1) -> str:
    """With its sign: for prose. Columns have it in their head."""
    return NONE if value is None else f"{number(value, digits)}%"


def gib(size: float | None, digits: int = 0) -> str:
    return NONE if size is None else number(size / GIB, digits)


def tib(size: float | None, digits: int = 1) -> str:
    return NONE if size is None else number(size / TIB, digits)


def size(value: float | None) -> str:
    """With the unit that suits it."""
    if value is None:
        return NONE
    if abs(value) >= TIB:
        return f"{number(value / TIB, 1)}{SPACE}TiB"
    gibs = value / GIB
    return f"{number(gibs, 0 if gibs == int(gibs) or abs(gibs) >= 100 else 1)}{SPACE}GiB"


def moment(at: datetime, zone: str) -> str:
    return at.astimezone(ZoneInfo(zone)).strftime("%Y-%m-%d %H:%M")


def created(at: datetime, zone: str) -> str:
    """As DCMI Metadata Terms has it in a page's head (W3C-DTF)."""
    return at.astimezone(ZoneInfo(zone)).isoformat(timespec="seconds")


def clock(at: datetime, zone: str) -> str:
    """Within the month."""
    return at.astimezone(ZoneInfo(zone)).strftime("%m-%d %H:%M")


def slot(text: str) -> str:
    """`10-14 15:05` of `2026-10-14T15:05+08:00`, which is in the zone of the site already."""
    try:
        return datetime.fromisoformat(text).strftime("%m-%d %H:%M")
    except ValueError:
        return NONE
