"""From verdicts to a score that what could not be seen never raises."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from rules.model import OUTCOMES, Outcome, Verdict

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


def ratio(verdicts: Iterable[Verdict], weights: Mapping[str, float]) -> float | None:
    """Weight of the rules passed, of those passed, failed and unknown together: 0 to 1.

    Not applicable and manual rules do not count. None where nothing counts.
    """
    weighed = [(weights[rule], v.verdict) for rule, v in worst_by_rule(verdicts).items()]
    whole = sum(weight for weight, outcome in weighed if outcome in ("pass", "fail", "unknown"))
    passed = sum(weight for weight, outcome in weighed if outcome == "pass")
    return passed / whole if whole else None
