"""Changing hits within a transaction: which, by their versions; their columns, tallies and events."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from sqlalchemy import Connection, Row, insert, select, update

from exporters.console.codes import OPEN_STATES, STATE
from exporters.console.intake.tallies import Deltas
from exporters.console.review import filters, ways
from exporters.console.review.narrowing import narrowed
from exporters.console.schema import department, hit, hit_event, user
from exporters.console.web.asker import ALLOWED, Asker, covers
from exporters.console.web.ids import BigId, Id
from exporters.console.web.refusals import Conflict, Invalid
from rules.model import WORKFLOWS

MOST: Final = 100_000  # hits of one bulk
_BATCH: Final = 1000

Action = Literal["acknowledge", "unacknowledge", "assign", "unassign"]


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hit, and its version as it was seen."""

    id: BigId
    version: Id


_COLUMNS: Final = ("id", "version", "state", "severity", "host_id", "rule_id", "department_id")


def found(connection: Connection, asker: Asker, given: filters.HitFilter) -> list[Row[Any]]:
    asked = narrowed(connection, asker, given)
    if asked.nothing:
        return []
    by = ways.way(connection, asked)
    chosen = ways.candidates(asked, by).limit(MOST + 1).subquery()
    statement = (
        select(*(hit.c[name] for name in (*_COLUMNS, "owner_id")))
        .where(hit.c.id.in_(select(chosen.c.id)))
        .order_by(hit.c.id)
        .with_for_update()
    )
    return list(connection.execute(statement))


def named(connection: Connection, asker: Asker, hits: Sequence[Seen]) -> list[Row[Any]]:
    """Their rows; Conflict where one is not as it was seen, or not there for this asker."""
    versions = {one.id: one.version for one in hits}
    statement = (
        select(*(hit.c[name] for name in (*_COLUMNS, "owner_id")))
        .where(hit.c.id.in_(sorted(versions)))
        .order_by(hit.c.id)
        .with_for_update()
    )
    rows = list(connection.execute(asker.scoped(statement, hit.c.department_id)))
    if not hits:
        raise Invalid("review.none_chosen", "hits")
    if {row.id: row.version for row in rows} != versions:
        raise Conflict("conflict")
    return rows


def apply(
    connection: Connection,
    asker: Asker,
    action: Action,
    rows: Sequence[Any],
    note: str,
    to: str,
) -> int:
    """Returns how many were changed."""
    if action in ("acknowledge", "unacknowledge"):
        return _acknowledged(connection, asker, action, rows, note)
    owner: Any = None
    if action == "assign":
        owner = _owner(connection, asker, to, {row.department_id for row in rows})
    identity = owner.id if owner else None
    chosen = [row for row in rows if row.owner_id != identity]
    names = _names(connection, {row.owner_id for row in chosen})
    for batch in _batches(chosen):
        updated(connection, [Seen(row.id, row.version) for row in batch], {"owner_id": identity})
        after = owner.name if owner else ""
        events = [(row, names.get(row.owner_id, ""), after) for row in batch]
        _events(connection, asker, "assign", events, note)
    return len(chosen)


def _acknowledged(
    connection: Connection, asker: Asker, action: Action, rows: Sequence[Any], note: str
) -> int:
    if action == "acknowledge":
        before = [code for code in OPEN_STATES if code != STATE["acknowledged"]]
        after, by = STATE["acknowledged"], asker.name
    else:
        before, after, by = [STATE["acknowledged"]], STATE["new"], ""
    chosen = [row for row in rows if row.state in before]
    deltas = Deltas()
    for batch in _batches(chosen):
        values = {"state": after, "changed": asker.now, "by": by, "note": note if by else ""}
        updated(connection, [Seen(row.id, row.version) for row in batch], values)
        _events(
            connection,
            asker,
            "state",
            [(row, WORKFLOWS[row.state], WORKFLOWS[after]) for row in batch],
            note,
        )
        for row in batch:
            for number, state in ((-1, row.state), (1, after)):
                deltas.hit(
                    number,
                    host=row.host_id,
                    department=row.department_id,
                    rule=row.rule_id,
                    severity=row.severity,
                    state=state,
                )
    deltas.write(asker.database, connection)
    return len(chosen)


def _owner(connection: Connection, asker: Asker, name: str, departments: set[int]) -> Any:
    """The user; Invalid for one who is not there, reviews nothing or does not see one of these departments: which of them
    is not told."""
    name = asker.name if name == "me" else name
    row = connection.execute(
        select(user.c.id, user.c.name, user.c.role, user.c.departments).where(
            user.c.name == name, user.c.disabled.is_(False)
        )
    ).first()
    names = connection.execute(
        select(department.c.name).where(department.c.id.in_(sorted(departments)))
    ).scalars()
    if row is None or "review" not in ALLOWED[row.role] or not covers(row.departments, set(names)):
        raise Invalid("review.no_such_owner", "to", name=name)
    return row


def _names(connection: Connection, ids: set[int | None]) -> dict[int, str]:
    wanted = sorted(one for one in ids if one is not None)
    found = connection.execute(select(user.c.id, user.c.name).where(user.c.id.in_(wanted)))
    return {row.id: row.name for row in found}


def updated(connection: Connection, hits: Sequence[Seen], values: Mapping[str, Any]) -> None:
    """Conflict where one has another version by now."""
    by_version: dict[int, list[int]] = {}
    for one in hits:
        by_version.setdefault(one.version, []).append(one.id)
    for version, ids in by_version.items():
        done = connection.execute(
            update(hit)
            .where(hit.c.id.in_(ids), hit.c.version == version)
            .values(**values, version=version + 1)
        )
        if done.rowcount != len(ids):
            raise Conflict("conflict")


def noted(
    connection: Connection,
    asker: Asker,
    rows: Sequence[Any],
    kind: str,
    before: str,
    after: str,
    text: str,
) -> None:
    _events(connection, asker, kind, [(row, before, after) for row in rows], text)


def _events(
    connection: Connection,
    asker: Asker,
    kind: str,
    rows: Sequence[tuple[Any, str, str]],
    text: str,
) -> None:
    common = {"time": asker.now, "kind": kind, "actor": asker.name, "text": text}
    events = [
        {**common, "hit_id": row.id, "before": before, "after": after}
        for row, before, after in rows
    ]
    if events:
        connection.execute(insert(hit_event), events)


def _batches(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for begin in range(0, len(rows), _BATCH):
        yield rows[begin : begin + _BATCH]
