"""Saved views: the filter of a list under a name, for oneself or shared by who reviews.

Its text may name what only its owner's departments know: a shared one is for those who see all of these."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from sqlalchemy import Connection, Row, and_, delete, or_, select, update
from sqlalchemy.exc import IntegrityError

from exporters.console.review import filters
from exporters.console.schema import saved_view, user
from exporters.console.web.asker import ALLOWED, Asker, covers
from exporters.console.web.ids import Id
from exporters.console.web.refusals import Conflict, Forbidden, Invalid, NotFound
from exporters.console.web.routing import Nothing

_MOST = 100  # of one user
ViewName = Annotated[str, msgspec.Meta(min_length=1, max_length=80)]


class View(msgspec.Struct, frozen=True):
    """`query` is that of the list's URL; `own`: of who asks."""

    id: int
    name: str
    query: str
    shared: bool
    owner: str
    own: bool


class Views(msgspec.Struct, frozen=True):
    views: tuple[View, ...]


class Save(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new one; one's own of the same name is replaced only where `replace` says so."""

    name: ViewName
    query: Annotated[str, msgspec.Meta(max_length=4000)] = ""
    shared: bool = False
    replace: bool = False


class ViewId(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Id


class Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    id: Id
    name: ViewName | None = None
    shared: bool | None = None


def views(asker: Asker, _: Nothing) -> Views:
    """One's own and those that are shared with the asker, by name."""
    own = asker.person.departments if asker.person else ()
    with asker.database.reading() as connection:
        owners = connection.execute(
            select(user.c.id, user.c.role, user.c.departments).where(
                user.c.id.in_(select(saved_view.c.user_id).where(saved_view.c.shared.is_(True)))
            )
        )
        of = [
            row.id
            for row in owners
            if "review" in ALLOWED[row.role] and covers(own, row.departments)
        ]
        shared = and_(saved_view.c.shared.is_(True), saved_view.c.user_id.in_(of))
        rows = connection.execute(
            select(saved_view, user.c.name.label("owner"))
            .join(user, user.c.id == saved_view.c.user_id)
            .where(or_(saved_view.c.user_id == _me(asker), shared))
            .order_by(saved_view.c.name, saved_view.c.id)
            .limit(500)
        )
        return Views(tuple(_view(asker, row) for row in rows))


def save(asker: Asker, given: Save) -> View:
    """Raises Invalid for a query that is none, Conflict for a name that is taken, Forbidden."""
    _may_share(asker, given.shared)
    name = given.name.strip()
    if not name:
        raise Invalid("review.view_nameless", "name")
    query = filters.query(filters.parsed(given.query), cursor="")
    with asker.database.writing() as connection:
        own = list(connection.execute(select(saved_view).where(saved_view.c.user_id == _me(asker))))
        same = next((row for row in own if row.name == name), None)
        if same is None and len(own) >= _MOST:
            raise Invalid("review.view_many", most=_MOST)
        if same is not None and not given.replace:
            raise Conflict("review.view_taken", "name", name=name)
        values = {"name": name, "query": query, "shared": given.shared}
        if same is not None:
            connection.execute(
                update(saved_view).where(saved_view.c.id == same.id).values(**values)
            )
            identity = same.id
        else:
            made = connection.execute(saved_view.insert().values(user_id=_me(asker), **values))
            identity = (made.inserted_primary_key or (0,))[0]
        asker.record(connection, "views.save", name, {"query": query, "shared": given.shared})
    return View(identity, name, query, given.shared, asker.name, True)


def change(asker: Asker, given: Change) -> View:
    """Rename one's own, share it or keep it for oneself. Raises NotFound, Conflict, Forbidden."""
    _may_share(asker, given.shared)
    try:
        with asker.database.writing() as connection:
            row = _own(connection, asker, given.id)
            name = row.name if given.name is None else given.name.strip()
            if not name:
                raise Invalid("review.view_nameless", "name")
            shared = row.shared if given.shared is None else given.shared
            connection.execute(
                update(saved_view).where(saved_view.c.id == row.id).values(name=name, shared=shared)
            )
            detail = {"before": row.name, "shared": shared}
            asker.record(connection, "views.change", name, detail)
    except IntegrityError as error:
        raise Conflict("review.view_taken", "name", name=given.name) from error
    return View(row.id, name, row.query, shared, asker.name, True)


def remove(asker: Asker, given: ViewId) -> Nothing:
    """One's own. Raises NotFound."""
    with asker.database.writing() as connection:
        row = _own(connection, asker, given.id)
        connection.execute(delete(saved_view).where(saved_view.c.id == row.id))
        asker.record(connection, "views.remove", row.name)
    return Nothing()


def _may_share(asker: Asker, shared: bool | None) -> None:
    if shared and not asker.may("review"):
        raise Forbidden("forbidden")


def _own(connection: Connection, asker: Asker, identity: int) -> Row[Any]:
    row = connection.execute(
        select(saved_view).where(saved_view.c.id == identity, saved_view.c.user_id == _me(asker))
    ).first()
    if row is None:
        raise NotFound("not_found")
    return row


def _me(asker: Asker) -> int:
    return asker.person.id if asker.person else -1


def _view(asker: Asker, row: Row[Any]) -> View:
    own = row.user_id == _me(asker)
    return View(row.id, row.name, row.query, row.shared, row.owner, own)
