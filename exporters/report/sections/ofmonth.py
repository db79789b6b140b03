"""Which results a month may take as its own: the last of each until a week after its end, for whoever audits when the month is
over, and none from long before it. Pure."""

from __future__ import annotations

from datetime import UTC, datetime, tzinfo
from typing import Final, NamedTuple

_DAY: Final = 86400.0
LATE: Final = 7 * _DAY
OLD: Final = 35 * _DAY


class Window(NamedTuple):
    """When a result of a month was made, in Unix time; both ends are in it."""

    since: float
    until: float

    def holds(self, at: datetime) -> bool:
        return self.since <= at.timestamp() <= self.until


def window(end: float) -> Window:
    """Of a month that ends then."""
    return Window(end - OLD, end + LATE)


def aware(at: datetime, zone: tzinfo) -> datetime:
    """In a zone; a time that tells none is in UTC."""
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).astimezone(zone)
