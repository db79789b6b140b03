"""Which maintenance windows and silences are on now, for those who tell people things."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from exporters.console.notify.looking import Covers, Subject
from exporters.console.services import Services


def by(connection: Connection, services: Services, now: datetime) -> Covers:
    def covers(subject: Subject) -> bool:
        return False

    return covers
