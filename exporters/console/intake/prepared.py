"""An audit made ready for the tables: its texts harmless and bounded, its evidence as JSON, its fingerprints of its
own host, whatever it says they are. Pure.
"""

from __future__ import annotations

from typing import Any, Final

import msgspec

from exporters.findings.told import harmless, line
from rules.model import AuditResult, Hit, Host, PackResult, Verdict, fingerprint

AGENT: Final = "agent:"  # how a waiver or a person begins that is the agent's word alone
MAX_JSON: Final = 8000  # characters of one value
MAX_NAME: Final = 300


def prepared(result: AuditResult, waives: bool = False) -> AuditResult:
    """In its failing verdicts and its hits, `actual` and `expected` are JSON texts. `waives`: what the agent waived is
    so here, too."""
    host = Host(result.host.id, name(result.host.name))
    return msgspec.structs.replace(
        result,
        host=host,
        packs=tuple(_pack(pack, host) for pack in result.packs),
        hits=tuple(_hit(hit, host, waives) for hit in result.hits),
        changes=(),
    )


def as_json(value: Any) -> str:
    if value is None:
        return "null"
    text = msgspec.json.encode(harmless(value)).decode()
    return text if len(text) <= MAX_JSON else msgspec.json.encode(line(text)).decode()


def name(text: str) -> str:
    return line(text)[:MAX_NAME]


def _pack(pack: PackResult, host: Host) -> PackResult:
    return msgspec.structs.replace(
        pack, pack=name(pack.pack), verdicts=tuple(_verdict(one, host) for one in pack.verdicts)
    )


def _verdict(verdict: Verdict, host: Host) -> Verdict:
    if verdict.verdict != "fail":
        if not verdict.reason and verdict.rule.isprintable() and len(verdict.rule) <= MAX_NAME:
            return verdict  # nearly all; nothing else of it is kept
        return msgspec.structs.replace(
            verdict, rule=name(verdict.rule), reason=line(verdict.reason)
        )
    return Verdict(
        rule=name(verdict.rule),
        verdict=verdict.verdict,
        severity=verdict.severity,
        title=verdict.title,
        instance=line(verdict.instance),
        actual=as_json(verdict.actual),
        expected=as_json(verdict.expected),
        source=line(verdict.source),
        maps=verdict.maps,
        fingerprint=fingerprint(host.id, verdict.rule, verdict.instance),
        evidence=name(verdict.evidence),
    )


def _hit(hit: Hit, host: Host, waives: bool) -> Hit:
    """Of the agent's own hits only what people said at the agent is of use: by whom, nobody has checked there."""
    return msgspec.structs.replace(
        hit,
        fingerprint=fingerprint(host.id, hit.rule, hit.instance),
        host=host,
        state="new" if hit.state == "waived" and not waives else hit.state,
        waiver=name(hit.waiver),
        by=name(AGENT + hit.by),
        note=line(hit.note),
    )
