"""Maintenance windows and silences in the database: made, listed, cancelled."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Select, and_, not_, null, or_, select

from exporters.console.attest import reach, texts
from exporters.console.attest.windows import (
    LONGEST,
    Recurs,
    Scope,
    Window,
    last_end,
    occurrences,
)
from exporters.console.attest.windowwanted import WindowWanted, checked
from exporters.console.schema import window, window_department, window_host
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id, Natural
from exporters.console.web.refusals import Conflict, Forbidden, Invalid, NotFound

PAGE: Final = 50
MOST: Final = 500  # windows that are not over


class WindowFilter(msgspec.Struct, frozen=True):
    """Which windows: those that are not over, or those that are or were cancelled; before the id `before`."""

    state: Literal["current", "past"] = "current"
    kind: Literal["", "maintenance", "silence"] = ""
    text: str = ""
    before: Natural = 0


class WindowCancelled(msgspec.Struct, frozen=True):
    id: Id
    version: Id


class WindowShown(msgspec.Struct, frozen=True):
    """A window as the API tells it. `on`: it is in force now; `next` is when it begins next."""

    id: int
    kind: str
    reason: str
    begins: datetime
    ends: datetime
    recurs: Recurs | None
    scope: Scope
    created_by: str
    created: datetime
    last: datetime | None
    cancelled: datetime | None
    version: int
    on: bool
    next: datetime | None
    may_cancel: bool


class WindowPage(msgspec.Struct, frozen=True):
    windows: tuple[WindowShown, ...]
    before: int  # ask for the next page with it; 0: this is the last


def made(asker: Asker, given: WindowWanted) -> int:
    """The new window's id. A scoped user's is for their departments alone. Raises Invalid."""
    kept = checked(asker, given)
    with asker.database.writing() as connection:
        departments = reach.narrowed(asker, connection, "departments", given.departments)
        scope = msgspec.structs.replace(kept.scope, departments=tuple(departments))
        open = select(window.c.id).where(_current(asker.now)).limit(MOST)
        if len(connection.execute(open).all()) >= MOST:
            raise Invalid("windows.too_many", most=MOST)
        values: dict[str, Any] = {
            "kind": kept.kind,
            "reason": kept.reason,
            "begins": kept.begins,
            "ends": kept.ends,
            "recurs": null() if kept.recurs is None else msgspec.to_builtins(kept.recurs),
            "scope": msgspec.to_builtins(scope),
            "created_by": asker.name,
            "created": asker.now,
            "last": last_end(kept),
        }
        id = connection.execute(
            window.insert().values(**values).returning(window.c.id)
        ).scalar_one()
        reach.kept(
            connection,
            asker.database,
            id,
            (window_department, departments.values()),
            (window_host, scope.hosts),
        )
        detail = msgspec.to_builtins(
            {
                "kind": kept.kind,
                "reason": kept.reason,
                "begins": kept.begins,
                "ends": kept.ends,
                "recurs": kept.recurs,
                "scope": scope,
            }
        )
        asker.record(connection, "windows.create", str(id), detail)
    return int(id)


def cancelled(asker: Asker, given: WindowCancelled) -> None:
    """What is over stays as it was; one that is on ends now. Raises Conflict."""
    with asker.database.writing() as connection:
        row = _row(asker, connection, given.id)
        if not _may_cancel(asker, row):
            raise Forbidden("forbidden")
        done = connection.execute(
            window.update()
            .where(
                window.c.id == given.id,
                window.c.version == given.version,
                window.c.cancelled.is_(None),
            )
            .values(cancelled=asker.now, version=window.c.version + 1)
        )
        if done.rowcount != 1:
            raise Conflict("conflict")
        asker.record(connection, "windows.cancel", str(given.id), {"reason": row.reason})


def one(asker: Asker, id: int) -> WindowShown:
    with asker.database.reading() as connection:
        return _told(asker, _row(asker, connection, id))


def listed(asker: Asker, given: WindowFilter) -> WindowPage:
    statement = select(window).where(_visible(asker)).order_by(window.c.id.desc())
    current = _current(asker.now)
    statement = statement.where(current if given.state == "current" else not_(current))
    if given.kind:
        statement = statement.where(window.c.kind == given.kind)
    if text := texts.optional("text", given.text):
        statement = statement.where(window.c.reason.icontains(text, autoescape=True))
    if given.before:
        statement = statement.where(window.c.id < given.before)
    with asker.database.reading() as connection:
        rows = connection.execute(statement.limit(PAGE + 1)).all()
    more = rows[PAGE - 1].id if len(rows) > PAGE else 0
    return WindowPage(tuple(_told(asker, row) for row in rows[:PAGE]), more)


def current(connection: Connection, zone: ZoneInfo, now: datetime) -> tuple[Window, ...]:
    """All that may be on now or later, for those who tell people things."""
    return _windows(connection, select(window).where(_current(now)), zone)


def since(
    connection: Connection, zone: ZoneInfo, begin: datetime, asker: Asker | None = None
) -> tuple[Window, ...]:
    """All maintenance that may have been on since a moment, cancelled ones too."""
    statement = select(window).where(
        window.c.kind == "maintenance", or_(window.c.last.is_(None), window.c.last > begin)
    )
    if asker is not None:
        statement = statement.where(_visible(asker))
    return _windows(connection, statement, zone)


def _windows(connection: Connection, statement: Select[Any], zone: ZoneInfo) -> tuple[Window, ...]:
    rows = connection.execute(statement.order_by(window.c.begins, window.c.id))
    return tuple(_window(row, zone) for row in rows)


def _window(row: Row[Any], zone: ZoneInfo) -> Window:
    return Window(
        id=row.id,
        kind=row.kind,
        reason=row.reason,
        begins=row.begins,
        ends=row.ends,
        scope=msgspec.convert(row.scope, Scope),
        zone=zone,
        recurs=msgspec.convert(row.recurs, Recurs | None),
        cancelled=row.cancelled,
        created_by=row.created_by,
    )


def _told(asker: Asker, row: Row[Any]) -> WindowShown:
    its = _window(row, asker.zone)
    coming = next(occurrences(its, asker.now, asker.now + LONGEST), None)
    on = coming is not None and coming.begins <= asker.now
    return WindowShown(
        id=row.id,
        kind=row.kind,
        reason=row.reason,
        begins=row.begins,
        ends=row.ends,
        recurs=its.recurs,
        scope=its.scope,
        created_by=row.created_by,
        created=row.created,
        last=row.last,
        cancelled=row.cancelled,
        version=row.version,
        on=on,
        next=coming.begins if coming is not None else None,
        may_cancel=row.cancelled is None
        and (row.last is None or row.last > asker.now)
        and asker.may("review")
        and _may_cancel(asker, row),
    )


def _may_cancel(asker: Asker, row: Row[Any]) -> bool:
    return row.created_by == asker.name or reach.within(asker, row.scope["departments"])


def _current(now: datetime) -> ColumnElement[bool]:
    """Not over at a moment, which may be some time ago."""
    return and_(
        or_(window.c.cancelled.is_(None), window.c.cancelled > now),
        or_(window.c.last.is_(None), window.c.last > now),
    )


def _visible(asker: Asker) -> ColumnElement[bool]:
    return reach.touching(asker, window.c.id, window_department, window_host)


def _row(asker: Asker, connection: Connection, id: int) -> Row[Any]:
    row = connection.execute(select(window).where(window.c.id == id, _visible(asker))).first()
    if row is None:
        raise NotFound("not_found")
    return row
