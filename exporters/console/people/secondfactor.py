"""Turning one's second factor on and off, and new recovery codes."""

from __future__ import annotations

from typing import Any

import msgspec
from sqlalchemy import Connection, Row, select, update

from exporters.console.people import login, sessions, totp
from exporters.console.people.login import Entered
from exporters.console.people.oneself import anew, end_others, held, in_a_session, person, seen
from exporters.console.schema import session, user
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Invalid, Refused
from exporters.console.web.routing import Nothing


class Code(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str


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


def begin(asker: Asker, _: Nothing) -> Secret:
    """A new secret, in force as soon as a code of it is shown (prove)."""
    in_a_session(asker)
    secret = totp.new_secret()
    with asker.database.writing() as connection:
        row = held(asker, connection)
        if row.totp_secret:
            raise Refused("totp.is_on")
        connection.execute(
            update(session).where(session.c.token_hash == asker.session).values(pending=secret)
        )
    return Secret(secret, totp.uri(secret, row.name))


def pending(asker: Asker) -> Secret | None:
    """What begin made in this session, until it is proved."""
    with asker.database.reading() as connection:
        found = connection.execute(
            select(session.c.pending).where(session.c.token_hash == asker.session)
        ).scalar_one_or_none()
    return Secret(found, totp.uri(found, asker.name)) if found else None


def is_on(asker: Asker) -> bool:
    with asker.database.reading() as connection:
        return bool(seen(asker, connection).totp_secret)


def prove(asker: Asker, given: Code) -> Codes:
    """The second factor is on. Other sessions are over, and so is this one: log in again."""
    return Codes(prove_here(asker, given, stay=False).codes)


def prove_here(asker: Asker, given: Code, *, stay: bool = True) -> Proved:
    in_a_session(asker)
    with asker.database.writing() as connection:
        row = held(asker, connection)
        waiting = connection.execute(
            select(session.c.pending).where(session.c.token_hash == asker.session)
        ).scalar_one_or_none()
        if not waiting or row.totp_secret:
            raise Refused("totp.begin_first")
        step = totp.step_of(waiting, given.code, asker.now)
        if step is None:
            raise Invalid("totp.wrong", "code")
        connection.execute(
            update(user)
            .where(user.c.id == row.id)
            .values(totp_secret=waiting, totp_last=step, version=user.c.version + 1)
        )
        codes = totp.new_codes(connection, row.id)
        asker.record(connection, "profile.totp_on", row.name)
        sessions.end_all(connection, row.id)
        if not stay:
            entered = Entered("", "full")
        elif asker.stage == "totp":
            entered = login.enter(asker, connection, row, "totp")
        else:
            entered = Entered(anew(asker, connection), "full")
    return Proved(codes, entered)


def end(asker: Asker, given: Code) -> Nothing:
    if asker.services.settings.people.needs_totp(person(asker).role):
        raise Refused("totp.required")
    with asker.database.writing() as connection:
        row = held(asker, connection)
        good = _spent(asker, connection, row, given.code)
        if good:
            totp.forget(connection, row.id)
            asker.record(connection, "profile.totp_off", row.name)
            end_others(asker, connection)
    if not good:
        raise Invalid("totp.wrong", "code")
    return Nothing()


def new_codes(asker: Asker, given: Code) -> Codes:
    """New recovery codes; the old ones are good no more."""
    with asker.database.writing() as connection:
        row = held(asker, connection)
        good = _spent(asker, connection, row, given.code)
        codes = totp.new_codes(connection, row.id) if good else ()
        if good:
            asker.record(connection, "profile.recovery_codes", row.name)
    if not good:
        raise Invalid("totp.wrong", "code")
    return Codes(codes)


def _spent(asker: Asker, connection: Connection, row: Row[Any], code: str) -> bool:
    """Whether a code is good; a wrong one counts, and where that locks the user all their sessions are over."""
    in_a_session(asker)
    if row.locked_until is not None and asker.now < row.locked_until:
        return False
    if totp.spend(connection, row, code, asker.now):
        return True
    if row.totp_secret and login.fail(asker, connection, row.id, "code"):
        sessions.end_all(connection, row.id)
    return False
