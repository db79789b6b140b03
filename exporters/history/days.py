"""Days of a time zone and the five-minute slots in them. Pure."""

from __future__ import annotations

import functools
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from exporters.history.file import HistoryError
from exporters.history.schema import SLOT


class Days:
    """Days of one zone, as ordinals."""

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self.span = functools.lru_cache(1024)(self._span)

    def of(self, at: float) -> int:
        """The day of a Unix time in seconds. Raises HistoryError of one beyond all calendars."""
        try:
            return datetime.fromtimestamp(at, self.zone).toordinal()
        except (ValueError, OverflowError, OSError) as error:
            raise HistoryError(f"a time of {at:g} s is damaged: {error}") from error

    def _span(self, day: int) -> tuple[int, int]:
        """The first slot of a day, and how many it has: 288, or 276 or 300 where clocks change."""
        try:
            first, following = self._begin(day), self._begin(day + 1)
        except (ValueError, OverflowError) as error:
            raise HistoryError(f"a day {day} is damaged: {error}") from error
        return first, following - first

    def _begin(self, day: int) -> int:
        midnight = datetime.combine(date.fromordinal(day), time(), self.zone)
        return int(midnight.timestamp()) // SLOT
