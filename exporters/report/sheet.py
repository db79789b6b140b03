"""Tables as CSV (RFC 4180) for spreadsheets.

UTF-8 with a byte order mark, so that Excel takes it for what it is. A cell that a spreadsheet would
take for a formula begins with an apostrophe: its text may be an attacker's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from exporters.report import plain

Cell = str | float | int | None
# Full-width signs too: a Chinese or Japanese spreadsheet takes them for the plain ones.
FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def table(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    """Rows that are shorter than the heads are filled up."""
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([_cell(head) for head in heads])
    for row in rows:
        cells = [_cell(it) for it in row]
        writer.writerow(cells + [""] * (len(heads) - len(cells)))
    return out.getvalue().encode("utf-8-sig")


def _cell(it: Cell) -> str:
    if it is None:
        return ""
    if isinstance(it, float):
        return f"{it:.1f}"
    if isinstance(it, int):
        return str(it)
    apostrophe = "'" if it.startswith(FORMULA) else ""
    return apostrophe + plain.long(it)
