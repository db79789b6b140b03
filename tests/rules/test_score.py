"""The score: what could not be seen never raises it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from rules.model import (
    OUTCOMES,
    Cap,
    Outcome,
    Pack,
    Points,
    Rule,
    SideScore,
    Text,
    Verdict,
)
from rules.score import counts, layers, points, score, side_scores, worst_by_rule

TEXT = Text("规", "r")
RULES = ("a", "b", "c", "d")


def ratio(verdicts: Iterable[Verdict], weights: Mapping[str, float]) -> float | None:
    return points(verdicts, weights).ratio


def verdict(rule: str, outcome: Outcome) -> Verdict:
    return Verdict(rule, outcome, "low", TEXT)


def capped_pack(weighing: Mapping[str, float]) -> Pack:
    """A score of 0.4 at most without `a`, of 0.1 without `b`; `c` and `d` are in a layer."""
    rules = tuple(
        Rule(rule, TEXT, "low", weight=weight, layer="low" if rule in "cd" else "")
        for rule, weight in weighing.items()
    )
    caps = (Cap(0.4, ("a",), Text("甲", "a")), Cap(0.1, ("b",), Text("乙", "b")))
    return Pack("p", TEXT, rules, caps=caps, scores={"half": SideScore(TEXT, {"a": 3, "d": 1})})


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


def test_caps_hold_the_score_down_and_say_why() -> None:
    pack = capped_pack({"a": 1, "b": 1, "c": 8, "d": 0})
    of_a, of_b = pack.caps
    good = [verdict(rule, "pass") for rule in "bcd"]
    assert score(pack, [*good, verdict("a", "pass")]) == (1, None)
    assert score(pack, [*good, verdict("a", "fail")]) == (0.4, of_a)
    assert score(pack, [*good, verdict("a", "unknown")]) == (0.4, of_a)
    assert score(pack, [*good, verdict("a", "not_applicable")]) == (1, None)
    both = [verdict("a", "fail"), verdict("b", "fail"), verdict("c", "pass")]
    assert score(pack, both) == (0.1, of_b)
    assert score(pack, [verdict("a", "fail"), verdict("c", "fail")]) == (0, of_a)
    assert score(pack, []) == (None, None)


def test_layers_and_further_scores() -> None:
    pack = capped_pack({"a": 1, "b": 1, "c": 8, "d": 2})
    found = [verdict("a", "fail"), verdict("c", "pass"), verdict("d", "unknown")]
    assert layers(pack.rules, found) == {"low": Points(8, 10, 2)}
    assert side_scores(pack, found) == {"half": 0}
    assert side_scores(pack, [verdict("a", "pass"), verdict("d", "unknown")]) == {"half": 0.75}
    assert side_scores(pack, []) == {"half": None}


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
    pack = capped_pack(weighing)
    assert (score(pack, blinded)[0] or 0) <= (score(pack, found)[0] or 0)
