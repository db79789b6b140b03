"""Targets as people see them: when each was asked, and what came of it."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final, Literal

import msgspec
from sqlalchemy import select

from exporters.console.schema import target
from exporters.console.web.asker import Asker

PAGE: Final = 50
Limit = Annotated[int, msgspec.Meta(ge=1, le=500)]
Words = Annotated[str, msgspec.Meta(max_length=200)]


class TargetsQuery(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    q: Words = ""
    state: Literal["", "problem", "unanswered"] = ""
    after: Words = ""
    limit: Limit = PAGE


class TargetView(msgspec.Struct, frozen=True):
    """Counts are since it has been a target: audits taken in, answers without a new one, failures."""

    url: str
    department: str
    host_id: int | None
    asked: datetime | None
    heard: datetime | None
    due: datetime
    failures: int
    problem: str
    audits: int
    unchanged: int
    failed: int


class Targets(msgspec.Struct, frozen=True):
    targets: tuple[TargetView, ...]
    next: str


def targets(asker: Asker, given: TargetsQuery) -> Targets:
    statement = seen(asker, select(target))
    if text := given.q.strip():
        statement = statement.where(target.c.url.contains(text, autoescape=True))
    if given.state == "problem":
        statement = statement.where(target.c.problem != "")
    if given.state == "unanswered":
        statement = statement.where(target.c.heard.is_(None))
    if given.after:
        statement = statement.where(target.c.url > given.after)
    with asker.database.reading() as connection:
        ordered = statement.order_by(target.c.url).limit(given.limit + 1)
        rows = connection.execute(ordered).all()
    more, rows = len(rows) > given.limit, rows[: given.limit]
    names = TargetView.__struct_fields__
    found = tuple(TargetView(**{name: getattr(row, name) for name in names}) for row in rows)
    return Targets(found, found[-1].url if more else "")


def seen(asker: Asker, statement: Any) -> Any:
    """A target that never answered has no host: its department is the one of its labels."""
    mine = asker.person.departments if asker.person else None
    return statement if mine is None else statement.where(target.c.department.in_(mine))
