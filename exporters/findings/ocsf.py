"""Findings as OCSF Compliance Finding events, one JSON object a line.

Open Cybersecurity Schema Framework 1.5, class 2003. `status_id` is of the hit, `compliance.status_id` of
the verdict: a hit that is waived is still a fail.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

import msgspec

from exporters.findings.product import NAME, VENDOR, version
from exporters.findings.text import words
from exporters.findings.told import (
    CHANGED,
    CLOSED,
    NEW,
    STANDARDS,
    Told,
    both,
    clauses_of,
    fixed_in,
    of_audit,
    of_fixed,
)
from rules.model import AuditResult, Hit, Outcome, Rule, Severity, Workflow

SCHEMA: Final = "1.5.0"
_CLASS: Final = 2003
_ACTIVITY: Final = {NEW: (1, "Create"), CHANGED: (2, "Update"), CLOSED: (3, "Close")}
_SEVERITY: Final[Mapping[Severity, tuple[int, str]]] = {
    "info": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
# A hit that came back is new: nobody has looked at it since. A waived one is nobody's task.
_STATE: Final[Mapping[Workflow, tuple[int, str]]] = {
    "new": (1, "New"),
    "regressed": (1, "New"),
    "acknowledged": (2, "In Progress"),
    "waived": (3, "Suppressed"),
    "fixed": (4, "Resolved"),
}
# Warning: "did not yield a result due to missing information", which a person's answer is too.
_COMPLIANCE: Final[Mapping[Outcome, tuple[int, str]]] = {
    "pass": (1, "Pass"),
    "unknown": (2, "Warning"),
    "manual": (2, "Warning"),
    "fail": (3, "Fail"),
    "not_applicable": (99, "Not Applicable"),
}
_ANALYTIC_RULE: Final = 1


def ocsf(
    result: AuditResult, rules: Mapping[str, Rule], hits: Mapping[str, Hit], language: str = ""
) -> bytes:
    """One line a verdict and one a hit that this audit closed; in both languages, whatever `language`."""
    told = [one for _, one in of_audit(result, rules, hits)]
    told += [of_fixed(hit, result, rules) for hit in fixed_in(result, hits)]
    return b"".join(encode(one) + b"\n" for one in told)


def encode(told: Told, labels: Sequence[str] = ()) -> bytes:
    """One event, without the end of its line."""
    return msgspec.json.encode(event(told, labels))


def event(told: Told, labels: Sequence[str] = ()) -> dict[str, Any]:
    """`labels` are of the event itself, not of what it is about."""
    activity, activity_name = _ACTIVITY[told.activity]
    severity, severity_name = _SEVERITY[told.severity]
    status, status_name = _STATE[told.state] if told.state else _without_hit(told.verdict)
    found: dict[str, Any] = {
        "category_uid": 2,
        "category_name": "Findings",
        "class_uid": _CLASS,
        "class_name": "Compliance Finding",
        "activity_id": activity,
        "activity_name": activity_name,
        "type_uid": 100 * _CLASS + activity,
        "type_name": f"Compliance Finding: {activity_name}",
        "severity_id": severity,
        "severity": severity_name,
        "status_id": status,
        "status": status_name,
        "status_code": told.state or told.verdict,
        "time": _ms(told.time),
        "message": _message(told),
        "metadata": {
            "version": SCHEMA,
            "product": {"name": NAME, "vendor_name": VENDOR, "version": version(), "lang": "zh"},
            "event_code": told.rule,
        },
        "finding_info": _finding(told),
        "compliance": _compliance(told),
        "resources": [_resource(told)],
        "evidences": [{"data": _evidence(told)}],
        "unmapped": {"jianwei": _own(told)},
    }
    if labels:
        found["metadata"]["labels"] = [*labels]
    if told.reason:
        found["status_detail"] = told.reason
    if told.fix:
        found["remediation"] = {"desc": both(told.fix)}
    return found


def _without_hit(verdict: Outcome) -> tuple[int, str]:
    return (4, "Resolved") if verdict in ("pass", "not_applicable") else (1, "New")


def _ms(when: datetime) -> int:
    return round(when.timestamp() * 1000)


def _message(told: Told) -> str:
    seen = ": ".join(filter(None, (told.instance, words(told.actual))))
    return f"{both(told.title)} — {seen}" if seen else both(told.title)


def _finding(told: Told) -> dict[str, Any]:
    info: dict[str, Any] = {
        "uid": told.fingerprint,
        "title": both(told.title),
        "types": ["Security baseline"],
        "analytic": {
            "uid": told.rule,
            "name": both(told.title),
            "type_id": _ANALYTIC_RULE,
            "type": "Rule",
        },
    }
    if told.why:
        info["desc"] = both(told.why)
    if told.first_seen:
        info["first_seen_time"] = info["created_time"] = _ms(told.first_seen)
    if told.last_seen:
        info["last_seen_time"] = _ms(told.last_seen)
    return info


def _compliance(told: Told) -> dict[str, Any]:
    status, name = _COMPLIANCE[told.verdict]
    return {
        "control": told.rule,
        "requirements": clauses_of(told.maps),
        "standards": [STANDARDS.get(name, name) for name in told.maps] or list(told.packs),
        "status_id": status,
        "status": name,
    }


def _resource(told: Told) -> dict[str, Any]:
    resource: dict[str, Any] = {"uid": told.host.id, "type": "host"}
    if told.host.name:
        resource["name"] = told.host.name
    if told.instance:
        resource["data"] = {"instance": told.instance}
    return resource


def _evidence(told: Told) -> dict[str, Any]:
    evidence = {"instance": told.instance, "actual": told.actual, "expected": told.expected}
    return {**evidence, "source": told.source, "reason": told.reason}


def _own(told: Told) -> dict[str, Any]:
    own: dict[str, Any] = {"verdict": told.verdict, "packs": told.packs, "maps": told.maps}
    own |= {"state": told.state, "waiver": told.waiver}
    if told.question:
        own["question"] = both(told.question)
    return own
