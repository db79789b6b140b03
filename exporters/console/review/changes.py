"""What people do to hits: acknowledge, assign, comment, note a ticket; to one, or to many at once.

A change of chosen hits names the version of each that was seen. A change of all that a filter finds names how many
these were: where there are more of them meanwhile, nothing is changed. A bulk is one transaction, one row of the
audit log, and an event of each hit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

import msgspec
from sqlalchemy import func, select

from exporters.console.review import changing, filters, onehit, ways
from exporters.console.review.changing import MOST, Action, Seen
from exporters.console.review.narrowing import narrowed
from exporters.console.web.asker import Asker
from exporters.console.web.ids import BigId, Id, Natural
from exporters.console.web.refusals import Conflict, Invalid

# several lines, as typed
Note = Annotated[str, msgspec.Meta(max_length=4000)]
Name = Annotated[str, msgspec.Meta(max_length=200)]


class Acknowledge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`version` is the one that was seen. `undo`: take it back."""

    id: BigId
    version: Id
    note: Note = ""
    undo: bool = False


class Assign(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`to`: a user's name, `me`, or empty for nobody."""

    id: BigId
    version: Id
    to: Name = ""


class Comment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: BigId
    text: Annotated[str, msgspec.Meta(min_length=1, max_length=4000)]


class Ticket(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: BigId
    version: Id
    ticket: Name = ""


class Bulk(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Either `hits`, or all that `query` (as in the URL of a list) finds, which are `count` as they were counted.
    Hits to which the action does not apply, such as fixed ones, are left as they are."""

    action: Action
    hits: Annotated[tuple[Seen, ...], msgspec.Meta(max_length=1000)] = ()
    query: str | None = None
    count: Natural | None = None
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
        changing.updated(
            connection, [Seen(given.id, given.version)], {"ticket": given.ticket.strip()}
        )
        changing.noted(connection, asker, [row], "ticket", row.ticket, given.ticket.strip(), "")
        detail = {"before": row.ticket, "after": given.ticket.strip()}
        asker.record(connection, "hits.set_ticket", str(given.id), detail)
    return Version(given.version + 1)


def comment(asker: Asker, given: Comment) -> onehit.Events:
    """The history with it. Raises NotFound."""
    text = given.text.strip()
    if not text:
        raise Invalid("review.comment_empty", "text")
    with asker.database.writing() as connection:
        row = onehit.seen(connection, asker, given.id)
        changing.noted(connection, asker, [row], "comment", "", "", text)
        asker.record(connection, "hits.comment", str(given.id), {"text": text})
    return onehit.events(asker, onehit.ById(given.id))


def bulk(asker: Asker, given: Bulk) -> Changed:
    """Raises NotFound, Conflict, Invalid: then nothing is changed."""
    with asker.database.writing() as connection:
        if given.query is not None:
            asked = filters.parsed(given.query)
            rows = changing.found(connection, asker, asked)
            if given.count is None or len(rows) > given.count:
                raise Conflict("review.grew", "count", count=len(rows), before=given.count or 0)
            if len(rows) > MOST:
                raise Invalid("review.too_many", "query", most=MOST)
            what: Mapping[str, Any] = {"query": filters.query(asked, cursor="")}
        else:
            rows = changing.named(connection, asker, given.hits)
            what = {"hits": [one.id for one in given.hits]}
        changed = changing.apply(connection, asker, given.action, rows, given.note, given.to)
        detail = {
            **what,
            "count": len(rows),
            "changed": changed,
            "to": given.to,
            "note": given.note,
        }
        asker.record(connection, f"hits.{given.action}", "", detail)
    return Changed(changed, len(rows))


def matching(asker: Asker, given: filters.HitFilter) -> int:
    """How many hits a filter finds, exactly, up to MOST + 1."""
    with asker.database.reading() as connection:
        asked = narrowed(connection, asker, given)
        if asked.nothing:
            return 0
        by = ways.way(connection, asked)
        if by.count is not None:
            return by.count
        found = ways.candidates(asked, by).limit(MOST + 1).subquery()
        return connection.execute(select(func.count()).select_from(found)).scalar_one()


def _single(
    asker: Asker, action: Action, identity: int, version: int, note: str, to: str
) -> Version:
    with asker.database.writing() as connection:
        row = onehit.seen(connection, asker, identity)
        if row.version != version:
            raise Conflict("conflict")
        if not changing.apply(connection, asker, action, [row], note, to):
            raise Invalid("review.not_so", "id")
        asker.record(connection, f"hits.{action}", str(identity), {"to": to, "note": note})
    return Version(version + 1)
