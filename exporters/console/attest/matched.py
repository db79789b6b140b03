"""Which of many patterns (reach.py) are as the name or the id of some host that the asker sees: for lists.

Held against every host in the database, thousands of patterns take seconds. Here each is looked for among the sorted
names by how it begins.
"""

from __future__ import annotations

import fnmatch
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Any, Final

from sqlalchemy import Connection, Select, Table, select

from exporters.console.attest.reach import shell_of, wild
from exporters.console.schema import host
from exporters.console.web.asker import Asker

MOST: Final = 10_000  # that a statement has room for


def of_theirs(asker: Asker, connection: Connection, patterns: Table) -> tuple[str, ...] | None:
    """Those of a table beside waivers or windows, as they are in it; without those that are a name themselves. None:
    too many, or the asker sees all hosts."""
    if asker.scope is None:
        return None
    column = patterns.c.pattern
    wanted = select(column).where(wild(asker.database, column)).distinct()
    found = connection.execute(wanted).scalars().all()
    if not found:
        return ()
    statement: Select[Any] = select(host.c.name, host.c.key)
    rows = connection.execute(asker.scoped(statement, host.c.department_id))
    names = sorted({name for row in rows for name in row})
    mine = tuple(one for one in found if _any(names, shell_of(asker.database, one)))
    return mine if len(mine) <= MOST else None


def _any(names: Sequence[str], pattern: str) -> bool:
    """Whether one of the sorted names is as a pattern of fnmatch."""
    begin = "".join(takewhile(lambda sign: sign not in "*?[", pattern))
    start = bisect_left(names, begin)
    those = _beginning(names, start, begin)
    if pattern == begin + "*":
        return next(iter(those), None) is not None
    return any(fnmatch.fnmatchcase(name, pattern) for name in those)


def _beginning(names: Sequence[str], start: int, begin: str) -> Iterable[str]:
    for place in range(start, len(names)):
        if not names[place].startswith(begin):
            return
        yield names[place]
