"""The administrator of a console that has no user yet, and what the command line does for one who is locked out."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from sqlalchemy import func, select, update

from exporters.console import auditlog
from exporters.console.database import Database
from exporters.console.people import passwords, totp
from exporters.console.people.door import Door
from exporters.console.people.policy import Policy
from exporters.console.schema import user
from exporters.console.web.asker import Role

ADMINISTRATOR: Final = "admin"


def first_administrator(database: Database, door: Door, policy: Policy, now: datetime) -> str:
    """The password to be printed, once; empty where there are users already. Of several consoles that start on one
    database at once, one makes it."""
    with database.reading() as connection:
        if connection.execute(select(func.count()).select_from(user)).scalar_one():
            return ""
    password = passwords.initial(ADMINISTRATOR, policy)
    made = add(
        database, ADMINISTRATOR, "administrator", door.hashed(password), now, only_first=True
    )
    return password if made else ""


def add(
    database: Database,
    name: str,
    role: Role,
    hashed: str,
    now: datetime,
    *,
    only_first: bool = False,
) -> bool:
    """False where there is one of the name, or with `only_first` any at all. The password is changed at the first
    login."""
    with database.writing() as connection:
        if only_first and connection.execute(select(func.count()).select_from(user)).scalar_one():
            return False
        done = connection.execute(
            database.upsert(user)
            .values(
                name=name,
                role=role,
                password_hash=hashed,
                password_changed=now,
                must_change=True,
                created=now,
            )
            .on_conflict_do_nothing(index_elements=["name"])
            .returning(user.c.id)
        )
        if done.first() is None:
            return False
        action = "users.first" if only_first else "users.create"
        auditlog.record(connection, "", action, name, {"role": role}, now=now)
    return True


def reset(
    database: Database,
    door: Door,
    policy: Policy,
    name: str,
    password: str,
    now: datetime,
    *,
    without_totp: bool = False,
) -> bool:
    """Another password for a local user, to be changed at the next login; unlocks. False where there is no such user.
    Raises Invalid."""
    with database.reading() as connection:
        row = connection.execute(
            select(user).where(user.c.name == name, user.c.origin == "local")
        ).first()
    if row is None:
        return False
    hashed = passwords.chosen(database, door, policy, row, password)
    with database.writing() as connection:
        passwords.store(connection, policy, row, hashed, now, must_change=True)
        detail = {"how": "command"}
        if without_totp:
            totp.forget(connection, row.id)
            detail["totp"] = "off"
        auditlog.record(connection, "", "users.reset_password", name, detail, now=now)
    return True


def unlock(database: Database, name: str, now: datetime) -> bool:
    with database.writing() as connection:
        done = connection.execute(
            update(user).where(user.c.name == name).values(failures=0, locked_until=None)
        )
        if done.rowcount != 1:
            return False
        auditlog.record(connection, "", "users.unlock", name, {"how": "command"}, now=now)
    return True
