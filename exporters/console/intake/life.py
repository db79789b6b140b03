"""The hits of a host after an audit, as this console sees them: rules.hits, and what was said at the agent. Pure.

An audit from which something was left out closes nothing: only what fails in it is applied.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from exporters.console.intake.prepared import AGENT
from rules import hits
from rules.hits import Ledger
from rules.model import AuditResult, Hit
from rules.waivers import Waiver


def after(
    known: Mapping[str, Hit], result: AuditResult, waivers: Sequence[Waiver]
) -> dict[str, Hit]:
    """By fingerprint. Hits that are forgotten are not in it."""
    found: dict[str, Hit] = {}
    before = known
    if result.left_out:
        failing = {
            one.fingerprint
            for pack in result.packs
            for one in pack.verdicts
            if one.verdict == "fail"
        }
        before = {mark: hit for mark, hit in known.items() if mark in failing}
        found = {mark: hit for mark, hit in known.items() if mark not in failing}
    ledger = hits.after(Ledger(result.host, tuple(before.values())), result, waivers)
    said = {hit.fingerprint: hit for hit in result.hits}
    silent = bool(result.hits_problem or result.left_out) and not result.hits
    for one in ledger.hits:
        old = known.get(one.fingerprint)
        word = said.get(one.fingerprint)
        if old and result.left_out and old.state != "fixed":
            packs = (*one.packs, *(pack for pack in old.packs if pack not in one.packs))
            one = msgspec.structs.replace(one, packs=packs)
        if old is None and word and word.first_seen < one.first_seen:
            one = msgspec.structs.replace(one, first_seen=word.first_seen)
        if one.state == "regressed" and old and old.state == "fixed":
            one = msgspec.structs.replace(one, by="", note="")
        found[one.fingerprint] = _said(old, one, word, silent)
    return found


def _said(old: Hit | None, one: Hit, word: Hit | None, silent: bool) -> Hit:
    """A hit with what the agent's own word on it adds: nothing where people decided something here."""
    was = old.waiver if old and old.state == "waived" and old.waiver.startswith(AGENT) else ""
    if one.state not in ("new", "regressed"):
        return one
    if silent:  # what it said before stands, for the evidence that it was said of
        if old and was and one.state == "new" and old.evidence == one.evidence:
            return _again(old, one)
        return one
    if word is None:
        return one
    if word.state == "waived" and word.waiver:
        code = AGENT + word.waiver
        if old and was == code:
            return _again(old, one)
        return msgspec.structs.replace(
            one, state="waived", changed=one.last_seen, waiver=code, by=word.by, note=word.note
        )
    # an acknowledgement that was taken back here, or is older than a relapse, is none
    if word.state == "acknowledged" and (old is None or word.changed > one.changed):
        return msgspec.structs.replace(
            one, state="acknowledged", changed=one.last_seen, by=word.by, note=word.note
        )
    return one


def _again(old: Hit, one: Hit) -> Hit:
    return msgspec.structs.replace(
        one, state="waived", changed=old.changed, waiver=old.waiver, note=old.note
    )
