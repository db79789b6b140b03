"""IPv6 readiness of one subject, explained: what `jianwei ipv6 --json` prints and reports read.

Scores are 0 to 100, null where nothing counts. Every check that did not pass has its reason in words
and the measurements behind it; all of these may be text that an attacker wrote.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from rules.model import Outcome, Severity, SubjectKind, Text


class Subject(msgspec.Struct, frozen=True):
    """What was checked: `name` for people, `target` the URL or the host's id."""

    kind: SubjectKind
    name: str
    target: str


class Evidence(msgspec.Struct, frozen=True):
    """One measurement: of which row, what was seen, what was wanted, where."""

    instance: str = ""
    actual: Any = None
    expected: Any = None
    source: str = ""


class CheckResult(msgspec.Struct, frozen=True):
    """How one check came out. `unknown` is "not tested"; its `reason` says why."""

    id: str
    layer: str
    weight: float
    verdict: Outcome
    severity: Severity
    title: Text
    reason: Text
    fix: Text | None = None
    evidence: tuple[Evidence, ...] = ()


class LayerScore(msgspec.Struct, frozen=True):
    """Points of one layer: reached, of all that count, and of these what was not tested."""

    layer: str
    title: Text
    points: float
    of: float
    untested: float


class Readiness(msgspec.Struct, frozen=True):
    """One subject. `time` is when the check began, in UTC; `duration` in seconds. `capped` says what
    holds the score down; `problem` why nothing at all could be checked."""

    subject: Subject
    time: datetime
    duration: float
    score: float | None
    ipv6_only_score: float | None
    capped: Text | None = None
    layers: tuple[LayerScore, ...] = ()
    checks: tuple[CheckResult, ...] = ()
    problem: str = ""
