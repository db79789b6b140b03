"""Sessions: who a cookie or a bearer token stands for. Tokens are random; the table has their hashes alone.

A session ends when it is idle, when its day is over, and with every change of what its user may do or proves
themselves by. What comes after a step of logging in has a token of its own: nobody can plant one beforehand.
"""

from __future__ import annotations

import contextlib
import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, cast

from sqlalchemy import Connection, Row, Update, delete, select, update
from sqlalchemy.exc import OperationalError

from exporters.console.database import Database
from exporters.console.people.policy import expired
from exporters.console.schema import api_token, department, session, user
from exporters.console.settings import ConsoleSettings
from exporters.console.web.asker import Person, Role

COOKIE: Final = "jianwei_session"
TOKEN_PREFIX: Final = "jwu_"  # noqa: S105 - what a user's token begins with; an agent's does not
Stage = Literal["full", "totp", "password"]
Step = Literal["password", "totp"]  # of logging in
ENTER: Final[Mapping[str, str]] = {"totp": "/login/totp", "password": "/profile/password"}
_RENEW: Final = timedelta(seconds=60)  # how exact `seen` is
_BRIEFLY: Final = 0.05  # seconds that it waits for another writer


class Resolved(NamedTuple):
    person: Person | None = None
    scope: frozenset[int] | None = None
    session: str = ""
    csrf: str = ""
    stage: str = ""
    language: str = ""


def cookie_name(secure: bool) -> str:
    """With the prefix, no other host and nothing without TLS can set it (RFC 6265bis 4.1.3.2)."""
    return f"__Host-{COOKIE}" if secure else COOKIE


def hashed(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def stage_after(settings: ConsoleSettings, row: Row[Any], done: Step, now: datetime) -> Stage:
    """What a user has still to do after a step: the second factor, then a new password, then all is open."""
    people = settings.people
    if done == "password" and (row.totp_secret or people.needs_totp(row.role)):
        return "totp"
    local = row.origin == "local"
    if local and (row.must_change or expired(row.password_changed, people.password, now)):
        return "password"
    return "full"


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
    idle = now - timedelta(seconds=settings.idle)
    connection.execute(
        delete(session).where(
            session.c.user_id == user_id, (session.c.expires <= now) | (session.c.seen <= idle)
        )
    )
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


def end_all(connection: Connection, user_id: int) -> None:
    """Of a user whose password, role or scope is another now."""
    connection.execute(delete(session).where(session.c.user_id == user_id))


def resolve(
    database: Database,
    settings: ConsoleSettings,
    cookie: str,
    bearer: str,
    now: datetime,
    *,
    renew: bool = True,
) -> Resolved:
    """Nobody for a token that is unknown, over, idle for too long, or of a user who may not log in. A bearer token
    goes before a cookie, and has no session: no browser sends it by itself. `renew`: it is used by this."""
    if bearer:
        return _by_token(database, bearer, now)
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
    if renew and now - row.seen >= _RENEW:
        _note(database, update(session).where(session.c.token_hash == mark).values(seen=now))
    return Resolved(_person(row, row.user_id), scope, mark, row.csrf, row.stage, row.language)


def _by_token(database: Database, bearer: str, now: datetime) -> Resolved:
    if not bearer.startswith(TOKEN_PREFIX):
        return Resolved()
    with database.reading() as connection:
        row = connection.execute(
            select(user, api_token.c.id.label("token_id"), api_token.c.used, api_token.c.expires)
            .join(api_token, api_token.c.user_id == user.c.id)
            .where(api_token.c.token_hash == hashed(bearer))
        ).first()
        if row is None or now >= row.expires or row.disabled:
            return Resolved()
        scope = scope_of(connection, row.departments)
    if row.used is None or now - row.used >= _RENEW:
        _note(database, update(api_token).where(api_token.c.id == row.token_id).values(used=now))
    return Resolved(_person(row, row.id), scope, stage="full", language=row.language)


def _note(database: Database, statement: Update) -> None:
    """Who only reads does not wait for a writer: the next request notes it."""
    with (
        contextlib.suppress(OperationalError),
        database.waiting(_BRIEFLY).writing() as connection,
    ):
        connection.execute(statement)


def _person(row: Row[Any], user_id: int) -> Person:
    departments = None if row.departments is None else tuple(row.departments)
    return Person(user_id, row.name, row.full_name, cast(Role, row.role), departments)


def scope_of(connection: Connection, names: list[str] | None) -> frozenset[int] | None:
    """Ids of departments by name; one that no host is of yet has none."""
    if names is None:
        return None
    found = connection.execute(select(department.c.id).where(department.c.name.in_(names)))
    return frozenset(found.scalars())
