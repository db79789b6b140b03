"""/profile: one's own password, second factor, sessions and API tokens."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import msgspec

from exporters.console.people import forms, profile, secondfactor, tokens, totp
from exporters.console.people.login import Entered
from exporters.console.people.sessions import COOKIE
from exporters.console.web.asker import LANGUAGE, Asker
from exporters.console.web.refusals import Invalid, NotFound, Refused
from exporters.console.web.routing import (
    Answer,
    Cookie,
    Nothing,
    Page,
    Redirect,
    Reply,
    Shown,
)


class _Password(msgspec.Struct, frozen=True):
    current: str = ""
    password: str = ""
    again: str = ""


class _Token(msgspec.Struct, frozen=True):
    name: str = ""
    days: str = "90"


class _Done(msgspec.Struct, frozen=True):
    """A code that was typed."""

    code: str = ""


def _profile(asker: Asker, _: Nothing) -> Answer:
    return _page(asker)


def _page(asker: Asker, form: str = "", refused: Refused | None = None, **more: Any) -> Shown:
    """`form` is the one that was refused; its message is shown beside it."""
    context = {
        "account": profile.account(asker, Nothing()),
        "tokens": tokens.listed(asker, Nothing()).tokens,
        "form": form,
        "policy": asker.services.settings.people.password,
        "secret": secondfactor.pending(asker),
        "made": None,
        "token_name": "",
        "token_days": "90",
        **more,
    }
    return forms.shown("people/profile.html.j2", asker, context, refused)


def _password_form(asker: Asker, _: Nothing) -> Answer:
    if asker.stage == "totp":
        return Redirect("/login/totp")
    return _password_page(asker)


def _password_page(asker: Asker, refused: Refused | None = None) -> Answer:
    context = {"policy": asker.services.settings.people.password, "due": asker.stage == "password"}
    return forms.shown("people/password.html.j2", asker, context, refused)


def _password(asker: Asker, given: _Password) -> Answer:
    try:
        if given.password != given.again:
            raise Invalid("profile.not_again", "again")
        change = profile.ChangePassword(given.current, given.password)
        entered = profile.change_password_here(asker, change)
    except Refused as refused:
        return _password_page(asker, refused)
    path = "/" if asker.stage == "password" else "/profile"
    return forms.entered(asker, entered, path, "profile.password_done")


def _language(asker: Asker, given: profile.Language) -> Answer:
    profile.choose_language(asker, given)
    cookie = Cookie(LANGUAGE, given.language, 365 * 86400)
    return Redirect("/profile", cookies=(cookie,))


def _begin_totp(asker: Asker, _: Nothing) -> Answer:
    try:
        secondfactor.begin(asker, Nothing())
    except Refused as refused:
        return _page(asker, "totp", refused)
    return Redirect("/profile")


def _prove_totp(asker: Asker, given: _Done) -> Answer:
    try:
        proved = secondfactor.prove_here(asker, secondfactor.Code(given.code))
    except Refused as refused:
        return _page(asker, "totp", refused)
    return codes(asker, proved.codes, proved.entered)


def _end_totp(asker: Asker, given: _Done) -> Answer:
    return _with_code(asker, given, secondfactor.end, "profile.totp_off_done")


def _with_code(
    asker: Asker, given: _Done, act: Callable[[Asker, secondfactor.Code], Any], notice: str
) -> Answer:
    try:
        act(asker, secondfactor.Code(given.code))
    except Refused as refused:
        return _page(asker, "totp", refused)
    return Redirect("/profile", notice)


def _new_codes(asker: Asker, given: _Done) -> Answer:
    try:
        made = secondfactor.new_codes(asker, secondfactor.Code(given.code))
    except Refused as refused:
        return _page(asker, "totp", refused)
    return codes(asker, made.codes, None)


def codes(asker: Asker, made: tuple[str, ...], entered: Entered | None) -> Answer:
    """Recovery codes, shown once; the new session goes with them."""
    cookies: tuple[Cookie, ...] = ()
    follow = "/profile"
    if entered is not None:
        age = int(asker.services.settings.session)
        cookies, follow = (Cookie(COOKIE, entered.token, age),), entered.path or "/"
    context = {"codes": made, "follow": follow}
    return Shown("people/codes.html.j2", context, cookies=cookies)


def _picture(asker: Asker, _: Nothing) -> Answer:
    """The QR code of the secret that is being set up in this session."""
    secret = secondfactor.pending(asker)
    if secret is None or secondfactor.is_on(asker):
        raise NotFound("not_found")
    return Reply(totp.picture(secret.secret, asker.name), "image/svg+xml")


def _end_session(asker: Asker, given: profile.SessionId) -> Answer:
    profile.end_session(asker, given)
    return Redirect("/profile", "profile.session_done")


def _end_sessions(asker: Asker, _: Nothing) -> Answer:
    profile.end_other_sessions(asker, Nothing())
    return Redirect("/profile", "profile.session_done")


def _token(asker: Asker, given: _Token) -> Answer:
    try:
        days = int(given.days) if given.days.isascii() and given.days.isdigit() else 0
        if not 1 <= days <= 365:
            raise Invalid("tokens.days_wrong", "days")
        made = tokens.create(asker, tokens.NewToken(given.name, days))
    except Refused as refused:
        return _page(
            asker, "token", refused, token_name=given.name[:256], token_days=given.days[:8]
        )
    return _page(asker, made=made)


def _revoke(asker: Asker, given: tokens.TokenId) -> Answer:
    tokens.revoke(asker, given)
    return Redirect("/profile", "tokens.revoked")


PAGES: Final = (
    Page("/profile", "self", _profile),
    Page("/profile/language", "self", _language, profile.Language, "POST"),
    Page("/profile/password", "entering", _password_form),
    Page("/profile/password", "entering", _password, _Password, "POST"),
    Page("/profile/sessions/end", "self", _end_sessions, method="POST"),
    Page("/profile/sessions/{id}/end", "self", _end_session, profile.SessionId, "POST"),
    Page("/profile/tokens", "self", _token, _Token, "POST"),
    Page("/profile/tokens/{id}/revoke", "self", _revoke, tokens.TokenId, "POST"),
    Page("/profile/totp", "self", _begin_totp, method="POST"),
    Page("/profile/totp.svg", "entering", _picture),
    Page("/profile/totp/codes", "self", _new_codes, _Done, "POST"),
    Page("/profile/totp/end", "self", _end_totp, _Done, "POST"),
    Page("/profile/totp/prove", "self", _prove_totp, _Done, "POST"),
)
