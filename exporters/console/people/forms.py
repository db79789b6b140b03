"""A form that was refused is shown again with the message beside it, and with what was typed but passwords."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from exporters.console.people import sessions
from exporters.console.people.login import Entered
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Refused, TooMany
from exporters.console.web.routing import Cookie, Redirect, Shown
from exporters.console.words import say


def shown(
    template: str, asker: Asker, context: Mapping[str, Any], refused: Refused | None = None
) -> Shown:
    """The template has `problem` (empty: none) and `wrong`, the field that it is about."""
    if refused is None:
        return Shown(template, {"problem": "", "wrong": "", **context})
    words = say(refused.key, asker.language, **refused.values)
    headers = {"Retry-After": str(refused.seconds)} if isinstance(refused, TooMany) else {}
    context = {"problem": words, "wrong": refused.field, **context}
    return Shown(template, context, refused.status, headers)


def login(asker: Asker, path: str, name: str = "", refused: Refused | None = None) -> Shown:
    """The first page; `path` is where it leads."""
    context = {"next": path, "name": name, "oidc": asker.services.settings.oidc is not None}
    return shown("people/login.html.j2", asker, context, refused)


def entered(asker: Asker, session: Entered, path: str, notice: str = "", **values: Any) -> Redirect:
    """On with a new session: to the step that is missing, else to the path."""
    cookie = Cookie(sessions.COOKIE, session.token, int(asker.services.settings.session))
    if session.path:
        return Redirect(session.path, cookies=(cookie,))
    if session.expires is not None and not notice:
        notice, values = "profile.password_days", {"days": session.expires}
    return Redirect(path, notice, values, cookies=(cookie,))
