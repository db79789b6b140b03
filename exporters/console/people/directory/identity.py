"""Somebody whom a directory vouches for, and their row in this console.

Who comes from a directory keeps the name that they had at first: the audit log is by names. A name that is somebody
else's here, a local user's above all, is never taken over.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Connection, Row, select, update

from exporters.console import auditlog
from exporters.console.people import sessions
from exporters.console.schema import user
from exporters.console.web.asker import Role
from exporters.console.web.refusals import Refused

Origin = Literal["ldap", "oidc"]
LONGEST = 200  # characters of what a directory tells


class Identity(msgspec.Struct, frozen=True):
    """`subject` is what stays when all else changes: the DN, or the issuer and its `sub`. `departments`: None for all."""

    origin: Origin
    subject: str
    name: str
    role: Role
    departments: tuple[str, ...] | None = None
    full_name: str = ""
    mail: str = ""


class DirectoryDown(Exception):
    """The directory cannot be asked; `str()` says why, for the console's own log."""


class Untrusted(Exception):
    """An identity provider, or whoever came in its name, is not believed; `str()` says why, for the console's own
    log."""


class NameTaken(Refused):
    """Somebody else here has the name."""

    status = 409


def provision(connection: Connection, identity: Identity, now: datetime) -> int:
    """Make or refresh the row of this user in the caller's transaction; returns its id. Whether they may log in is not
    asked here: an administrator may have disabled them. Raises NameTaken."""
    mine = (user.c.origin == identity.origin) & (user.c.subject == identity.subject)
    row = connection.execute(select(user).where(mine).with_for_update()).first()
    row = row or _written_otherwise(connection, identity)
    departments = None if identity.departments is None else list(identity.departments)
    may: dict[str, object] = {"role": identity.role, "departments": departments}
    told = {**may, "full_name": clean(identity.full_name), "mail": clean(identity.mail)}
    if row is None:
        return _made(connection, identity, told, now)
    changed = {key: value for key, value in told.items() if getattr(row, key) != value}
    version = row.version + 1 if changed else row.version
    connection.execute(
        update(user).where(user.c.id == row.id).values(**changed, version=version, vouched=now)
    )
    if changed:
        detail = {"origin": identity.origin, **changed}
        auditlog.record(connection, "", "users.refreshed", row.name, detail, now=now)
    if may.keys() & changed.keys():
        sessions.end_all(connection, row.id)
    return int(row.id)


def _written_otherwise(connection: Connection, identity: Identity) -> Row[Any] | None:
    """The row of this name whose DN is the same but for its letters and spaces (RFC 4514, 4517 4.2.15)."""
    mine = (user.c.origin == identity.origin) & (user.c.name == identity.name)
    row = connection.execute(select(user).where(mine).with_for_update()).first()
    if row is None or identity.origin != "ldap":
        return None
    from exporters.console.people.directory import ldap

    return row if ldap.same(row.subject, identity.subject) else None


def _made(
    connection: Connection, identity: Identity, told: Mapping[str, object], now: datetime
) -> int:
    name = identity.name
    if connection.execute(select(user.c.id).where(user.c.name == name)).first() is not None:
        raise NameTaken("directory.name_taken", name=name)
    made = connection.execute(
        user.insert().values(
            name=name,
            origin=identity.origin,
            subject=identity.subject,
            created=now,
            vouched=now,
            **told,
        )
    )
    detail = {"origin": identity.origin, "subject": identity.subject, "role": identity.role}
    auditlog.record(connection, "", "users.provisioned", name, detail, now=now)
    key = made.inserted_primary_key
    assert key is not None  # noqa: S101 - of an insert of one row
    return int(key[0])


def clean(text: str) -> str:
    """What both databases take, in one line: no control characters, nothing that is no character at all."""
    shown = "".join(one if one.isprintable() else " " for one in text)
    return " ".join(shown.split())[:LONGEST]


def fits(name: str) -> bool:
    """Whether this can be somebody's name here."""
    return bool(name) and clean(name) == name
