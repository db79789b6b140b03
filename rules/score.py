"""From verdicts to a score that what could not be seen never raises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from rules.model import OUTCOMES, Cap, Outcome, Pack, Points, Rule, Verdict

# The worst comes first: a rule with several verdicts counts as the worst of them.
_WORST: tuple[Outcome, ...] = ("fail", "unknown", "manual", "pass", "not_applicable")


def worst_by_rule(verdicts: Iterable[Verdict]) -> dict[str, Verdict]:
    """The worst verdict of each rule, in the order of the rules."""
    worst: dict[str, Verdict] = {}
    for verdict in verdicts:
        known = worst.get(verdict.rule)
        if known is None or _WORST.index(verdict.verdict) < _WORST.index(known.verdict):
            worst[verdict.rule] = verdict
    return worst


def counts(verdicts: Iterable[Verdict]) -> dict[Outcome, int]:
    """How many rules came out how; every outcome is there."""
    found = Counter(verdict.verdict for verdict in worst_by_rule(verdicts).values())
    return {outcome: found[outcome] for outcome in OUTCOMES}


def points(verdicts: Iterable[Verdict], weights: Mapping[str, float]) -> Points:
    """Of the rules that `weights` has: passed, failed and unknown count. What is not applicable or
    manual does not."""
    passed = whole = unknown = 0.0
    for rule, verdict in worst_by_rule(verdicts).items():
        weight = weights.get(rule, 0.0)
        if verdict.verdict in ("pass", "fail", "unknown"):
            whole += weight
            passed += weight if verdict.verdict == "pass" else 0.0
            unknown += weight if verdict.verdict == "unknown" else 0.0
    return Points(passed, whole, unknown)


def layers(rules: Iterable[Rule], verdicts: Sequence[Verdict]) -> dict[str, Points]:
    """The points of each layer of which a rule is there, in the order of the rules."""
    weights: dict[str, dict[str, float]] = {}
    for rule in rules:
        if rule.layer:
            weights.setdefault(rule.layer, {})[rule.id] = rule.weight
    return {layer: points(verdicts, of_layer) for layer, of_layer in weights.items()}


def score(pack: Pack, verdicts: Sequence[Verdict]) -> tuple[float | None, Cap | None]:
    """0 to 1, None where nothing counts, and the lowest of the pack's caps that is in force.

    A rule that could not be judged caps like one that failed: else not looking would pay.
    """
    ratio = points(verdicts, {rule.id: rule.weight for rule in pack.rules}).ratio
    bad = {r for r, it in worst_by_rule(verdicts).items() if it.verdict in ("fail", "unknown")}
    caps = [cap for cap in pack.caps if bad.intersection(cap.rules)]
    lowest = min(caps, key=lambda cap: cap.at, default=None)
    if ratio is not None and lowest:
        ratio = min(ratio, lowest.at)
    return ratio, lowest


def side_scores(pack: Pack, verdicts: Sequence[Verdict]) -> dict[str, float | None]:
    """The pack's further scores by name, 0 to 1."""
    return {name: points(verdicts, side.rules).ratio for name, side in pack.scores.items()}
