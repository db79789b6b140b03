"""What users do about themselves: password, second factor, sessions, language."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

import msgspec
from sqlalchemy import delete, func, select, update

from exporters.console.people import login, passwords, sessions
from exporters.console.people.login import Entered
from exporters.console.people.oneself import anew, end_others, held, in_a_session, person, seen
from exporters.console.people.policy import days_left, expired
from exporters.console.schema import recovery_code, session, user
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Invalid, NotFound, Refused, Unknown
from exporters.console.web.routing import Nothing

_MARK = 16  # characters of a session's hash that name it


class OwnSession(msgspec.Struct, frozen=True):
    id: str
    address: str
    created: datetime
    seen: datetime
    expires: datetime
    here: bool  # the one that asks


class Account(msgspec.Struct, frozen=True):
    name: str
    full_name: str
    mail: str
    role: str
    departments: tuple[str, ...] | None  # None: all
    origin: str
    language: str
    password_days: int | None  # until it must be changed; None: it is kept elsewhere
    totp: bool
    totp_required: bool
    recovery_codes: int  # that are left
    sessions: tuple[OwnSession, ...]


class ChangePassword(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    current: str
    password: str


class Language(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    language: Literal["zh", "en"]


class SessionId(msgspec.Struct, frozen=True):
    id: str


def account(asker: Asker, _: Nothing) -> Account:
    people = asker.services.settings.people
    with asker.database.reading() as connection:
        row = seen(asker, connection)
        live = connection.execute(
            select(session)
            .where(session.c.user_id == row.id, session.c.expires > asker.now)
            .where(session.c.seen > asker.now - timedelta(seconds=asker.services.settings.idle))
            .order_by(session.c.seen.desc())
            .limit(100)
        ).all()
        left = connection.execute(
            select(func.count()).select_from(recovery_code).where(recovery_code.c.user_id == row.id)
        ).scalar_one()
    local = row.origin == "local"
    return Account(
        name=row.name,
        full_name=row.full_name,
        mail=row.mail,
        role=row.role,
        departments=None if row.departments is None else tuple(row.departments),
        origin=row.origin,
        language=row.language,
        password_days=days_left(row.password_changed, people.password, asker.now)
        if local
        else None,
        totp=bool(row.totp_secret),
        totp_required=people.needs_totp(row.role),
        recovery_codes=left,
        sessions=tuple(
            OwnSession(
                one.token_hash[:_MARK],
                one.address,
                one.created,
                one.seen,
                one.expires,
                one.token_hash == asker.session,
            )
            for one in live
        ),
    )


def change_password(asker: Asker, given: ChangePassword) -> Nothing:
    """All sessions of the user are over, this one too: log in again."""
    _change_password(asker, given, stay=False)
    return Nothing()


def change_password_here(asker: Asker, given: ChangePassword) -> Entered:
    """All other sessions are over, and this one goes on under a new token."""
    entered = _change_password(asker, given, stay=True)
    assert entered  # noqa: S101 - of stay
    return entered


def _change_password(asker: Asker, given: ChangePassword, *, stay: bool) -> Entered | None:
    people, door = asker.services.settings.people, asker.services.door
    if asker.stage == "totp":
        raise Unknown("log_in_first")  # the second factor comes first
    in_a_session(asker)
    with asker.database.reading() as connection:
        row = seen(asker, connection)
    if row.origin != "local":
        raise Refused("profile.password_elsewhere")
    if not login.may(asker, row):
        raise Refused("profile.locked")
    door.addresses.take(asker.address, asker.now.timestamp())
    if not door.matches(given.current, row.password_hash):
        with asker.database.writing() as connection:
            # who found a screen unlocked guesses here
            if login.fail(asker, connection, row.id, "current password"):
                sessions.end_all(connection, row.id)
        raise Invalid("profile.current_wrong", "current")
    door.addresses.give_back(asker.address)
    policy = people.password
    young = row.password_changed and asker.now - row.password_changed < timedelta(
        days=policy.min_days
    )
    if young and not row.must_change and not expired(row.password_changed, policy, asker.now):
        raise Refused("profile.password_young", "password", days=policy.min_days)
    made = passwords.chosen(asker.database, door, policy, row, given.password)
    with asker.database.writing() as connection:
        if not login.may(asker, held(asker, connection)):
            raise Refused("profile.locked")
        passwords.store(connection, policy, row, made, asker.now, must_change=False)
        asker.record(connection, "profile.password", row.name)
        if not stay:
            return None
        token = anew(asker, connection)
    return Entered(token, "full")


def choose_language(asker: Asker, given: Language) -> Nothing:
    with asker.database.writing() as connection:
        connection.execute(
            update(user).where(user.c.id == person(asker).id).values(language=given.language)
        )
    return Nothing()


def end_session(asker: Asker, given: SessionId) -> Nothing:
    with asker.database.writing() as connection:
        user_id = person(asker).id
        marks = connection.execute(
            select(session.c.token_hash).where(session.c.user_id == user_id)
        ).scalars()
        found = [mark for mark in marks if mark[:_MARK] == given.id]
        if not found:
            raise NotFound("not_found")
        connection.execute(delete(session).where(session.c.token_hash.in_(found)))
        asker.record(connection, "profile.session_ended", asker.name)
    return Nothing()


def end_other_sessions(asker: Asker, _: Nothing) -> Nothing:
    with asker.database.writing() as connection:
        end_others(asker, connection)
        asker.record(connection, "profile.sessions_ended", asker.name)
    return Nothing()
