"""Many rows in one statement. SQLite is quickest with the driver's executemany; to PostgreSQL all rows go as one JSON
text (`json_to_recordset`), which costs it far less than so many parameters and round trips.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Insert,
    LargeBinary,
    Row,
    Table,
    bindparam,
    cast,
    column,
    func,
    select,
    update,
)
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.selectable import TableValuedAlias

from exporters.console.codes import Moment, micros
from exporters.console.database import Database

Rows = Sequence[dict[str, Any]]
_OLD: Final = "old_"  # how the column of a recordset begins that a row is found by


def insert(
    database: Database,
    connection: Connection,
    table: Table,
    rows: Rows,
    returning: Sequence[Column[Any]] = (),
) -> Sequence[Row[Any]]:
    """All rows have the same columns; the others get their defaults."""
    if not rows:
        return ()
    statement: Insert = table.insert()
    if returning:
        return connection.execute(
            *_given(database, table, statement.returning(*returning), rows)
        ).all()
    connection.execute(*_given(database, table, statement, rows))
    return ()


def upsert(
    database: Database,
    connection: Connection,
    table: Table,
    rows: Rows,
    *,
    set_: Sequence[str] = (),
    add: Sequence[str] = (),
) -> None:
    """With a row there already: the columns of `set_` are written over, those of `add` are added to; with neither, it
    stays. No two rows have the same primary key."""
    if not rows:
        return
    statement = database.upsert(table)
    if set_ or add:
        statement = statement.on_conflict_do_update(
            index_elements=list(table.primary_key),
            set_={name: statement.excluded[name] for name in set_}
            | {name: table.c[name] + statement.excluded[name] for name in add},
        )
    else:
        statement = statement.on_conflict_do_nothing()
    connection.execute(*_given(database, table, statement, rows))


def change(
    database: Database, connection: Connection, table: Table, keys: Sequence[str], rows: Rows
) -> int:
    """Set the columns of rows that are found by the columns `keys`, given as `old_NAME`; how many were there."""
    if not rows:
        return 0
    names = [name for name in rows[0] if not name.startswith(_OLD)]
    statement = update(table)
    if database.sqlite:
        statement = statement.where(*(table.c[key] == bindparam(_OLD + key) for key in keys))
        statement = statement.values({name: bindparam(f"b_{name}") for name in names})
        given: Any = [
            {key if key.startswith(_OLD) else f"b_{key}": value for key, value in row.items()}
            for row in rows
        ]
        return connection.execute(statement, given).rowcount
    told = {name: table.c[name] for name in names} | {_OLD + key: table.c[key] for key in keys}
    recordset = _recordset(told)
    statement = statement.where(*(table.c[key] == recordset.c[_OLD + key] for key in keys))
    statement = statement.values({name: recordset.c[name] for name in names})
    return connection.execute(statement, {"rows": _json(told, rows)}).rowcount


def _given(database: Database, table: Table, statement: Any, rows: Rows) -> tuple[Any, Any]:
    if database.sqlite:
        return statement, list(rows)
    told = {name: table.c[name] for name in rows[0]}
    recordset = _recordset(told)
    chosen = select(*(recordset.c[name] for name in told))
    return statement.from_select(list(told), chosen), {"rows": _json(told, rows)}


def _recordset(told: dict[str, Column[Any]]) -> TableValuedAlias:
    text = cast(bindparam("rows", type_=postgresql.TEXT), postgresql.JSON)
    columns = (column(name, kind.type) for name, kind in told.items())
    return (
        func.json_to_recordset(text)
        .table_valued(*columns)
        .render_derived(name="told", with_types=True)
    )


def _json(told: dict[str, Column[Any]], rows: Rows) -> str:
    moments = [name for name, kind in told.items() if isinstance(kind.type, Moment)]
    binary = [name for name, kind in told.items() if isinstance(kind.type, LargeBinary)]
    made = []
    for row in rows:
        row = dict(row)
        for name in moments:
            if row[name] is not None:
                row[name] = micros(row[name])
        for name in binary:
            row[name] = f"\\x{row[name].hex()}"
        made.append(row)
    return msgspec.json.encode(made).decode()
