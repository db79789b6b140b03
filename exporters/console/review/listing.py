"""One page of the list of hits: by keyset pagination in either direction, with how many there are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

import msgspec
from sqlalchemy import Connection, Row, select

from exporters.console.review import order, walks, ways
from exporters.console.review.filters import HitFilter
from exporters.console.review.narrowing import Narrowed, narrowed
from exporters.console.schema import department, hit, host, rule, user
from exporters.console.web.asker import Asker
from exporters.findings.text import cut, words
from rules.model import SEVERITIES, WORKFLOWS, Severity, Text, Workflow

MOST: Final = 10_000  # hits that are counted one by one
_SHORT: Final = 60  # columns of an instance in a list


class ListedHit(msgspec.Struct, frozen=True):
    """A row of the list. `age` in whole days; `department` is empty for hosts that are nobody's; `owner` a user's
    name, empty for none. `actual` is in words. A change of the hit names its `version`."""

    id: int
    version: int
    fingerprint: str
    severity: Severity
    state: Workflow
    rule: str
    title: Text
    rule_id: int
    host: str
    host_id: int
    host_name: str
    department: str
    instance: str
    actual: str
    owner: str
    ticket: str
    first_seen: datetime
    last_seen: datetime
    changed: datetime
    unseen_since: datetime | None
    age: int

    @property
    def short(self) -> str:
        return cut(self.instance, _SHORT)


class Count(msgspec.Struct, frozen=True):
    """`exact`: not only as far as was counted."""

    number: int
    exact: bool


class Listing(msgspec.Struct, frozen=True):
    """A page. `next` and `previous` are cursors, empty where there is no page. `unfinished`: it is not full since
    looking on would take too long, and `next` (or, going back, `previous`) looks on."""

    hits: tuple[ListedHit, ...]
    next: str
    previous: str
    count: Count
    unfinished: bool = False


def listing(asker: Asker, given: HitFilter) -> Listing:
    """Raises Invalid for a cursor that is none."""
    cursor = order.read(given.cursor, given.sort) if given.cursor else None
    with asker.database.reading() as connection:
        asked = narrowed(connection, asker, given)
        if asked.nothing:
            return Listing((), "", "", Count(0, True))
        by = ways.way(connection, asked)
        if by.count == 0:
            return Listing((), "", "", Count(0, True))
        return _page(connection, asker, given, cursor, asked, by)


def _page(
    connection: Connection,
    asker: Asker,
    given: HitFilter,
    cursor: order.Cursor | None,
    asked: Narrowed,
    by: ways.Way,
) -> Listing:
    back = cursor is not None and cursor.back
    keys = order.keys(given.sort, given.reverse != back)
    start = cursor.values if cursor else None
    find = ways.gather if by.index else walks.walk
    found = find(connection, asked, by, keys, start, given.size + 1)
    rows = rows_of(connection, found.ids[: given.size])
    more = len(found.ids) > given.size
    ends = [_keys_of(row, keys) for row in (rows[0], rows[-1])] if rows else []
    onward = ""
    if more:
        onward = order.Cursor(ends[1], back).text()
    elif found.stopped is not None:
        onward = order.Cursor(found.stopped, back).text()
    behind = ""
    if cursor is not None:
        behind = order.Cursor(ends[0] if ends else cursor.values, not back).text()
    count = _count(connection, asked, by, found, whole=not cursor and not onward)
    hits = [listed(row, asker.now) for row in (reversed(rows) if back else rows)]
    after, before = (behind, onward) if back else (onward, behind)
    return Listing(tuple(hits), after, before, count, found.stopped is not None)


def _count(
    connection: Connection, asked: Narrowed, by: ways.Way, found: ways.Found, *, whole: bool
) -> Count:
    if by.count is not None:
        return Count(by.count, True)
    if whole:
        return Count(len(found.ids), True)
    if found.count is not None:
        return Count(found.count, True)
    return Count(*ways.counted(connection, asked, MOST))


def _keys_of(row: Row[Any], keys: Sequence[order.Key]) -> tuple[Any, ...]:
    return tuple(row._mapping[key.name] for key in keys)


_LISTED: Final = ("id", "version", "fingerprint", "severity", "state", "instance", "actual")
_TIMES: Final = ("first_seen", "last_seen", "changed", "unseen_since")


def rows_of(connection: Connection, ids: Sequence[int]) -> list[Row[Any]]:
    """The rows of a list's hits, in the order of their ids as given."""
    if not ids:
        return []
    columns = [hit.c[name] for name in (*_LISTED, *_TIMES, "ticket", "host_id", "rule_id")]
    statement = (
        select(
            *columns,
            host.c.key.label("host_key"),
            host.c.name.label("host_name"),
            department.c.name.label("department"),
            rule.c.name.label("rule_name"),
            rule.c.title_zh,
            rule.c.title_en,
            user.c.name.label("owner"),
        )
        .join(host, host.c.id == hit.c.host_id)
        .join(department, department.c.id == hit.c.department_id)
        .join(rule, rule.c.id == hit.c.rule_id)
        .outerjoin(user, user.c.id == hit.c.owner_id)
        .where(hit.c.id.in_(ids))
    )
    by_id: Mapping[int, Any] = {row.id: row for row in connection.execute(statement)}
    return [by_id[one] for one in ids if one in by_id]


def listed(row: Row[Any], now: datetime) -> ListedHit:
    return ListedHit(
        id=row.id,
        version=row.version,
        fingerprint=bytes(row.fingerprint).hex(),
        severity=SEVERITIES[row.severity],
        state=WORKFLOWS[row.state],
        rule=row.rule_name,
        title=Text(row.title_zh, row.title_en),
        rule_id=row.rule_id,
        host=row.host_key,
        host_id=row.host_id,
        host_name=row.host_name,
        department=row.department,
        instance=row.instance,
        actual=words(msgspec.json.decode(row.actual)),
        owner=row.owner or "",
        ticket=row.ticket,
        first_seen=row.first_seen,
        last_seen=row.last_seen,
        changed=row.changed,
        unseen_since=row.unseen_since,
        age=max(now - row.first_seen, timedelta()).days,
    )
