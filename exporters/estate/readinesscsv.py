"""The readiness of the estate as CSV for spreadsheets: a row a subject, a row a check."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from math import fsum

from exporters.estate.joining import COUNTED, Scored
from exporters.estate.readiness import Report, outdated, rank_of
from exporters.estate.readinesshtml import evidence, why
from exporters.estate.words import OUTCOMES, say
from exporters.findings.table import SEVERITY
from exporters.report import plain
from exporters.report.sheet import Cell, table


def subjects(report: Report, language: str, made: datetime) -> bytes:
    """One row a subject, worst first; `made` is when the report was."""
    heads = ["rank", "name", "kind", "department", "level", "owner", "target", "is_tested", "why"]
    heads += ["score", "ipv6_only", "untested_share", "own_score", "capped", "behind", "time"]
    heads.append("outdated")
    names = [layer.layer for layer in report.layers]
    titles = [layer.title.of(language) for layer in report.layers]
    ranks = rank_of(report.subjects)
    return table(
        [*(say(head, language) for head in heads), *titles],
        (_subject(one, ranks[one.row.name], names, language, made) for one in report.subjects),
    )


def checks(report: Report, language: str) -> bytes:
    """One row for each check of a subject's own; subjects that were not tested have one row."""
    heads = ["name", "kind", "department", "level", "check", "check", "layer", "weight", "verdict"]
    heads += ["points_here", "severity", "reason", "fix", "evidence"]
    words = [say(head, language) for head in heads]
    words[5] += " ID"
    rows = (row for one in report.subjects for row in _checks(one, language))
    return table(words, rows)


def _subject(
    one: Scored, rank: int, layers: Sequence[str], language: str, made: datetime
) -> list[Cell]:
    points = {layer.layer: layer for layer in one.layers}
    return [
        rank,
        *_who(one, language),
        one.row.owner,
        one.row.target,
        say("yes" if one.tested else "no", language),
        "" if one.tested else why(one, language),
        one.score,
        one.ipv6_only_score,
        plain.percent(one.untested),
        one.own_score,
        one.capped.of(language) if one.capped else "",
        "; ".join(one.row.hosts),
        plain.moment(one.time) if one.time else "",
        say("yes", language) if outdated(one, made) else "",
        *(points[name].points if name in points and points[name].of else None for name in layers),
    ]


def _checks(one: Scored, language: str) -> Iterator[list[Cell]]:
    who = _who(one, language)
    if not one.own:
        yield [*who, "", "", "", None, say("untested", language), None, "", why(one, language)]
    of = fsum(check.weight for check in one.own if check.verdict in COUNTED)
    titles = {layer.layer: layer.title.of(language) for layer in one.layers}
    for check in one.own:
        lost = 100 * check.weight / of if check.verdict in ("fail", "unknown") and of else None
        few = [evidence(it, language) for it in check.evidence[: plain.MAX_EVIDENCE]]
        if more := len(check.evidence) - len(few):
            few.append(say("more", language).format(more))
        yield [
            *who,
            check.title.of(language),
            check.id,
            titles.get(check.layer, check.layer),
            check.weight,
            OUTCOMES[check.verdict].of(language),
            lost,
            SEVERITY[check.severity].of(language),
            check.reason.of(language),
            check.fix.of(language) if check.fix else "",
            "; ".join(few),
        ]


def _who(one: Scored, language: str) -> list[Cell]:
    level = f"level_{one.row.level}" if one.row.level else "none_level"
    return [one.row.name, say(one.row.kind, language), one.row.department, say(level, language)]
