"""Policies judged: rules to checks, checks to verdicts, verdicts to a result like that of a pack.

Pure. `Judging` says what it still wants to read; when it wants nothing more, its results are there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from collectors.model import Answer, NeedMore, Reading
from rules.evidence import brief, evidence_of
from rules.model import Outcome, PackResult, Severity, Verdict, fingerprint
from rules.sca.policy import Check, Policy
from rules.sca.results import Options, RuleResult, result
from rules.score import counts, points

SEVERITY: Severity = "medium"  # a policy has none
MAX_ROUNDS = 12  # of reading: folders within folders, links
NOT_MET = "the policy's requirements are not met"

State = Literal["pass", "fail", "missing", "unseen"]
Answered = Mapping[Reading, Answer]


class Outcomes(NamedTuple):
    """How a check comes out, and the rules that decided it."""

    state: State
    deciding: tuple[tuple[str, RuleResult], ...]


class Judging:
    """One policy on one host."""

    def __init__(self, policy: Policy, options: Options) -> None:
        self.policy, self._options = policy, options
        self._results: dict[int, RuleResult] = {}

    def wants(self, answers: Answered) -> list[Reading]:
        """What is to be read beyond `answers`. Commands of checks wait for the requirements."""
        required = self._step(self._checks_required(), answers, commands=True)
        met = not required and self._required().state == "pass"
        if not required and not met:
            return []
        wanted = self._step(self.policy.checks, answers, commands=met)
        return list(dict.fromkeys((*required, *wanted)))

    def _checks_required(self) -> tuple[Check, ...]:
        return (self.policy.requirements,) if self.policy.requirements else ()

    def _step(self, checks: Sequence[Check], answers: Answered, commands: bool) -> list[Reading]:
        """Judge what rules can be judged by now."""
        wanted: list[Reading] = []
        for rule in (rule for check in checks for rule in check.rules):
            # equal rules of a policy are one object
            if id(rule) in self._results or (rule.kind == "c" and not commands):
                continue
            try:
                self._results[id(rule)] = result(rule, answers, self._options)
            except NeedMore as error:
                wanted += error.readings
        return wanted

    def _required(self) -> Outcomes:
        check = self.policy.requirements
        return self._outcomes(check) if check else Outcomes("pass", ())

    def _outcomes(self, check: Check) -> Outcomes:
        late = RuleResult("unseen", "it was not looked at in time")
        found = [(rule.text, self._results.get(id(rule), late)) for rule in check.rules]
        return taken_together(check.condition, found)

    def result(self, host: str) -> PackResult:
        """As a pack's; `host` is the host's id."""
        required = self._required()
        verdicts = [self._verdict(check, required, host) for check in self.policy.checks]
        weights = {verdict.rule: 1.0 for verdict in verdicts}
        return PackResult(
            pack=self.policy.id,
            title=self.policy.title,
            params={"sca_semantics": self.policy.semantics, "regex_type": self.policy.engine},
            score=points(verdicts, weights).ratio,
            counts=counts(verdicts),
            verdicts=tuple(verdicts),
        )

    def _verdict(self, check: Check, required: Outcomes, host: str) -> Verdict:
        rule = rule_of(self.policy, check)
        more: dict[str, Any] = {}
        if required.state == "pass":
            outcomes = self._outcomes(check)
            outcome = _OUTCOMES[outcomes.state]
            more = _evidence(check, outcomes)
        elif required.state == "unseen":
            outcome = "unknown"
            more["reason"] = f"the policy's requirements: {_reasons(required)}"
        else:
            outcome = "not_applicable"
            more["reason"] = f"{NOT_MET}: {_reasons(required)}"
        return Verdict(
            rule=rule,
            verdict=outcome,
            severity=SEVERITY,
            title=check.title,
            maps=check.maps,
            fingerprint=fingerprint(host, rule, ""),
            **more,
        )


# What is missing is neither passed nor failed, and leaving it out would raise the score.
_OUTCOMES: dict[State, Outcome] = {
    "pass": "pass",
    "fail": "fail",
    "missing": "unknown",
    "unseen": "unknown",
}


def rule_of(policy: Policy, check: Check) -> str:
    """The id of a check among the rules of all packs."""
    return f"sca.{policy.id}.{check.id}"


def taken_together(condition: str, found: Sequence[tuple[str, RuleResult]]) -> Outcomes:
    """all: every rule is found. any: one is. none: none is. What cannot be seen decides nothing that
    another rule does not decide."""
    by_state: dict[str, tuple[tuple[str, RuleResult], ...]] = {
        state: tuple(one for one in found if one[1].state == state)
        for state in ("found", "not_found", "missing", "unseen")
    }
    decisive, state, otherwise = _CONDITIONS[condition]
    if by_state[decisive]:
        return Outcomes(state, by_state[decisive])
    for open_state in ("unseen", "missing"):
        if by_state[open_state]:
            return Outcomes(open_state, by_state[open_state])
    if not found:
        return Outcomes("unseen", (("", RuleResult("unseen", "the check has no rules")),))
    return Outcomes(otherwise, tuple(found))


_CONDITIONS: dict[str, tuple[str, State, State]] = {
    "all": ("not_found", "fail", "pass"),
    "any": ("found", "pass", "fail"),
    "none": ("found", "fail", "pass"),
}


def _reasons(outcomes: Outcomes) -> str:
    return "; ".join(f"{text}: {it.reason}" for text, it in outcomes.deciding[:3])[:500]


def _evidence(check: Check, outcomes: Outcomes) -> dict[str, Any]:
    """What people are shown: the first line that decided, where it is, what was wanted."""
    texts = [text for text, _ in outcomes.deciding]
    lines = [it.line for _, it in outcomes.deciding if it.line]
    told = next((line for line in lines if line.text), None) or next(iter(lines), None)
    actual = told.text if told and told.text else None
    # which rules decide is evidence too: a waiver was given for these
    long = [told.long] if told and told.long else []
    evidence = evidence_of([actual, *long, *texts], ()) if outcomes.state == "fail" else ""
    return {
        "actual": brief(actual),
        "evidence": evidence,
        "expected": brief(f"{check.condition}: {'; '.join(texts)}"),
        "source": told.source[:200] if told else "",
        "reason": _reasons(outcomes) if outcomes.state != "pass" else "",
    }
