"""Pages of people: all of them, and those of logging in and out."""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from exporters.console.people import (
    forms,
    login,
    logpages,
    profile,
    profilepages,
    secondfactor,
    sessions,
    userpages,
)
from exporters.console.web.asker import LANGUAGE, Asker
from exporters.console.web.refusals import Refused
from exporters.console.web.routing import Answer, Cookie, Nothing, Page, Redirect


class _Language(msgspec.Struct, frozen=True):
    language: Literal["zh", "en"]
    next: str = "/"


class _Next(msgspec.Struct, frozen=True):
    next: str = "/"


class _Login(msgspec.Struct, frozen=True):
    name: str
    password: str
    next: str = "/"


class _Code(msgspec.Struct, frozen=True):
    code: str = ""


def _form(asker: Asker, given: _Next) -> Answer:
    return forms.login(asker, given.next)


def _login(asker: Asker, given: _Login) -> Answer:
    try:
        entered = login.by_password(asker, given.name, given.password)
    except Refused as refused:
        return forms.login(asker, given.next, given.name[:256], refused)
    return forms.entered(asker, entered, given.next)


def _totp(asker: Asker, _: Nothing) -> Answer:
    return _step(asker)


def _step(asker: Asker, refused: Refused | None = None) -> Answer:
    """The code; or where a second factor is required and there is none yet, how to set it up."""
    if asker.stage != "totp":
        return Redirect("/")
    enrolling = not secondfactor.is_on(asker)
    secret = None
    if enrolling:
        secret = secondfactor.pending(asker) or secondfactor.begin(asker, Nothing())
    return forms.shown("people/totp.html.j2", asker, {"secret": secret}, refused)


def _code(asker: Asker, given: _Code) -> Answer:
    if asker.stage != "totp":
        return Redirect("/")
    try:
        if secondfactor.is_on(asker):
            return forms.entered(asker, login.by_code(asker, given.code), "/")
        proved = secondfactor.prove_here(asker, secondfactor.Code(given.code))
    except Refused as refused:
        if refused.key == "login.locked":
            return forms.login(asker, "/", asker.name, refused)
        return _step(asker, refused)
    return profilepages.codes(asker, proved.codes, proved.entered)


def _logout(asker: Asker, _: Nothing) -> Answer:
    with asker.database.writing() as connection:
        sessions.end(connection, asker.session)
        asker.record(connection, "login.out", asker.name)
    return Redirect("/login", cookies=(Cookie(sessions.COOKIE, "", 0),))


def _language(asker: Asker, given: _Language) -> Answer:
    if asker.person and asker.stage == "full":
        profile.choose_language(asker, profile.Language(given.language))
    return Redirect(given.next, cookies=(Cookie(LANGUAGE, given.language, 365 * 86400),))


PAGES: Final = (
    Page("/language", "open", _language, _Language, "POST"),
    Page("/login", "open", _form, _Next),
    Page("/login", "open", _login, _Login, "POST"),
    Page("/login/totp", "entering", _totp),
    Page("/login/totp", "entering", _code, _Code, "POST"),
    Page("/logout", "entering", _logout, method="POST"),
    *profilepages.PAGES,
    *userpages.PAGES,
    *logpages.PAGES,
)
