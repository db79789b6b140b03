"""Tickets in the ITSM: asked for by a person or a rule, made by a webhook, their number written back to the hits.

A ticket is a message of the outbox with the hits it is for: a second click finds it there. The number is written back in
the transaction that marks it as delivered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Annotated, Any, Final
from urllib.parse import quote

import msgspec
from sqlalchemy import Connection, Select, func, literal_column, select

from exporters.console import auditlog
from exporters.console.codes import OPEN_STATES, SEVERITY, STATE
from exporters.console.database import Database
from exporters.console.notify import outbox
from exporters.console.notify.events import Content, Gathered, Item, State, short
from exporters.console.notify.settings import ITSM, ItsmSettings
from exporters.console.notify.ticketbody import (
    Refusal,
    filled,
    idempotency,
    number_of,
    rows_of,
    values,
)
from exporters.console.schema import hit, hit_event, message
from exporters.console.services import Services
from exporters.console.web.asker import Asker
from exporters.console.web.ids import BigId
from exporters.console.web.refusals import Invalid, NotFound
from exporters.console.words import say
from exporters.report.delivery import webhook

MOST: Final = 200  # hits of one ticket
_RULES: Final = 50  # automatic tickets of one look
_LOCK: Final = "notify.tickets"


class Wanted(msgspec.Struct, frozen=True):
    """One ticket for these hits, those that have none."""

    ids: Annotated[tuple[BigId, ...], msgspec.Meta(min_length=1, max_length=MOST)]


class Asked(msgspec.Struct, frozen=True):
    """`asked` hits will be in the ticket; `already` have one or are waiting for one."""

    asked: int
    already: int

    @property
    def notice(self) -> str:
        return "tickets.asked" if self.asked else "tickets.already"


def ask(asker: Asker, given: Wanted) -> Asked:
    """Raises Invalid without a ticket system, NotFound where a hit is not the asker's to see."""
    if asker.services.settings.itsm is None:
        raise Invalid("tickets.none")
    ids = sorted(set(given.ids))
    with asker.database.writing() as connection:
        outbox.locked(connection, asker.database, _LOCK)
        known: Select[Any] = select(hit.c.id, hit.c.ticket).where(hit.c.id.in_(ids))
        rows = connection.execute(asker.scoped(known, hit.c.department_id)).all()
        if len(rows) != len(ids):
            raise NotFound("not_found")
        busy = _pending(connection)
        wanted = [row.id for row in rows if not row.ticket and row.id not in busy]
        if wanted:
            _put(connection, asker.database, _key(wanted), wanted, asker.name, asker.now)
            asker.record(connection, "hits.ask_ticket", ",".join(map(str, wanted)))
    return Asked(len(wanted), len(ids) - len(wanted))


def _key(ids: Iterable[int]) -> str:
    joined = ",".join(map(str, sorted(ids)))
    return f"ticket:{hashlib.sha256(joined.encode()).hexdigest()[:32]}"


def _pending(connection: Connection) -> set[int]:
    waiting = select(message.c.content).where(
        message.c.kind == "ticket", message.c.due.is_not(None), message.c.receiver == ITSM
    )
    return {one for content in connection.execute(waiting).scalars() for one in content["hits"]}


def _put(
    connection: Connection, database: Database, key: str, ids: Sequence[int], by: str, now: datetime
) -> None:
    content = {"kind": "ticket", "hits": list(ids), "by": by}
    if not outbox.put(
        connection, database, key=key, receiver=ITSM, content=content, now=now, due=now
    ):
        # asked for before and given up: the same key, so that the system can know it again
        known = select(message.c.id).where(message.c.key == key)
        outbox.again(connection, connection.execute(known).scalar_one(), now)


# --- by themselves


def follow(
    connection: Connection, database: Database, services: Services, state: State, now: datetime
) -> None:
    """Tickets for what became new since the last look, where the settings say so; and an end to those whose hits are
    all fixed."""
    itsm = services.settings.itsm
    if itsm is None or state.seen <= state.told:
        return
    within = (
        hit_event.c.id > state.told,
        hit_event.c.id <= state.seen,
        hit_event.c.kind == "state",
    )
    if itsm.automatic:
        outbox.locked(connection, database, _LOCK)
        became = select(hit_event.c.hit_id).where(*within, hit_event.c.after == "new")
        rows = connection.execute(
            select(hit.c.id, hit.c.rule_id)
            .where(
                hit.c.id.in_(became),
                hit.c.ticket == "",
                hit.c.state.in_(OPEN_STATES),
                hit.c.severity >= SEVERITY[itsm.automatic],
            )
            .order_by(hit.c.severity.desc(), hit.c.rule_id, hit.c.id)
            .limit(_RULES * MOST)
        )
        busy = _pending(connection)
        by_rule: dict[int, list[int]] = {}
        for row in rows:
            ids = by_rule.setdefault(row.rule_id, [])
            if row.id not in busy and len(ids) < MOST:
                ids.append(row.id)
        for ids in [ids for ids in by_rule.values() if ids][:_RULES]:
            _put(connection, database, _key(ids), ids, "", now)
    if itsm.close:
        became = select(hit_event.c.hit_id).where(*within, hit_event.c.after == "fixed")
        numbers = connection.execute(
            select(hit.c.ticket)
            .where(
                hit.c.id.in_(became),
                hit.c.ticket != literal_column("''"),
                hit.c.state == STATE["fixed"],
            )
            .distinct()
        ).scalars()
        for number in list(numbers):
            left = select(func.count()).where(
                hit.c.ticket == number,
                hit.c.ticket != literal_column("''"),
                hit.c.state != STATE["fixed"],
            )
            if not connection.execute(left).scalar_one():
                outbox.put(
                    connection,
                    database,
                    key=f"ticket_close:{state.seen}:{number}",
                    receiver=ITSM,
                    content={"kind": "ticket_close", "number": number},
                    now=now,
                    due=now,
                )


# --- what is sent


def send(database: Database, services: Services, due: outbox.Due, now: datetime) -> None:
    """Make or close the ticket and write down what came of it. Raises Refusal, DeliveryError."""
    itsm = services.settings.itsm
    if itsm is None:
        raise Refusal(say("tickets.none", "zh"))
    if due.kind == "ticket_close":
        _close(database, services, itsm, due, now)
    else:
        _make(database, services, itsm, due, now)


def _make(
    database: Database, services: Services, itsm: ItsmSettings, due: outbox.Due, now: datetime
) -> None:
    ids = [int(one) for one in due.content["hits"]]
    with database.reading() as connection:
        rows = [row for row in rows_of(connection, ids) if not row.ticket]
    if not rows:
        with database.writing() as connection:
            outbox.delivered(connection, due.id, now)
        return
    body = filled(itsm.body, values(rows, services, itsm.language, due))
    number = number_of(_asked(itsm, "POST", itsm.url, body, due), itsm.number)
    by = str(due.content.get("by", ""))
    with database.writing() as connection:
        if not outbox.delivered(connection, due.id, now):
            return
        for row in rows:
            done = connection.execute(
                hit.update().where(hit.c.id == row.id, hit.c.ticket == "").values(ticket=number)
            )
            if done.rowcount == 1:
                connection.execute(
                    hit_event.insert().values(
                        hit_id=row.id, time=now, kind="ticket", actor=by, after=number
                    )
                )
        detail = {"ticket": number, "hits": [row.id for row in rows]}
        auditlog.record(connection, by, "hits.ticket", number, detail, now=now)


def _close(
    database: Database, services: Services, itsm: ItsmSettings, due: outbox.Due, now: datetime
) -> None:
    number = str(due.content["number"])
    if itsm.close is None:
        raise Refusal(say("tickets.none", "zh"), hopeless=True)
    with database.reading() as connection:
        of = (
            select(hit.c.id)
            .where(hit.c.ticket == number, hit.c.ticket != literal_column("''"))
            .limit(MOST)
        )
        rows = rows_of(connection, list(connection.execute(of).scalars()))
    body = filled(itsm.close.body, values(rows, services, itsm.language, due, number))
    url = itsm.close.url.replace("{number}", quote(number, safe=""))
    _asked(itsm, itsm.close.method, url, body, due)
    with database.writing() as connection:
        if outbox.delivered(connection, due.id, now):
            auditlog.record(connection, "", "hits.close_ticket", number, now=now)


def _asked(itsm: ItsmSettings, method: str, url: str, body: Any, due: outbox.Due) -> bytes:
    headers = {name: value.reveal() for name, value in itsm.headers.items()}
    headers[webhook.KEY] = idempotency(due.key)
    try:
        client = webhook.opened(itsm, url, float(itsm.timeout))
    except ValueError as error:
        raise Refusal(str(error)) from error
    with client:
        answer = webhook.once(client, method, url, headers, msgspec.json.encode(body))
    if not answer.success:
        raise Refusal(answer.why, refused=answer.refused)
    return answer.body


def failure(
    connection: Connection, database: Database, services: Services, due: outbox.Due, now: datetime
) -> None:
    """Tell those who want to know that a ticket could not be made. Once for each."""
    rows = rows_of(connection, [int(one) for one in due.content.get("hits", ())][:1])
    gathered = Gathered(services.settings.notify, now)
    for row in rows:
        item = Item(
            f"/hits/{row.id}",
            short(row.title_zh),
            short(row.title_en),
            None,
            short(row.name),
            row.department,
        )
        gathered.take("ticket_failed", item, (row.department,), False)
    for notice in gathered.notices():
        key = f"ticket_failed:{due.key}:{int(due.until.timestamp())}:{notice.receiver}"
        content: Content = notice.content
        outbox.put(
            connection,
            database,
            key=key,
            receiver=notice.receiver,
            content=content,
            now=now,
            due=now,
        )
