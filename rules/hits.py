"""The life of hits: from the hits known and one audit to the hits now, and what changed. Pure.

    (none) ──fails──> new ──> acknowledged          by a person
    new, acknowledged, regressed ──waiver──> waived ──lapses──> new
    any ──passes──> fixed ──fails again──> regressed

A hit is fixed when it passed, or no longer applied, in every pack in which it had failed, at the last
audit by each; an audit without one of them leaves the hit as it is. Unknown and manual close nothing, and
neither does a rule that was not judged or is switched off. A waiver that lapsed for a hit, since its
evidence changed or it was fixed, is in force for it no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec

from rules.model import MORE, OPEN, AuditResult, Change, Hit, Host, Verdict, Workflow
from rules.waivers import LAPSED, Waiver, in_force

OFF = "off: "  # how the engine's reason of a rule that a profile switched off begins
KEPT = timedelta(days=400)  # how long a fixed hit is remembered
MAX_UNTOLD = 20_000  # changes
MAX_PAST = (
    2000  # hits of a rule that do not fail now: names can be made faster than they are forgotten
)


class Ledger(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What is kept of a host: its hits, and the changes that were not told yet.

    `number` is that of the last change; `lost` counts changes that were not told in time and dropped, and
    open hits that were dropped since their rule had too many.
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
    """Of an audit: the failed by fingerprint with their packs, and how each rule came out in each pack."""

    failed: dict[str, tuple[Verdict, tuple[str, ...]]]
    packs: frozenset[str]
    rules: dict[tuple[str, str], set[str]]  # `off` for one that is switched off
    last: dict[tuple[str, str], str]  # where not all offenders are told: the last that is

    def of(self, pack: str, hit: Hit) -> str:
        """What a pack says of a hit that did not fail in it: `clear`, or `unseen`, or `silent` where it was
        not asked."""
        if pack not in self.packs:
            return "unseen"
        outcomes = self.rules.get((pack, hit.rule), set())
        # a row that could not be judged, or is not told, may be this one
        if outcomes & {"unknown", "manual"} or self._hidden(pack, hit):
            return "unseen"
        return "clear" if outcomes & {"pass", "fail", "not_applicable"} else "silent"

    def _hidden(self, pack: str, hit: Hit) -> bool:
        last = self.last.get((pack, hit.rule))
        return last is not None and hit.instance > last


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
        hits[mark] = _failing(known.get(mark), verdict, packs, outcomes, host, now)
    for mark, hit in known.items():
        if mark not in hits:
            hits[mark] = _not_failing(hit, outcomes, now)
    hits = {mark: waived(hit, waivers, now) for mark, hit in hits.items()}
    kept = {m: h for m, h in hits.items() if h.state != "fixed" or now - h.changed < KEPT}
    dropped = _too_many(kept.values(), outcomes)
    kept = {mark: hit for mark, hit in kept.items() if mark not in dropped}
    lost = sum(hit.state != "fixed" for hit in dropped.values())
    return _recorded(ledger, host, kept, known, now, lost)


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
    ledger: Ledger,
    host: Host,
    hits: Mapping[str, Hit],
    known: Mapping[str, Hit],
    now: datetime,
    lost: int = 0,
) -> Ledger:
    """The ledger with these hits, and the changes that this is; `lost` more hits were dropped."""
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
        ledger.lost + over + lost,
    )


def _too_many(hits: Iterable[Hit], outcomes: _Outcomes) -> dict[str, Hit]:
    """Of each rule the hits beyond MAX_PAST that do not fail now, by fingerprint: first the longest fixed,
    then those not seen for the longest time."""
    past: dict[str, list[Hit]] = {}
    for hit in hits:
        if hit.fingerprint not in outcomes.failed:
            past.setdefault(hit.rule, []).append(hit)
    dropped: dict[str, Hit] = {}
    for of_rule in past.values():
        of_rule.sort(key=lambda hit: (hit.state != "fixed", hit.last_seen, hit.fingerprint))
        over = max(len(of_rule) - MAX_PAST, 0)
        dropped |= {hit.fingerprint: hit for hit in of_rule[:over]}
    return dropped


def _outcomes(result: AuditResult) -> _Outcomes:
    found = _Outcomes({}, frozenset(pack.pack for pack in result.packs), {}, {})
    listed: dict[tuple[str, str], str] = {}
    for pack in result.packs:
        for verdict in pack.verdicts:
            of_rule = found.rules.setdefault((pack.pack, verdict.rule), set())
            off = verdict.verdict == "not_applicable" and verdict.reason.startswith(OFF)
            of_rule.add("off" if off else verdict.verdict)
            if verdict.verdict == "fail":
                _, packs = found.failed.get(verdict.fingerprint, (None, ()))
                found.failed[verdict.fingerprint] = (verdict, (*packs, pack.pack))
                name = (pack.pack, verdict.rule)
                if verdict.instance == MORE:
                    found.last[name] = ""
                else:
                    listed[name] = max(listed.get(name, ""), verdict.instance)
    found.last.update((name, listed.get(name, "")) for name in found.last)
    return found


def _failing(
    hit: Hit | None,
    verdict: Verdict,
    packs: tuple[str, ...],
    outcomes: _Outcomes,
    host: Host,
    now: datetime,
) -> Hit:
    state: Workflow = "new"
    changed = first = now
    waived_for: dict[str, str] = {}
    if hit:
        state, first = ("regressed" if hit.state == "fixed" else hit.state), hit.first_seen
        changed = hit.changed if state == hit.state else now
        waived_for = hit.waived_for
        if hit.state == "fixed":
            waived_for = dict.fromkeys(waived_for, LAPSED)
        else:
            others = (pack for pack in hit.packs if pack not in packs)
            packs = (*packs, *(pack for pack in others if outcomes.of(pack, hit) != "clear"))
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
        waived_for=waived_for,
        by=hit.by if hit else "",
        note=hit.note if hit else "",
    )


def _not_failing(hit: Hit, outcomes: _Outcomes, now: datetime) -> Hit:
    """A hit of an audit in which it did not fail: fixed, or it could not be seen."""
    if hit.state == "fixed":
        return hit
    said = {pack: outcomes.of(pack, hit) for pack in hit.packs}
    if "unseen" not in said.values() and "clear" in said.values():
        return msgspec.structs.replace(
            hit, state="fixed", changed=now, unseen_since=None, waiver=""
        )
    left = tuple(pack for pack, what in said.items() if what != "clear")
    return msgspec.structs.replace(hit, packs=left, unseen_since=hit.unseen_since or now)


def waived(hit: Hit, waivers: Sequence[Waiver], now: datetime) -> Hit:
    """A hit by the waivers there are now."""
    if hit.state == "fixed":
        return hit
    bound = {
        name: evidence if evidence == hit.evidence else LAPSED
        for name, evidence in hit.waived_for.items()
    }
    waiver, why = in_force(waivers, hit, now)
    if waiver:
        bound[waiver.id] = hit.evidence
        changed = hit.changed if hit.state == "waived" else now
        return msgspec.structs.replace(
            hit, state="waived", changed=changed, waiver=waiver.id, waived_for=bound
        )
    if hit.state != "waived":
        return msgspec.structs.replace(hit, waived_for=bound)
    note = why or f"waiver {hit.waiver} was taken back"
    return msgspec.structs.replace(
        hit, state="new", changed=now, waiver="", waived_for=bound, note=note
    )
