"""What users do about themselves: password, second factor, sessions, language."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, delete, func, select, update

from exporters.console.people import login, passwords, sessions, totp
from exporters.console.people.login import Entered
from exporters.console.people.policy import days_left, expired
from exporters.console.schema import recovery_code, session, user
from exporters.console.web.asker import Asker, Person
from exporters.console.web.refusals import Forbidden, Invalid, NotFound, Refused, Unknown
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


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str


class SessionId(msgspec.Struct, frozen=True):
    id: str


class Secret(msgspec.Struct, frozen=True):
    """A TOTP secret, to be shown this once."""

    secret: str
    uri: str


class Codes(msgspec.Struct, frozen=True):
    """Recovery codes, to be shown this once."""

    codes: tuple[str, ...]


class Proved(msgspec.Struct, frozen=True):
    codes: tuple[str, ...]
    entered: Entered


def person(asker: Asker) -> Person:
    if asker.person is None:
        raise Forbidden("forbidden")
    return asker.person


def account(asker: Asker, _: Nothing) -> Account:
    people = asker.services.settings.people
    with asker.database.reading() as connection:
        row = _seen(asker, connection)
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
    with asker.database.reading() as connection:
        row = _seen(asker, connection)
    if row.origin != "local":
        raise Refused("profile.password_elsewhere")
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
        passwords.store(connection, policy, row, made, asker.now, must_change=False)
        asker.record(connection, "profile.password", row.name)
        if not stay:
            return None
        token = _anew(asker, connection, row.id)
    return Entered(token, "full")


def choose_language(asker: Asker, given: Language) -> Nothing:
    with asker.database.writing() as connection:
        connection.execute(
            update(user).where(user.c.id == person(asker).id).values(language=given.language)
        )
    return Nothing()


def begin_totp(asker: Asker, _: Nothing) -> Secret:
    """A new secret, in force as soon as a code of it is shown (prove_totp)."""
    _in_a_session(asker)
    secret = totp.new_secret()
    with asker.database.writing() as connection:
        row = _row(asker, connection)
        if row.totp_secret:
            raise Refused("totp.is_on")
        connection.execute(
            update(session).where(session.c.token_hash == asker.session).values(pending=secret)
        )
    return Secret(secret, totp.uri(secret, row.name))


def pending_totp(asker: Asker) -> Secret | None:
    """What begin_totp made in this session, until it is proved."""
    with asker.database.reading() as connection:
        found = connection.execute(
            select(session.c.pending).where(session.c.token_hash == asker.session)
        ).scalar_one_or_none()
    return Secret(found, totp.uri(found, asker.name)) if found else None


def has_totp(asker: Asker) -> bool:
    with asker.database.reading() as connection:
        return bool(_seen(asker, connection).totp_secret)


def prove_totp(asker: Asker, given: Code) -> Codes:
    """The second factor is on. Other sessions are over, and so is this one: log in again."""
    return Codes(prove_totp_here(asker, given, stay=False).codes)


def prove_totp_here(asker: Asker, given: Code, *, stay: bool = True) -> Proved:
    _in_a_session(asker)
    with asker.database.writing() as connection:
        row = _row(asker, connection)
        pending = connection.execute(
            select(session.c.pending).where(session.c.token_hash == asker.session)
        ).scalar_one_or_none()
        if not pending or row.totp_secret:
            raise Refused("totp.begin_first")
        step = totp.step_of(pending, given.code, asker.now)
        if step is None:
            raise Invalid("totp.wrong", "code")
        connection.execute(
            update(user)
            .where(user.c.id == row.id)
            .values(totp_secret=pending, totp_last=step, version=user.c.version + 1)
        )
        codes = totp.new_codes(connection, row.id)
        asker.record(connection, "profile.totp_on", row.name)
        sessions.end_all(connection, row.id)
        if not stay:
            entered = Entered("", "full")
        elif asker.stage == "totp":
            entered = login.enter(asker, connection, row, "totp")
        else:
            entered = Entered(_anew(asker, connection, row.id), "full")
    return Proved(codes, entered)


def end_totp(asker: Asker, given: Code) -> Nothing:
    if asker.services.settings.people.needs_totp(person(asker).role):
        raise Refused("totp.required")
    with asker.database.writing() as connection:
        row = _row(asker, connection)
        good = _spent(asker, connection, row, given.code)
        if good:
            totp.forget(connection, row.id)
            asker.record(connection, "profile.totp_off", row.name)
            _end_others(asker, connection, row.id)
    if not good:
        raise Invalid("totp.wrong", "code")
    return Nothing()


def new_codes(asker: Asker, given: Code) -> Codes:
    """New recovery codes; the old ones are good no more."""
    with asker.database.writing() as connection:
        row = _row(asker, connection)
        good = _spent(asker, connection, row, given.code)
        codes = totp.new_codes(connection, row.id) if good else ()
        if good:
            asker.record(connection, "profile.recovery_codes", row.name)
    if not good:
        raise Invalid("totp.wrong", "code")
    return Codes(codes)


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
        _end_others(asker, connection, person(asker).id)
        asker.record(connection, "profile.sessions_ended", asker.name)
    return Nothing()


def _seen(asker: Asker, connection: Connection) -> Row[Any]:
    return connection.execute(select(user).where(user.c.id == person(asker).id)).one()


def _row(asker: Asker, connection: Connection) -> Row[Any]:
    return connection.execute(
        select(user).where(user.c.id == person(asker).id).with_for_update()
    ).one()


def _spent(asker: Asker, connection: Connection, row: Row[Any], code: str) -> bool:
    """Whether a code is good; a wrong one counts, and where that locks the user all their sessions are over."""
    if row.locked_until is not None and asker.now < row.locked_until:
        return False
    if totp.spend(connection, row, code, asker.now):
        return True
    if row.totp_secret and login.fail(asker, connection, row.id, "code"):
        sessions.end_all(connection, row.id)
    return False


def _anew(asker: Asker, connection: Connection, user_id: int) -> str:
    settings = asker.services.settings
    return sessions.begin(connection, settings, user_id, "full", asker.now, asker.address)


def _end_others(asker: Asker, connection: Connection, user_id: int) -> None:
    connection.execute(
        delete(session).where(session.c.user_id == user_id, session.c.token_hash != asker.session)
    )


def _in_a_session(asker: Asker) -> None:
    """A bearer token is not enough for what would outlive it."""
    if not asker.session:
        raise Forbidden("profile.session_only")
