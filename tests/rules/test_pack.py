"""What the author of a pack gets wrong, and what they are told."""

from __future__ import annotations

from pathlib import Path

import pytest

from collectors.strictyaml import DocumentError
from rules import pack as packs
from rules.pack import ParamError

INVALID = sorted((Path(__file__).parent / "invalid").glob("*.yaml"))

DESIGN = """
pack: mlps-l3
title: {zh: 等级保护三级主机安全基线, en: MLPS level 3 host baseline}
params: {max_days: 90, min_length: 8}
rules:
  - id: linux.accounts.only-root-has-uid-0
    title: {zh: 除 root 外不得有 UID 为 0 的账户, en: No account but root has UID 0}
    severity: high
    facts: [accounts]
    applies: os.family == "linux"
    offenders: accounts.filter(a, a.uid == 0 && a.name != "root")
    key: name
    maps: {gb22239: [8.1.4.2.b], gb28448: [L3-CES1-06]}
    weight: 1
    tests: {pass: [{accounts: []}], fail: [{accounts: [{name: a, uid: 0}]}]}
"""


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_one_mistake_one_message(path: Path) -> None:
    expected = path.read_text().splitlines()[0].removeprefix("# error: ")
    with pytest.raises(DocumentError) as error:
        packs.load(str(path))
    assert str(error.value).startswith(f"{path}:{expected}")


def test_there_are_mistakes() -> None:
    assert len(INVALID) > 30


def test_the_pack_of_the_design_is_right() -> None:
    pack = packs.parse(DESIGN, "mlps.yaml")
    assert pack.rules[0].maps["gb22239"] == ("8.1.4.2.b",)


def test_facts_of_a_caller_s_own() -> None:
    with pytest.raises(DocumentError, match="no fact 'accounts'; there are: people"):
        packs.parse(DESIGN, "x", facts={"people"})


def test_unknown_name_of_a_pack_says_which_there_are() -> None:
    with pytest.raises(DocumentError, match=r"there is no such pack; there are: .*host-basics"):
        packs.load("mlps-l9")


def test_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.yaml: cannot be read: No such file"):
        packs.load(str(tmp_path / "none.yaml"))


def test_parameters_are_overridden_by_their_own_type() -> None:
    pack = packs.parse(DESIGN, "x")
    assert packs.resolve(pack, {"max_days": 60}) == {"max_days": 60, "min_length": 8}
    with pytest.raises(ParamError, match="no parameter 'maxdays'; did you mean 'max_days'"):
        packs.resolve(pack, {"maxdays": 60})
    with pytest.raises(ParamError, match="expected number, got text"):
        packs.resolve(pack, {"max_days": "60"})
    with pytest.raises(ParamError, match="expected number, got true or false"):
        packs.resolve(pack, {"max_days": True})
