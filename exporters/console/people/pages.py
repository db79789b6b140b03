"""Pages of people: logging in and out."""

from __future__ import annotations

from typing import Final, Literal

import bcrypt
import msgspec
from sqlalchemy import select

from exporters.console.people import sessions
from exporters.console.schema import user
from exporters.console.web.asker import LANGUAGE, Asker
from exporters.console.web.refusals import Refused
from exporters.console.web.routing import Answer, Cookie, Nothing, Page, Redirect, Shown


class _Language(msgspec.Struct, frozen=True):
    language: Literal["zh", "en"]
    next: str = "/"


class _Next(msgspec.Struct, frozen=True):
    next: str = "/"


class _Login(msgspec.Struct, frozen=True):
    name: str
    password: str
    next: str = "/"


def _form(asker: Asker, given: _Next) -> Answer:
    return Shown("people/login.html.j2", {"next": given.next})


def _login(asker: Asker, given: _Login) -> Answer:
    with asker.database.writing() as connection:
        row = connection.execute(select(user).where(user.c.name == given.name)).first()
        if row is None or not bcrypt.checkpw(given.password.encode(), row.password_hash.encode()):
            raise Refused("login.wrong")
        token = sessions.begin(
            connection, asker.services.settings, row.id, "full", asker.now, asker.address
        )
    cookie = Cookie(sessions.COOKIE, token, int(asker.services.settings.session))
    return Redirect(given.next, cookies=(cookie,))


def _logout(asker: Asker, _: Nothing) -> Answer:
    with asker.database.writing() as connection:
        sessions.end(connection, asker.session)
    return Redirect("/login", cookies=(Cookie(sessions.COOKIE, "", 0),))


def _language(asker: Asker, given: _Language) -> Answer:
    return Redirect(given.next, cookies=(Cookie(LANGUAGE, given.language, 365 * 86400),))


PAGES: Final = (
    Page("/language", "open", _language, _Language, "POST"),
    Page("/login", "open", _form, _Next),
    Page("/login", "open", _login, _Login, "POST"),
    Page("/logout", "entering", _logout, method="POST"),
)
