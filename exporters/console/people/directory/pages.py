"""Pages of logging in at an identity provider: off to it, and back."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Final

import msgspec

from exporters.console.people import forms, login
from exporters.console.people.directory import attempt
from exporters.console.people.directory.identity import DirectoryDown, Untrusted
from exporters.console.people.directory.login import Down
from exporters.console.people.directory.oidcsettings import CALLBACK, OidcSettings
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Forbidden, NotFound, Refused
from exporters.console.web.routing import Answer, Cookie, Page, Reply

log = logging.getLogger(__name__)


class _Begin(msgspec.Struct, frozen=True):
    next: str = "/"


class _Back(msgspec.Struct, frozen=True):
    """RFC 6749, 4.1.2, and the issuer of RFC 9207."""

    code: str = ""
    state: str = ""
    error: str = ""
    iss: str = ""


def _begin(asker: Asker, given: _Begin) -> Answer:
    settings = _settings(asker)
    from exporters.console.people.directory import oidc

    door = asker.services.door.addresses
    door.take(asker.address, asker.now.timestamp())
    begun = attempt.begun(given.next, asker.now)
    public_url = asker.services.settings.public_url
    try:
        away = oidc.address(settings, begun, public_url)
    except (DirectoryDown, Untrusted) as error:
        raise _down(error) from error
    door.give_back(asker.address)
    sealed = attempt.sealed(begun, attempt.key(asker.database))
    secure = "; Secure" if public_url.startswith("https://") else ""
    cookie = f"{attempt.COOKIE}={sealed}; Path=/; Max-Age={attempt.LASTS}; HttpOnly; SameSite=Lax"
    headers = {"Location": away, "Set-Cookie": cookie + secure}
    return Reply(b"", "text/plain", status=303, headers=headers)


def _back(asker: Asker, given: _Back) -> Answer:
    settings = _settings(asker)
    from exporters.console.people.directory import oidc

    door = asker.services.door.addresses
    door.take(asker.address, asker.now.timestamp())
    key = attempt.key(asker.database)
    begun = attempt.opened(asker.cookies.get(attempt.COOKIE, ""), key, given.state, asker.now)
    if begun is None or (given.iss and given.iss != settings.issuer):
        raise Forbidden("directory.expired")
    if given.error or not given.code:
        _failed(asker, f"the provider says {given.error[:100]!r}")
        raise Forbidden("directory.refused")
    try:
        identity = oidc.identified(
            settings, begun, given.code, asker.services.settings.public_url, asker.now
        )
    except DirectoryDown as error:
        raise _down(error) from error
    except Untrusted as error:
        _failed(asker, str(error))
        raise Forbidden("directory.refused") from error
    if identity is None:
        _failed(asker, "no group that may come in")
        raise Forbidden("directory.nobody")
    entered = forms.entered(asker, login.by_identity(asker, identity), begun.next)
    over = Cookie(attempt.COOKIE, "", 0)
    return replace(entered, cookies=(*entered.cookies, over))


def _settings(asker: Asker) -> OidcSettings:
    settings = asker.services.settings.oidc
    if settings is None:
        raise NotFound("not_found")
    return settings


def _down(error: Exception) -> Refused:
    log.warning("the identity provider cannot be used: %s", error)
    return Down("directory.down")


def _failed(asker: Asker, why: str) -> None:
    log.warning("a login at the identity provider was not accepted: %s", why)
    with asker.database.writing() as connection:
        asker.record(connection, "login.failed", "", {"how": "oidc", "why": "not accepted"})


PAGES: Final = (
    Page("/login/oidc", "open", _begin, _Begin),
    Page(CALLBACK, "open", _back, _Back),
)
