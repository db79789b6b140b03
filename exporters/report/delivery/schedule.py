"""When a month's report is made by itself: on the first workday of the next month, from a time of day on; later
where the machine was off, and again after a failure. What was done is in `schedule.json`, so that none is made twice.

The agent reads that file: nothing heavy is imported here.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Final, Protocol

import msgspec

from exporters.aside import replacing
from exporters.locks import locked

AT: Final = time(6)  # by the clocks of the site
BACK: Final = 3  # months that are caught up with, at most
AGAIN: Final = (3600.0, 6 * 3600.0)  # seconds after the first failures; then the last of them
_MONTH: Final = re.compile(r"[12]\d{3}-(0[1-9]|1[0-2])", re.ASCII)
_BUSY: Final = "another process makes a report now"


class Workdays(Protocol):
    """exporters.history.workcalendar.WorkCalendar."""

    def workday(self, day: date) -> bool: ...


class ScheduleError(Exception):
    """The file of what was made cannot be used. `str()` names it and the remedy."""


class Failure(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    tries: int
    at: datetime
    problem: str


class Made(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By month: when it was made and delivered, and what went wrong of one that was not yet."""

    done: Mapping[str, datetime] = {}
    failed: Mapping[str, Failure] = {}

    def __post_init__(self) -> None:
        for month in (*self.done, *self.failed):
            if not _MONTH.fullmatch(month):
                raise ValueError(f"{month!r:.40} is not a month")


def folder_of(state: Path, profile: str) -> Path:
    """Where it is kept what was made and delivered by a profile, in the agent's state folder."""
    at = os.path.abspath(profile) if profile else ""
    mark = hashlib.sha256(at.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    return state / "report" / mark


def file_of(state: Path, profile: str) -> Path:
    return folder_of(state, profile) / "schedule.json"


def read(path: Path) -> Made:
    """What was made; raises ScheduleError, and OSError where it cannot be read."""
    try:
        return msgspec.json.decode(path.read_bytes(), type=Made)
    except FileNotFoundError:
        return Made()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise ScheduleError(
            f"{path}: cannot be read: {error}; move it away, and the last month's report is made again"
        ) from error


def last_month(now: datetime) -> str:
    return (now.replace(day=1) - timedelta(days=1)).strftime("%Y-%m")


def due(now: datetime, calendar: Workdays, made: Made, at: time = AT) -> str | None:
    """The month whose report is to be made now, the oldest first; None where there is none, or one has just failed.
    `now` is in the zone of the site. Months before the first that was ever made are not caught up with."""
    last = _latest(now, calendar, at)
    missing = [last]
    if made.done:
        newest = max(made.done)
        while len(missing) < BACK and _before(missing[-1]) > newest:
            missing.append(_before(missing[-1]))
    for month in reversed(missing):
        if month not in made.done and _may_try(now, made.failed.get(month)):
            return month
    return None


def noted(made: Made, month: str, now: datetime, problem: str = "") -> Made:
    """With how it came out; no problem: it is done, and older ones are not tried again."""
    failed = {key: value for key, value in made.failed.items() if key != month}
    if not problem:
        newer = {key: value for key, value in failed.items() if key > month}
        return Made({**made.done, month: now}, newer)
    tries = made.failed[month].tries if month in made.failed else 0
    return Made(made.done, {**failed, month: Failure(tries + 1, now, problem)})


def run(
    path: Path, now: datetime, calendar: Workdays, make: Callable[[str], str], at: time = AT
) -> tuple[str, str] | None:
    """Make what is due, one process at a time: the month and the problem it had, if any; None where nothing is.
    `make` makes and delivers one month and returns its problem; what it raises is noted as one and raised again.
    Raises ScheduleError and OSError."""
    if due(now, calendar, read(path), at) is None:
        return None
    path.parent.mkdir(parents=True, exist_ok=True)
    lock = locked(path.with_name("schedule.lock"), _BUSY)
    try:
        made = read(path)
        month = due(now, calendar, made, at)
        if month is None:
            return None
        try:
            problem = make(month)
        except Exception as error:
            _write(path, noted(made, month, now, str(error) or type(error).__name__))
            raise
        _write(path, noted(made, month, now, problem))
        return month, problem
    finally:
        os.close(lock)


def _write(path: Path, made: Made) -> None:
    with replacing(path, 0o600) as file:
        file.write(msgspec.json.format(msgspec.json.encode(made)) + b"\n")


def _latest(now: datetime, calendar: Workdays, at: time) -> str:
    """The last month whose report is due by now."""
    first = now.date().replace(day=1)
    begins = first
    while begins.month == first.month and not calendar.workday(begins):
        begins += timedelta(days=1)
    over = (now.date(), now.time()) >= (begins, at)
    return last_month(now) if over else _before(last_month(now))


def _before(month: str) -> str:
    year, number = map(int, month.split("-"))
    return f"{year - 1}-12" if number == 1 else f"{year}-{number - 1:02}"


def _may_try(now: datetime, failure: Failure | None) -> bool:
    if failure is None:
        return True
    wait = AGAIN[min(failure.tries, len(AGAIN)) - 1]
    # a clock that was set back must not stop it for long
    return not 0 <= (now - failure.at).total_seconds() < wait
