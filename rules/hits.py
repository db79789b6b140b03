"""The life of hits: from the hits known and one audit to the hits now, and what changed. Pure.

    (none) ──fails──> new ──> acknowledged          by a person
    new, acknowledged, regressed ──waiver──> waived ──lapses──> new
    any ──passes──> fixed ──fails again──> regressed

Unknown and manual close nothing, and neither does a rule that was not judged or is switched off.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from rules.model import AuditResult, Change, Hit, Host, Verdict, Workflow
from rules.waivers import Waiver, in_force

OPEN: frozenset[Workflow] = frozenset({"new", "acknowledged", "regressed"})
OFF = "off: "  # how the engine's reason of a rule that a profile switched off begins
KEPT = timedelta(days=400)  # how long a fixed hit is remembered
MAX_UNTOLD = 20_000


class Ledger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of a host: its hits, and the changes that were not told yet.

    `number` is that of the last change; `lost` counts changes that were not told in time and dropped.
    """

    host: Host
    hits: tuple[Hit, ...] = ()
    untold: tuple[Change, ...] = ()
    number: int = 0
    lost: int = 0

    def told(self, number: int) -> Ledger:
        """Without the changes up to a number."""
        kept = tuple(change for change in self.untold if change.number > number)
        return msgspec.structs.replace(self, untold=kept)


class _Outcomes(NamedTuple):
    """Of an audit: the failed by fingerprint with their packs, and how each rule came out."""

    failed: dict[str, tuple[Verdict, tuple[str, ...]]]
    rules: dict[str, set[str]]  # `off` for one that is switched off


def after(
    ledger: Ledger, result: AuditResult, waivers: Sequence[Waiver] = (), now: datetime | None = None
) -> Ledger:
    """The ledger after an audit; `now` is the audit's time unless given."""
    now = now or result.time
    outcomes = _outcomes(result)
    known = {hit.fingerprint: hit for hit in ledger.hits}
    host = result.host
    hits: dict[str, Hit] = {}
    for mark, (verdict, packs) in outcomes.failed.items():
        hits[mark] = _failing(known.get(mark), verdict, packs, host, now)
    for mark, hit in known.items():
        if mark not in hits:
            hits[mark] = _not_failing(hit, outcomes, now)
    hits = {mark: _waived(hit, waivers, now) for mark, hit in hits.items()}
    kept = {m: h for m, h in hits.items() if h.state != "fixed" or now - h.changed < KEPT}
    return _recorded(ledger, host, kept, known, now)


def acknowledge(ledger: Ledger, marks: Iterable[str], by: str, note: str, now: datetime) -> Ledger:
    """With these hits acknowledged; raises KeyError for a fingerprint that has no open hit."""
    known = {hit.fingerprint: hit for hit in ledger.hits}
    hits = dict(known)
    for mark in marks:
        if known[mark].state not in OPEN:
            raise KeyError(mark)
        hits[mark] = msgspec.structs.replace(
            known[mark], state="acknowledged", changed=now, by=by, note=note
        )
    return _recorded(ledger, ledger.host, hits, known, now)


def _recorded(
    ledger: Ledger, host: Host, hits: Mapping[str, Hit], known: Mapping[str, Hit], now: datetime
) -> Ledger:
    """The ledger with these hits, and the changes that this is."""
    changes: list[Change] = []
    for mark, hit in hits.items():
        before = known.get(mark)
        if before is None or (before.state, before.evidence) != (hit.state, hit.evidence):
            number = ledger.number + len(changes) + 1
            changes.append(Change(hit, before.state if before else None, now, number))
    untold = (*ledger.untold, *changes)
    over = max(len(untold) - MAX_UNTOLD, 0)
    return Ledger(
        host,
        tuple(hits.values()),
        untold[over:],
        ledger.number + len(changes),
        ledger.lost + over,
    )


def _outcomes(result: AuditResult) -> _Outcomes:
    found = _Outcomes({}, {})
    for pack in result.packs:
        for verdict in pack.verdicts:
            of_rule = found.rules.setdefault(verdict.rule, set())
            off = verdict.verdict == "not_applicable" and verdict.reason.startswith(OFF)
            of_rule.add("off" if off else verdict.verdict)
            if verdict.verdict == "fail":
                _, packs = found.failed.get(verdict.fingerprint, (None, ()))
                found.failed[verdict.fingerprint] = (verdict, (*packs, pack.pack))
    return found


def _failing(
    hit: Hit | None, verdict: Verdict, packs: tuple[str, ...], host: Host, now: datetime
) -> Hit:
    state: Workflow = "new"
    changed = first = now
    if hit:
        state, first = ("regressed" if hit.state == "fixed" else hit.state), hit.first_seen
        changed = hit.changed if state == hit.state else now
    return Hit(
        fingerprint=verdict.fingerprint,
        host=host,
        rule=verdict.rule,
        title=verdict.title,
        severity=verdict.severity,
        state=state,
        first_seen=first,
        last_seen=now,
        changed=changed,
        instance=verdict.instance,
        packs=packs,
        actual=verdict.actual,
        expected=verdict.expected,
        source=verdict.source,
        evidence=verdict.evidence,
        maps=verdict.maps,
        waiver=hit.waiver if hit else "",
        waived_for=hit.waived_for if hit else {},
        by=hit.by if hit else "",
        note=hit.note if hit else "",
    )


def _not_failing(hit: Hit, outcomes: _Outcomes, now: datetime) -> Hit:
    """A hit of an audit in which it did not fail: fixed, or it could not be seen."""
    if hit.state == "fixed":
        return hit
    of_rule = outcomes.rules.get(hit.rule, set())
    # a row that could not be judged may be this one by another name
    if "unknown" in of_rule or not of_rule.intersection(("pass", "fail", "not_applicable")):
        return msgspec.structs.replace(hit, unseen_since=hit.unseen_since or now)
    return msgspec.structs.replace(hit, state="fixed", changed=now, unseen_since=None, waiver="")


def _waived(hit: Hit, waivers: Sequence[Waiver], now: datetime) -> Hit:
    if hit.state == "fixed":
        return hit
    waiver, why = in_force(waivers, hit, now)
    if waiver:
        bound = {waiver.id: waiver.evidence or hit.evidence, **hit.waived_for}
        changed = hit.changed if hit.state == "waived" else now
        return msgspec.structs.replace(
            hit, state="waived", changed=changed, waiver=waiver.id, waived_for=bound
        )
    if hit.state != "waived":
        return hit
    note = why or f"waiver {hit.waiver} was taken back"
    return msgspec.structs.replace(hit, state="new", changed=now, waiver="", note=note)
