"""The file of exemptions: what is in it, what is wrong with it and where, and who is found in it."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.strictyaml import DocumentError
from rules.exemptions import Exemption, Exemptions
from rules.exemptionsfile import ExemptionErrors, load, parse
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
        ("    owner: 张伟\n    approver: 李敏\n    expires: 2027", "    owner: 张伟\n    expires: 2027", 2, "approver: is missing"),
        ("approver: 李敏\n    expires: 2027", "approver: 张 伟\n    expires: 2027", 6, "of their own"),
        ("2027-03-31", "next year", 7, "'next year' is not a day; write for example 2027-03-31"),
        ("2027-03-31", "2027-02-30", 7, "is not a day"),
        ("owner: 张伟", "owner: 7", 5, "put it in quotes"),
        ("    expires: 2027-03-31\n", "", 2, "expires: is missing"),
        ("states: [busy]", "states: [insufficient]", 11, "is not one of: idle, low, busy, stopped, detached"),
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


def test_every_mistake_is_told_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("resources: [dr-*]", "resources: []").replace(
        "states: [busy]", "state: busy"
    )
    path = written(tmp_path, text.replace("2026-12-31", "soon"))
    with pytest.raises(ExemptionErrors) as error:
        load(path)
    assert [mistake.line for mistake in error.value.mistakes] == [2, 11, 15]


def test_none_any_more(tmp_path: Path) -> None:
    assert load(written(tmp_path, "exemptions: []\n")).all == ()


TABLE = """\
编号,资源,部门,系统,状态,理由,责任人,批准人,有效期至
E-1,dr-*;backup-?,,,,容灾,张伟,李敏,2027/3/31
E-2,,市财政局,月结,繁忙、闲置,月末批处理,张伟,李敏,2026年12月31日
"""


@pytest.mark.parametrize("encoding", ["utf-8-sig", "gb18030"])
def test_a_table(encoding: str) -> None:
    first, second = parse(TABLE.encode(encoding), "豁免.csv").all
    assert (first.resources, first.expires) == (("dr-*", "backup-?"), date(2027, 3, 31))
    assert first.states == ("idle", "low", "stopped", "detached")
    assert (second.departments, second.systems) == (("市财政局",), ("月结",))
    assert (second.states, second.expires) == (("busy", "idle"), date(2026, 12, 31))
    assert parse(TABLE.encode(encoding), "/dev/stdin").all == (first, second)


@pytest.mark.parametrize(
    ("old", "new", "line", "problem"),
    [
        ("有效期至", "有效期", 1, "unknown column '有效期'; did you mean '有效期至'"),
        ("2027/3/31", "2027/13/31", 2, "有效期至: '2027-13-31' is not a day"),
        ("繁忙", "很忙", 3, "状态[0]: '很忙' is not one of: idle, low"),
        ("dr-*;backup-?", "", 2, "names nothing"),
        ("月末批处理,张伟", "月末批处理,李敏", 3, "批准人: nobody approves"),
        ("E-2", "E-1", 3, "编号: 'E-1' is on line 2 already"),
        ("容灾,张伟", ",张伟", 2, "reason: is missing"),
    ],
)
def test_what_is_wrong_with_a_table(old: str, new: str, line: int, problem: str) -> None:
    assert old in TABLE
    with pytest.raises(ExemptionErrors) as error:
        parse(TABLE.replace(old, new, 1).encode(), "x.csv")
    assert error.value.line == line
    assert str(error.value).startswith(f"x.csv:{line}: ")
    assert problem.replace("reason:", "理由:") in str(error.value)


@given(st.binary(max_size=200) | st.text("eid:[]{}-,\n '", max_size=60).map(str.encode))
def test_whatever_is_in_it_is_told(content: bytes) -> None:
    for path in ("x.yaml", "x.csv", "x"):
        problem = path
        try:
            parse(content, path)
        except DocumentError as error:
            problem = str(error)
        assert problem.startswith(path)


def test_those_that_fit_nothing_are_told(tmp_path: Path) -> None:
    all_ = load(written(tmp_path, GOOD))
    assert [one.id for one in all_.unmatched([used("dr-01"), used("x")])] == ["E-2026-005"]


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
