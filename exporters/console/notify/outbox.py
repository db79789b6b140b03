"""The table of messages: put in, claimed, delivered or given up.

A message is claimed (its attempt counted, the next one set) before it is sent, and marked as delivered afterwards. A
console that dies between the two leaves it to be sent again: at least once, with the same key, never lost.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

import msgspec
from sqlalchemy import Connection, Row, delete, func, select

from exporters.console.database import Database
from exporters.console.notify.events import Content
from exporters.console.notify.settings import ITSM
from exporters.console.schema import message, setting

FIRST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(hours=6)
GIVEN_UP: Final = timedelta(days=3)
REFUSALS: Final = 5  # attempts that the receiver itself refuses, until it is given up
KEPT: Final = timedelta(days=90)
_OLD: Final = 1000  # rows taken away at once


class Due(NamedTuple):
    """A message that was claimed: `attempts` counts this one."""

    id: int
    key: str
    kind: str
    receiver: str
    content: dict[str, Any]
    created: datetime
    attempts: int
    until: datetime


def locked(connection: Connection, database: Database, name: str) -> str:
    """The value of a setting, empty where there is none, locked until the transaction ends."""
    made = database.upsert(setting).values(name=name, value="").on_conflict_do_nothing()
    connection.execute(made)
    found = select(setting.c.value).where(setting.c.name == name).with_for_update()
    return str(connection.execute(found).scalar_one())


def put(
    connection: Connection,
    database: Database,
    *,
    key: str,
    receiver: str,
    content: Content | dict[str, Any],
    now: datetime,
    due: datetime | None,
    kind: str = "",
) -> int:
    """A message to send at `due`, or (None) to keep as suppressed. Returns 0 where its key is known, else 1."""
    built = msgspec.to_builtins(content)
    values = {
        "key": key,
        "kind": kind or built["kind"],
        "receiver": receiver,
        "content": built,
        "created": now,
        "due": due,
        "state": "waiting" if due else "suppressed",
        "until": due + GIVEN_UP if due else None,
    }
    made = database.upsert(message).values(**values).on_conflict_do_nothing()
    return connection.execute(made).rowcount


def backoff(attempts: int) -> timedelta:
    """Until the next attempt, after so many: 1, 2, 4 … minutes, at most 6 hours."""
    times: int = 2 ** min(attempts - 1, 20)
    return min(FIRST * times, LONGEST)


def heads(connection: Connection) -> list[str]:
    """The receivers that have something waiting."""
    waiting = select(message.c.receiver).where(message.c.due.is_not(None)).distinct()
    return list(connection.execute(waiting).scalars())


def claimed(connection: Connection, receiver: str, now: datetime) -> Due | None:
    """The receiver's oldest waiting message, if it is due: others wait behind it, so that they come in order. A
    ticket does not wait for others."""
    oldest = select(message).where(message.c.receiver == receiver, message.c.due.is_not(None))
    if receiver == ITSM:
        oldest = oldest.where(message.c.due <= now).order_by(message.c.due, message.c.id)
    else:
        oldest = oldest.order_by(message.c.id)
    row = connection.execute(oldest.limit(1)).first()
    if row is None or row.due > now:
        return None
    attempts = row.attempts + 1
    done = connection.execute(
        message.update()
        .where(message.c.id == row.id, message.c.due == row.due, message.c.attempts == row.attempts)
        .values(attempts=attempts, due=now + backoff(attempts))
    )
    if done.rowcount != 1:
        return None  # another console has it
    until = row.until or row.created + GIVEN_UP
    return Due(row.id, row.key, row.kind, row.receiver, row.content, row.created, attempts, until)


def delivered(connection: Connection, id: int, now: datetime, problem: str = "") -> bool:
    """False where it was so already."""
    done = connection.execute(
        message.update()
        .where(message.c.id == id, message.c.state != "delivered")
        .values(state="delivered", delivered=now, due=None, problem=problem)
    )
    return done.rowcount == 1


def failed(
    connection: Connection, it: Due, now: datetime, problem: str, refused: bool, hopeless: bool
) -> bool:
    """Note why; returns whether it is given up. `refused`: the receiver said no; `hopeless`: it always will."""
    over = hopeless or now >= it.until or (refused and it.attempts >= REFUSALS)
    values: dict[str, Any] = {"problem": problem}
    if over:
        values |= {"state": "given_up", "due": None}
    connection.execute(
        message.update().where(message.c.id == it.id, message.c.state == "waiting").values(**values)
    )
    return over


def again(connection: Connection, id: int, now: datetime) -> Row[Any] | None:
    """A message that waits, or was given up, is due now; None where there is no such message."""
    return connection.execute(
        message.update()
        .where(message.c.id == id, message.c.state.in_(("waiting", "given_up")))
        .values(state="waiting", due=now, attempts=0, until=now + GIVEN_UP)
        .returning(message.c.receiver, message.c.kind)
    ).first()


def tidy(connection: Connection, now: datetime) -> None:
    """Old messages that nothing is to be done about any more are gone after 90 days."""
    old = (
        select(message.c.id)
        .where(message.c.due.is_(None), message.c.created < now - KEPT)
        .order_by(message.c.id)
        .limit(_OLD)
    )
    connection.execute(delete(message).where(message.c.id.in_(old)))


def counts(connection: Connection) -> dict[str, int]:
    """Messages by state."""
    rows = connection.execute(
        select(message.c.state, func.count().label("n")).group_by(message.c.state)
    )
    return {row.state: row.n for row in rows}
