"""The audit log as auditors read it: newest first, filtered, and as CSV."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Final

import msgspec
from sqlalchemy import Row, Select, literal, select, tuple_

from exporters.console import example
from exporters.console.codes import Moment
from exporters.console.database import Database
from exporters.console.people.oneself import whole_site
from exporters.console.schema import log
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import NotFound
from exporters.console.web.routing import Reply
from exporters.console.words import say
from exporters.report import sheet

PAGE: Final = 100
_BATCH: Final = 2000
_HEADS: Final = ("number", "time", "actor", "address", "action", "subject", "detail", "hash")


class Filter(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Rows older than the one of number `before`. `action` may end with a dot: `login.` is all of logging in. `since` and
    `until` are days by the site's clock, both of them in it."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    since: date | None = None
    until: date | None = None
    before: Annotated[int, msgspec.Meta(ge=1, le=1 << 62)] | None = None


class Entry(msgspec.Struct, frozen=True):
    number: int
    time: datetime
    actor: str
    address: str
    action: str
    subject: str
    detail: str  # JSON
    hash: str


class Entries(msgspec.Struct, frozen=True):
    entries: tuple[Entry, ...]
    next: int | None  # `before` of the next page


def listed(asker: Asker, given: Filter) -> Entries:
    whole_site(asker)
    statement = _after(_statement(asker, given), asker.database, given.before)
    with asker.database.reading() as connection:
        rows = connection.execute(statement.limit(PAGE + 1)).all()
    entries = tuple(Entry(*(getattr(row, name) for name in _HEADS)) for row in rows[:PAGE])
    return Entries(entries, entries[-1].number if len(rows) > PAGE else None)


def exported(asker: Asker, given: Filter) -> Reply:
    """All of the rows, as CSV; that they were taken is in the log itself."""
    whole_site(asker)
    with asker.database.writing() as connection:
        asker.record(connection, "log.export", "", msgspec.to_builtins(given))
    heads = [say(f"log.{head}", asker.language) for head in _HEADS]
    said = example.mark(asker.services.settings, asker.language)
    rows = _rows(asker.database, asker, _statement(asker, given))
    content = sheet.blocks(example.table(said, heads, rows))
    return Reply(content, "text/csv; charset=utf-8", f"audit-log-{asker.now:%Y%m%d}.csv")


def _rows(database: Database, asker: Asker, statement: Select[Any]) -> Iterator[list[str]]:
    before: int | None = None
    while True:
        part = _after(statement, database, before)
        with database.reading() as connection:
            rows = connection.execute(part.limit(_BATCH)).all()
        if not rows:
            return
        for row in rows:
            yield _cells(asker, row)
        before = rows[-1].number


def _cells(asker: Asker, row: Row[Any]) -> list[str]:
    values = row._mapping
    return [
        values[head].astimezone(asker.zone).isoformat(timespec="seconds")
        if head == "time"
        else str(values[head])
        for head in _HEADS
    ]


def _statement(asker: Asker, given: Filter) -> Select[Any]:
    statement = select(log).order_by(log.c.time.desc(), log.c.number.desc())
    for column, value in ((log.c.actor, given.actor), (log.c.subject, given.subject)):
        if value:
            statement = statement.where(column == _text(value))
    if given.action.endswith("."):
        statement = statement.where(log.c.action.startswith(_text(given.action), autoescape=True))
    elif given.action:
        statement = statement.where(log.c.action == _text(given.action))
    if given.since:
        statement = statement.where(log.c.time >= _midnight(asker, given.since))
    if given.until:
        statement = statement.where(log.c.time < _midnight(asker, given.until, 1))
    return statement


def _after(statement: Select[Any], database: Database, number: int | None) -> Select[Any]:
    """The rows that come after the one of this number, as the indexes have them: by time, then by number."""
    if number is None:
        return statement
    with database.reading() as connection:
        time = connection.execute(select(log.c.time).where(log.c.number == number)).scalar()
    if time is None:
        raise NotFound("not_found")
    return statement.where(tuple_(log.c.time, log.c.number) < tuple_(literal(time, Moment), number))


def _midnight(asker: Asker, day: date, later: int = 0) -> datetime:
    # the ends of the calendar have no day after them, and some no midnight in UTC
    day = min(max(day, date(1970, 1, 2)), date(9990, 1, 1)) + timedelta(days=later)
    return datetime(day.year, day.month, day.day, tzinfo=asker.zone)


def _text(value: str) -> str:
    """What a database takes."""
    return value.encode("utf-8", "replace").decode().replace("\0", "\ufffd")
