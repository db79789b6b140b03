"""A history file as long CSV, which imports again to the same rollups.

`timestamp,resource,metric,unit,value,maximum`: a line a slot, `value` its average, `maximum` empty where it is the
same; numbers are the shortest that give the same float32. Where a resource is no server there is `kind` as well.
Days that are known by sketches alone have none. A name that a spreadsheet would take for a formula begins with an
apostrophe (csvvalues.py).
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable, Collection, Iterator
from typing import Final

import numpy as np

from exporters.history.csvvalues import guarded
from exporters.history.file import HistoryError
from exporters.history.reader import BUDGET, Chunk, Span, chunks, unit_of

BEGINNING: Final = "timestamp,resource,metric,unit,value,maximum"
_WIDE: Final = 8  # parts of the budget that text takes
_USUAL: Final = "server"


def rows(
    connection: sqlite3.Connection,
    period: Span,
    shown: Callable[[int], str],
    metrics: Collection[str] = (),
    resources: Collection[str] | None = None,
) -> Iterator[str]:
    """Lines of CSV in pieces, the header first; all metrics where none is named. `shown` writes a slot's
    time. Raises HistoryError."""
    kinds = dict(connection.execute("SELECT id, kind FROM resources"))
    for one in resources or ():
        if one not in kinds:
            raise HistoryError(f"the file has no resource {one!r}")
    names = metrics or [
        name for (name,) in connection.execute("SELECT name FROM metrics ORDER BY number")
    ]
    middles = {one: f",{_field(one)},{unit_of(connection, one)}," for one in names}
    told = any(kinds[one] != _USUAL for one in (kinds if resources is None else resources))
    yield BEGINNING + (",kind\r\n" if told else "\r\n")
    times: dict[int, str] = {}
    for metric, middle in middles.items():
        for chunk in chunks(connection, metric, period, resources, BUDGET // _WIDE):
            for slot in chunk.slots.tolist():
                times.setdefault(slot, shown(slot))
            own = [times[slot] for slot in chunk.slots.tolist()]
            for row, resource in enumerate(chunk.resources):
                end = f",{kinds[resource]}\r\n" if told else "\r\n"
                if lines := _series(chunk, row, own, f",{_field(resource)}{middle}", end):
                    yield lines


def _series(chunk: Chunk, row: int, times: list[str], middle: str, end: str) -> str:
    averages, maxima = chunk.averages[row], chunk.maxima[row]
    at = np.flatnonzero(~np.isnan(averages))
    values, tops = averages[at], maxima[at]
    high = np.where(tops == values, "", tops.astype(str)).tolist()
    return "".join(
        f"{times[place]}{middle}{value},{top}{end}"
        for place, value, top in zip(at.tolist(), values.astype(str).tolist(), high, strict=True)
    )


def _field(text: str) -> str:
    """Quoted where CSV needs it, and no formula."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([guarded(text)])
    return out.getvalue()
