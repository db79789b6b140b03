"""Logging in: a name and a password, then a code where one is asked for, then a new password where that is due.

Whoever fails is told the same: whether the user exists, is locked or disabled is nobody's business. Passwords are
checked outside of any transaction, and what is decided on is looked at again inside one.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, Row, select, update

from exporters.console import auditlog
from exporters.console.people import sessions, totp
from exporters.console.people.directory.identity import Identity, provision
from exporters.console.people.directory.login import vouched
from exporters.console.people.policy import days_left
from exporters.console.people.sessions import Stage, Step
from exporters.console.schema import user
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Unknown
from exporters.findings.text import neutral

_NAME: Final = 64  # characters of a name that are logged


class Entered(NamedTuple):
    """The token of the session, and where it leads before all is open; empty where nothing is missing. `expires` is in
    how many days the password does, where that is soon."""

    token: str
    stage: Stage
    expires: int | None = None

    @property
    def path(self) -> str:
        return sessions.ENTER.get(self.stage, "")


def by_password(asker: Asker, name: str, password: str) -> Entered:
    """Raises Unknown and TooMany."""
    door = asker.services.door
    door.addresses.take(asker.address, asker.now.timestamp())
    with asker.database.reading() as connection:
        row = connection.execute(select(user).where(user.c.name == name[:256])).first()
    good = door.matches(password, row.password_hash if row else "")
    if row is None or (row.origin == "ldap" and may(asker, row)):
        identity = vouched(asker.services.settings, name, password)
        if identity is not None:
            return by_identity(asker, identity)
    with asker.database.writing() as connection:
        now = _again(connection, row) if row else None
        if good and row and now and may(asker, now) and now.password_hash == row.password_hash:
            entered = enter(asker, connection, now, "password")
        else:
            _failed(asker, connection, now, name, "password" if not good else "state")
            entered = None
    if entered is None:
        raise Unknown("login.wrong")
    door.addresses.give_back(asker.address)
    return entered


def by_identity(asker: Asker, identity: Identity) -> Entered:
    """For whom a directory has just vouched. Raises Unknown, and NameTaken."""
    with asker.database.writing() as connection:
        user_id = provision(connection, identity, asker.now)
        row = _locked_row(connection, user_id)
        if may(asker, row):
            entered = enter(asker, connection, row, "password", identity.origin)
        else:
            _failed(asker, connection, row, row.name, "state")
            entered = None
    if entered is None:
        raise Unknown("login.wrong")
    asker.services.door.addresses.give_back(asker.address)
    return entered


def by_code(asker: Asker, code: str) -> Entered:
    """The second step: a code of the authenticator, or a recovery code. Raises Unknown and TooMany; after too many
    wrong ones the session is over."""
    door = asker.services.door
    door.addresses.take(asker.address, asker.now.timestamp())
    assert asker.person  # noqa: S101 - the permission of the page
    locked = False
    with asker.database.writing() as connection:
        row = _locked_row(connection, asker.person.id)
        good = (
            may(asker, row)
            and asker.stage == "totp"
            and totp.spend(connection, row, code, asker.now)
        )
        if good:
            entered = enter(asker, connection, row, "totp")
        else:
            locked = _failed(asker, connection, row, row.name, "code")
            if locked:
                sessions.end(connection, asker.session)
            entered = None
    if entered is None:
        raise Unknown("login.locked" if locked else "totp.wrong")
    door.addresses.give_back(asker.address)
    return entered


def enter(
    asker: Asker, connection: Connection, row: Row[Any], done: Step, how: str = "local"
) -> Entered:
    """A session for a user who has just proved who they are, in the caller's transaction. `done` is the step: password
    or totp. The session that they came with, whoever had it, is over."""
    settings = asker.services.settings
    stage = sessions.stage_after(settings, row, done, asker.now)
    if asker.session:
        sessions.end(connection, asker.session)
    token = sessions.begin(connection, settings, row.id, stage, asker.now, asker.address)
    fields: dict[str, Any] = {} if stage == "totp" else {"failures": 0, "locked_until": None}
    if stage != "totp":
        fields["last_login"] = asker.now
    if fields:
        connection.execute(update(user).where(user.c.id == row.id).values(**fields))
    auditlog.record(
        connection,
        row.name,
        "login.done" if stage == "full" else f"login.{done}",
        row.name,
        {"how": how} if how != "local" else {},
        now=asker.now,
        address=asker.address,
    )
    policy = settings.people.password
    left = days_left(row.password_changed, policy, asker.now)
    soon = stage == "full" and row.origin == "local" and left <= policy.warn_days
    return Entered(token, stage, left if soon else None)


def fail(asker: Asker, connection: Connection, user_id: int, why: str) -> bool:
    """Count a failure of a user who is known, in the caller's transaction; whether they are locked now."""
    row = _locked_row(connection, user_id)
    return _failed(asker, connection, row, row.name, why)


def _failed(
    asker: Asker, connection: Connection, row: Row[Any] | None, name: str, why: str
) -> bool:
    detail: dict[str, Any] = {"why": why}
    if row is None:
        # it may be a password, typed one field too early
        detail |= {"why": "unknown name", "mark": asker.services.door.mark(name)}
        subject = ""
    else:
        subject = neutral(row.name[:_NAME])
        policy = asker.services.settings.people.password
        over = row.locked_until is not None and asker.now >= row.locked_until
        if row.locked_until is not None and not over:
            detail["why"] = "locked"
        elif row.disabled:
            detail["why"] = "disabled"
        else:
            failures = (0 if over else row.failures) + 1
            until = None
            if failures >= policy.failures:
                until = asker.now + timedelta(seconds=policy.lock_seconds)
                detail["locked"] = True
            connection.execute(
                update(user)
                .where(user.c.id == row.id)
                .values(failures=failures, locked_until=until)
            )
    auditlog.record(
        connection, "", "login.failed", subject, detail, now=asker.now, address=asker.address
    )
    return bool(detail.get("locked")) or detail["why"] == "locked"


def may(asker: Asker, row: Row[Any]) -> bool:
    return not row.disabled and (row.locked_until is None or asker.now >= row.locked_until)


def _again(connection: Connection, row: Row[Any]) -> Row[Any] | None:
    return connection.execute(select(user).where(user.c.id == row.id).with_for_update()).first()


def _locked_row(connection: Connection, user_id: int) -> Row[Any]:
    return connection.execute(select(user).where(user.c.id == user_id).with_for_update()).one()
