"""IPv6 readiness of one subject for people: scores, layers, and a reason for each lost point."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from exporters.findings.table import OUTCOME, WANTED
from exporters.findings.text import cut, neutral, width, words
from rules.model import Outcome, Text
from rules.readinessmodel import CheckResult, Evidence, LayerScore, Readiness

MAX_EVIDENCE = 5  # of one check; JSON has them all
MAX_COLUMNS = 120

_VERDICT: dict[Outcome, Text] = {**OUTCOME, "unknown": Text("未测试", "not tested")}
_COLOURS = {"pass": "32", "fail": "31;1", "unknown": "33;1"}
_SCORE = Text("得分 {} / 100", "score {} / 100")
_IPV6_ONLY = Text("纯 IPv6 得分 {}", "IPv6-only score {}")
_NO_SCORE = Text("无", "none")
_LAYER = (Text("层", "Layer"), Text("得分", "Points"), Text("未测试", "Not tested"))
_PROBLEM = Text("无法检查：{}", "could not be checked: {}")
_FIX = Text("处理：", "fix: ")


def table(readiness: Readiness, language: str, colour: bool) -> str:
    """`colour` adds escape sequences of a terminal."""
    return "\n".join(_lines(readiness, language, colour))


def _lines(readiness: Readiness, language: str, colour: bool) -> Iterator[str]:
    subject = readiness.subject
    when = readiness.time.astimezone().strftime("%Y-%m-%d %H:%M:%S %z")
    target = "" if subject.target == subject.name else f"  {neutral(subject.target)}"
    yield f"{neutral(subject.name)}{target}  {when}"
    if readiness.problem:
        yield _PROBLEM.of(language).format(neutral(readiness.problem))
        return
    scores = (
        _SCORE.of(language).format(_points(readiness.score, language)),
        _IPV6_ONLY.of(language).format(_points(readiness.ipv6_only_score, language)),
    )
    yield "  ".join(scores)
    if readiness.capped:
        yield neutral(readiness.capped.of(language))
    yield ""
    yield from _layers(readiness.layers, language)
    for layer in readiness.layers:
        yield ""
        yield f"{layer.title.of(language)}"
        for check in readiness.checks:
            if check.layer == layer.layer:
                yield from _check(check, language, colour)


def _points(score: float | None, language: str) -> str:
    return _NO_SCORE.of(language) if score is None else f"{score:.1f}"


def _layers(layers: Sequence[LayerScore], language: str) -> Iterator[str]:
    rows = [tuple(head.of(language) for head in _LAYER)]
    for one in layers:
        rows.append((one.title.of(language), f"{one.points:g} / {one.of:g}", f"{one.untested:g}"))
    widths = [max(width(row[n]) for row in rows) for n in range(len(_LAYER))]
    for row in rows:
        cells = (cell + " " * (widths[n] - width(cell)) for n, cell in enumerate(row))
        yield "  ".join(cells).rstrip()


def _check(check: CheckResult, language: str, colour: bool) -> Iterator[str]:
    verdict = _VERDICT[check.verdict].of(language)
    wide = max(width(text.of(language)) for text in _VERDICT.values())
    padded = verdict + " " * (wide - width(verdict))
    paint = _COLOURS.get(check.verdict, "") if colour else ""
    if paint:
        padded = f"\x1b[{paint}m{padded}\x1b[0m"
    lost = f"-{check.weight:g}" if check.verdict in ("fail", "unknown") and check.weight else ""
    yield f"  {padded}  {lost:>3}  {check.title.of(language)} ({check.id})".rstrip()
    if check.verdict not in ("fail", "unknown", "manual"):
        return
    indent = " " * (wide + 9)
    yield indent + neutral(check.reason.of(language))
    for one in check.evidence[:MAX_EVIDENCE]:
        if text := _evidence(one, language):
            yield indent + cut(f"· {text}", MAX_COLUMNS)
    if len(check.evidence) > MAX_EVIDENCE:
        yield f"{indent}· … +{len(check.evidence) - MAX_EVIDENCE}"
    if check.fix:
        yield indent + _FIX.of(language) + neutral(check.fix.of(language))


def _evidence(one: Evidence, language: str) -> str:
    parts = [neutral(one.instance), words(one.actual)]
    if one.expected not in (None, "", []):
        parts.append(f"({WANTED.of(language)} {words(one.expected)})")
    if one.source:
        parts.append(f"[{neutral(one.source)}]")
    return " ".join(part for part in parts if part)
