"""How ready one site or one host is for IPv6: scores, layers, and checks with their evidence.

`jianwei ipv6 --json` prints one `Readiness`, `jianwei ipv6 check --json` one a line.
"""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Final

import msgspec

from rules.model import Outcome, Severity, SubjectKind, Text

PACK: Final = "ipv6-readiness"
IPV6_ONLY: Final = "ipv6_only"

Score = Annotated[float, msgspec.Meta(ge=0, le=100)]
Points = Annotated[float, msgspec.Meta(ge=0, le=1e6)]


class Subject(msgspec.Struct, frozen=True):
    """Who was looked at. `target` is a URL, `ssh://…`, `local` or the folder of a recording."""

    kind: SubjectKind
    name: str
    target: str


class Evidence(msgspec.Struct, frozen=True):
    """One measurement behind a verdict; all of it may be text that an attacker wrote."""

    instance: str = ""
    actual: Any = None
    expected: Any = None
    source: str = ""


class CheckResult(msgspec.Struct, frozen=True):
    """How one check came out; only `pass`, `fail` and `unknown` count, by `weight`."""

    id: str
    layer: str
    weight: Points
    verdict: Outcome
    severity: Severity
    title: Text
    reason: Text
    fix: Text | None = None
    evidence: tuple[Evidence, ...] = ()


class LayerScore(msgspec.Struct, frozen=True):
    """`points` of the weights that count, `of` them all, `untested` of those nobody could test."""

    layer: str
    title: Text
    points: Points
    of: Points
    untested: Points


class Readiness(msgspec.Struct, frozen=True):
    """One subject's result. Scores are 0 to 100, null where nothing counts.

    `capped` says why the score is not higher, `cap` is how high it may be then, `capped_by` are the
    ids of the checks that failed for it; `problem` is why nothing could be checked. `time` is when
    it began; `duration` in seconds.
    """

    subject: Subject
    time: Annotated[datetime, msgspec.Meta(tz=True)]
    duration: float
    score: Score | None
    ipv6_only_score: Score | None
    capped: Text | None
    layers: tuple[LayerScore, ...]
    checks: tuple[CheckResult, ...]
    problem: str = ""
    cap: Score | None = None
    capped_by: tuple[str, ...] = ()
