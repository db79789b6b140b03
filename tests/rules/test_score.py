"""The score: what could not be seen never raises it."""

from __future__ import annotations

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from rules.model import OUTCOMES, Outcome, Text, Verdict
from rules.score import counts, ratio, worst_by_rule

RULES = ("a", "b", "c", "d")


def verdict(rule: str, outcome: Outcome) -> Verdict:
    return Verdict(rule, outcome, "low", Text("规", "r"))


verdicts = st.lists(st.builds(verdict, st.sampled_from(RULES), st.sampled_from(OUTCOMES)))
weights = st.fixed_dictionaries({rule: st.integers(0, 10).map(float) for rule in RULES})


def test_ratio() -> None:
    found = [verdict("a", "pass"), verdict("b", "fail"), verdict("c", "unknown")]
    assert ratio(found, {"a": 1, "b": 1, "c": 2}) == 0.25
    assert ratio([*found, verdict("d", "manual")], {"a": 1, "b": 1, "c": 2, "d": 9}) == 0.25


def test_nothing_that_counts_is_no_score() -> None:
    assert ratio([], {}) is None
    assert ratio([verdict("a", "manual"), verdict("b", "not_applicable")], {"a": 1, "b": 1}) is None
    assert ratio([verdict("a", "pass")], {"a": 0}) is None


def test_a_rule_counts_once_and_at_its_worst() -> None:
    found = [verdict("a", "fail"), verdict("a", "fail"), verdict("b", "pass")]
    assert ratio(found, {"a": 1, "b": 1}) == 0.5
    assert counts(found) == {"pass": 1, "fail": 1, "not_applicable": 0, "unknown": 0, "manual": 0}


@given(verdicts, weights)
def test_a_score_is_a_share_and_counts_are_rules(
    found: list[Verdict], weighing: dict[str, float]
) -> None:
    score = ratio(found, weighing)
    assert score is None or 0 <= score <= 1
    assert sum(counts(found).values()) == len(worst_by_rule(found)) == len({v.rule for v in found})


@given(verdicts.filter(bool), weights, st.data())
def test_unknown_never_raises_a_score(
    found: list[Verdict], weighing: dict[str, float], data: st.DataObject
) -> None:
    index = data.draw(st.integers(0, len(found) - 1))
    blinded = [*found]
    blinded[index] = msgspec.structs.replace(found[index], verdict="unknown")
    before, after = ratio(found, weighing), ratio(blinded, weighing)
    assert (after or 0) <= (before or 0)
