"""Somebody who asks a console at a time of the test's choosing, without HTTP between."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Row, select

from exporters.console.people import sessions
from exporters.console.schema import log, user
from exporters.console.web.asker import Asker
from tests.consolelab import Console

NOW: Final = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)


def stranger(console: Console, now: datetime = NOW, address: str = "198.51.100.7") -> Asker:
    """Who has not logged in."""
    return Asker(console.database, console.services, now, ZoneInfo("Asia/Shanghai"), "en", address=address)  # fmt: skip


def holder(
    console: Console, token: str, now: datetime = NOW, *, bearer: bool = False, address: str = ""
) -> Asker:
    """Who shows this token, of a cookie or a bearer."""
    cookie, bearing = ("", token) if bearer else (token, "")
    found = sessions.resolve(console.database, console.settings, cookie, bearing, now)
    return Asker(
        console.database,
        console.services,
        now,
        ZoneInfo("Asia/Shanghai"),
        "en",
        found.person,
        found.scope,
        address,
        found.session,
        found.csrf,
        found.stage,
    )


def row_of(console: Console, name: str) -> Row[tuple[object, ...]]:
    with console.database.reading() as connection:
        return connection.execute(select(user).where(user.c.name == name)).one()


def set_user(console: Console, name: str, **values: object) -> None:
    with console.database.writing() as connection:
        connection.execute(user.update().where(user.c.name == name).values(**values))


def logged(console: Console, action: str = "") -> list[Row[tuple[object, ...]]]:
    """Rows of the audit log, oldest first."""
    statement = select(log).order_by(log.c.number)
    if action:
        statement = statement.where(log.c.action == action)
    with console.database.reading() as connection:
        return list(connection.execute(statement))
