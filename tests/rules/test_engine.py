"""How rules come out: what could not be seen is unknown, with the reason, and never a pass."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import Fact
from rules import pack as packs
from rules.engine import judge
from rules.model import Pack, Verdict, fingerprint
from rules.offenders import MAX_OFFENDERS

HEAD = """
pack: test
title: {zh: 测试, en: Test}
params: {limit: 3, names: [a]}
rules:
  - id: r
    title: {zh: 规则, en: Rule}
    severity: high
"""
TESTS = "    tests: {pass: [{}], fail: [{}]}\n"
ALL = {"items", "other", "os"}


def make(body: str) -> Pack:
    text = HEAD + "".join(f"    {line}\n" for line in body.strip().split("\n"))
    return packs.parse(text + ("" if "manual" in body else TESTS), "test.yaml", ALL)


OFFENDERS = make("facts: [items]\noffenders: items.filter(i, i.n > params.limit)\nkey: name")
ASSERT = make(
    "facts: [items]\nassert: items.n <= params.limit\nactual: items.n\nexpected: params.limit"
)


def run(pack: Pack, *facts: Fact, params: dict[str, Any] | None = None) -> list[Verdict]:
    return judge(pack, {fact.name: fact for fact in facts}, params or {}, "host")


def one(pack: Pack, *facts: Fact, **params: Any) -> Verdict:
    (verdict,) = run(pack, *facts, params=params)
    return verdict


def test_no_offender_is_a_pass_with_its_source() -> None:
    verdict = one(OFFENDERS, Fact("items", [{"name": "a", "n": 1}], {"": "/etc/items"}))
    assert (verdict.verdict, verdict.instance, verdict.source) == ("pass", "", "/etc/items")


def test_each_offender_is_a_hit_of_its_own() -> None:
    rows = [
        {"name": "a", "n": 9, "source": "/etc/items:1", "more": "x"},
        {"name": "b", "n": 1},
        {"name": "c", "n": 8},
    ]
    verdicts = run(OFFENDERS, Fact("items", rows, {"": "/etc/items"}))
    assert [(v.verdict, v.instance, v.source) for v in verdicts] == [
        ("fail", "a", "/etc/items:1"),
        ("fail", "c", "/etc/items"),
    ]
    assert verdicts[0].actual == {"more": "x", "n": 9}
    assert verdicts[0].fingerprint == fingerprint("host", "r", "a")
    assert len({v.fingerprint for v in verdicts}) == 2


def test_the_same_instance_twice_is_one_hit_with_both_sources() -> None:
    rows = [{"name": "a", "n": 9, "source": f"/etc/items:{line}"} for line in range(1, 9)]
    (verdict,) = run(OFFENDERS, Fact("items", rows))
    assert verdict.source == ", ".join(f"/etc/items:{line}" for line in range(1, 6))


def test_offenders_that_are_plain_texts() -> None:
    pack = make("facts: [items]\noffenders: params.names.filter(n, n in items && items[n] != 0)")
    fact = Fact("items", {"a": 1, "b": 1}, {"a": "/proc/sys/a"})
    verdict = one(pack, fact)
    assert (verdict.instance, verdict.actual, verdict.source) == ("a", "a", "/proc/sys/a")


def test_show_chooses_what_people_see() -> None:
    pack = make("facts: [items]\noffenders: items.filter(i, true)\nkey: name\nshow: [n, nope]")
    assert one(pack, Fact("items", [{"name": "a", "n": 1, "x": 2}])).actual == {"n": 1}


def test_assertion_shows_actual_expected_and_source() -> None:
    fact = Fact("items", {"n": 9}, {"n": "/etc/items:4", "": "/etc/items"})
    verdict = one(ASSERT, fact)
    assert (verdict.verdict, verdict.actual, verdict.expected) == ("fail", 9, 3)
    assert verdict.source == "/etc/items:4"
    assert one(ASSERT, fact, limit=9).verdict == "pass"


def test_not_applicable() -> None:
    pack = make(
        "facts: [items]\napplies: os.family == 'linux'\noffenders: items.filter(i, true)\nkey: name"
    )
    assert one(pack, Fact("os", {"family": "plan9"})).verdict == "not_applicable"
    linux = Fact("os", {"family": "linux"})
    assert one(pack, linux, Fact("items", [])).verdict == "pass"
    assert one(pack, linux).verdict == "unknown"


def test_manual_asks() -> None:
    pack = make("manual: {zh: 是否？, en: Is it?}\napplies: os.family == 'linux'")
    verdict = one(pack, Fact("os", {"family": "linux"}))
    assert verdict.verdict == "manual"
    assert verdict.question is not None
    assert verdict.question.en == "Is it?"
    assert one(pack, Fact("os", {"family": "plan9"})).verdict == "not_applicable"
    assert one(pack).verdict == "unknown"


@pytest.mark.parametrize(
    ("body", "facts", "reason"),
    [
        (
            "facts: [items]\nassert: items == []\nactual: items",
            [Fact("items", None, unavailable="denied: shadow: permission denied")],
            "the fact items has no value: denied: shadow: permission denied",
        ),
        (
            "facts: [items]\nassert: items == []\nactual: items",
            [],
            "the fact items has no value: it was not collected",
        ),
        (
            "facts: [items]\nassert: items == []\nactual: items",
            [Fact("items", {1, 2})],
            "the fact items has no value: bug: set is not a value of JSON",
        ),
        # not even one that the expression would not have looked at
        (
            "facts: [items, other]\nassert: items == [] || other == 1\nactual: items",
            [Fact("items", []), Fact("other", None, unavailable="absent: x")],
            "the fact other has no value: absent: x",
        ),
        (
            "facts: [items]\nassert: items.nope == 1\nactual: items",
            [Fact("items", {})],
            "there is no nope",
        ),
        (
            "facts: [items]\nassert: items.n > 1\nactual: items",
            [Fact("items", {"n": "2"})],
            "an operation is not defined for values of these types",
        ),
        (
            "facts: [items]\nassert: items.n > 1\nactual: items",
            [Fact("items", {"n": None})],
            "an operation is not defined for values of these types",
        ),
        (
            "facts: [items]\nassert: items.n\nactual: items",
            [Fact("items", {"n": 1})],
            "assert is not true or false but a number",
        ),
        (
            "facts: [items]\napplies: items.n\nassert: items.n == 1\nactual: items",
            [Fact("items", {"n": "x"})],
            "applies is not true or false but a text",
        ),
        (
            "facts: [items]\noffenders: items.n\nkey: name",
            [Fact("items", {"n": {}})],
            "offenders is not a list but a map",
        ),
        (
            "facts: [items]\noffenders: items\nkey: name",
            [Fact("items", [{"n": 1}])],
            "an offender has no 'name'",
        ),
        (
            "facts: [items]\noffenders: items\nkey: name",
            [Fact("items", ["x"])],
            "an offender has no 'name'",
        ),
        (
            "facts: [items]\noffenders: items",
            [Fact("items", [{"n": 1}])],
            "an offender is told apart by neither a text nor a number",
        ),
    ],
)
def test_unknown_with_the_reason(body: str, facts: list[Fact], reason: str) -> None:
    verdict = one(make(body), *facts)
    assert (verdict.verdict, verdict.reason) == ("unknown", reason)


def test_evidence_that_cannot_be_shown_does_not_change_the_verdict() -> None:
    pack = make("facts: [items]\nassert: items.n == 1\nactual: items.nope")
    verdict = one(pack, Fact("items", {"n": 1}))
    assert (verdict.verdict, verdict.actual) == ("pass", None)
    assert verdict.reason == "actual: there is no nope"


def test_evidence_is_bounded_and_the_same_each_time() -> None:
    pack = make("facts: [items]\nassert: items == {}\nactual: items")
    value = {f"k{i}": ["x" * 9999] * 99 for i in range(99)}
    verdicts = {repr(one(pack, Fact("items", value)).actual) for _ in range(3)}
    assert len(verdicts) == 1
    assert len(verdicts.pop()) < 20 * 21 * 600


def test_names_that_are_not_utf_8_are_judged() -> None:
    rows = [{"name": "bad\udc80\x1b[31m", "n": 9}]
    assert one(OFFENDERS, Fact("items", rows)).instance == "bad?\x1b[31m"


def test_fingerprints_hang_on_host_rule_and_instance_alone() -> None:
    before = one(OFFENDERS, Fact("items", [{"name": "a", "n": 9, "source": "f:1"}]))
    after = one(OFFENDERS, Fact("items", [{"name": "a", "n": 7, "source": "f:2"}]), limit=5)
    assert before.fingerprint == after.fingerprint
    assert fingerprint("a", "b", "c") != fingerprint("a", "bc", "")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["n", "name", "x"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(json_values)
def test_whatever_a_fact_is_there_is_a_verdict(value: object) -> None:
    for pack in (OFFENDERS, ASSERT):
        verdicts = run(pack, Fact("items", value))
        assert verdicts
        assert all(v.reason for v in verdicts if v.verdict == "unknown")


@given(st.lists(st.integers(0, 9)), st.integers(0, 9))
def test_a_pass_needs_every_row_seen(numbers: list[int], limit: int) -> None:
    rows: list[dict[str, Any]] = [{"name": str(i), "n": n} for i, n in enumerate(numbers)]
    fails = {row["name"] for row in rows if row["n"] > limit}
    verdicts = run(OFFENDERS, Fact("items", rows), params={"limit": limit})
    assert {v.instance for v in verdicts if v.verdict == "fail"} == fails
    unseen = [*rows, {"name": "unseen"}]
    assert one(OFFENDERS, Fact("items", unseen), limit=limit).verdict == "unknown"


MANY = MAX_OFFENDERS + 50


def test_offenders_without_end_are_told_by_their_number() -> None:
    rows = [{"name": f"f{n:05}", "n": 9} for n in range(MANY)]
    verdicts = run(OFFENDERS, Fact("items", rows))
    assert [v.verdict for v in verdicts] == ["fail"] * (MAX_OFFENDERS + 1)
    last = verdicts[-1]
    assert (last.instance, last.actual) == ("…", {"more": 50})
    assert last.reason == "50 more are not told one by one"
    # the order of rows is not the same each time, and a hit must not come and go by it
    random.Random(1).shuffle(rows)  # noqa: S311 - no secrets
    again = run(OFFENDERS, Fact("items", rows))
    assert {(v.instance, v.evidence) for v in again} == {(v.instance, v.evidence) for v in verdicts}
    # another one among the rest is other evidence, of the same hit
    other = run(OFFENDERS, Fact("items", [*rows[1:], {"name": "z", "n": 9}]))
    assert other[-1].fingerprint == last.fingerprint
    assert other[-1].evidence != last.evidence
    assert len(run(OFFENDERS, Fact("items", rows[:MAX_OFFENDERS]))) == MAX_OFFENDERS


def test_an_offender_with_the_name_of_the_rest_is_among_the_rest() -> None:
    rows = [{"name": f"f{n}", "n": 9} for n in range(MAX_OFFENDERS)]
    verdicts = run(OFFENDERS, Fact("items", [{"name": "…", "n": 9}, *rows]))
    assert [v.actual for v in verdicts if v.instance == "…"] == [{"more": 1}]
    assert len(verdicts) == MAX_OFFENDERS + 1


def test_unseen_rows_without_end() -> None:
    pack = make(
        "facts: [items]\noffenders: items.filter(i, i.n > 3)\nunseen: items.filter(i, i.n < 0)\nkey: name"
    )
    rows = [{"name": f"f{n:05}", "n": -1} for n in range(MANY)]
    verdicts = run(pack, Fact("items", rows))
    assert [v.verdict for v in verdicts] == ["unknown"] * (MAX_OFFENDERS + 1)
    assert verdicts[-1].actual == {"more": 50}
    both = run(pack, Fact("items", [*rows, *({"name": f"g{n:05}", "n": 9} for n in range(MANY))]))
    assert len(both) == 2 * MAX_OFFENDERS + 1
    assert sum(v.verdict == "fail" for v in both) == MAX_OFFENDERS + 1


def test_long_names_that_begin_alike_are_two_hits() -> None:
    rows = [{"name": "a" * 600 + end, "n": 9} for end in ("x", "y")]
    one, two = run(OFFENDERS, Fact("items", rows))
    assert one.instance[:400] == two.instance[:400] == "a" * 400
    assert one.fingerprint != two.fingerprint
    assert len(one.instance) <= 500
    assert run(OFFENDERS, Fact("items", [{"name": "a" * 500, "n": 9}]))[0].instance == "a" * 500


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ([*range(30)], [*range(29), 77]),
        ("a" * 600 + "x", "a" * 600 + "y"),
        ({str(n): 1 for n in range(30)}, {**{str(n): 1 for n in range(30)}, "9": 2}),
    ],
    ids=["list", "text", "map"],
)
def test_evidence_is_the_whole_of_what_is_shown(before: Any, after: Any) -> None:
    shown = make("facts: [items]\nassert: size(items.v) < 3\nactual: items.v")
    first, second = (one(shown, Fact("items", {"v": value})) for value in (before, after))
    assert first.actual == second.actual or isinstance(before, dict)
    assert first.evidence != second.evidence
    rows = [[{"name": "a", "n": 9, "v": value}] for value in (before, after)]
    first, second = (one(OFFENDERS, Fact("items", row)) for row in rows)
    assert first.evidence != second.evidence
