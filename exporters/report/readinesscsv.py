"""The readiness of the estate as CSV (RFC 4180) for spreadsheets: a row a subject, a row a check.

UTF-8 with a byte order mark, so that Excel takes it for what it is. A cell that a spreadsheet would
take for a formula begins with an apostrophe: its text may be an attacker's.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from math import fsum
from typing import Final

from exporters.findings.table import SEVERITY
from exporters.report import plain
from exporters.report.joining import COUNTED, Scored
from exporters.report.readiness import Report, outdated, rank_of
from exporters.report.readinesshtml import evidence, why
from exporters.report.words import OUTCOMES, say

Cell = str | float | int | None
# Full-width signs too: a Chinese or Japanese spreadsheet takes them for the plain ones.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def subjects(report: Report, language: str, made: datetime) -> bytes:
    """One row a subject, worst first; `made` is when the report was."""
    heads = ["rank", "name", "kind", "department", "level", "owner", "target", "is_tested", "why"]
    heads += ["score", "ipv6_only", "untested_share", "own_score", "capped", "behind", "time"]
    heads.append("outdated")
    names = [layer.layer for layer in report.layers]
    titles = [layer.title.of(language) for layer in report.layers]
    ranks = rank_of(report.subjects)
    return _table(
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
    return _table(words, rows)


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


def _table(heads: Sequence[str], rows: Iterable[Sequence[Cell]]) -> bytes:
    out = io.StringIO(newline="")
    writer = csv.writer(out)
    writer.writerow([_cell(head) for head in heads])
    for row in rows:
        cells = [_cell(it) for it in row]
        writer.writerow(cells + [""] * (len(heads) - len(cells)))
    return out.getvalue().encode("utf-8-sig")


def _cell(it: Cell) -> str:
    if it is None:
        return ""
    if isinstance(it, float):
        return f"{it:.1f}"
    if isinstance(it, int):
        return str(it)
    apostrophe = "'" if it.startswith(_FORMULA) else ""
    return apostrophe + plain.long(it)
