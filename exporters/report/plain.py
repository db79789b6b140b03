"""Values as a report shows them: short, one line, and harmless whoever wrote them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import islice
from typing import Any, Final

from exporters.findings.text import cut, neutral, words

MAX_NAME: Final = 200  # columns
MAX_TEXT: Final = 1000
MAX_VALUE: Final = 300
MAX_CELL: Final = 8000  # Excel takes 32,767 characters
MAX_ITEMS: Final = 20  # of a list or a mapping
MAX_DEPTH: Final = 4
MAX_EVIDENCE: Final = 20  # of one check of one subject
NOTHING: Final = "–"


def name(text: str) -> str:
    return _line(text, MAX_NAME)


def prose(text: str) -> str:
    return _line(text, MAX_TEXT)


def long(text: str) -> str:
    return _line(text, MAX_CELL)


def value(it: Any) -> str:
    """A value of JSON, however large, in a line."""
    return cut(words(_small(it, MAX_DEPTH)), MAX_VALUE)


def number(it: float | None) -> str:
    return NOTHING if it is None else f"{it:.1f}"


def percent(it: float) -> str:
    return f"{100 * it:.1f}%"


def moment(it: datetime) -> str:
    """In the zone of the site, which is that of this machine."""
    return it.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")


def day(it: datetime) -> str:
    return it.astimezone().strftime("%Y-%m-%d")


def _line(text: str, columns: int) -> str:
    return cut(neutral(text[: columns + 1]), columns)


def _small(it: Any, depth: int) -> Any:
    """The value without what would be cut off anyhow, before anything looks at each character."""
    if isinstance(it, str):
        return it[: MAX_VALUE + 1]
    if isinstance(it, Mapping):
        if depth == 0:
            return "{…}"
        few = islice(it.items(), MAX_ITEMS)
        small = {str(key)[:MAX_VALUE]: _small(item, depth - 1) for key, item in few}
        return {**small, "…": len(it) - MAX_ITEMS} if len(it) > MAX_ITEMS else small
    if isinstance(it, (list, tuple)):
        if depth == 0:
            return "[…]"
        items = [_small(item, depth - 1) for item in it[:MAX_ITEMS]]
        return [*items, f"… {len(it) - MAX_ITEMS}"] if len(it) > MAX_ITEMS else items
    if isinstance(it, int) and not isinstance(it, bool) and it.bit_length() > 1000:
        return f"… {it.bit_length()} bits"
    return it
