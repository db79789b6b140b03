"""Tables as CSV (RFC 4180) for spreadsheets.

UTF-8 with a byte order mark, so that Excel takes it for what it is. A cell that a spreadsheet would
take for a formula begins with an apostrophe: its text may be an attacker's.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, datetime
from typing import Final, NamedTuple

from exporters.report import plain


class Number(NamedTuple):
    """A number with up to `digits` behind the point, more only where it would else be 0 and is not."""

    value: float
    digits: int


Cell = str | float | int | Number | date | None
# Full-width signs too: a Chinese or Japanese spreadsheet takes them for the plain ones.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
_MOST_DIGITS: Final = 12


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Rows that are shorter than the heads are filled up."""
    return b"".join(lines(heads, rows))


def lines(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[bytes]:
    """The same, a row at a time."""
    yield codecs.BOM_UTF8 + _line(heads, 0)
    for row in rows:
        yield _line(row, len(heads))


def blocks(parts: Iterable[bytes], size: int = 1 << 16) -> Iterator[bytes]:
    """The same bytes in few pieces, for who sends them."""
    kept: list[bytes] = []
    length = 0
    for part in parts:
        kept.append(part)
        length += len(part)
        if length >= size:
            yield b"".join(kept)
            kept, length = [], 0
    yield b"".join(kept)


def _line(row: Sequence[Cell], width: int) -> bytes:
    out = io.StringIO(newline="")
    cells = [_cell(it) for it in row]
    csv.writer(out).writerow(cells + [""] * (width - len(cells)))
    return out.getvalue().encode("utf-8")


def _cell(it: Cell) -> str:
    if it is None:
        return ""
    if isinstance(it, Number):
        return _number(*it)
    if isinstance(it, float):
        return f"{it:.1f}"
    if isinstance(it, int):
        return str(it)
    if isinstance(it, datetime):
        return it.isoformat(" ", "minutes")
    if isinstance(it, date):
        return it.isoformat()
    apostrophe = "'" if it.startswith(FORMULA) else ""
    return apostrophe + plain.long(it)


def _number(value: float, digits: int) -> str:
    for places in range(digits, _MOST_DIGITS + 1):
        text = f"{value:.{places}f}"
        if float(text) or not value:
            break
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text == "-0" else text
