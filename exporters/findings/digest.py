"""What the agent keeps of an audit that a child of its made: as little as metrics and telling take, however
many hits an attacker made. The audit itself is bytes to it, of a bounded length.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Final

import msgspec

from rules.model import (
    OPEN,
    SEVERITIES,
    WORKFLOWS,
    AuditResult,
    Change,
    Hit,
    PackResult,
    Rule,
    Text,
    Verdict,
)
from rules.score import worst_by_rule

BATCH: Final = 250  # changes that are told at once
MAX_SERVED: Final = 8 << 20  # bytes
SHORT: Final = 20  # verdicts of a rule where there are too many


class HitFigures(msgspec.Struct, frozen=True):
    """How many hits there are by severity and state, and when the oldest open one of a severity began."""

    counts: dict[str, dict[str, int]]
    oldest: dict[str, datetime]


class Digest(msgspec.Struct, frozen=True):
    """`result` has the worst verdict of each rule, without texts and values, no hits, and the first batch of
    changes, whose rules are `rules`; `number` is that of the last change there is. `facts` are those that
    the packs judge."""

    result: AuditResult
    figures: HitFigures
    number: int
    facts: frozenset[str] = frozenset()
    rules: dict[str, Rule] = {}


class Untold(msgspec.Struct, frozen=True):
    """A further batch of changes, with their rules."""

    changes: tuple[Change, ...]
    rules: dict[str, Rule]


def figures(hits: Sequence[Hit]) -> HitFigures:
    found = Counter((hit.severity, hit.state) for hit in hits)
    counts: dict[str, dict[str, int]] = {
        severity: {state: found[severity, state] for state in WORKFLOWS} for severity in SEVERITIES
    }
    oldest: dict[str, datetime] = {}
    for hit in hits:
        if hit.state in OPEN:
            first = oldest.get(hit.severity, hit.first_seen)
            oldest[hit.severity] = min(first, hit.first_seen)
    return HitFigures(counts, oldest)


def digest(
    result: AuditResult, facts: Iterable[str] = (), rules: Mapping[str, Rule] | None = None
) -> Digest:
    """`facts` and `rules` are those of the packs."""
    slim = msgspec.structs.replace(
        result,
        packs=tuple(
            msgspec.structs.replace(
                pack, verdicts=tuple(map(_bare, worst_by_rule(pack.verdicts).values()))
            )
            for pack in result.packs
        ),
        hits=(),
        changes=result.changes[:BATCH],
    )
    number = result.changes[-1].number if result.changes else 0
    told = rules_of(slim.changes, rules or {})
    return Digest(slim, figures(result.hits), number, frozenset(facts), told)


def untold(changes: Sequence[Change], rules: Mapping[str, Rule]) -> Untold:
    """The first batch of them."""
    batch = tuple(changes[:BATCH])
    return Untold(batch, rules_of(batch, rules))


def rules_of(changes: Iterable[Change], rules: Mapping[str, Rule]) -> dict[str, Rule]:
    """The rules of some changes, with what they say of why and how to fix alone."""
    names = sorted({change.hit.rule for change in changes}.intersection(rules))
    return {
        name: Rule(it.id, it.title, it.severity, why=it.why, fix=it.fix)
        for name in names
        if (it := rules[name])
    }


def served(result: AuditResult) -> bytes:
    """The audit as JSON of at most MAX_SERVED bytes or so: without the hits where these are too many, and
    then with a few verdicts of each rule. `left_out` says how many of them are missing."""
    result = msgspec.structs.replace(result, changes=())
    content = msgspec.json.encode(result)
    if len(content) > MAX_SERVED:
        result = msgspec.structs.replace(result, hits=(), left_out=len(result.hits))
        content = msgspec.json.encode(result)
    if len(content) > MAX_SERVED:
        packs = tuple(map(_short, result.packs))
        missing = sum(map(_count, result.packs)) - sum(map(_count, packs))
        left_out = result.left_out + missing
        content = msgspec.json.encode(
            msgspec.structs.replace(result, packs=packs, left_out=left_out)
        )
    return content


def _bare(verdict: Verdict) -> Verdict:
    return Verdict(verdict.rule, verdict.verdict, verdict.severity, Text("", ""), maps=verdict.maps)


def _short(pack: PackResult) -> PackResult:
    """With the last verdicts of each rule, since the one for all that are not told comes last."""
    of_rule: dict[str, list[Verdict]] = {}
    for verdict in pack.verdicts:
        of_rule.setdefault(verdict.rule, []).append(verdict)
    verdicts = tuple(verdict for found in of_rule.values() for verdict in found[-SHORT:])
    return msgspec.structs.replace(pack, verdicts=verdicts)


def _count(pack: PackResult) -> int:
    return len(pack.verdicts)
