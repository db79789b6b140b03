"""What maintenance windows and silences are for, for those who tell people things."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Connection

from exporters.console.attest import windowstore
from exporters.console.attest.windows import occurrences


class Subject(NamedTuple):
    """What a window may cover; `rule` is empty where it is about the host itself."""

    host: str  # rules.model.Host.id
    name: str
    department: str
    rule: str


Covers = Callable[[Subject], bool]


def between(connection: Connection, zone: ZoneInfo, begin: datetime, end: datetime) -> Covers:
    """By a window that was on at some time of a stretch, its end included."""
    end += timedelta(microseconds=1)
    scopes = [
        one.scope
        for one in windowstore.current(connection, zone, begin)
        if next(occurrences(one, begin, end), None)
    ]

    def covers(subject: Subject) -> bool:
        names = (subject.name, subject.host)
        return any(scope.has(names, subject.department, "", subject.rule) for scope in scopes)

    return covers
