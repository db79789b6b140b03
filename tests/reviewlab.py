"""Hits for tests of the review, written straight into the tables with their tallies."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import insert

from exporters.console.codes import OPEN_STATES
from exporters.console.database import Database
from exporters.console.schema import (
    department,
    hit,
    hit_tally,
    host,
    host_tally,
    rule,
    rule_clause,
    rule_pack,
)

NOW: Final = datetime.now(UTC).replace(microsecond=0)
DEPARTMENTS: Final = ("", "审计局", "医保局", "税务局")


def told(
    host_id: int,
    rule_id: int,
    *,
    severity: int = 3,
    state: int = 0,
    days: float = 1,
    instance: str = "",
    **more: Any,
) -> dict[str, Any]:
    """A row of `hit`; its department is set by `fill`."""
    key = f"{host_id}/{rule_id}/{instance}"
    seen = NOW - timedelta(days=days)
    row: dict[str, Any] = {
        "host_id": host_id,
        "rule_id": rule_id,
        "severity": severity,
        "state": state,
    }
    row |= {"fingerprint": hashlib.sha256(key.encode()).digest(), "instance": instance}
    row |= {"first_seen": seen, "last_seen": NOW, "changed": seen, "unseen_since": None}
    row |= {"actual": json.dumps({"value": instance}, ensure_ascii=False), "owner_id": None}
    return {**row, "ticket": "", "source": "/etc/ssh/sshd_config:12", **more}


def places(database: Database, hosts: int = 8, rules: int = 5) -> None:
    """Departments 1 to 4, hosts and rules 1, 2, 3, …: host n is of department n % 4 + 1."""
    with database.writing() as connection:
        connection.execute(
            insert(department), [{"id": n, "name": name} for n, name in enumerate(DEPARTMENTS, 1)]
        )
        connection.execute(
            insert(host),
            [
                {
                    "id": n,
                    "key": f"machine-{n:04}",
                    "name": f"服务器-{n % 5}",
                    "department_id": n % 4 + 1,
                    "system": f"system-{n % 3}",
                    "region": f"region-{n % 2}",
                    "source": "push",
                    "first_seen": NOW,
                }
                for n in range(1, hosts + 1)
            ],
        )
        connection.execute(
            insert(rule),
            [
                {
                    "id": n,
                    "name": f"linux.rule-{n % 7}.{n}",
                    "title_zh": f"口令要求{n}",
                    "title_en": f"Passwords {n}",
                    "severity": n % 5,
                }
                for n in range(1, rules + 1)
            ],
        )
        numbers = range(1, rules + 1)
        connection.execute(
            insert(rule_pack), [{"rule_id": n, "pack": f"pack-{n % 2}"} for n in numbers]
        )
        clauses = [
            {"rule_id": n, "standard": "gb22239", "clause": f"8.1.4.{n % 3 + 1}.a"} for n in numbers
        ]
        connection.execute(insert(rule_clause), clauses)


def fill(database: Database, rows: Sequence[dict[str, Any]]) -> None:
    """These hits, and tallies of all of them."""
    by_rule: Counter[tuple[int, ...]] = Counter()
    by_host: Counter[tuple[int, ...]] = Counter()
    for row in rows:
        row["department_id"] = row["host_id"] % 4 + 1
        by_rule[row["department_id"], row["rule_id"], row["severity"], row["state"]] += 1
        by_host[row["host_id"], row["severity"], row["state"]] += 1
    with database.writing() as connection:
        if rows:
            connection.execute(insert(hit), rows)
        for table, counts in ((hit_tally, by_rule), (host_tally, by_host)):
            names = [column.name for column in table.c]
            if counts:
                found = [dict(zip(names, (*key, n), strict=True)) for key, n in counts.items()]
                connection.execute(insert(table), found)
    assert OPEN_STATES  # the states that lists begin with
