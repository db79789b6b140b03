"""An audit as SARIF 2.1.0 (OASIS Static Analysis Results Interchange Format): one run a pack.

A verdict is a result; its `kind` tells how it came out, `baselineState` what the audits before said of it,
a suppression that it is waived. Texts are in both languages, since SARIF has one text a place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote

import msgspec

from exporters.findings.product import NAME, VENDOR, version
from exporters.findings.text import words
from exporters.findings.told import (
    CLOSED,
    NEW,
    Told,
    both,
    clauses_of,
    fixed_in,
    of_audit,
    of_fixed,
)
from rules.model import AuditResult, Hit, Outcome, PackResult, Rule, Severity

SCHEMA: Final = "https://json.schemastore.org/sarif-2.1.0.json"
ROOT: Final = "HOST"  # the host's / in artifact locations
_FINGERPRINT: Final = "jianwei/v1"
_KIND: Final[Mapping[Outcome, str]] = {
    "pass": "pass",
    "fail": "fail",
    "not_applicable": "notApplicable",
    "unknown": "open",
    "manual": "review",
}
_LEVEL: Final[Mapping[Severity, str]] = {
    "info": "note",
    "low": "note",
    "medium": "warning",
    "high": "error",
    "critical": "error",
}
_SCORE: Final[Mapping[Severity, str]] = {  # as code scanning sorts by: CVSS's bands
    "info": "0.0",
    "low": "3.0",
    "medium": "5.5",
    "high": "8.0",
    "critical": "9.5",
}
_PLACE: Final = re.compile(r"(/[^\n]*?)(?::([1-9][0-9]{0,8}))?")


def sarif(
    result: AuditResult, rules: Mapping[str, Rule], hits: Mapping[str, Hit], language: str = ""
) -> bytes:
    """In both languages, whatever `language` says."""
    told: dict[str, list[Told]] = {pack.pack: [] for pack in result.packs}
    for pack, one in of_audit(result, rules, hits):
        told[pack.pack].append(one)
    for hit in fixed_in(result, hits):
        for name in hit.packs:
            if name in told:
                told[name].append(of_fixed(hit, result, rules))
    runs = [_run(result, pack, told[pack.pack], bool(hits)) for pack in result.packs]
    return msgspec.json.encode({"$schema": SCHEMA, "version": "2.1.0", "runs": runs}) + b"\n"


def _run(
    result: AuditResult, pack: PackResult, told: Sequence[Told], baseline: bool
) -> dict[str, Any]:
    firsts: dict[str, Told] = {}
    for one in told:
        firsts.setdefault(one.rule, one)
    numbers = {rule: number for number, rule in enumerate(firsts)}
    began = result.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return {
        "tool": {
            "driver": {
                "name": NAME,
                "organization": VENDOR,
                "version": version(),
                "language": "zh-CN",
                "rules": [_rule(one) for one in firsts.values()],
            }
        },
        "automationDetails": {"id": f"{pack.pack}/{result.host.id}/"},
        "invocations": [{"executionSuccessful": True, "startTimeUtc": began}],
        "originalUriBaseIds": {ROOT: {"uri": "file:///"}},
        "columnKind": "unicodeCodePoints",
        "language": "zh-CN",
        "results": [_result(one, numbers[one.rule], baseline) for one in told],
        "properties": {
            "pack": pack.pack,
            "title": both(pack.title),
            "score": pack.score,
            "counts": pack.counts,
            "host": {"id": result.host.id, "name": told[0].host.name if told else ""},
        },
    }


def _rule(told: Told) -> dict[str, Any]:
    title = {"text": both(told.title)}
    rule: dict[str, Any] = {
        "id": told.rule,
        "shortDescription": title,
        "fullDescription": {"text": both(told.why)} if told.why else title,
        "defaultConfiguration": {"level": _LEVEL[told.severity]},
        "properties": {
            "tags": ["security", *clauses_of(told.maps)],
            "severity": told.severity,
            "security-severity": _SCORE[told.severity],
        },
    }
    if told.fix:
        rule["help"] = {"text": both(told.fix)}
    return rule


def _result(told: Told, number: int, baseline: bool) -> dict[str, Any]:
    failed = told.verdict == "fail"
    found: dict[str, Any] = {
        "ruleId": told.rule,
        "ruleIndex": number,
        "kind": _KIND[told.verdict],
        "level": _LEVEL[told.severity] if failed else "none",  # the standard wants none elsewhere
        "message": {"text": _message(told)},
        "locations": [_location(told)],
        "partialFingerprints": {_FINGERPRINT: told.fingerprint},
        "properties": {
            "verdict": told.verdict,
            "instance": told.instance,
            "actual": told.actual,
            "expected": told.expected,
            "source": told.source,
            "state": told.state,
        },
    }
    if baseline and told.state:
        found["baselineState"] = _baseline(told)
    if told.state == "waived":
        found["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": told.waiver or "waived"}
        ]
    return found


def _baseline(told: Told) -> str:
    if told.activity in (NEW, CLOSED):
        return "new" if told.activity == NEW else "absent"
    # what a person or a waiver did to it, and its coming back, are changes of an old result
    return "unchanged" if told.state == "new" else "updated"


def _message(told: Told) -> str:
    seen = ": ".join(filter(None, (told.instance, words(told.actual))))
    wanted = words(told.expected) if told.verdict == "fail" else ""
    asked = both(told.question) if told.question else ""
    parts = (both(told.title), seen, f"(≠ {wanted})" if wanted else "", told.reason, asked)
    return " — ".join(filter(None, parts))


def _location(told: Told) -> dict[str, Any]:
    name = told.instance or told.host.name or told.host.id or told.rule
    location: dict[str, Any] = {
        "logicalLocations": [{"fullyQualifiedName": name, "kind": "resource"}]
    }
    if place := _PLACE.fullmatch(told.source):
        path, line = place[1].lstrip("/"), place[2]
        physical: dict[str, Any] = {"artifactLocation": {"uri": quote(path), "uriBaseId": ROOT}}
        if line:
            physical["region"] = {"startLine": int(line)}
        location["physicalLocation"] = physical
    return location
