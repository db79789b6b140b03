"""What parts of a report ask a time-series database: a few queries that all of its kind answer alike."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Final

from exporters.history.reader import Span
from exporters.history.schema import SLOT
from exporters.promapi.errors import TooMuch
from exporters.promapi.selectors import escaped, quoted, shards

if TYPE_CHECKING:  # HTTP, which who has a history does without
    from exporters.promapi.answers import Series
    from exporters.promapi.asking import Client

# A sample recorded within five minutes of such a moment is, on average, of the five minutes that ended 2½ minutes before it.
LATE: Final = 1.5 * SLOT
_RANGE: Final = f"[{SLOT * 1000 - 1}ms]"  # its ends are in it or not, as the server has it


def last_within(selector: str, seconds: float) -> str:
    """The last value of each series within some seconds."""
    return f"last_over_time({selector}[{max(1, round(seconds))}s])"


def recorded(
    client: Client, metric: str, label: str, names: Sequence[str], period: Span, most: int
) -> Iterator[Series]:
    """What a rule recorded for each slot of a period, by names that a label has, so many a query and fewer where that
    is too much. Values are told at LATE seconds after their slots began. Raises SourceError."""
    if period.end <= period.first:
        return
    since, until = period.first * SLOT + LATE, (period.end - 1) * SLOT + LATE
    for part in shards(names, most=most):
        matcher = f"{label}=~{quoted('|'.join(map(escaped, part)))}"
        query = f"max by ({label}) (last_over_time({metric}{{{matcher}}}{_RANGE}))"
        try:
            yield from client.over(query, since, until, float(SLOT))
        except TooMuch:
            if len(part) < 2:
                raise
            yield from recorded(client, metric, label, part, period, (len(part) + 1) // 2)
