"""The file of exemptions: what is in it, what is wrong with it and where, and who is found in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.strictyaml import DocumentError
from rules.exemptions import Exemption, Exemptions, load
from rules.usagemodel import ResourceUse

GOOD = """\
exemptions:
  - id: E-2026-004
    resources: [dr-*]
    reason: 容灾备机，平时不承载业务
    owner: 张伟
    approver: 李敏
    expires: 2027-03-31
  - id: E-2026-005
    systems: [月结]
    departments: [市财政局]
    states: [busy]
    reason: 月末批处理
    owner: 张伟
    approver: 李敏
    expires: 2026-12-31
"""


def written(tmp_path: Path, text: str) -> str:
    path = tmp_path / "exemptions.yaml"
    path.write_text(text, encoding="utf-8")
    return str(path)


def used(
    name: str = "", department: str = "", system: str = "", resource: str = "r"
) -> ResourceUse:
    return ResourceUse(
        resource, name, "server", "2026-10", 0, 1, 0, 1, department=department, system=system
    )


def test_a_file(tmp_path: Path) -> None:
    first, second = load(written(tmp_path, GOOD)).all
    assert first.states == ("idle", "low", "stopped", "detached")
    assert first.expires == date(2027, 3, 31)
    assert (second.systems, second.states) == (("月结",), ("busy",))


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("resources: [dr-*]", "resourcs: [dr-*]", 3, "did you mean 'resources'"),
        ("    resources: [dr-*]\n", "", 2, "names nothing; write one of resources"),
        ("resources: [dr-*]", "resources: []", 2, "names nothing"),
        ("resources: [dr-*]", "resources: [dr-*, '']", 3, "is empty"),
        ("resources: [dr-*]", "resources: dr-*", 3, "expected list"),
        ("reason: 容灾备机，平时不承载业务", "reason: ' '", 4, "is empty"),
        ("reason: 容灾备机，平时不承载业务", 'reason: "a\\e[1m"', 4, "control character"),
        ("    owner: 张伟\n    approver: 李敏\n    expires: 2027", "    owner: 张伟\n    expires: 2027", 2, "'approver' is missing"),
        ("approver: 李敏\n    expires: 2027", "approver: 张 伟\n    expires: 2027", 6, "of their own"),
        ("2027-03-31", "next year", 7, "expires"),
        ("    expires: 2027-03-31\n", "", 2, "'expires' is missing"),
        ("states: [busy]", "states: [insufficient]", 11, "is not one of: busy, detached, idle"),
        ("states: [busy]", "states: []", 11, "is empty"),
        ("E-2026-005", "E-2026-004", 8, "on line 2 already"),
        ("exemptions:", "exemption:", 1, "exemptions"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_line(
    tmp_path: Path, old: str, new: str, line: int, problem: str
) -> None:
    assert old in GOOD
    path = written(tmp_path, GOOD.replace(old, new, 1))
    with pytest.raises(DocumentError) as error:
        load(path)
    assert str(error.value).startswith(f"{path}:{line}: ")
    assert problem in str(error.value)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DocumentError, match=r"none\.yaml: cannot be read"):
        load(str(tmp_path / "none.yaml"))


def test_who_is_found(tmp_path: Path) -> None:
    all_ = load(written(tmp_path, GOOD))
    first, second = all_.all
    assert list(all_.of(used("dr-01"))) == [first]
    assert list(all_.of(used("x", resource="dr-"))) == [first]
    assert list(all_.of(used("Dr-01"))) == []
    assert list(all_.of(used("x", "市财政局", "月结"))) == [second]
    assert list(all_.of(used("dr-01", "市财政局", "月结"))) == [first, second]
    assert list(all_.of(used("x", "市财政局"))) == []
    assert list(all_.of(used("月结"))) == []
    assert list(Exemptions().of(used("dr-01"))) == []


def one(*resources: str) -> Exemption:
    return Exemption("E", "r", "a", "b", date(2027, 1, 1), resources=resources)


@pytest.mark.parametrize(
    ("pattern", "name", "fits"),
    [
        ("*", "", True),
        ("a?c", "abc", True),
        ("a?c", "ac", False),
        ("[a]", "[a]", True),
        ("[a]", "a", False),
        ("[a]*", "[a]b", True),
        ("a.c", "abc", False),
        ("a*\n", "a\n", True),
        ("a", "a\n", False),
        ("a|b*", "bc", False),
    ],
)
def test_patterns_are_those_of_a_shell_without_sets(pattern: str, name: str, fits: bool) -> None:
    assert bool(Exemptions([one(pattern)]).of(used(name))) is fits


names = st.text("ab*?[]|.", max_size=4)


@given(st.lists(st.lists(names, min_size=1, max_size=3), max_size=4), names)
def test_an_index_finds_what_looking_at_each_finds(scopes: list[list[str]], name: str) -> None:
    rows = [one(*scope) for scope in scopes]
    found = Exemptions(rows).of(used(name))
    assert list(found) == [row for row in rows if Exemptions([row]).of(used(name))]
