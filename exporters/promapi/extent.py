"""From when until when a series has samples of anything: by days, then by five minutes of the first and the last."""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import Final

from exporters.history.schema import SLOT
from exporters.promapi.asking import Asker
from exporters.promapi.selectors import recorded
from exporters.promapi.windows import DAY, Windows, moments

LOOKED_BACK: Final = 400  # days


def extent(asker: Asker, series: str, now: float) -> tuple[float, float] | None:
    end = (int(now // SLOT) // DAY + 1) * DAY
    days = _there(asker, series, Windows(DAY, end - (LOOKED_BACK - 1) * DAY, end, DAY))
    if not days:
        return None
    first, last = (
        _there(asker, series, Windows(1, day - DAY + 1, day, 1)) or [day]
        for day in (days[0], days[-1])
    )
    return (first[0] - 1) * SLOT, last[-1] * SLOT


def _there(asker: Asker, series: str, windows: Windows) -> list[int]:
    """Slots at which windows end that have any samples, in order."""
    query = partial(_counted, series, windows.slots)
    told = asker.over(query, *moments(windows), None)
    times = chain.from_iterable(one.times.tolist() for one in told)
    return sorted({round(at) // SLOT for at in times})


def _counted(series: str, slots: int, matcher: str) -> str:
    return f"count(count_over_time({recorded(series, matcher, slots)}))"
