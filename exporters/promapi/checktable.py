"""Findings of a check as a table for a terminal, and as documents of JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, Final

from exporters.findings.columns import aligned
from exporters.promapi.checkwords import LEVEL, SUMMARY
from exporters.promapi.finding import Finding
from rules.model import Text

MAX_SHOWN: Final = 8  # details of a finding


def table(findings: Sequence[Finding], language: str) -> str:
    """In the order of the checks; below each that is not well what it is about, and what to do, once where several
    that follow each other want the same."""
    rows = aligned([(LEVEL[one.level].of(language), one.text.of(language)) for one in findings])
    lines: list[str] = []
    followers = [*(one.remedy for one in findings[1:]), None]
    for row, one, follower in zip(rows, findings, followers, strict=True):
        lines += [row, *(f"    {line}" for line in _below(one, language, follower))]
    levels = Counter(one.level for one in findings)
    worst = next((level for level in ("error", "warning") if levels[level]), "ok")
    summary = SUMMARY[worst].of(language)
    return "\n".join(
        [*lines, "", summary.format(errors=levels["error"], warnings=levels["warning"])]
    )


def documents(findings: Sequence[Finding]) -> list[dict[str, Any]]:
    """One a finding: level, code, text and remedy in both languages, details, count."""
    return [
        {
            "level": one.level,
            "code": one.code,
            "text": {"zh": one.text.zh, "en": one.text.en},
            "remedy": {"zh": one.remedy.zh, "en": one.remedy.en},
            "details": list(one.details),
            "count": one.count,
        }
        for one in findings
    ]


def _below(one: Finding, language: str, follower: Text | None) -> Iterator[str]:
    if one.level != "ok" and one.details:
        more = f" … +{one.count - MAX_SHOWN}" if one.count > MAX_SHOWN else ""
        yield "; ".join(one.details[:MAX_SHOWN]) + more
    remedy = one.remedy.of(language)
    if remedy and one.remedy != follower:
        yield f"→ {remedy}"
