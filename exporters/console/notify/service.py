"""What the page of notifications and its operations show and do. No address or secret comes in or goes out here."""

from __future__ import annotations

import secrets
from datetime import datetime
from typing import Final, Literal

import msgspec
from sqlalchemy import func, select

from exporters.console.notify import outbox
from exporters.console.notify.events import Content
from exporters.console.notify.settings import ITSM, Kind
from exporters.console.schema import message
from exporters.console.web.asker import Asker
from exporters.console.web.ids import BigId, Natural
from exporters.console.web.refusals import Invalid, NotFound

PAGE: Final = 50
State = Literal["", "waiting", "delivered", "given_up", "suppressed"]


class Listed(msgspec.Struct, frozen=True):
    """Messages in this state, before the id `before`, the newest first."""

    state: State = ""
    before: Natural = 0


class Named(msgspec.Struct, frozen=True):
    receiver: str


class One(msgspec.Struct, frozen=True):
    id: BigId


class Message(msgspec.Struct, frozen=True):
    """`items` are the paths of what is named in it."""

    id: int
    kind: str
    receiver: str
    state: str
    count: int
    items: tuple[str, ...]
    created: datetime
    attempts: int
    due: datetime | None
    delivered: datetime | None
    problem: str


class ReceiverTold(msgspec.Struct, frozen=True):
    name: str
    format: str
    where: str
    language: str
    waiting: int
    last: datetime | None


class RuleTold(msgspec.Struct, frozen=True):
    receivers: tuple[str, ...]
    events: tuple[Kind, ...]
    severity: str
    departments: tuple[str, ...]


class Outbox(msgspec.Struct, frozen=True):
    """`before` is of the next page, 0 where this is the last. `counts` are messages by state."""

    receivers: tuple[ReceiverTold, ...]
    rules: tuple[RuleTold, ...]
    quiet: str
    urgent: bool
    counts: dict[str, int]
    messages: tuple[Message, ...]
    before: int


class Put(msgspec.Struct, frozen=True):
    """The message that was put into the queue."""

    id: int


def listed(asker: Asker, given: Listed) -> Outbox:
    settings = asker.services.settings.notify
    wanted = select(message).order_by(message.c.id.desc()).limit(PAGE + 1)
    if given.state:
        wanted = wanted.where(message.c.state == given.state)
    if given.before:
        wanted = wanted.where(message.c.id < given.before)
    by_receiver = select(
        message.c.receiver,
        func.count(message.c.due).label("waiting"),
        func.max(message.c.delivered).label("last"),
    ).group_by(message.c.receiver)
    with asker.database.reading() as connection:
        rows = connection.execute(wanted).all()
        counts = outbox.counts(connection)
        queues = {row.receiver: row for row in connection.execute(by_receiver)}

    def told(name: str, format: str, where: str, language: str) -> ReceiverTold:
        queue = queues.get(name)
        waiting, last = (queue.waiting, queue.last) if queue else (0, None)
        return ReceiverTold(name, format, where, language, waiting, last)

    receivers = [
        told(name, one.format, one.shown, one.language) for name, one in settings.receivers.items()
    ]
    if itsm := asker.services.settings.itsm:
        receivers.append(told(ITSM, ITSM, itsm.shown, itsm.language))
    messages = tuple(
        Message(
            id=row.id,
            kind=row.kind,
            receiver=row.receiver,
            state=row.state,
            count=int(row.content.get("count", 1)),
            items=_items(row.kind, row.content),
            created=row.created,
            attempts=row.attempts,
            due=row.due,
            delivered=row.delivered,
            problem=row.problem,
        )
        for row in rows[:PAGE]
    )
    quiet = settings.quiet
    return Outbox(
        receivers=tuple(receivers),
        rules=tuple(
            RuleTold(rule.receivers, rule.events, rule.severity or "", rule.departments)
            for rule in settings.rules
        ),
        quiet=f"{quiet.begins}-{quiet.ends}" if quiet else "",
        urgent=bool(quiet and quiet.urgent),
        counts=counts,
        messages=messages,
        before=rows[PAGE - 1].id if len(rows) > PAGE else 0,
    )


def _items(kind: str, content: dict[str, object]) -> tuple[str, ...]:
    if kind == "ticket":
        hits = content.get("hits", [])
        return tuple(f"/hits/{one}" for one in hits)[:10] if isinstance(hits, list) else ()
    if kind == "ticket_close":
        return ()
    return tuple(item.path for item in msgspec.convert(content, Content).items)


def test(asker: Asker, given: Named) -> Put:
    """A message that says that it is one. Raises Invalid for a receiver that is not configured."""
    if given.receiver not in asker.services.settings.notify.receivers:
        raise Invalid("notify.no_receiver", "receiver", name=given.receiver)
    key = f"test:{secrets.token_hex(16)}"
    with asker.database.writing() as connection:
        outbox.put(
            connection,
            asker.database,
            key=key,
            receiver=given.receiver,
            content=Content("test", asker.now),
            now=asker.now,
            due=asker.now,
        )
        id = connection.execute(select(message.c.id).where(message.c.key == key)).scalar_one()
        asker.record(connection, "notify.test", given.receiver)
    return Put(id)


def retry(asker: Asker, given: One) -> Put:
    """Raises NotFound, and Invalid where it is delivered or was suppressed."""
    with asker.database.writing() as connection:
        known = connection.execute(select(message.c.id).where(message.c.id == given.id)).first()
        if known is None:
            raise NotFound("not_found")
        row = outbox.again(connection, given.id, asker.now)
        if row is None:
            raise Invalid("notify.not_waiting")
        asker.record(connection, "notify.retry", str(given.id), {"receiver": row.receiver})
    return Put(given.id)
