"""What is told of one verdict or one change of a hit: the same of either, before it has a format.

Every text in it is harmless: control characters, marks of direction and lone surrogates are escapes, and
nothing is longer than somebody would read. Formats only add their own quoting.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final, NamedTuple

from exporters.findings.text import neutral
from rules import clauses
from rules.model import (
    AuditResult,
    Change,
    Hit,
    Host,
    Outcome,
    PackResult,
    Rule,
    Severity,
    Text,
    Verdict,
    Workflow,
)

MAX_TEXT: Final = 2000  # characters
MAX_ITEMS: Final = 50  # of a list or a mapping
MAX_DEPTH: Final = 6
MAX_WHOLE: Final = 1 << 53  # larger ones are not exact in every reader of JSON

STANDARDS: Final[Mapping[str, str]] = {
    clauses.STANDARD: "GB/T 22239-2019",
    clauses.UNITS: "GB/T 28448-2019",
}

NEW, CHANGED, CLOSED = "new", "changed", "closed"


class Told(NamedTuple):
    """`state` is that of the hit, None where there is none; `activity` what became of it now: `new`,
    `changed`, `closed`. `packs` may be empty where a hit does not say."""

    host: Host
    time: datetime
    rule: str
    title: Text
    severity: Severity
    verdict: Outcome
    fingerprint: str
    activity: str
    state: Workflow | None
    instance: str
    actual: Any
    expected: Any
    source: str
    reason: str
    maps: Mapping[str, tuple[str, ...]]
    packs: tuple[str, ...]
    first_seen: datetime | None
    last_seen: datetime | None
    waiver: str
    why: Text | None
    fix: Text | None
    question: Text | None


def of_audit(
    result: AuditResult, rules: Mapping[str, Rule], hits: Mapping[str, Hit]
) -> Iterator[tuple[PackResult, Told]]:
    """Every verdict, with the life of its hit where somebody keeps hits."""
    for pack in result.packs:
        for verdict in pack.verdicts:
            yield pack, of_verdict(result, pack, verdict, rules, hits)


def fixed_in(result: AuditResult, hits: Mapping[str, Hit]) -> list[Hit]:
    """Hits that this audit closed and that have no verdict of their own any more."""
    told = {verdict.fingerprint for pack in result.packs for verdict in pack.verdicts}
    return [hit for mark, hit in hits.items() if mark not in told and _closed_by(result, hit)]


def _closed_by(result: AuditResult, hit: Hit) -> bool:
    return hit.state == "fixed" and hit.changed >= result.time


def of_verdict(
    result: AuditResult,
    pack: PackResult,
    verdict: Verdict,
    rules: Mapping[str, Rule],
    hits: Mapping[str, Hit],
) -> Told:
    rule, hit = rules.get(verdict.rule), hits.get(verdict.fingerprint)
    if hit and hit.state == "fixed" and not _closed_by(result, hit):
        hit = None  # that it was closed was told then
    old = hit and (hit.first_seen < result.time or hit.state not in ("new", "fixed"))
    return Told(
        host=_host(result.host),
        time=result.time,
        rule=verdict.rule,
        title=_text(verdict.title),
        severity=verdict.severity,
        verdict=verdict.verdict,
        fingerprint=verdict.fingerprint,
        activity=CLOSED if hit and hit.state == "fixed" else CHANGED if old else NEW,
        state=hit.state if hit else None,
        instance=line(verdict.instance),
        actual=harmless(verdict.actual),
        expected=harmless(verdict.expected),
        source=line(verdict.source),
        reason=line(verdict.reason),
        maps=_maps(verdict.maps),
        packs=(pack.pack,),
        first_seen=hit.first_seen if hit else None,
        last_seen=hit.last_seen if hit else None,
        waiver=line(hit.waiver) if hit else "",
        why=_text(rule.why) if rule and rule.why else None,
        fix=_text(rule.fix) if rule and rule.fix else None,
        question=_text(verdict.question) if verdict.question else None,
    )


def of_change(change: Change, rules: Mapping[str, Rule]) -> Told:
    return of_hit(
        change.hit,
        change.time,
        CLOSED if change.hit.state == "fixed" else NEW if change.before is None else CHANGED,
        rules,
    )


def of_fixed(hit: Hit, result: AuditResult, rules: Mapping[str, Rule]) -> Told:
    """One of `fixed_in`."""
    return of_hit(hit, result.time, CLOSED, rules)


def of_hit(hit: Hit, time: datetime, activity: str, rules: Mapping[str, Rule]) -> Told:
    """A hit as it is, whatever became of it."""
    rule = rules.get(hit.rule)
    unseen = hit.unseen_since is not None
    return Told(
        host=_host(hit.host),
        time=time,
        rule=hit.rule,
        title=_text(hit.title),
        severity=hit.severity,
        verdict="pass" if hit.state == "fixed" else "unknown" if unseen else "fail",
        fingerprint=hit.fingerprint,
        activity=activity,
        state=hit.state,
        instance=line(hit.instance),
        actual=harmless(hit.actual),
        expected=harmless(hit.expected),
        source=line(hit.source),
        reason=line(hit.note),
        maps=_maps(hit.maps),
        packs=hit.packs,
        first_seen=hit.first_seen,
        last_seen=hit.last_seen,
        waiver=line(hit.waiver),
        why=_text(rule.why) if rule and rule.why else None,
        fix=_text(rule.fix) if rule and rule.fix else None,
        question=None,
    )


def both(text: Text) -> str:
    """Both languages, for readers that nobody could ask for theirs."""
    return text.zh if text.zh == text.en else f"{text.zh} / {text.en}"


def line(text: str) -> str:
    """The text in one harmless line."""
    short = text if len(text) <= MAX_TEXT else text[: MAX_TEXT - 1] + "…"
    return neutral(short)


def harmless(value: Any, depth: int = 0) -> Any:
    """The value of JSON with its texts harmless, and nothing that a reader of JSON refuses."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value) if abs(value) <= MAX_WHOLE else line(hex(value))
    if isinstance(value, float):
        return float(value) if value - value == 0 else str(float(value))  # NaN is not JSON
    if isinstance(value, str) or depth >= MAX_DEPTH:
        return line(str(value))
    if isinstance(value, Mapping):
        few = list(value.items())[:MAX_ITEMS]
        told = {line(str(key)): harmless(item, depth + 1) for key, item in few}
        return told if len(value) <= MAX_ITEMS else {**told, "…": len(value) - MAX_ITEMS}
    if isinstance(value, (list, tuple)):
        items = [harmless(item, depth + 1) for item in value[:MAX_ITEMS]]
        return items if len(value) <= MAX_ITEMS else [*items, "…"]
    return line(str(value))


def clauses_of(maps: Mapping[str, tuple[str, ...]]) -> list[str]:
    """`GB/T 22239-2019 8.1.4.1.a` and the like."""
    return [f"{STANDARDS.get(name, name)} {one}" for name, ones in maps.items() for one in ones]


def _host(host: Host) -> Host:
    return Host(line(host.id), line(host.name))


def _text(text: Text) -> Text:
    return Text(line(text.zh), line(text.en))


def _maps(maps: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    return {line(name): tuple(map(line, ones)) for name, ones in maps.items()}
