"""Working hours of a site: by the day of the week, but for holidays and the workdays that make up for them.

China's are in china.yaml, from the yearly notices of the General Office of the State Council; a site may
name a file of its own in the same form. In a year that the file does not have, every Monday to Friday is a workday.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import Final
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
from numpy.typing import NDArray

from collectors import strictyaml
from exporters.history.days import Days
from exporters.history.schema import SLOT

CHINA: Final = Path(__file__).with_name("china.yaml")
HOURS: Final = ("09:00-12:00", "14:00-18:00")
_HOURS: Final = re.compile(r"([01]\d|2[0-3]):([0-5][05])-(?:([01]\d|2[0-3]):([0-5][05])|(24):(00))")
_DAY: Final = 1440  # minutes
_WORKWEEK: Final = 5


class Hours(msgspec.Struct, frozen=True):
    """A part of a day, in minutes from midnight."""

    begin: int
    end: int

    def __str__(self) -> str:
        return "-".join(f"{at // 60:02}:{at % 60:02}" for at in (self.begin, self.end))

    @classmethod
    def parse(cls, text: object) -> Hours:
        """`09:00-12:00`; raises ValueError."""
        match = _HOURS.fullmatch(text) if isinstance(text, str) else None
        if match:
            numbers = [int(one) for one in match.groups() if one is not None]
            found = cls(numbers[0] * 60 + numbers[1], numbers[2] * 60 + numbers[3])
            if found.begin < found.end:
                return found
        raise ValueError(
            f"{text!r} are no hours; write for example 09:00-12:00, in steps of 5 minutes"
        )


class Year(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`source` says who decreed it."""

    source: str
    holidays: tuple[date, ...]
    workdays: tuple[date, ...] = ()


class Holidays(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of holidays: days off, and Saturdays and Sundays that are worked, by year."""

    years: Mapping[str, Year]


class WorkCalendar:
    """`hours` of working days; none means every day is off."""

    def __init__(self, hours: tuple[Hours, ...], holidays: Holidays) -> None:
        self._working = np.zeros(_DAY, np.bool_)
        for part in hours:
            self._working[part.begin : part.end] = True
        self._off = {day for year in holidays.years.values() for day in year.holidays}
        self._on = {day for year in holidays.years.values() for day in year.workdays}
        self.years = tuple(sorted(holidays.years))
        self.hours = hours
        self.sources = {number: year.source for number, year in holidays.years.items()}

    def workday(self, day: date) -> bool:
        return day in self._on or (day.weekday() < _WORKWEEK and day not in self._off)

    def working(self, slots: NDArray[np.int64], zone: ZoneInfo) -> NDArray[np.bool_]:
        """Whether each slot begins in working hours, as clocks of the zone show it."""
        is_workday = cache(self.workday)
        found = np.zeros(len(slots), np.bool_)
        for place, slot in enumerate(slots.tolist()):
            when = datetime.fromtimestamp(slot * SLOT, zone)
            found[place] = self._working[when.hour * 60 + when.minute] and is_workday(when.date())
        return found

    def share(self, day: int, days: Days) -> NDArray[np.float64]:
        """Which part of each of the 24 hours of a day is worked."""
        if not self.workday(date.fromordinal(day)):
            return np.zeros(24)
        found: NDArray[np.float64] = self._working.reshape(24, 60).mean(axis=1)
        return found


def load(path: str | Path = CHINA, hours: tuple[str, ...] = HOURS) -> WorkCalendar:
    """Raises DocumentError, or ValueError of hours."""
    holidays = strictyaml.load(str(path), Holidays)
    for number, year in holidays.years.items():
        for day in (*year.holidays, *year.workdays):
            if str(day.year) != number:
                raise strictyaml.DocumentError(str(path), None, f"{day} is not in {number}")
        if both := set(year.holidays) & set(year.workdays):
            told = f"{min(both)} is both a holiday and a workday"
            raise strictyaml.DocumentError(str(path), None, told)
    return WorkCalendar(tuple(map(Hours.parse, hours)), holidays)
