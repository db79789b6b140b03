"""The tree that is made from events is what PyYAML's own loader makes, with lines."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from collectors.yamltree import Malformed, Tree

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted((*ROOT.glob("rules/packs/*.yaml"), *ROOT.glob("agents/*.yaml")))

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs", "Cc"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(codec="ascii")), inner),
    max_leaves=20,
)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.stem)
def test_documents_of_ours_are_the_same(path: Path) -> None:
    assert Tree(path.read_bytes(), {}).data == yaml.safe_load(path.read_text("utf-8"))


@given(VALUES, st.booleans())
def test_whatever_is_dumped_is_the_same(value: object, flow: bool) -> None:
    text = yaml.safe_dump(value, default_flow_style=flow)
    assert Tree(text, {}).data == yaml.safe_load(text)


@given(st.text("ab:-&*!{}[],?'\"\n #|>%~1.") | st.binary())
def test_nothing_but_the_errors_said(content: str | bytes) -> None:
    with contextlib.suppress(Malformed, yaml.YAMLError, UnicodeError):
        Tree(content, {})


def test_lines() -> None:
    tree = Tree("# c\na:\n  - x\n  -\n    b: 1\n    c: &c [1,\n     2]\nd: *c\n", {})
    assert tree.line(()) == 2
    assert tree.line(("a",)) == 2
    assert tree.line(("a", 0)) == 3
    assert tree.line(("a", 1, "c", 1)) == 7
    assert tree.line(("a", 1, "nothing")) == 5
    assert tree.line(("d",)) == 8
    assert tree.line(("a", 9, "b")) == 2
    assert Tree("", {}).line(()) is None


@pytest.mark.parametrize(
    ("text", "line", "problem"),
    [
        ("a: *b", 1, "a: there is no anchor &b before"),
        ("a: &a [*a]", 1, "a[0]: there is no anchor &a before"),
        ("a: 1\n---\nb: 1", 2, "a second document begins; one is expected"),
        ("a:\n  - !!set {x}", 2, "a[0]: unknown tag tag:yaml.org,2002:set"),
        ("a:\n  - !x y", 2, "a[0]: unknown tag !x"),
    ],
)
def test_what_is_not_taken(text: str, line: int, problem: str) -> None:
    with pytest.raises(Malformed) as error:
        Tree(text, {})
    assert (error.value.line, error.value.problem) == (line, problem)


def test_mistakes_that_are_tolerated_are_all_told() -> None:
    mistakes: list[Malformed] = []
    tree = Tree("a: 1\na: 2\nb: 2026-99-99\nc: {d: 1, d: 2}\n", {}, mistakes)
    assert tree.data == {"a": 1, "b": "2026-99-99", "c": {"d": 1}}
    assert [mistake.line for mistake in mistakes] == [2, 3, 4]
