"""An audit as a table for people: result, rule, actual value, source; Chinese or English."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from exporters.findings.text import cut, neutral, width, words
from rules.model import OUTCOMES, AuditResult, Outcome, PackResult, Severity, Text, Verdict

MAX_ACTUAL = 60  # columns
MAX_SOURCE = 60
MAX_HITS = 20  # of one rule; JSON has them all

OUTCOME: dict[Outcome, Text] = {
    "pass": Text("通过", "pass"),
    "fail": Text("不通过", "FAIL"),
    "not_applicable": Text("不适用", "n/a"),
    "unknown": Text("未知", "unknown"),
    "manual": Text("人工核查", "manual"),
}
SEVERITY: dict[Severity, Text] = {
    "info": Text("提示", "info"),
    "low": Text("低", "low"),
    "medium": Text("中", "medium"),
    "high": Text("高", "high"),
    "critical": Text("严重", "critical"),
}
_COLOURS: dict[Outcome, str] = {
    "pass": "32",
    "fail": "31;1",
    "not_applicable": "2",
    "unknown": "33;1",
    "manual": "36",
}
_HEADER = (
    Text("结果", "Result"),
    Text("级别", "Severity"),
    Text("规则", "Rule"),
    Text("实际值", "Actual"),
    Text("来源", "Source"),
)
_SCORE = Text("得分", "score")
_NO_SCORE = Text("无得分", "no score")
WANTED = Text("要求", "wanted")
_MORE = Text("另有 {} 处", "{} more")
_HOST = Text("主机", "Host")

Row = tuple[str, ...]


def table(result: AuditResult, language: str, colour: bool) -> str:
    """The whole table, one part for each pack. `colour` adds escape sequences of a terminal."""
    host = neutral(result.host.name or result.host.id)
    when = result.time.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    lines = [f"{_HOST.of(language)} {host}  {when}"]
    for pack in result.packs:
        lines += ["", *_pack(pack, language, colour)]
    return "\n".join(lines)


def summary(pack: PackResult, language: str) -> str:
    """Score and counts in one line: a score is never shown without what could not be seen."""
    score = (
        _NO_SCORE.of(language) if pack.score is None else f"{_SCORE.of(language)} {pack.score:.0%}"
    )
    counts = (f"{OUTCOME[it].of(language)} {pack.counts[it]}" for it in OUTCOMES)
    return f"{pack.title.of(language)} ({pack.pack})  {score}  {'  '.join(counts)}"


def _pack(pack: PackResult, language: str, colour: bool) -> Iterator[str]:
    groups = [(rule, list(found)) for rule, found in groupby(pack.verdicts, lambda v: v.rule)]
    header: Row = tuple(text.of(language) for text in _HEADER)
    rows = [[_row(v, language) for v in found[:MAX_HITS]] for _, found in groups]
    widths = [
        max(width(row[i]) for row in (header, *(row for group in rows for row in group)))
        for i in range(len(header))
    ]
    indent = " " * (widths[0] + widths[1] + 4)
    yield neutral(summary(pack, language))
    yield _line(header, widths, "1" if colour else "")
    for (_, found), group in zip(groups, rows, strict=True):
        paint = _COLOURS[found[0].verdict] if colour else ""
        for row in group:
            yield _line(row, widths, paint)
        for note in _notes(found, language):
            yield indent + note


def _row(verdict: Verdict, language: str) -> Row:
    actual = words(verdict.actual)
    if verdict.instance:
        actual = f"{neutral(verdict.instance)}: {actual}" if actual else neutral(verdict.instance)
    if verdict.verdict == "fail" and verdict.expected is not None:
        actual = f"{actual} ({WANTED.of(language)} {words(verdict.expected)})"
    return (
        OUTCOME[verdict.verdict].of(language),
        SEVERITY[verdict.severity].of(language),
        verdict.rule,
        cut(actual, MAX_ACTUAL),
        cut(neutral(verdict.source), MAX_SOURCE),
    )


def _notes(found: Sequence[Verdict], language: str) -> Iterator[str]:
    """Under a rule that did not pass: how many more, what it asks, why it is unknown."""
    first = found[0]
    if len(found) > MAX_HITS:
        yield _MORE.of(language).format(len(found) - MAX_HITS)
    if first.verdict in ("fail", "unknown", "manual"):
        yield neutral(first.title.of(language))
    if first.reason:
        yield neutral(first.reason)
    if first.question:
        yield neutral(first.question.of(language))


def _line(row: Row, widths: Sequence[int], paint: str) -> str:
    cells = [cell + " " * (wide - width(cell)) for cell, wide in zip(row, widths, strict=True)]
    if paint:
        cells[0] = f"\x1b[{paint}m{cells[0]}\x1b[0m"
    return "  ".join(cells).rstrip()
