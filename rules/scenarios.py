"""Runs the scenarios that a pack carries: facts in, and how its rule must come out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgspec

from collectors.model import Fact
from rules.engine import ALWAYS, Judge
from rules.expression import PARAMS
from rules.model import Outcome, Pack, Scenario, Verdict
from rules.pack import resolve
from rules.score import worst_by_rule

LINUX = {
    "family": "linux",
    "id": "debian",
    "like": [],
    "version": "12",
    "name": "Debian 12",
    "packages": "dpkg",
}


class ScenarioResult(NamedTuple):
    """One scenario of one rule. `number` counts from 0 among those of the same outcome."""

    rule: int
    id: str
    expected: Outcome
    number: int
    verdicts: list[Verdict]

    @property
    def outcome(self) -> Outcome:
        return worst_by_rule(self.verdicts)[self.id].verdict

    @property
    def right(self) -> bool:
        return self.outcome == self.expected


def run(pack: Pack) -> Iterator[ScenarioResult]:
    """Every scenario of a pack, in order. `os` is Linux unless a scenario says otherwise."""
    for index, rule in enumerate(pack.rules):
        judge = Judge(msgspec.structs.replace(pack, rules=(rule,), off={}))
        for expected, scenarios in rule.tests.by_outcome().items():
            for number, scenario in enumerate(scenarios):
                facts = facts_of(scenario)
                params: dict[str, Any] = resolve(pack, scenario.get(PARAMS, {}))
                verdicts = judge.verdicts(facts, params, "scenario")
                yield ScenarioResult(index, rule.id, expected, number, verdicts)


def facts_of(scenario: Scenario) -> dict[str, Fact]:
    """The facts of a scenario; `os` is added, what else is missing stays so."""
    values = {ALWAYS: LINUX, **scenario}
    return {name: Fact(name, value) for name, value in values.items() if name != PARAMS}
