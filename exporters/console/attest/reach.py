"""Whom a waiver or a window touches: departments and patterns of host names, asked for in the database.

Patterns are those of rules.waivers: `*` and `?` as in a shell, nothing else. SQLite matches them with GLOB and PostgreSQL
with LIKE, both exactly; `pattern_of` writes one for the database at hand.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Select,
    Table,
    and_,
    exists,
    literal,
    not_,
    or_,
    select,
)

from exporters.console.database import Database
from exporters.console.schema import department, host
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Invalid

_LIKE: Final = {"*": "%", "?": "_", "%": r"\%", "_": r"\_", "\\": r"\\"}


def pattern_of(database: Database, pattern: str) -> str:
    if database.sqlite:
        return pattern.replace("[", "[[]")
    return re.sub(r"[*?%_\\]", lambda it: _LIKE[it[0]], pattern)


def shell_of(database: Database, pattern: str) -> str:
    """One that `pattern_of` wrote as fnmatch has it."""
    if database.sqlite:
        return pattern
    shell = {"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"}
    return re.sub(
        r"\\(.)|[%_*?\[]",
        lambda it: it[1].replace("[", "[[]") if it[1] else shell[it[0]],
        pattern,
        flags=re.DOTALL,
    )


def like(
    database: Database, column: ColumnElement[str], pattern: ColumnElement[str]
) -> ColumnElement[bool]:
    """Whether a column is as a pattern that `pattern_of` wrote."""
    if database.sqlite:
        return column.op("GLOB", is_comparison=True)(pattern)
    return column.like(pattern)  # whose escape is the backslash, unless another one is named


def wild(database: Database, pattern: Column[str]) -> ColumnElement[bool]:
    """Whether one that `pattern_of` wrote may be as another text than itself."""
    signs = "*?[" if database.sqlite else "%_\\"
    return or_(*(pattern.contains(sign, autoescape=True) for sign in signs))


def matching(database: Database, column: ColumnElement[str], pattern: str) -> ColumnElement[bool]:
    """Whether a column is as a pattern that somebody wrote."""
    if not set(pattern) & {"*", "?"}:
        return column == pattern
    return like(database, column, literal(pattern_of(database, pattern)))


def hosts_matching(database: Database, patterns: Sequence[str]) -> ColumnElement[bool]:
    """Whether a host's name or id is as one of the patterns."""
    if "*" in patterns:
        return literal(True)
    return or_(
        *(
            matching(database, column, one)
            for one in patterns
            for column in (host.c.name, host.c.key)
        )
    )


def touching(
    asker: Asker,
    id: Column[int],
    departments: Table,
    hosts: Table,
    chosen: int | None = None,
    patterns: Sequence[str] | None = None,
) -> ColumnElement[bool]:
    """Whether something touches the departments that the asker sees (or the chosen one of them): it names one of them, or
    it names none and a host of theirs is as one of its patterns. `departments` and `hosts` are its tables beside it; what
    is not in them is not seen. `patterns`: those that are as a host of theirs, where many are asked about (matched.py)."""
    scope = asker.scope if chosen is None else {chosen}
    if scope is None:
        return literal(True)
    own = sorted(scope)
    mine = exists().where(departments.c[0] == id, departments.c.department_id.in_(own))
    named = exists().where(departments.c[0] == id)
    # one that is a name is looked up; only the others are held against every host
    theirs = [select(it).where(host.c.department_id.in_(own)) for it in (host.c.name, host.c.key)]
    like_theirs = exists().where(
        host.c.department_id.in_(own),
        or_(*(like(asker.database, it, hosts.c.pattern) for it in (host.c.name, host.c.key))),
    )
    one_of_theirs = exists().where(
        # of one: PostgreSQL would hold all patterns against all hosts for `==`
        hosts.c[0].between(id, id) if patterns is None else hosts.c[0] == id,
        or_(
            *(hosts.c.pattern.in_(names) for names in theirs),
            and_(wild(asker.database, hosts.c.pattern), like_theirs)
            if patterns is None
            else hosts.c.pattern.in_(patterns),
        ),
    )
    return or_(mine, and_(not_(named), one_of_theirs))


def within(asker: Asker, departments: Iterable[str] | None) -> bool:
    """Whether everything of these departments (None or nobody: all) is the asker's to decide about."""
    if asker.scope is None:
        return True
    own = set(asker.person.departments or ()) if asker.person else set()
    named = set(departments or ())
    return bool(named) and named <= own


def narrowed(
    asker: Asker, connection: Connection, field: str, names: Iterable[str]
) -> dict[str, int]:
    """The departments that something of the asker's is about, with their ids: of the chosen ones those that there are, for
    a scoped user all of their own where none is chosen. Empty: all. Raises Invalid for one that is not theirs."""
    statement: Select[Any] = select(department.c.name, department.c.id)
    statement = asker.scoped(statement, department.c.id)
    wanted = list(dict.fromkeys(names))
    if wanted:
        statement = statement.where(department.c.name.in_(wanted))
    elif asker.scope is None:
        return {}
    found = {row.name: row.id for row in connection.execute(statement.order_by(department.c.name))}
    missing = [name for name in wanted if name not in found]
    if missing or not found:
        raise Invalid("attest.department", field, name=", ".join(missing)[:200])
    return found


def kept(
    connection: Connection,
    database: Database,
    id: int,
    departments: tuple[Table, Iterable[int]],
    hosts: tuple[Table, Iterable[str]],
) -> None:
    """Write the tables beside; without patterns it is for every host."""
    table, ids = departments
    if rows := [{table.c[0].name: id, "department_id": one} for one in ids]:
        connection.execute(table.insert(), rows)
    table, patterns = hosts
    written: Any = dict.fromkeys(pattern_of(database, one) for one in patterns)
    rows = [
        {table.c[0].name: id, "pattern": one}
        for one in written or ["*" if database.sqlite else "%"]
    ]
    connection.execute(table.insert(), rows)


def hosts_of(
    asker: Asker, connection: Connection, patterns: Sequence[str], departments: Sequence[str] | None
) -> list[str]:
    """The ids of the hosts of some departments (None: all that the asker sees) that are as one of the patterns."""
    statement: Select[Any] = select(host.c.key).where(hosts_matching(asker.database, patterns))
    if departments is not None:
        named = select(department.c.id).where(department.c.name.in_(departments))
        statement = statement.where(host.c.department_id.in_(named))
    return [
        *connection.execute(
            asker.scoped(statement, host.c.department_id).order_by(host.c.key)
        ).scalars()
    ]
