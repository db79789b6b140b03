"""An audit as CSV for spreadsheets: a row a verdict, worst first within a pack."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from exporters.findings.table import OUTCOME, SEVERITY
from exporters.findings.text import words
from exporters.findings.told import Told, of_audit
from exporters.findings.words import STATE, say
from exporters.report import plain
from exporters.report.sheet import Cell, table
from rules import clauses
from rules.model import SEVERITIES, AuditResult, Hit, Outcome, Rule

ORDER: Final[tuple[Outcome, ...]] = ("fail", "unknown", "manual", "pass", "not_applicable")
_HEADS: Final = (
    *("host", "host_id", "time", "pack", "verdict", "severity", "rule", "rule_title", "instance"),
    *("actual", "expected", "source", "reason", "question", "clause", "unit", "state"),
    *("first_seen", "last_seen", "waiver", "why", "fix", "fingerprint"),
)


def verdicts_csv(
    result: AuditResult, rules: Mapping[str, Rule], hits: Mapping[str, Hit], language: str
) -> bytes:
    rows = [one for _, one in of_audit(result, rules, hits)]
    packs = {pack.pack: number for number, pack in enumerate(result.packs)}
    rows.sort(key=lambda one: (packs[one.packs[0]], *urgency(one)))
    return table([say(head, language) for head in _HEADS], (_row(one, language) for one in rows))


def urgency(told: Told) -> tuple[int, int, str]:
    """What sorts what failed first, the gravest of it before."""
    return ORDER.index(told.verdict), -SEVERITIES.index(told.severity), told.rule


def _row(told: Told, language: str) -> list[Cell]:
    return [
        told.host.name,
        told.host.id,
        plain.moment(told.time),
        told.packs[0],
        OUTCOME[told.verdict].of(language),
        SEVERITY[told.severity].of(language),
        told.rule,
        told.title.of(language),
        told.instance,
        words(told.actual),
        words(told.expected),
        told.source,
        told.reason,
        told.question.of(language) if told.question else "",
        " ".join(told.maps.get(clauses.STANDARD, ())),
        " ".join(told.maps.get(clauses.UNITS, ())),
        STATE[told.state].of(language) if told.state else "",
        plain.moment(told.first_seen) if told.first_seen else "",
        plain.moment(told.last_seen) if told.last_seen else "",
        told.waiver,
        told.why.of(language) if told.why else "",
        told.fix.of(language) if told.fix else "",
        told.fingerprint,
    ]
