"""What a column of a table of the report is: its head, its unit, and how its values are got. One for CSV and XLSX."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from datetime import date, datetime
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from exporters.report.document import Document, Total
from exporters.report.tablewords import HEADS
from exporters.usage.amounts import GIB
from rules.model import Text

T = TypeVar("T")
# `precise` is percent where a hundredth of one matters; `date` is that of a day; `moment` is in the zone of the report.
Kind = Literal[
    "text",
    "long",
    "count",
    "amount",
    "percent",
    "precise",
    "points",
    "hours",
    "money",
    "date",
    "moment",
]
Value = str | float | int | bool | date | Text | None
WIDTHS: Final[dict[Kind, int]] = {
    "text": 18, "long": 48, "count": 9, "amount": 12, "percent": 10, "precise": 11, "points": 10,
    "hours": 12, "money": 14, "date": 12, "moment": 17,
}  # fmt: skip
YES: Final = Text("是", "yes")
NO: Final = Text("否", "no")


class Column(NamedTuple, Generic[T]):
    """`adds`: a total of it makes sense. Percent is 0 to 100; None is not known. `per` names two columns, the first
    of which divided by the second is this one, in percent, also of totals."""

    key: str
    kind: Kind
    value: Callable[[T, str], Value]
    adds: bool = False
    per: tuple[str, str] | None = None
    width: int = 0

    def head(self, language: str) -> str:
        return HEADS[self.key].of(language)

    def of(self, row: T, language: str) -> str | float | int | date | None:
        """The value in a language, in the unit of the head; None where it is not known."""
        value = self.value(row, language)
        if isinstance(value, bool):
            return (YES if value else NO).of(language)
        if isinstance(value, Text):
            return value.of(language)
        if isinstance(value, float) and not math.isfinite(value):
            return None
        return value


class Table(NamedTuple, Generic[T]):
    """`rows` are None where the document has no such part."""

    key: str
    title: Text
    about: str  # one row is what, for the documentation
    columns: tuple[Column[T], ...]
    rows: Callable[[Document], Iterable[T] | None]

    def some(self, *keys: str) -> tuple[Column[T], ...]:
        return some(self.columns, *keys)


def some(columns: Iterable[Column[T]], *keys: str) -> tuple[Column[T], ...]:
    by_key = {it.key: it for it in columns}
    return tuple(by_key[key] for key in keys)


def gib(value: float | None) -> float | None:
    return None if value is None else value / GIB


def total(one: Total) -> float | None:
    """A sum none of whose parts is known is not known; one without parts is 0."""
    return None if one.unknown and not one.value else one.value


def local(moment: datetime | None) -> datetime | None:
    """As a clock on the wall shows it: moments of a document are in the zone of its site."""
    return None if moment is None else moment.replace(tzinfo=None)


def parsed(moment: str) -> datetime | None:
    """`2026-10-14T15:05+08:00`, as judgements have it; empty where it is not known."""
    return datetime.fromisoformat(moment).replace(tzinfo=None) if moment else None
