"""A history file as long CSV, which imports again to the same rollups.

`timestamp,resource,metric,unit,value,maximum`: a line a slot, `value` its average, `maximum` empty where it is the
same; numbers are the shortest that give the same float32. Days that are known by sketches alone have none.
"""

from __future__ import annotations

import csv
import io
import sqlite3
from collections.abc import Callable, Collection, Iterator
from typing import Final

import numpy as np

from exporters.history.reader import BUDGET, Chunk, Span, chunks, unit_of

HEADER: Final = "timestamp,resource,metric,unit,value,maximum\r\n"
_WIDE: Final = 8  # parts of the budget that text takes


def rows(
    connection: sqlite3.Connection,
    period: Span,
    shown: Callable[[int], str],
    metrics: Collection[str] = (),
    resources: Collection[str] | None = None,
) -> Iterator[str]:
    """Lines of CSV in pieces, the header first; all metrics where none is named. `shown` writes a slot's
    time. Raises HistoryError."""
    yield HEADER
    names = metrics or [
        name for (name,) in connection.execute("SELECT name FROM metrics ORDER BY number")
    ]
    times: dict[int, str] = {}
    for metric in names:
        middle = f",{_field(metric)},{unit_of(connection, metric)},"
        for chunk in chunks(connection, metric, period, resources, BUDGET // _WIDE):
            for slot in chunk.slots.tolist():
                times.setdefault(slot, shown(slot))
            own = [times[slot] for slot in chunk.slots.tolist()]
            for row, resource in enumerate(chunk.resources):
                yield _series(chunk, row, own, f",{_field(resource)}{middle}")


def _series(chunk: Chunk, row: int, times: list[str], middle: str) -> str:
    averages, maxima = chunk.averages[row], chunk.maxima[row]
    at = np.flatnonzero(~np.isnan(averages))
    values, tops = averages[at], maxima[at]
    high = np.where(tops == values, "", tops.astype(str)).tolist()
    return "".join(
        f"{times[place]}{middle}{value},{top}\r\n"
        for place, value, top in zip(at.tolist(), values.astype(str).tolist(), high, strict=True)
    )


def _field(text: str) -> str:
    """Quoted where CSV needs it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="").writerow([text])
    return out.getvalue()
