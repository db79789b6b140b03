"""The fact `usage`: one row a resource, as the pack `utilisation` judges them. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rules.usagejudgement import Judgement
from rules.usagereasons import words


def rows(judgements: Iterable[Judgement]) -> list[dict[str, Any]]:
    """What is not known has no key: an expression that asks for it makes its rule unknown.

    Shares are percent, memory and disk bytes, network bytes/s, of both directions at most. `department` is empty where nobody is known
    to hold it. `exemption` is the id of one in force or expired, and `exemption_left` its days from today
    on, below 0 once it has expired.
    """
    found = []
    for one in judgements:
        row: dict[str, Any] = {
            "resource": one.resource,
            "name": one.name,
            "kind": one.kind,
            "department": one.department,
            "system": one.system,
            "region": one.region,
            "month": one.month,
            "state": one.state,
            "found": one.found,
            "advice": one.advice,
            "months": one.months,
            "reason": words(one.reasons, "zh"),
            "reason_en": words(one.reasons, "en"),
            "seen": one.seen,
            "vcpus": one.granted.vcpus,
            "memory": one.granted.memory,
            "disk": one.granted.disk,
            "target_vcpus": one.target.vcpus,
            "target_memory": one.target.memory,
            "free_vcpus": one.free.vcpus,
            "free_memory": one.free.memory,
            "free_disk": one.free.disk,
            **{f"{name}_p95": one.figures.get(name) for name in ("cpu", "steal", "network")},
            "memory_p95": one.figures.get("memory"),
            "coverage": one.figures.get("coverage"),
            "exemption": one.exemption.id if one.exemption else None,
            "exemption_left": one.exemption.days_left if one.exemption else None,
        }
        found.append({key: value for key, value in row.items() if value is not None})
    return found
