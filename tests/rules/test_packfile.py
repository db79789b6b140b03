"""Packs made of others: what they take over, what they change, and what is told of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.model import Fact
from collectors.strictyaml import DocumentError
from rules import clauses, coverage
from rules import pack as packs
from rules.engine import Judge
from rules.scenarios import run

FILE = """\
params: {limit: 5, unused: 1}
rules:
  - id: a.tries
    title: {zh: 尝试, en: Tries}
    severity: low
    facts: [sshd]
    assert: sshd.maxauthtries <= params.limit
    actual: sshd.maxauthtries
    maps: {gb22239: [8.1.4.1.b, 7.1.4.1.b]}
    tests: {pass: [{sshd: {maxauthtries: 4}}], fail: [{sshd: {maxauthtries: 6}}]}
  - id: a.label
    title: {zh: 标记, en: Labels}
    severity: low
    manual: {zh: 有标记吗？, en: Are there labels?}
    maps: {gb22239: [8.1.4.2.g]}
"""
BASE = """\
pack: base
title: {zh: 基础, en: Base}
clauses: {gb22239: "8."}
include: [{file: rules/a.yaml}]
"""
CITY = """\
pack: city
title: {zh: 市, en: City}
extends: ./base.yaml
params: {limit: 3}
off: {a.label: 本市不设标记}
rules:
  - id: city.port
    title: {zh: 端口, en: Port}
    severity: low
    facts: [sshd]
    assert: 22 in sshd.port
    actual: sshd.port
    tests: {pass: [{sshd: {port: [22]}}], fail: [{sshd: {port: [2222]}}]}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules/a.yaml").write_text(FILE)
    (tmp_path / "base.yaml").write_text(BASE)
    (tmp_path / "city.yaml").write_text(CITY)
    return tmp_path


def test_a_pack_of_rule_files(folder: Path) -> None:
    pack = packs.load(str(folder / "base.yaml"))
    assert [rule.id for rule in pack.rules] == ["a.tries", "a.label"]
    assert pack.params == {"limit": 5}  # of those that its rules name
    assert pack.rules[0].maps == {
        "gb22239": ("8.1.4.1.b",),
        "gb28448": ("L3-CES1-02", "L2-CES1-02"),
    }


def test_a_parameter_named_in_brackets(folder: Path) -> None:
    path = folder / "rules/a.yaml"
    path.write_text(FILE.replace("params.limit", 'params["limit"]'))
    assert packs.load(str(folder / "city.yaml")).params == {"limit": 3}


def test_only_rules_of_the_level_come_in(folder: Path) -> None:
    text = BASE.replace('"8."', '"7.", gb28448: "L2-"')
    (folder / "base.yaml").write_text(text)
    [rule] = packs.load(str(folder / "base.yaml")).rules
    assert rule.maps == {"gb22239": ("7.1.4.1.b",), "gb28448": ("L2-CES1-02",)}


def test_a_profile_overrides_switches_off_and_adds(folder: Path) -> None:
    pack = packs.load(str(folder / "city.yaml"))
    assert [rule.id for rule in pack.rules] == ["a.tries", "a.label", "city.port"]
    sshd = Fact("sshd", {"maxauthtries": 4, "port": [22]})
    os = Fact("os", {"family": "linux"})
    verdicts = Judge(pack).verdicts({"sshd": sshd, "os": os}, pack.params, "h")
    assert [v.verdict for v in verdicts] == ["fail", "not_applicable", "pass"]
    assert verdicts[1].reason == "off: 本市不设标记"


def test_the_scenarios_of_a_profile_run_with_its_thresholds(folder: Path) -> None:
    wrong = [result.id for result in run(packs.load(str(folder / "city.yaml"))) if not result.right]
    assert wrong == ["a.tries"]  # 4 is no pass where 3 is the most


def test_what_is_switched_off_is_not_covered(folder: Path) -> None:
    pack = packs.load(str(folder / "city.yaml"))
    how = {it.clause.id: it.how for it in coverage.coverage(pack, "8.")}
    assert (how["8.1.4.1.b"], how["8.1.4.2.g"], how["8.1.4.3.a"]) == ("automatic", "off", "missing")


def test_only_some_rules_of_a_file(folder: Path) -> None:
    text = BASE.replace("a.yaml}", "a.yaml, only: [a.label]}")
    (folder / "base.yaml").write_text(text)
    pack = packs.load(str(folder / "base.yaml"))
    assert ([rule.id for rule in pack.rules], pack.params) == (["a.label"], {})


def test_a_profile_of_a_built_in_pack(folder: Path) -> None:
    (folder / "city.yaml").write_text(
        "pack: c\ntitle: {zh: 市, en: C}\nextends: mlps-l3\nparams: {max_days: 60}\n"
    )
    assert packs.load(str(folder / "city.yaml")).params["max_days"] == 60


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [
        ("city", "limit: 3", "limits: 3", "city.yaml:4: params.limits: no rule has the parameter 'limits'; did you mean 'limit'?"),
        ("city", "limit: 3", "limit: three", "city.yaml:4: params.limit: expected number, got text"),
        ("city", "a.label: 本市", "a.labels: 本市", "city.yaml:5: off.a.labels: there is no rule 'a.labels'; did you mean 'a.label'?"),
        ("city", "本市不设标记", '" "', "city.yaml:5: off.a.label: needs a reason"),
        ("city", "./base.yaml", "./none.yaml", "none.yaml: cannot be read"),
        ("city", "./base.yaml", "mlps-l9", "city.yaml:3: extends: there is no such pack"),
        ("city", "./base.yaml", "./city.yaml", "extends: packs extend one another without end"),
        ("city", "city.port", "a.tries", "the rule 'a.tries' is in"),
        ("base", "rules/a.yaml", "rules/b.yaml", "b.yaml: cannot be read"),
        ("base", "a.yaml}", "a.yaml, only: [a.trie]}", "has no rule 'a.trie'; did you mean 'a.tries'?"),
        ("rules/a", "sshd.maxauthtries <=", "sshd.maxauthtries <", None),
        ("rules/a", "params.limit", "params.limits", "a.yaml:7: rules[0].assert: rule a.tries: "),
        ("rules/a", "severity: low", "severity: lo", "a.yaml:5: rules[0].severity: 'lo' is not one of"),
        ("rules/a", "params: {", "parameters: {", "a.yaml:1: parameters: unknown key; did you mean 'params'?"),
    ],
)  # fmt: skip
def test_mistakes(folder: Path, name: str, old: str, new: str, message: str | None) -> None:
    path = folder / f"{name}.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    if message is None:
        packs.load(str(folder / "city.yaml"))
        return
    with pytest.raises(DocumentError) as error:
        packs.load(str(folder / ("city.yaml" if name == "city" else "base.yaml")))
    assert message in str(error.value)


def test_two_files_may_share_a_parameter_of_one_value(folder: Path) -> None:
    other = FILE.replace("a.tries", "b.tries").replace("a.label", "b.label")
    (folder / "rules/b.yaml").write_text(other)
    (folder / "base.yaml").write_text(BASE.replace("a.yaml}", "a.yaml}, {file: rules/b.yaml}"))
    assert len(packs.load(str(folder / "base.yaml")).rules) == 4
    (folder / "rules/b.yaml").write_text(other.replace("limit: 5", "limit: 6"))
    with pytest.raises(DocumentError, match=r"b.yaml:1: params.limit: another rule file"):
        packs.load(str(folder / "base.yaml"))


def test_the_catalogue_of_clauses() -> None:
    found = clauses.catalogue()
    level3 = [clause.id for clause in found.values() if clause.id.startswith("8.1.4")]
    level2 = [clause.id for clause in found.values() if clause.id.startswith("7.1.4")]
    assert (len(level3), len(level2)) == (34, 23)
    assert clauses.unit("8.1.4.11.b") == "L3-CES1-34"
    assert clauses.unit("7.1.4.10.b") == "L2-CES1-23"
    assert found["8.1.4.10.a"].other == "7.1.4.9"
    assert {clause.other for clause in found.values()} <= {"", *found}
