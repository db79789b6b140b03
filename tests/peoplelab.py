"""Somebody who asks a console at a time of the test's choosing, without HTTP between."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from sqlalchemy import Connection, Row, select, text

from exporters.console import auditlog
from exporters.console.people import login, sessions
from exporters.console.schema import log, session, user
from exporters.console.web.asker import Asker, Role
from tests.consolelab import PASSWORD, Console

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


def within(
    console: Console, name: str, role: Role = "viewer", departments: tuple[str, ...] | None = None
) -> Asker:
    """A user who has logged in at NOW; the password is two days old."""
    console.person(name, role, departments)
    set_user(console, name, password_changed=NOW - timedelta(days=2))
    return holder(console, login.by_password(stranger(console), name, PASSWORD).token)


def lasts(asker: Asker, console: Console) -> bool:
    """Whether the session still is one."""
    with console.database.reading() as connection:
        found = connection.execute(session.select().where(session.c.token_hash == asker.session))
        return found.first() is not None


def filled(console: Console, rows: int = 8) -> None:
    """The audit log has that many rows more."""
    for number in range(rows):
        with console.database.writing() as connection:
            detail = {"文": number, "list": [1, None, True]}
            auditlog.record(connection, f"u{number % 3}", "test.done", str(number), detail, now=NOW + timedelta(hours=number))  # fmt: skip


def unguarded(connection: Connection) -> None:
    """What somebody with all rights on the database can do."""
    if connection.dialect.name == "sqlite":
        for name in ("log_update", "log_delete", "log_insert"):
            connection.execute(text(f"DROP TRIGGER {name}"))
    else:
        connection.execute(text("ALTER TABLE log DISABLE TRIGGER ALL"))


def url_of(console: Console) -> str:
    """As people write it."""
    return console.database.url.render_as_string(hide_password=False).replace("+psycopg", "")
