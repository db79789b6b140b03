"""Hits for people: a table, and one hit whole; Chinese or English."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from exporters.findings.columns import aligned
from exporters.findings.table import SEVERITY
from exporters.findings.text import cut, neutral, words
from rules.model import Hit, Text, Workflow

MAX_CELL = 50  # columns
SHORT = 12  # digits of a fingerprint that are shown; any beginning that is unique is understood

STATE: dict[Workflow, Text] = {
    "new": Text("新发现", "new"),
    "acknowledged": Text("已确认", "acknowledged"),
    "waived": Text("已豁免", "waived"),
    "fixed": Text("已修复", "fixed"),
    "regressed": Text("复发", "REGRESSED"),
}
_HEADER = (
    Text("指纹", "Hit"),
    Text("状态", "State"),
    Text("级别", "Severity"),
    Text("主机", "Host"),
    Text("规则", "Rule"),
    Text("对象", "Instance"),
    Text("实际值", "Actual"),
    Text("首次发现", "First seen"),
)
_LABELS = {
    "rule": Text("规则", "Rule"),
    "instance": Text("对象", "Instance"),
    "host": Text("主机", "Host"),
    "severity": Text("级别", "Severity"),
    "state": Text("状态", "State"),
    "actual": Text("实际值", "Actual"),
    "expected": Text("要求", "Wanted"),
    "source": Text("来源", "Source"),
    "packs": Text("规则包", "Packs"),
    "maps": Text("条款", "Clauses"),
    "first_seen": Text("首次发现", "First seen"),
    "last_seen": Text("最近发现", "Last seen"),
    "changed": Text("状态变更", "Changed"),
    "unseen_since": Text("无法核查起", "Not seen since"),
    "waiver": Text("豁免", "Waiver"),
    "by": Text("确认人", "By"),
    "note": Text("备注", "Note"),
    "evidence": Text("证据摘要", "Evidence"),
    "fingerprint": Text("指纹", "Fingerprint"),
}
_NONE = Text("没有命中", "no hits")
_UNSEEN = Text("（无法核查）", " (not seen)")


def table(hits: Sequence[Hit], language: str) -> str:
    """One line a hit."""
    if not hits:
        return _NONE.of(language)
    rows = [
        (
            hit.fingerprint[:SHORT],
            STATE[hit.state].of(language) + (_UNSEEN.of(language) if hit.unseen_since else ""),
            SEVERITY[hit.severity].of(language),
            cut(neutral(hit.host.name or hit.host.id), MAX_CELL),
            hit.rule,
            cut(neutral(hit.instance), MAX_CELL),
            cut(words(hit.actual), MAX_CELL),
            _time(hit.first_seen),
        )
        for hit in hits
    ]
    return "\n".join(aligned([[head.of(language) for head in _HEADER], *rows]))


def lost(changes: int) -> str:
    """For standard error, where changes were dropped before they were told."""
    return (
        f"{changes} changes of hits were dropped before anybody was told, since hits are kept: "
        "the agent tells them (findings in its configuration)"
    )


def whole(hit: Hit, language: str) -> str:
    """All of one hit, a line each."""
    return "\n".join([neutral(hit.title.of(language)), *aligned(_lines(hit, language))])


def _lines(hit: Hit, language: str) -> Iterable[tuple[str, str]]:
    for name, label in _LABELS.items():
        value = getattr(hit, name)
        if name == "severity":
            text = SEVERITY[hit.severity].of(language)
        elif name == "state":
            text = STATE[hit.state].of(language)
        elif name == "host":
            text = neutral(f"{hit.host.name} ({hit.host.id})")
        elif isinstance(value, datetime):
            text = _time(value)
        else:
            text = words(value)
        if text:
            yield label.of(language), text


def _time(time: datetime) -> str:
    return time.astimezone().strftime("%Y-%m-%d %H:%M")
