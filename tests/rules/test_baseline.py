"""The rule files of the security baseline: their scenarios, and how four machines come out.

`tests/baseline/PART/expected.yaml` says of each rule of `rules/packs/mlps/PART.yaml` (or of the pack PART) how it comes out
on each of the machines.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from collectors import catalogue
from collectors.model import Fact
from collectors.observe import observe
from collectors.sources.recorded import RecordedSource
from rules import clauses, coverage, scenarios
from rules import pack as packs
from rules.audit import facts_of
from rules.engine import Judge
from rules.model import Pack, Rule
from rules.score import worst_by_rule
from rules.settings import PACKS
from tests import baselinemachines
from tests.baselinemachines import BASELINE, MACHINES

FILES = sorted(Path(PACKS, "mlps").glob("*.yaml"))
PARTS = sorted(path.parent.name for path in BASELINE.glob("*/expected.yaml"))


def pack_of(part: str) -> Pack:
    """The rules of one file as a pack, both levels' clauses kept."""
    if Path(PACKS, f"{part}.yaml").exists():
        return packs.load(part)
    text = f"""
pack: {part}
title: {{zh: 部分, en: Part}}
include: [{{file: mlps/{part}.yaml}}]
"""
    return packs.parse(text, f"{PACKS}/x.yaml")


@pytest.fixture(scope="session")
def machines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Fact]]:
    """The facts of each machine."""
    folder = tmp_path_factory.mktemp("machines")
    collectors = [catalogue.collector(catalogue.Settings(), name) for name in catalogue.COLLECTORS]
    return {
        name: facts_of(observe(RecordedSource(baselinemachines.build(name, folder)), collectors))
        for name in MACHINES
    }


@pytest.mark.parametrize(
    "part", [path.stem for path in FILES if "\nrules: []" not in path.read_text()]
)
def test_scenarios(part: str) -> None:
    wrong = [
        f"{r.id} {r.expected}.{r.number}: {r.outcome}"
        for r in scenarios.run(pack_of(part))
        if not r.right
    ]
    assert wrong == []


@pytest.mark.parametrize("part", PARTS)
def test_machines(part: str, machines: dict[str, dict[str, Fact]]) -> None:
    expected = yaml.safe_load((BASELINE / part / "expected.yaml").read_text())
    judge = Judge(pack_of(part), "host")
    found: dict[str, dict[str, str]] = {rule.id: {} for rule in judge.rules}
    for name, facts in machines.items():
        verdicts = judge.verdicts(facts, judge.pack.params, "host")
        for rule, verdict in worst_by_rule(verdicts).items():
            found[rule][name] = verdict.verdict
    assert found == expected


def _rules() -> list[tuple[str, Rule]]:
    return [
        (path.stem, rule)
        for path in FILES
        if "\nrules: []" not in path.read_text()
        for rule in pack_of(path.stem).rules
    ]


def test_every_rule_is_whole() -> None:
    """Both languages, why, fix, a clause that exists, and what it does where it cannot look."""
    for part, rule in _rules():
        where = f"{part}: {rule.id}"
        assert rule.why is not None, where
        assert rule.fix is not None, where
        named = rule.maps[clauses.STANDARD]
        for clause in named:
            assert clause in clauses.catalogue(), f"{where}: {clause}"
            other = clauses.catalogue()[clause].other
            assert clause.startswith("7.") or not other or other in named, f"{where}: {other}"
        if not rule.manual:
            assert rule.tests.unknown or rule.tests.not_applicable, where


def test_what_ages_is_no_evidence() -> None:
    """A waiver lapses when the evidence changes: it must not each day by itself."""
    ages = re.compile(r"(age|checked|oldest|signature)_days|days|days_left|exe|unit")
    for part, rule in _rules():
        aging = {name for name in rule.show if ages.fullmatch(name)}
        # a setting, not an age
        aging -= {"age_days"} if rule.id == "linux.storage.temporary-cleared" else set()
        assert aging <= set(rule.volatile), f"{part}: {rule.id}"
        if re.search(r"\b(age|index_age|database_days|lost|timesync)\b", rule.actual):
            assert rule.volatile == ("actual",), f"{part}: {rule.id}"


def test_every_rule_is_in_level_3() -> None:
    known = {rule.id for rule in packs.load("mlps-l3").rules}
    assert [rule.id for _, rule in _rules() if rule.id not in known] == []


@pytest.mark.parametrize(("pack", "level"), [("mlps-l3", "8."), ("mlps-l2", "7.")])
def test_every_item_of_the_level_is_covered(pack: str, level: str) -> None:
    found = list(coverage.coverage(packs.load(pack), level))
    assert len(found) == {"8.": 74, "7.": 42}[level]
    assert [it.clause.id for it in found if it.how in ("missing", "off")] == []


def test_a_rule_asks_a_person_or_judges() -> None:
    asked = [rule for _, rule in _rules() if rule.manual]
    assert len(asked) < len(_rules()) / 3
    for rule in asked:
        assert rule.manual is not None
        assert "？" in rule.manual.zh, rule.id
