"""Numbers as the words of the report tell them: thousands, one digit of a percent; `?` of what is not known."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from exporters.report.document import Sums
from exporters.usage.amounts import GIB, TIB
from rules.model import Text

UNKNOWN: Final = "?"
MINUS: Final = "−"


def count(value: float | None) -> str:
    """`1,234`; a part of a virtual CPU with one digit."""
    if value is None:
        return UNKNOWN
    shown = round(value, 1)
    return f"{shown:,.0f}" if shown == int(shown) else f"{shown:,.1f}"


def percent(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value:,.1f}%"


def signed(value: float) -> str:
    """`+1.2`, `−0.8`, `0.0`."""
    text = f"{abs(value):.1f}"
    if float(text) == 0:
        return text
    return f"{'+' if value > 0 else MINUS}{text}"


def gib(value: float | None) -> str:
    return UNKNOWN if value is None else count(value / GIB)


def tib(value: float | None) -> str:
    return UNKNOWN if value is None else f"{value / TIB:,.1f}"


def quantity(shown: str, unit: Text) -> Text:
    """With its unit; in words where it is not known."""
    if shown == UNKNOWN:
        return Text("（数量未知）", "(not known how much)")
    return Text(f" {shown} {unit.zh}", f"{shown} {unit.en}".strip())


def moment(at: datetime | None) -> Text:
    if at is None:
        return Text(UNKNOWN, UNKNOWN)
    return Text(f"{at.month}月{at.day}日 {at:%H:%M}", f"{at:%Y-%m-%d %H:%M}")


def month(label: str) -> Text:
    year, number = label.split("-")
    return Text(f"{year}年{int(number)}月", label)


def unknown_of(one: Sums) -> int:
    """Of how many something is not known, at least."""
    return max(it.unknown for it in (one.vcpus, one.memory, one.disk))


def adding_up(parts: Sequence[float]) -> list[float]:
    """Rounded to a tenth so that what is shown adds up to what the rounded sum shows (largest remainders)."""
    whole = round(10 * sum(parts))
    floors = [int(10 * part // 1) for part in parts]
    short = whole - sum(floors)
    by_rest = sorted(range(len(parts)), key=lambda n: -(10 * parts[n] - floors[n]))
    for n in by_rest[: max(0, short)]:
        floors[n] += 1
    return [tenths / 10 for tenths in floors]
