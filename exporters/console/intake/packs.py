"""How each pack came out on a host, and what could not be judged there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from sqlalchemy import Connection, delete, select

from exporters.console.codes import OUTCOME
from exporters.console.database import Database
from exporters.console.intake import bulk
from exporters.console.intake.tallies import Deltas
from exporters.console.schema import host_pack, unjudged
from rules.model import AuditResult, PackResult
from rules.score import worst_by_rule

MAX_COUNT: Final = 1 << 31  # what an agent says, in JSON
_OUTCOMES: Final = msgspec.json.Decoder(dict[int, int])


def write_packs(
    database: Database,
    connection: Connection,
    deltas: Deltas,
    result: AuditResult,
    rules: Mapping[str, int],
    host_id: int,
    old_department: int,
    department: int,
) -> None:
    """Packs that the audit was without stay as they are, but for a department that changed."""
    found = connection.execute(select(host_pack).where(host_pack.c.host_id == host_id))
    before = {row.pack: _OUTCOMES.decode(row.outcomes) for row in found}
    now = {
        pack.pack: _merged(before.get(pack.pack, {}), _outcomes(pack, rules), result)
        for pack in result.packs
    }
    for pack in before.keys() | now.keys():
        old = before.get(pack, {})
        new = now.get(pack, old)
        for rule, outcome in old.items():
            deltas.outcome(-1, old_department, pack, rule, outcome)
        for rule, outcome in new.items():
            deltas.outcome(1, department, pack, rule, outcome)
    packs = {pack.pack: pack for pack in result.packs}
    told = [
        {
            "host_id": host_id,
            "pack": pack.pack,
            "time": result.time,
            "score": pack.score,
            "counts": {name: min(max(n, 0), MAX_COUNT) for name, n in pack.counts.items()},
            "outcomes": msgspec.json.encode(now[pack.pack]),
        }
        for pack in packs.values()
    ]
    bulk.upsert(database, connection, host_pack, told, set_=("time", "score", "counts", "outcomes"))


def write_unjudged(
    database: Database,
    connection: Connection,
    result: AuditResult,
    rules: Mapping[str, int],
    host_id: int,
) -> None:
    """Rules that were not asked this time stay as they are."""
    judged: set[int] = set()
    unknown: dict[int, str] = {}
    for pack in result.packs:
        for verdict in pack.verdicts:
            judged.add(rules[verdict.rule])
            if verdict.verdict == "unknown":
                unknown.setdefault(rules[verdict.rule], verdict.reason)
    found = connection.execute(select(unjudged).where(unjudged.c.host_id == host_id))
    before = {row.rule_id: row.reason for row in found}
    gone = [] if result.left_out else sorted((before.keys() & judged) - unknown.keys())
    if gone:
        connection.execute(
            delete(unjudged).where(unjudged.c.host_id == host_id, unjudged.c.rule_id.in_(gone))
        )
    told = [
        {"host_id": host_id, "rule_id": rule, "reason": reason}
        for rule, reason in sorted(unknown.items())
        if before.get(rule) != reason
    ]
    bulk.upsert(database, connection, unjudged, told, set_=["reason"])


def _outcomes(pack: PackResult, rules: Mapping[str, int]) -> dict[int, int]:
    worst = worst_by_rule(pack.verdicts)
    return {rules[name]: OUTCOME[verdict.verdict] for name, verdict in worst.items()}


def _merged(old: dict[int, int], new: dict[int, int], result: AuditResult) -> dict[int, int]:
    """Of an audit from which something was left out, what was worse before stays."""
    if not result.left_out:
        return new
    fail = OUTCOME["fail"]
    return {**old, **{rule: fail if old.get(rule) == fail else out for rule, out in new.items()}}
