"""The audit log: who did what, in a chain of hashes that shows when a row was changed, taken out or put in.

The hash of a row is SHA-256 of the one before it and of the row's canonical JSON (RFC 8785 in spirit: sorted keys, no
spaces). Nothing updates or deletes rows, and triggers refuse it (schema/logged.py). That rows are missing at the end
shows only to who noted the number and hash of one of them elsewhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import Connection, func, select

from exporters.console.codes import micros
from exporters.console.schema import log
from exporters.findings.text import neutral

FIRST: Final = "0" * 64
_TEXT: Final = 500  # characters
_AT_ONCE: Final = 5000
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
    row: dict[str, Any] = {
        "number": number,
        "time": now,
        "actor": _kept(actor),
        "address": _kept(address),
        "action": action,
        "subject": _kept(subject),
        # JSON has an escape for what a database does not take
        "detail": json.dumps(detail or {}, ensure_ascii=False, sort_keys=True)
        .encode("utf-8", "backslashreplace")
        .decode(),
    }
    connection.execute(log.insert().values(**row, hash=chained(before, row)))
    return number


def _kept(text: str) -> str:
    """At most so long, in one harmless line: an attacker's name does not write a row of its own in an export."""
    return neutral(text[:_TEXT])


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


class Verified(NamedTuple):
    """`first_bad` is 0 where the chain is whole, else the number of the first row that does not belong; then `problem`
    says why. The others are of the rows before it."""

    rows: int
    first_bad: int
    problem: str
    since: datetime | None = None
    until: datetime | None = None
    number: int = 0
    hash: str = FIRST


def verify(connection: Connection, after: tuple[int, str] | None = None) -> Verified:
    """Follow the chain from its first row. `after` is the number and hash of a row that somebody noted: it must still
    be in it."""
    seen, since = Verified(0, 0, ""), None
    while rows := connection.execute(
        select(log).where(log.c.number > seen.number).order_by(log.c.number).limit(_AT_ONCE)
    ).all():
        for row in rows:
            if problem := _problem(seen, row._asdict(), after):
                return seen._replace(first_bad=row.number, problem=problem)
            since = since or row.time
            seen = Verified(seen.rows + 1, 0, "", since, row.time, row.number, row.hash)
    # numbers below 1 are no rows of ours
    low = connection.execute(select(func.min(log.c.number)).where(log.c.number < 1)).scalar()
    if low is not None:
        return seen._replace(first_bad=low, problem="a row before the first one")
    if after and after[0] > seen.number:
        missing = seen.number + 1
        return seen._replace(
            first_bad=missing, problem=f"rows up to {after[0]} are missing at the end"
        )
    return seen


def _problem(seen: Verified, row: Mapping[str, Any], after: tuple[int, str] | None) -> str:
    if row["number"] != seen.number + 1:
        return f"row {seen.number + 1} is missing before it"
    if chained(seen.hash, row) != row["hash"]:
        return "its content or the one before it was changed"
    if after and after[0] == row["number"] and after[1] != row["hash"]:
        return "its hash is not the one that was noted"
    return ""
