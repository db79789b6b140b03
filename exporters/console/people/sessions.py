"""Sessions: who a cookie or a bearer token stands for. Tokens are random; the table has their hashes alone."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple, cast

from sqlalchemy import Connection, delete, select, update

from exporters.console.database import Database
from exporters.console.schema import department, session, user
from exporters.console.settings import ConsoleSettings
from exporters.console.web.asker import Person, Role

COOKIE: Final = "jianwei_session"
Stage = Literal["full", "totp", "password"]
ENTER: Final[Mapping[str, str]] = {"totp": "/login/totp", "password": "/profile/password"}
_RENEW: Final = timedelta(seconds=30)  # how exact `seen` is


class Resolved(NamedTuple):
    person: Person | None = None
    scope: frozenset[int] | None = None
    session: str = ""
    csrf: str = ""
    stage: str = ""
    language: str = ""


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def begin(
    connection: Connection,
    settings: ConsoleSettings,
    user_id: int,
    stage: Stage,
    now: datetime,
    address: str,
) -> str:
    """A new session's token; those of the user that are over are forgotten."""
    token = secrets.token_urlsafe(32)
    connection.execute(delete(session).where(session.c.user_id == user_id, session.c.expires < now))
    connection.execute(
        session.insert().values(
            token_hash=hashed(token),
            user_id=user_id,
            csrf=secrets.token_urlsafe(24),
            stage=stage,
            created=now,
            seen=now,
            expires=now + timedelta(seconds=settings.session),
            address=address,
        )
    )
    return token


def end(connection: Connection, token_hash: str) -> None:
    connection.execute(delete(session).where(session.c.token_hash == token_hash))


def resolve(
    database: Database, settings: ConsoleSettings, cookie: str, bearer: str, now: datetime
) -> Resolved:
    """Nobody for a token that is unknown, over, idle for too long, or of a user who may not log in."""
    if not cookie:
        return Resolved()
    mark = hashed(cookie)
    with database.reading() as connection:
        row = connection.execute(
            select(session, user)
            .join(user, user.c.id == session.c.user_id)
            .where(session.c.token_hash == mark)
        ).first()
        if row is None:
            return Resolved()
        over = now >= row.expires or now - row.seen >= timedelta(seconds=settings.idle)
        if over or row.disabled:
            return Resolved()
        scope = scope_of(connection, row.departments)
    if now - row.seen >= _RENEW:
        with database.writing() as connection:
            connection.execute(update(session).where(session.c.token_hash == mark).values(seen=now))
    departments = None if row.departments is None else tuple(row.departments)
    person = Person(row.user_id, row.name, row.full_name, cast(Role, row.role), departments)
    return Resolved(person, scope, mark, row.csrf, row.stage, row.language)


def scope_of(connection: Connection, names: list[str] | None) -> frozenset[int] | None:
    """Ids of departments by name; one that no host is of yet has none."""
    if names is None:
        return None
    found = connection.execute(select(department.c.id).where(department.c.name.in_(names)))
    return frozenset(found.scalars())
