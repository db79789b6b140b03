"""What has happened since the last look, from the tables to messages, in one transaction.

The state of the look is one row of `setting`, locked first: of several consoles one after the other looks, and what one
has told the next one does not find again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, func, select

from exporters.console.codes import OPEN_STATES, SEVERITY
from exporters.console.database import Database
from exporters.console.notify import events, outbox, tickets
from exporters.console.notify.covered import Covers, Subject, between
from exporters.console.notify.events import Gathered, Item, Notice, State, short
from exporters.console.notify.settings import Kind
from exporters.console.schema import department, hit, hit_event, host, rule, setting, waiver
from exporters.console.services import Services
from rules.model import SEVERITIES, Severity

SETTING: Final = "notify.state"
_PART: Final = 1000  # rows at once
_HELD: Final = 5000  # hosts that are followed as silent


def look(connection: Connection, database: Database, services: Services, now: datetime) -> int:
    """Put what is to be told into the outbox; returns how many messages that were."""
    settings = services.settings.notify
    text = outbox.locked(connection, database, SETTING)
    state = msgspec.json.decode(text, type=State) if text else _begun(connection, now)
    gathered = Gathered(settings, now)
    # what is told now happened in the stretch before the last look, at the latest in the one since
    begin = min(state.at, now) - timedelta(seconds=settings.digest)
    covers = between(connection, ZoneInfo(services.settings.zone), begin, now)
    after = state
    # a clock that was set back must not make it wait for days
    if abs((now - state.at).total_seconds()) >= settings.digest:
        _hits(connection, services, state, gathered, covers)
        tickets.follow(connection, database, services, state, now)
        after = msgspec.structs.replace(
            state,
            at=now,
            told=state.seen,
            seen=max(state.seen, _last(connection)),
        )
    after = _hosts(connection, after, gathered, covers)
    after = _waivers(connection, services, after, gathered, now)
    count = 0
    for notice in gathered.notices():
        count += _put(connection, database, services, notice, state, now)
    written = msgspec.json.encode(after).decode()
    if written != text:
        connection.execute(setting.update().where(setting.c.name == SETTING).values(value=written))
    return count


def _begun(connection: Connection, now: datetime) -> State:
    """What was there before anybody looked is not news."""
    last = _last(connection)
    return State(now, last, last)


def _last(connection: Connection) -> int:
    newest = select(func.coalesce(func.max(hit_event.c.id), 0))
    return int(connection.execute(newest).scalar_one())


def _put(
    connection: Connection,
    database: Database,
    services: Services,
    notice: Notice,
    state: State,
    now: datetime,
) -> int:
    settings, content = services.settings, notice.content
    about = "|".join(f"{it.path}@{it.detail}" for it in content.items)
    mark = f"{state.seen}|{content.count}|{about}|{now.isoformat()}"
    digest = hashlib.sha256(mark.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    due = events.due(settings.notify.quiet, ZoneInfo(settings.zone), now, content.severities)
    return outbox.put(
        connection,
        database,
        key=f"{content.kind}:{digest}:{notice.receiver}:{int(notice.suppressed)}",
        receiver=notice.receiver,
        content=content,
        now=now,
        due=None if notice.suppressed else due,
    )


# --- hits


def _hits(
    connection: Connection, services: Services, state: State, into: Gathered, covers: Covers
) -> None:
    kinds: tuple[Kind, ...] = ("new", "regressed")
    for kind in kinds:
        if lowest := events.lowest(services.settings.notify, kind):
            _take(connection, _became(state, kind, lowest), kind, into, covers)


def _became(state: State, kind: str, lowest: Severity) -> Select[Any]:
    """Hits that became so and are open still, each once however often it did; new again is one whose waiver lapsed."""
    became = select(hit_event.c.hit_id).where(
        hit_event.c.id > state.told,
        hit_event.c.id <= state.seen,
        hit_event.c.kind == "state",
        hit_event.c.after == kind,
    )
    return (
        select(
            hit.c.id,
            hit.c.severity,
            rule.c.name.label("rule"),
            rule.c.title_zh,
            rule.c.title_en,
            host.c.key,
            host.c.name,
            department.c.name.label("department"),
        )
        .join(rule, rule.c.id == hit.c.rule_id)
        .join(host, host.c.id == hit.c.host_id)
        .join(department, department.c.id == hit.c.department_id)
        .where(
            hit.c.id.in_(became),
            hit.c.state.in_(OPEN_STATES),
            hit.c.severity >= SEVERITY[lowest],
        )
        .order_by(hit.c.severity.desc(), hit.c.id)
    )


def _take(
    connection: Connection, statement: Select[Any], kind: Kind, into: Gathered, covers: Covers
) -> None:
    rows: Iterable[Row[Any]] = connection.execute(statement.execution_options(yield_per=_PART))
    for row in rows:
        item = Item(
            f"/hits/{row.id}",
            short(row.title_zh),
            short(row.title_en),
            SEVERITIES[row.severity],
            short(row.name),
            row.department,
            rule=row.rule,
        )
        covered = covers(Subject(row.key, row.name, row.department, row.rule))
        into.take(kind, item, (row.department,), covered)


# --- hosts and waivers


def _hosts(connection: Connection, state: State, into: Gathered, covers: Covers) -> State:
    first = _of_hosts(host.c.silent_since.is_not(None)).order_by(host.c.silent_since, host.c.id)
    silent = {str(row.id): row for row in connection.execute(first.limit(_HELD))}
    told = [int(one) for one in state.silent if one not in silent]
    known: dict[str, Row[Any]] = {}
    for start in range(0, len(told), _PART):
        some = host.c.id.in_(told[start : start + _PART]) & host.c.silent_since.is_(None)
        known |= {str(row.id): row for row in connection.execute(_of_hosts(some))}
    covered = {one for one, row in silent.items() if covers(Subject(row.key, row.name, row.d, ""))}
    found = events.silences(
        state, {one: row.silent_since for one, row in silent.items()}, covered, known
    )
    for one in (*found.fresh, *found.covered):
        row = silent[one]
        item = Item(f"/hosts/{row.id}", host=short(row.name), department=row.d, detail=row.silent_since.isoformat())  # fmt: skip
        into.take("agent_silent", item, (row.d,), one in covered)
    for one in found.back:
        row = known[one]
        item = Item(f"/hosts/{row.id}", host=short(row.name), department=row.d)
        into.take("agent_back", item, (row.d,), False)
    return msgspec.structs.replace(state, silent=found.silent, held=found.held)


def _of_hosts(which: ColumnElement[bool]) -> Select[Any]:
    return (
        select(
            host.c.id, host.c.key, host.c.name, host.c.silent_since, department.c.name.label("d")
        )
        .join(department, department.c.id == host.c.department_id)
        .where(which)
    )


def _waivers(
    connection: Connection, services: Services, state: State, into: Gathered, now: datetime
) -> State:
    settings = services.settings
    today = now.astimezone(ZoneInfo(settings.zone)).date()
    if not settings.notify.waiver_days:
        return state
    last = today.fromordinal(today.toordinal() + max(settings.notify.waiver_days))
    rows = {
        row.code: row
        for row in connection.execute(
            select(waiver)
            .where(
                waiver.c.state == "approved", waiver.c.expires >= today, waiver.c.expires <= last
            )
            .order_by(waiver.c.expires, waiver.c.id)
        )
    }
    ends = {code: row.expires for code, row in rows.items()}
    due, told = events.expiring(state, ends, today, settings.notify.waiver_days)
    for code in due:
        row = rows[code]
        item = Item(
            f"/waivers/{row.id}",
            short(f"{code} {row.rule}"),
            short(f"{code} {row.rule}"),
            detail=row.expires.isoformat(),
        )
        into.take("waiver_expiring", item, row.departments, False)
    return msgspec.structs.replace(state, waivers=told)
