"""Manual items as they are listed: one for each manual rule and each department whose hosts it was asked of."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import (
    ColumnElement,
    Connection,
    Row,
    Select,
    and_,
    exists,
    func,
    literal_column,
    or_,
    select,
    tuple_,
)

from exporters.console.attest import texts
from exporters.console.attest.answers import Said
from exporters.console.codes import OUTCOME
from exporters.console.schema import attestation, department, outcome_tally, rule, rule_clause
from exporters.console.services import Services
from exporters.console.web.asker import Asker
from exporters.console.web.ids import Id, Natural
from exporters.console.web.refusals import Invalid, NotFound
from rules import clauses
from rules.model import Text

PAGE: Final = 50
SOON: Final = timedelta(days=30)
_DEPARTMENT: Final = outcome_tally.c.department_id
_SOUGHT: Final = ("name", "title_zh", "title_en", "question_zh", "question_en")
STATES: Final = ("open", "answered", "expiring", "expired")


class ManualFilter(msgspec.Struct, frozen=True):
    """`open`: without an answer, or with one that expired; `expiring`: within 30 days. A clause of GB/T 22239 or of another
    standard, or how it begins. `after` is that of the page before."""

    state: Literal["", "open", "answered", "expiring", "expired"] = ""
    clause: str = ""
    department: str = ""
    text: str = ""
    after: str = ""


class ManualKey(msgspec.Struct, frozen=True):
    """An item; `before` is for more of its answers."""

    rule_id: Id
    department_id: Id
    before: Natural = 0


class ManualStanding(msgspec.Struct, frozen=True):
    """The answer for all hosts of the department that nothing took the place of."""

    id: int
    answer: Said
    by: str
    expires: date
    days: int  # left after today; below 0: expired
    version: int


class ManualItem(msgspec.Struct, frozen=True):
    """`hosts` is on how many it came out manual. `state` is `open`, `answered`, `expiring` or `expired`; an expired item is
    open again. `clauses` are of GB/T 22239, `units` of GB/T 28448."""

    rule_id: int
    department_id: int
    rule: str
    title: Text
    question: Text
    department: str
    clauses: tuple[str, ...]
    units: tuple[str, ...]
    hosts: int
    state: str
    standing: ManualStanding | None


class ManualPage(msgspec.Struct, frozen=True):
    items: tuple[ManualItem, ...]
    after: str  # ask for the next page with it; empty: this is the last


def listed(asker: Asker, given: ManualFilter) -> ManualPage:
    keys = _keys(asker, given)
    with asker.database.reading() as connection:
        found = [(row.rule_id, row.department_id) for row in connection.execute(keys)]
        rows = []
        if page := found[:PAGE]:
            its = tuple_(outcome_tally.c.rule_id, outcome_tally.c.department_id).in_(page)
            rows = list(connection.execute(asker.scoped(_items(), _DEPARTMENT).where(its)))
        rows.sort(key=lambda row: (row.rule_id, row.department_id))
        items = _told(asker, connection, rows)
    last = items[-1] if len(found) > PAGE else None
    return ManualPage(items, f"{last.rule_id}.{last.department_id}" if last else "")


def _keys(asker: Asker, given: ManualFilter) -> Select[Any]:
    """Of one page and one item more, read along an index."""
    tally = outcome_tally.c
    columns: list[Any] = [tally.rule_id, tally.department_id]
    statement = asker.scoped(_joined(columns), _DEPARTMENT)
    if given.state:
        statement = statement.where(_in_state(given.state, texts.today(asker)))
    if name := texts.optional("department", given.department, texts.NAME):
        named = select(department.c.id).where(department.c.name == name)
        statement = statement.where(tally.department_id.in_(named))
    if clause := texts.optional("clause", given.clause, texts.NAME):
        of_rule = rule_clause.c.rule_id == tally.rule_id
        begins = rule_clause.c.clause.startswith(clause, autoescape=True)
        statement = statement.where(exists().where(of_rule, begins))
    if text := texts.optional("text", given.text, texts.NAME):
        parts = (rule.c[name] for name in _SOUGHT)
        has = or_(*(it.icontains(text, autoescape=True) for it in parts))
        statement = statement.where(tally.rule_id.in_(select(rule.c.id).where(has)))
    if given.after:
        statement = statement.where(_after(given.after))
    return statement.group_by(*columns).order_by(*columns).limit(PAGE + 1)


def item_of(asker: Asker, connection: Connection, key: ManualKey) -> ManualItem:
    """Raises NotFound."""
    statement = asker.scoped(_items(), outcome_tally.c.department_id).where(
        outcome_tally.c.rule_id == key.rule_id,
        outcome_tally.c.department_id == key.department_id,
    )
    if (row := connection.execute(statement).first()) is None:
        raise NotFound("not_found")
    (found,) = _told(asker, connection, [row])
    return found


def _items() -> Select[Any]:
    """By rule and department, with the answer that stands for all its hosts."""
    tally, standing = outcome_tally.c, attestation.c
    columns: list[Any] = [
        func.max(tally.hosts).label("hosts"),
        tally.rule_id,
        tally.department_id,
        rule.c.name.label("rule"),
        *(rule.c[name] for name in ("title_zh", "title_en", "question_zh", "question_en")),
        department.c.name.label("department"),
        *(standing[name] for name in ("id", "answer", "by", "expires", "version")),
    ]
    return (
        _joined(columns)
        .join(rule, rule.c.id == tally.rule_id)
        .join(department, department.c.id == tally.department_id)
        .group_by(*columns[1:])
    )


def _joined(columns: list[Any]) -> Select[Any]:
    tally, standing = outcome_tally.c, attestation.c
    return (
        select(*columns)
        .select_from(outcome_tally)
        .outerjoin(
            attestation,
            and_(
                standing.rule_id == tally.rule_id,
                standing.department_id == tally.department_id,
                standing.host_id.is_(None),
                standing.withdrawn.is_(None),
            ),
        )
        # as a literal: the index is of these rows alone
        .where(tally.outcome == literal_column(str(OUTCOME["manual"])), tally.hosts > 0)
    )


def _in_state(state: str, today: date) -> ColumnElement[bool]:
    expires = attestation.c.expires
    if state == "open":
        return or_(expires.is_(None), expires < today)
    if state == "expired":
        return expires < today
    if state == "expiring":
        return and_(expires >= today, expires <= today + SOON)
    return expires >= today


def _after(text: str) -> ColumnElement[bool]:
    first, _, second = text.partition(".")
    try:
        rule_id, department_id = (msgspec.convert(it, Id, strict=False) for it in (first, second))
    except msgspec.ValidationError as error:
        raise Invalid("attest.after", "after") from error
    tally = outcome_tally.c
    return or_(
        tally.rule_id > rule_id,
        and_(tally.rule_id == rule_id, tally.department_id > department_id),
    )


def _told(asker: Asker, connection: Connection, rows: Any) -> tuple[ManualItem, ...]:
    ids = {row.rule_id for row in rows}
    found: dict[int, dict[str, list[str]]] = {}
    statement = select(rule_clause).where(rule_clause.c.rule_id.in_(ids))
    for one in connection.execute(statement.order_by(rule_clause.c.clause)):
        found.setdefault(one.rule_id, {}).setdefault(one.standard, []).append(one.clause)
    today = texts.today(asker)
    return tuple(_item(asker.services, row, found.get(row.rule_id, {}), today) for row in rows)


def _item(
    services: Services, row: Row[Any], mapped: Mapping[str, list[str]], today: date
) -> ManualItem:
    its = mapped.get(clauses.STANDARD, [])
    units = mapped.get(clauses.UNITS) or [unit for one in its if (unit := clauses.unit(one))]
    standing = None
    if row.id is not None:
        days = (row.expires - today).days
        standing = ManualStanding(row.id, row.answer, row.by, row.expires, days, row.version)
    return ManualItem(
        rule_id=row.rule_id,
        department_id=row.department_id,
        rule=row.rule,
        title=Text(row.title_zh, row.title_en),
        question=_question(services, row),
        department=row.department,
        clauses=tuple(its),
        units=tuple(units),
        hosts=row.hosts,
        state=_state(standing),
        standing=standing,
    )


def _state(standing: ManualStanding | None) -> str:
    if standing is None:
        return "open"
    if standing.days < 0:
        return "expired"
    return "expiring" if standing.days <= SOON.days else "answered"


def _question(services: Services, row: Row[Any]) -> Text:
    if row.question_zh:
        return Text(row.question_zh, row.question_en)
    known = services.rules.get(row.rule)
    return known.manual if known and known.manual else Text(row.title_zh, row.title_en)
