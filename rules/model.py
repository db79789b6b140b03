"""What is judged and how it came out: packs of rules, and their verdicts.

A pack is a YAML document; docs/rules.md describes it for people who write one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, get_args

import msgspec

Severity = Literal["info", "low", "medium", "high", "critical"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

Outcome = Literal["pass", "fail", "not_applicable", "unknown", "manual"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)

SubjectKind = Literal["host", "site"]

Scenario = dict[str, Any]

MORE = "…"  # the instance of the one verdict for all offenders that are not told one by one


class Text(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One text in both languages."""

    zh: str
    en: str

    def of(self, language: str) -> str:
        return self.en if language == "en" else self.zh


class Scenarios(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"passes": "pass"}):
    """Facts by name for which a rule must come out so. A fact left out is one without a value.

    `params` in a scenario overrides parameters of the pack.
    """

    passes: tuple[Scenario, ...] = ()
    fail: tuple[Scenario, ...] = ()
    unknown: tuple[Scenario, ...] = ()
    not_applicable: tuple[Scenario, ...] = ()

    def by_outcome(self) -> dict[Outcome, tuple[Scenario, ...]]:
        return {
            "pass": self.passes,
            "fail": self.fail,
            "unknown": self.unknown,
            "not_applicable": self.not_applicable,
        }


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"asserts": "assert"}):
    """One rule. It has exactly one of `offenders`, `asserts` and `manual`.

    `applies`, `offenders`, `unseen`, `asserts`, `actual` and `expected` are CEL expressions over `facts`,
    `os` and `params`. `offenders` is a list of rows that break the rule; `key` is the field that
    tells them apart, `show` the fields that people see; `unseen` is a list of such rows that could
    not be judged, each an unknown. `volatile` are the shown fields, or `actual`, that change by themselves, such as
    ages: they are no part of a hit's evidence. `manual` is the question to a person.
    `subject` is what it judges; `layer` is one of the pack's.
    """

    id: str
    title: Text
    severity: Severity
    subject: SubjectKind = "host"
    layer: str = ""
    facts: tuple[str, ...] = ()
    applies: str = ""
    offenders: str = ""
    unseen: str = ""
    key: str = ""
    show: tuple[str, ...] = ()
    asserts: str = ""
    actual: str = ""
    expected: str = ""
    volatile: tuple[str, ...] = ()
    manual: Text | None = None
    maps: dict[str, tuple[str, ...]] = {}
    weight: float = 1.0
    why: Text | None = None
    fix: Text | None = None
    tests: Scenarios = Scenarios()


class Cap(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The score is `at` (0 to 1) at most while one of `rules` fails or could not be judged."""

    at: float
    rules: tuple[str, ...]
    why: Text


class SideScore(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A score beside the pack's own: of some of its rules, with weights for it alone."""

    title: Text
    rules: dict[str, float]


class Pack(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A document of rules. `params` are the defaults of its thresholds.

    `layers` are titles of the parts that a score is told by, `caps` hold the score down, `scores` are
    further ones by name. `off` are rules that are not judged, each with the reason.
    """

    pack: str
    title: Text
    rules: tuple[Rule, ...]
    params: dict[str, Any] = {}
    layers: dict[str, Text] = {}
    caps: tuple[Cap, ...] = ()
    scores: dict[str, SideScore] = {}
    off: dict[str, str] = {}

    def about(self, subject: SubjectKind) -> tuple[Rule, ...]:
        """The rules that judge such a subject."""
        return tuple(rule for rule in self.rules if rule.subject == subject)


class Verdict(msgspec.Struct, frozen=True):
    """How one rule came out for one instance.

    Everything in `instance`, `actual`, `source` and `reason` may be text that an attacker wrote.
    A rule has one verdict, or one `fail` for each of its offenders. `question` is what a person
    is asked where the verdict is `manual`. `evidence` is a hash of what a `fail` shows, empty else.
    """

    rule: str
    verdict: Outcome
    severity: Severity
    title: Text
    instance: str = ""
    actual: Any = None
    expected: Any = None
    source: str = ""
    reason: str = ""
    maps: dict[str, tuple[str, ...]] = {}
    fingerprint: str = ""
    evidence: str = ""
    question: Text | None = None


class Host(msgspec.Struct, frozen=True):
    """Which host. `id` is stable and part of every fingerprint; `name` is for people."""

    id: str
    name: str = ""


class Points(msgspec.Struct, frozen=True):
    """Weights: passed, of all that count, and of these what could not be seen."""

    points: float
    of: float
    untested: float

    @property
    def ratio(self) -> float | None:
        """0 to 1; None where nothing counts."""
        return self.points / self.of if self.of else None


class PackResult(msgspec.Struct, frozen=True):
    """How one pack came out. `score` is 0 to 1, null where nothing counts; `counts` are rules.

    `cap` is the lowest of the pack's caps in force; `layers` and `scores` (0 to 1) are those of the
    pack by name.
    """

    pack: str
    title: Text
    params: dict[str, Any]
    score: float | None
    counts: dict[Outcome, int]
    verdicts: tuple[Verdict, ...]
    cap: Cap | None = None
    layers: dict[str, Points] = {}
    scores: dict[str, float | None] = {}


Workflow = Literal["new", "acknowledged", "waived", "fixed", "regressed"]
WORKFLOWS: tuple[Workflow, ...] = get_args(Workflow)
OPEN: frozenset[Workflow] = frozenset({"new", "acknowledged", "regressed"})


class Hit(msgspec.Struct, frozen=True):
    """A failed verdict with a life: one instance of one rule on one host, from audit to audit.

    `first_seen` is when it first failed, `last_seen` when it last did, `changed` when `state` became what
    it is; all UTC. `unseen_since` is when it could no longer be judged, null while it can: unknown never closes
    a hit. `evidence` is that of its last verdict. `waiver` is the id of the one in force, `waived_for` the evidence
    that each waiver was given for, `lapsed` where it has; `packs` are those in which it has not passed since; `by` and `note` are of the person who acknowledged.
    """

    fingerprint: str
    host: Host
    rule: str
    title: Text
    severity: Severity
    state: Workflow
    first_seen: datetime
    last_seen: datetime
    changed: datetime
    instance: str = ""
    packs: tuple[str, ...] = ()
    actual: Any = None
    expected: Any = None
    source: str = ""
    evidence: str = ""
    maps: dict[str, tuple[str, ...]] = {}
    unseen_since: datetime | None = None
    waiver: str = ""
    waived_for: dict[str, str] = {}
    by: str = ""
    note: str = ""


class Change(msgspec.Struct, frozen=True):
    """What became of a hit: `before` is its state until now, null for one never seen; the same state
    where its evidence changed. `number` counts the changes of a host from 1."""

    hit: Hit
    before: Workflow | None
    time: datetime
    number: int = 0


class AuditResult(msgspec.Struct, frozen=True):
    """One audit: what `jianwei audit --format json` prints, and `/findings` serves without the changes, as JSON.

    `time` is when it began, in UTC; `duration` in seconds, observation included. `hits` are those of the host
    after it, and `changes` those not told yet, where somebody keeps them; `hits_problem` is why they could not be kept,
    `hits_lost` how many changes were dropped before they were told, ever. `left_out` counts hits and verdicts that are
    not in it since it would be too long.
    """

    host: Host
    time: datetime
    duration: float
    packs: tuple[PackResult, ...]
    hits: tuple[Hit, ...] = ()
    changes: tuple[Change, ...] = ()
    hits_problem: str = ""
    hits_lost: int = 0
    left_out: int = 0


def by_id(packs: Iterable[Pack]) -> dict[str, Rule]:
    """The rules of packs by id."""
    return {rule.id: rule for pack in packs for rule in pack.rules}


def fingerprint(host: str, rule: str, instance: str) -> str:
    """What makes two hits the same one: no times, no values, no rule text."""
    text = "\0".join((host, rule, instance))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
