"""What people do to hits: acknowledge, assign, comment, note a ticket; to one, or to many at once.

A change of chosen hits names the version of each that was seen. A change of all that a filter finds names how many
these were: where there are more of them meanwhile, nothing is changed. A bulk is one transaction, one row of the
audit log, and an event of each hit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Final, Literal

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from exporters.console.codes import OPEN_STATES, STATE
from exporters.console.intake.tallies import Deltas
from exporters.console.review import filters, onehit, walks
from exporters.console.review.filters import PLAIN
from exporters.console.review.onehit import Identity
from exporters.console.schema import department, hit, hit_event, user
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Conflict, Invalid
from rules.model import WORKFLOWS

MOST: Final = 100_000  # hits of one bulk
_BATCH: Final = 1000

Action = Literal["acknowledge", "unacknowledge", "assign", "unassign"]
# several lines, as typed
Note = Annotated[str, msgspec.Meta(max_length=4000, pattern=PLAIN)]
Name = Annotated[str, msgspec.Meta(max_length=200, pattern=PLAIN)]


class Acknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`version` is the one that was seen. `undo`: take it back."""

    id: Identity
    version: int
    note: Note = ""
    undo: bool = False


class Assign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`to`: a user's name, `me`, or empty for nobody."""

    id: Identity
    version: int
    to: Name = ""


class Comment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Identity
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4000, pattern=PLAIN)]


class Ticket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Identity
    version: int
    ticket: Name = ""


class Seen(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A hit, and its version as it was seen."""

    id: Identity
    version: int


class Bulk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either `hits`, or all that `query` (as in the URL of a list) finds, which are `count` as they were counted.
    Hits to which the action does not apply, such as fixed ones, are left as they are."""

    action: Action
    hits: Annotated[tuple[Seen, ...], msgspec.Meta(max_length=1000)] = ()
    query: str | None = None
    count: int | None = None
    to: Name = ""
    note: Note = ""


class Changed(msgspec.Struct, frozen=True):
    """How many hits were changed, of how many that were named or found."""

    changed: int
    of: int


class Version(msgspec.Struct, frozen=True):
    """That of the hit now."""

    version: int


def acknowledge(asker: Asker, given: Acknowledge) -> Version:
    """Raises NotFound, Conflict, Invalid for a hit that is not so."""
    action: Action = "unacknowledge" if given.undo else "acknowledge"
    return _single(asker, action, given.id, given.version, given.note, "")


def assign(asker: Asker, given: Assign) -> Version:
    """Raises NotFound, Conflict, Invalid for an owner who may not see the hit."""
    action: Action = "assign" if given.to else "unassign"
    return _single(asker, action, given.id, given.version, "", given.to)


def ticket(asker: Asker, given: Ticket) -> Version:
    """Raises NotFound, Conflict."""
    with asker.database.writing() as connection:
        row = onehit.seen(connection, asker, given.id)
        _update(connection, [Seen(given.id, given.version)], {"ticket": given.ticket.strip()})
        _event(connection, asker, [row], "ticket", row.ticket, given.ticket.strip(), "")
        detail = {"before": row.ticket, "after": given.ticket.strip()}
        asker.record(connection, "hits.ticket", str(given.id), detail)
    return Version(given.version + 1)


def comment(asker: Asker, given: Comment) -> onehit.Events:
    """The history with it. Raises NotFound."""
    text = given.text.strip()
    if not text:
        raise Invalid("review.comment_empty", "text")
    with asker.database.writing() as connection:
        row = onehit.seen(connection, asker, given.id)
        _event(connection, asker, [row], "comment", "", "", text)
        asker.record(connection, "hits.comment", str(given.id), {"text": text})
    return onehit.events(asker, onehit.ById(given.id))


def bulk(asker: Asker, given: Bulk) -> Changed:
    """Raises NotFound, Conflict, Invalid: then nothing is changed."""
    with asker.database.writing() as connection:
        if given.query is not None:
            asked = filters.parsed(given.query)
            rows = _found(connection, asker, asked)
            if given.count is None or len(rows) > given.count:
                raise Conflict("review.grew", "count", count=len(rows), before=given.count or 0)
            if len(rows) > MOST:
                raise Invalid("review.too_many", "query", most=MOST)
            what: Mapping[str, Any] = {"query": filters.query(asked, cursor="")}
        else:
            rows = _named(connection, asker, given.hits)
            what = {"hits": [one.id for one in given.hits]}
        changed = _apply(connection, asker, given.action, rows, given.note, given.to)
        detail = {**what, "count": len(rows), "changed": changed, "to": given.to, "note": given.note}
        asker.record(connection, f"hits.{given.action}", "", detail)
    return Changed(changed, len(rows))


def matching(asker: Asker, given: filters.HitFilter) -> int:
    """How many hits a filter finds, exactly, up to MOST + 1."""
    with asker.database.reading() as connection:
        asked = filters.narrowed(connection, asker, given)
        if asked.nothing:
            return 0
        by = walks.way(connection, asked)
        if by.count is not None:
            return by.count
        found = walks.candidates(asked, by).limit(MOST + 1).subquery()
        return connection.execute(select(func.count()).select_from(found)).scalar_one()


# --- within the transaction


def _single(
    asker: Asker, action: Action, identity: int, version: int, note: str, to: str
) -> Version:
    with asker.database.writing() as connection:
        row = onehit.seen(connection, asker, identity)
        if row.version != version:
            raise Conflict("conflict")
        if not _apply(connection, asker, action, [row], note, to):
            raise Invalid("review.not_so", "id")
        asker.record(connection, f"hits.{action}", str(identity), {"to": to, "note": note})
    return Version(version + 1)


_COLUMNS: Final = ("id", "version", "state", "severity", "host_id", "rule_id", "department_id")


def _found(connection: Connection, asker: Asker, given: filters.HitFilter) -> list[Row[Any]]:
    asked = filters.narrowed(connection, asker, given)
    if asked.nothing:
        return []
    by = walks.way(connection, asked)
    chosen = walks.candidates(asked, by).limit(MOST + 1).subquery()
    statement = (
        select(*(hit.c[name] for name in (*_COLUMNS, "owner_id")))
        .where(hit.c.id.in_(select(chosen.c.id)))
        .order_by(hit.c.id)
        .with_for_update()
    )
    return list(connection.execute(statement))


def _named(connection: Connection, asker: Asker, hits: Sequence[Seen]) -> list[Row[Any]]:
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


def _apply(
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
        _update(connection, [Seen(row.id, row.version) for row in batch], {"owner_id": identity})
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
        _update(connection, [Seen(row.id, row.version) for row in batch], values)
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
    """The user; Invalid for one who is not there, reviews nothing or does not see one of these departments."""
    name = asker.name if name == "me" else name
    row = connection.execute(
        select(user.c.id, user.c.name, user.c.role, user.c.departments).where(
            user.c.name == name, user.c.disabled.is_(False)
        )
    ).first()
    if row is None:
        raise Invalid("review.no_such_owner", "to", name=name)
    if row.departments is not None:
        names = connection.execute(
            select(department.c.name).where(department.c.id.in_(sorted(departments)))
        ).scalars()
        if set(names) - set(row.departments):
            raise Invalid("review.owner_does_not_see", "to", name=name)
    return row


def _names(connection: Connection, ids: set[int | None]) -> dict[int, str]:
    wanted = sorted(one for one in ids if one is not None)
    found = connection.execute(select(user.c.id, user.c.name).where(user.c.id.in_(wanted)))
    return {row.id: row.name for row in found}


def _update(connection: Connection, hits: Sequence[Seen], values: Mapping[str, Any]) -> None:
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


def _event(
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
