"""Hits that come, regress and are fixed, as an audit would write them, for tests of who is told."""

from __future__ import annotations

import itertools
import secrets
from datetime import UTC, datetime
from typing import Final

from sqlalchemy import Connection, insert, select

from exporters.console.codes import SEVERITY, STATE
from exporters.console.schema import department, hit, hit_event, host, rule
from rules.model import Severity, Workflow
from tests.consolelab import Console

NOW: Final = datetime(2026, 3, 5, 2, 30, tzinfo=UTC)
_NUMBERS: Final = itertools.count()


def add_hits(
    console: Console,
    count: int,
    severity: Severity = "critical",
    of: str = "市财政局",
    title: str = "禁止 root 远程登录",
) -> list[int]:
    """New hits of one host of a department."""
    with console.database.writing() as connection:
        where = _id(connection, department, {"name": of})
        about = {"name": f"{severity}.{title}"}
        texts = {"title_zh": title, "title_en": title, "severity": SEVERITY[severity]}
        rule_id = _id(connection, rule, about, texts)
        more = {"name": f"vm-{where}", "department_id": where, "source": "push", "first_seen": NOW, "labels": {}}  # fmt: skip
        host_id = _id(connection, host, {"key": f"key-{where}"}, more)
        ids = []
        for _ in range(count):
            made = insert(hit).values(
                fingerprint=secrets.token_bytes(32),
                host_id=host_id,
                rule_id=rule_id,
                department_id=where,
                severity=SEVERITY[severity],
                state=STATE["new"],
                first_seen=NOW,
                last_seen=NOW,
                changed=NOW,
                actual='"yes"',
                expected='"no"',
                instance=f"用户{next(_NUMBERS)}",
            )
            ids.append(connection.execute(made.returning(hit.c.id)).scalar_one())
        for one in ids:
            _event(connection, one, "", "new")
    return ids


def became(console: Console, id: int, state: Workflow) -> None:
    with console.database.writing() as connection:
        before = connection.execute(select(hit.c.state).where(hit.c.id == id)).scalar_one()
        words = {code: word for word, code in STATE.items()}
        connection.execute(hit.update().where(hit.c.id == id).values(state=STATE[state]))
        _event(connection, id, words[before], state)


def regress(console: Console, id: int) -> None:
    became(console, id, "fixed")
    became(console, id, "regressed")


def _event(connection: Connection, id: int, before: str, after: str) -> None:
    connection.execute(
        insert(hit_event).values(hit_id=id, time=NOW, kind="state", before=before, after=after)
    )


def _id(connection: Connection, table: object, key: dict[str, str], more: object = None) -> int:
    [(column, value)] = key.items()
    known = select(table.c.id).where(table.c[column] == value)  # type: ignore[attr-defined]
    found = connection.execute(known).scalar()
    if found is None:
        values = {**key, **(more or {})}  # type: ignore[dict-item]
        made = insert(table).values(**values).returning(table.c.id)  # type: ignore[arg-type, attr-defined]
        found = connection.execute(made).scalar_one()
    return int(found)
