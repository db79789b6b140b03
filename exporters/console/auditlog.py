"""The audit log: who did what, in a chain of hashes that shows when a row was changed, taken out or put in.

The hash of a row is SHA-256 of the one before it and of the row's canonical JSON (RFC 8785 in spirit: sorted keys, no
spaces). Nothing updates or deletes rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, func, select

from exporters.console.codes import micros
from exporters.console.schema import log

FIRST: Final = "0" * 64
_LOCK: Final = 748151  # of PostgreSQL, for the end of the chain


def record(
    connection: Connection,
    actor: str,
    action: str,
    subject: str = "",
    detail: Mapping[str, Any] | None = None,
    *,
    now: datetime,
    address: str = "",
) -> int:
    """Append a row within the caller's writing transaction, so that it is there if and only if the change is.
    Returns its number. `detail` is JSON and never has a secret."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    last = connection.execute(
        select(log.c.number, log.c.hash).order_by(log.c.number.desc()).limit(1)
    ).first()
    number, before = (last.number + 1, last.hash) if last else (1, FIRST)
    row = {
        "number": number,
        "time": now,
        "actor": actor,
        "address": address,
        "action": action,
        "subject": subject,
        "detail": json.dumps(detail or {}, ensure_ascii=False, sort_keys=True),
    }
    connection.execute(log.insert().values(**row, hash=chained(before, row)))
    return number


def chained(before: str, row: Mapping[str, Any]) -> str:
    """The hash of a row after the hash of the one before it."""
    text = json.dumps(
        [
            before,
            row["number"],
            micros(row["time"]),
            *(row[part] for part in ("actor", "address", "action", "subject", "detail")),
        ],
        ensure_ascii=False,
        separators=(",", ":"),
    )
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
