"""Audits of many hosts for people: a line a host, the worst first; Chinese or English."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from exporters.findings.columns import aligned
from exporters.findings.table import OUTCOME, SEVERITY
from exporters.findings.text import cut, neutral
from rules.model import SEVERITIES, AuditResult, Text

MAX_CELL = 40  # columns
MAX_PROBLEM = 120

_HOST = Text("主机", "Host")
_SCORE = Text("得分", "Score")
_FAILED = Text("{} 台已核查，{} 台未能核查", "{} hosts judged, {} could not be asked")
_NONE = Text("无", "none")


class Row(NamedTuple):
    """One host: its audit, or the problem."""

    name: str
    result: AuditResult | None
    problem: str


def table(rows: Sequence[Row], language: str) -> str:
    """Scores by pack and failed rules by severity; hosts that could not be asked at the end."""
    judged = [(row.name, row.result) for row in rows if row.result]
    judged.sort(key=lambda it: (_score(it[1]), it[0]))
    packs = list(dict.fromkeys(pack.pack for _, result in judged for pack in result.packs))
    heads = [
        _HOST.of(language),
        *(f"{pack} {_SCORE.of(language)}" for pack in packs),
        *(SEVERITY[severity].of(language) for severity in reversed(SEVERITIES)),
        *(OUTCOME[outcome].of(language) for outcome in ("unknown", "manual")),
    ]
    lines = aligned([heads, *(_cells(name, it, packs, language) for name, it in judged)])
    problems = sorted((row.name, row.problem) for row in rows if row.problem)
    lines += [f"{neutral(name)}: {cut(neutral(why), MAX_PROBLEM)}" for name, why in problems]
    return "\n".join((*lines, _FAILED.of(language).format(len(judged), len(problems))))


def _cells(name: str, result: AuditResult, packs: Sequence[str], language: str) -> list[str]:
    scores = {pack.pack: pack.score for pack in result.packs}
    verdicts = {(v.rule, v.verdict, v.severity) for pack in result.packs for v in pack.verdicts}
    failed = Counter(severity for _, verdict, severity in verdicts if verdict == "fail")
    others = Counter(verdict for _, verdict, _ in verdicts)
    return [
        cut(neutral(name), MAX_CELL),
        *(
            _NONE.of(language) if scores.get(pack) is None else f"{100 * (scores[pack] or 0):.0f}"
            for pack in packs
        ),
        *(str(failed[severity]) for severity in reversed(SEVERITIES)),
        *(str(others[outcome]) for outcome in ("unknown", "manual")),
    ]


def _score(result: AuditResult) -> float:
    return min((pack.score for pack in result.packs if pack.score is not None), default=1.0)
