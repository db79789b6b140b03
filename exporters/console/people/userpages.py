"""/users: who may log in, as which role, and what they see."""

from __future__ import annotations

from typing import Any, Final, get_args

import msgspec

from exporters.console.people import forms, users
from exporters.console.web.asker import ROLES, Asker, Role
from exporters.console.web.ids import Natural
from exporters.console.web.refusals import Invalid, Refused
from exporters.console.web.routing import Answer, Page, Redirect, Shown


class _User(msgspec.Struct, frozen=True):
    """`departments`: ticked ones; `more`: others, one a line. `all` sees everything."""

    id: Natural = 0
    version: Natural = 0
    name: str = ""
    full_name: str = ""
    mail: str = ""
    role: str = ""
    all: str = ""
    departments: tuple[str, ...] = ()
    more: str = ""
    disabled: str = ""

    def role_given(self) -> Role:
        for role in ROLES:
            if role == self.role:
                return role
        raise Invalid("users.role_wrong", "role")

    def departments_given(self) -> tuple[str, ...] | None:
        return None if self.all else (*self.departments, *self.more.splitlines())


def _users(asker: Asker, given: users.List) -> Answer:
    found = users.listed(asker, given)
    return Shown("people/users.html.j2", {"found": found, "given": given})


def _new(asker: Asker, _: users.List) -> Answer:
    return _page(asker, _User(role="viewer", all="yes"), None)


def _page(
    asker: Asker, typed: _User, known: users.Known | None, refused: Refused | None = None
) -> Answer:
    offered = users.departments(asker)
    ticked = [name for name in typed.departments if name in offered]
    more = [name for name in typed.departments if name not in offered]
    context: dict[str, Any] = {
        "known": known,
        "typed": typed,
        "roles": get_args(Role),
        "offered": offered,
        "ticked": ticked,
        "more": "\n".join([*more, *typed.more.splitlines()])[:20_000],
    }
    return forms.shown("people/user.html.j2", asker, context, refused)


def _create(asker: Asker, given: _User) -> Answer:
    try:
        made = users.create(
            asker,
            users.Create(
                given.name,
                given.role_given(),
                given.full_name,
                given.mail,
                given.departments_given(),
            ),
        )
    except Refused as refused:
        return _page(asker, given, None, refused)
    return Shown("people/handed.html.j2", {"made": made})


def _user(asker: Asker, given: users.UserId) -> Answer:
    known = users.get(asker, given)
    return _page(asker, _typed(known), known)


def _typed(known: users.Known) -> _User:
    return _User(
        id=known.id,
        version=known.version,
        name=known.name,
        full_name=known.full_name,
        mail=known.mail,
        role=known.role,
        all="yes" if known.departments is None else "",
        departments=known.departments or (),
        disabled="yes" if known.disabled else "",
    )


def _change(asker: Asker, given: _User) -> Answer:
    try:
        change = users.Update(
            given.id,
            given.version,
            given.role_given(),
            given.full_name,
            given.mail,
            given.departments_given(),
            bool(given.disabled),
        )
        known = users.change(asker, change)
    except Refused as refused:
        return _page(asker, given, users.get(asker, users.UserId(given.id)), refused)
    return Redirect("/users", "users.changed", {"name": known.name})


def _reset_password(asker: Asker, given: users.UserId) -> Answer:
    try:
        made = users.reset_password(asker, given)
    except Refused as refused:
        return _refused(asker, given, refused)
    return Shown("people/handed.html.j2", {"made": made})


def _reset_totp(asker: Asker, given: users.UserId) -> Answer:
    try:
        users.reset_totp(asker, given)
    except Refused as refused:
        return _refused(asker, given, refused)
    return Redirect(f"/users/{given.id}", "users.totp_reset")


def _unlock(asker: Asker, given: users.UserId) -> Answer:
    users.unlock(asker, given)
    return Redirect(f"/users/{given.id}", "users.unlocked")


def _refused(asker: Asker, given: users.UserId, refused: Refused) -> Answer:
    known = users.get(asker, given)
    return _page(asker, _typed(known), known, refused)


PAGES: Final = (
    Page("/users", "administer", _users, users.List),
    Page("/users", "administer", _create, _User, "POST"),
    Page("/users/new", "administer", _new, users.List),
    Page("/users/{id}", "administer", _user, users.UserId),
    Page("/users/{id}", "administer", _change, _User, "POST"),
    Page("/users/{id}/password", "administer", _reset_password, users.UserId, "POST"),
    Page("/users/{id}/totp", "administer", _reset_totp, users.UserId, "POST"),
    Page("/users/{id}/unlock", "administer", _unlock, users.UserId, "POST"),
)
