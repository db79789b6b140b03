"""Rules as policies write them, and any text in their place."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rules.sca.grammar import Rule, RuleError, rule
from rules.sca.regex import Semantics
from rules.sca.variables import VariableError, Variables


def parsed(text: str, semantics: Semantics = 5) -> Rule:
    found = rule(text, "pcre2", semantics)
    assert not found.problem, found.problem
    return found


def test_a_list_of_files_and_a_compound_pattern() -> None:
    found = parsed(r"not f:/etc/a,/etc//b -> !r:^# && n:x=(\d+) compare >= 14 && whole line")
    assert (found.kind, found.negated, found.targets) == ("f", True, ("/etc/a", "/etc/b"))
    assert found.pattern
    assert [term.negated for term in found.pattern.terms] == [True, False, False]


def test_a_folder_with_names_and_content() -> None:
    found = parsed(r"d:/etc/audit/rules.d/ -> r:\.rules$ -> r:-e 2")
    assert found.targets == ("/etc/audit/rules.d",)
    assert found.names
    assert found.names.matches(b"audit.rules")
    assert found.pattern
    assert found.pattern.text == "r:-e 2"


def test_a_command_keeps_its_words_and_arrows_of_its_output() -> None:
    found = parsed("c:sh -c \"grep -r 'a b' /etc && true\" -> r:x -> y")
    assert found.targets == ("sh", "-c", "grep -r 'a b' /etc && true")
    assert found.pattern
    assert found.pattern.text == "r:x -> y"


@pytest.mark.parametrize(
    "text", ["", "x", "x:/etc/a", ":/etc/a", "f", "not ", "f:", "d: -> r:x", "f:\0", "c:a\nb"]
)
def test_what_is_no_rule(text: str) -> None:
    with pytest.raises(RuleError):
        rule(text, "pcre2", 5)


@pytest.mark.parametrize(
    "text",
    [
        "f:etc/passwd -> r:x",
        "f:/etc/passwd ->r:x",
        "f:/etc/passwd-> r:x",
        "f:/etc/passwd r:x",
        "f:/etc/passwd -> ",
        "f:/etc/passwd -> r:",
        "f:/etc/passwd -> !",
        "f:/etc/passwd -> r:a && ",
        "f:/etc/passwd -> n:x(\\d+) compare",
        "f:/etc/passwd -> n:x(\\d+) compare =< 5",
        "f:/etc/passwd -> n:x(\\d+) compare <= five",
        "f:/etc/passwd -> n:x(\\d+) compare <= 5 5",
        "f:/etc/passwd -> n: compare <= 5",
        "f:/a/../b",
        "f:,",
        "d:/etc/x -> ",
        "c:sh -c 'open",
        "c:''",
        "r:HKLM",
        "!f:/etc/passwd",
        "f:$nowhere",
    ],
)
def test_what_cannot_be_judged_says_why(text: str) -> None:
    assert rule(text, "pcre2", 5).problem


@given(st.text(max_size=80))
def test_any_text_is_a_rule_or_an_error(text: str) -> None:
    for semantics in (4, 5):
        try:
            rule(text, "osregex", semantics)
        except RuleError:
            continue


KINDS = st.sampled_from(["f", "d", "c", "p", "r", "x"])
PIECES = st.sampled_from(
    [
        "/etc/a",
        "$v",
        ",",
        " -> ",
        "->",
        " && ",
        "r:",
        "n:",
        "!",
        "x(\\d+)",
        " compare ",
        "<= ",
        "5",
        "'",
        "\\",
        "(",
        "见",
    ]
)


@given(st.booleans(), KINDS, st.lists(PIECES, max_size=12))
def test_any_pieces_are_a_rule_or_an_error(negated: bool, kind: str, pieces: list[str]) -> None:
    text = "not " * negated + f"{kind}:{''.join(pieces)}"
    for semantics in (4, 5):
        try:
            found = rule(text, "pcre2", semantics)
        except RuleError:
            continue
        assert found.problem or found.targets
        for term in found.pattern.terms if found.pattern else ():
            term.captures(b"x5")


def test_the_longest_name_of_a_variable_comes_first() -> None:
    made = Variables({"$a": "1", "$ab": "2", "$abc": "$ab/3"})
    assert made.put_in("$a $ab $abc $abcd $b") == "1 2 2/3 2/3d $b"


def test_variables_in_a_circle() -> None:
    with pytest.raises(VariableError, match=r"\$a → \$b → \$a"):
        Variables({"$a": "x$b", "$b": "y$a"})
    with pytest.raises(VariableError, match="circle"):
        Variables({"$a": "$a"})


def test_variables_that_multiply() -> None:
    bomb = {f"$v{n:02}": f"$v{n + 1:02}" * 10 for n in range(40)} | {"$v40": "x" * 1000}
    with pytest.raises(VariableError, match="longer than"):
        Variables(bomb)
    made = Variables({"$v": "x" * 60_000})
    with pytest.raises(ValueError, match="longer than"):
        made.put_in("$v" * 1000)


@pytest.mark.parametrize("name", ["a", "$", "$a b", "$a,b", "$$a"])
def test_how_a_variable_is_named(name: str) -> None:
    with pytest.raises(VariableError):
        Variables({name: "x"})


@given(
    st.dictionaries(
        st.from_regex(r"\$[a-c]{1,3}", fullmatch=True), st.text("abc$ ", max_size=12), max_size=6
    )
)
def test_any_variables_end(written: dict[str, str]) -> None:
    try:
        made = Variables(written)
    except VariableError:
        return
    made.put_in("$a$b$c$abc")
