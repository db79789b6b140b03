"""Whoever asks, about themselves: their row, their session."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Row, delete, select

from exporters.console.people import sessions
from exporters.console.schema import session, user
from exporters.console.web.asker import Asker, Person
from exporters.console.web.refusals import Forbidden


def person(asker: Asker) -> Person:
    if asker.person is None:
        raise Forbidden("forbidden")
    return asker.person


def seen(asker: Asker, connection: Connection) -> Row[Any]:
    """Their row, to be read."""
    return connection.execute(select(user).where(user.c.id == person(asker).id)).one()


def held(asker: Asker, connection: Connection) -> Row[Any]:
    """Their row, to be changed in this transaction."""
    own = select(user).where(user.c.id == person(asker).id)
    return connection.execute(own.with_for_update()).one()


def whole_site(asker: Asker) -> None:
    """Users and the audit log are of no department: raises for who is limited to some."""
    if person(asker).departments is not None:
        raise Forbidden("users.whole_site")


def in_a_session(asker: Asker) -> None:
    """A bearer token is not enough for what would outlive it."""
    if not asker.session:
        raise Forbidden("profile.session_only")


def anew(asker: Asker, connection: Connection) -> str:
    """The token of a new session in place of one that is over."""
    settings = asker.services.settings
    user_id = person(asker).id
    return sessions.begin(connection, settings, user_id, "full", asker.now, asker.address)


def end_others(asker: Asker, connection: Connection) -> None:
    """All sessions but the one that asks."""
    own = delete(session).where(session.c.user_id == person(asker).id)
    connection.execute(own.where(session.c.token_hash != asker.session))
