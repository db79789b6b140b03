"""Setting passwords of local users: checked against the policy and the last ones, hashed before the transaction that
stores them is begun."""

from __future__ import annotations

import secrets
import string
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, Row, delete, select, update

from exporters.console.database import Database
from exporters.console.people import sessions
from exporters.console.people.door import Door
from exporters.console.people.policy import Policy, check
from exporters.console.schema import password_history, user
from exporters.console.web.refusals import Conflict, Invalid

# none that look like others on a screen or on paper
_LETTERS: Final = "".join(set(string.ascii_letters + string.digits) - set("0O1lI"))
_SIGNS: Final = "-+=?%"


def initial(name: str, policy: Policy) -> str:
    """One to hand over, that its user changes at once."""
    length = max(16, policy.min_length)
    while True:
        made = "".join(secrets.choice(_LETTERS) for _ in range(length - 1)) + secrets.choice(_SIGNS)
        try:
            check(made, name, policy)
        except Invalid:
            continue
        return made


def chosen(database: Database, door: Door, policy: Policy, row: Row[Any], password: str) -> str:
    """The hash of a password that a user may take. Raises Invalid."""
    check(password, row.name, policy)
    with database.reading() as connection:
        past = connection.execute(
            select(password_history.c.password_hash)
            .where(password_history.c.user_id == row.id)
            .order_by(password_history.c.id.desc())
            .limit(policy.remember)
        ).scalars()
        used = [one for one in (row.password_hash, *past) if one]
    if used and door.matches(password, *used):
        raise Invalid("people.password_used", "password", remember=policy.remember)
    return door.hashed(password)


def store(
    connection: Connection,
    policy: Policy,
    row: Row[Any],
    password_hash: str,
    now: datetime,
    *,
    must_change: bool,
) -> None:
    """In the caller's transaction: the lock is off and every session of the user is over. Raises Conflict where the
    password is another than that of `row` by now."""
    done = connection.execute(
        update(user)
        .where(user.c.id == row.id, user.c.password_hash == row.password_hash)
        .values(
            password_hash=password_hash,
            password_changed=now,
            must_change=must_change,
            failures=0,
            locked_until=None,
            version=user.c.version + 1,
        )
    )
    if done.rowcount != 1:
        raise Conflict("conflict")
    if row.password_hash:
        connection.execute(
            password_history.insert().values(
                user_id=row.id, password_hash=row.password_hash, time=now
            )
        )
    kept = (
        select(password_history.c.id)
        .where(password_history.c.user_id == row.id)
        .order_by(password_history.c.id.desc())
        .limit(policy.remember)
    )
    connection.execute(
        delete(password_history).where(
            password_history.c.user_id == row.id, password_history.c.id.not_in(kept)
        )
    )
    sessions.end_all(connection, row.id)
