"""How use is judged: a table of cases, and what holds whatever was measured."""

from __future__ import annotations

import time
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rules.usagejudgement import ADVICES, STATES, Amount, Judgement
from rules.usagemodel import Measured, ResourceUse
from rules.usagereasons import WORDS, number, words
from rules.usagethresholds import GIB, configured
from rules.utilisation import NOBODY, judge
from tests.usagecases import ON, documents, exemptions, history

CASES = documents()
LIMITS = configured({})


def judged(case: dict[str, Any]) -> Judgement:
    limits = configured(case.get("params", {}))
    exempt = exemptions(case.get("exemptions", ()))
    return judge(history(CASES["base"], case), limits, exempt, ON)


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["case"])
def test_case(case: dict[str, Any]) -> None:
    found = judged(case)
    told = {
        "state": found.state,
        "found": found.found,
        "advice": found.advice,
        "months": found.months,
        "reasons": [reason.code for reason in found.reasons],
        "target": [found.target.vcpus, _gib(found.target.memory)],
        "free": [found.free.vcpus, _gib(found.free.memory), _gib(found.free.disk)],
    }
    assert {key: told[key] for key in case["expect"]} == case["expect"]
    for language in ("zh", "en"):
        if language in case:
            assert words(found.reasons, language) == case[language]


def _gib(size: int | None) -> float | None:
    return None if size is None else size / GIB


def test_every_state_advice_and_reason_is_in_a_case() -> None:
    found = [judged(case) for case in CASES["cases"]]
    assert {one.state for one in found} == set(STATES)
    assert {one.advice for one in found} == set(ADVICES)
    codes = {reason.code for one in found for reason in one.reasons}
    assert codes == set(WORDS)
    for text in WORDS.values():
        assert text.zh
        assert text.en
        assert {f"{{{part}}}" in text.zh for part in ("value", "limit", "text")} == {
            f"{{{part}}}" in text.en for part in ("value", "limit", "text")
        }


def test_a_number_is_seen_on_its_side_of_the_threshold() -> None:
    assert number(4.96, 5) == "4.96"
    assert number(5.04, 5) == "5.04"
    assert number(5, 5) == "5.0"
    assert number(4.99999999, 5) == "4.99999999"
    assert number(1e308, 5) == "1e+308"


def test_figures_are_told_as_they_are_known() -> None:
    found = judged({"measured": {"cpu": 7, "net_rx": 5, "net_tx": 6}})
    assert found.figures == {"cpu": 7, "network": 11, "coverage": 100}


# --- whatever was measured ------------------------------------------------------------------------

wild = st.floats() | st.sampled_from([0.0, 5.0, 30.0, 60.0, 80.0, 100.0, 1e308, -1.0])
share = st.floats(0, 1) | st.floats()
figures = st.builds(
    Measured,
    samples=st.integers(-1, 9000),
    mean=wild,
    p50=wild,
    p95=wild | st.floats(0, 100),
    maximum=wild,
    maximum_at=wild,
    coverage=share,
    estimated=st.booleans(),
    upper=st.none() | wild | st.floats(0, 1000),
)
near = st.floats(1.79e9, 1.80e9) | st.floats()
size = st.none() | st.integers(-1, 1 << 70)
uses = st.builds(
    ResourceUse,
    resource=st.text(max_size=3),
    name=st.text(max_size=3),
    kind=st.sampled_from(["server", "server", "server", "volume", "host", "container", "x"]),
    month=st.just("2026-10"),
    since=st.just(1.7908e9) | near,
    until=st.just(1.7934e9) | near,
    first_seen=st.just(1.7e9) | near,
    last_seen=st.just(1.7934e9) | near,
    state=st.sampled_from(["active", "stopped", "available", "released", "unknown", "y"]),
    department=st.sampled_from(["", "市教育局"]),
    vcpus=st.none() | st.floats() | st.floats(0.1, 200),
    memory=size,
    disk=size,
    stopped_since=st.none() | near,
    detached_since=st.none() | near,
    resized=st.just(()) | st.lists(near, max_size=1).map(tuple),
    under_way=st.booleans(),
    moved=st.just(()) | st.lists(near, max_size=1).map(tuple),
    measured=st.dictionaries(
        st.sampled_from(["cpu", "memory", "steal", "net_rx", "net_tx", "z"]), figures
    ),
)
EXEMPT = exemptions([{"departments": ["市教育局"], "expires": ON, "states": ["idle", "busy"]}])


@settings(max_examples=200, deadline=None)
@given(st.lists(uses, min_size=1, max_size=3), st.booleans())
def test_whatever_was_measured(months: list[ResourceUse], exempt: bool) -> None:
    found = judge(months, LIMITS, EXEMPT if exempt else NOBODY, ON)
    assert found == judge(months, LIMITS, EXEMPT if exempt else NOBODY, ON)
    last = months[-1]
    for language in ("zh", "en"):
        assert words(found.reasons, language)
    assert msgspec.json.decode(msgspec.json.encode(found), type=Judgement) == found
    if found.found in ("idle", "low", "busy", "right-sized"):
        assert last.measured["cpu"].coverage > 0
        assert not last.resized
        assert last.until - last.first_seen >= LIMITS.age_days * 86400
    if found.found == "idle":
        for name in ("cpu", "net_rx", "net_tx"):
            assert last.measured[name].p95 < LIMITS.idle_network
        assert last.measured["cpu"].p95 < LIMITS.idle_cpu
        both = [last.measured[name].upper for name in ("net_rx", "net_tx")]
        assert (
            sum(LIMITS.idle_network if one is None else one for one in both) < LIMITS.idle_network
        )
    if found.state == "insufficient":
        assert found.advice == "none"
        assert found.months == 0
    if last.under_way:
        assert found.advice in ("none", "watch")
        assert found.months <= 1
    if found.advice == "reclaim":
        assert found.state in ("stopped", "detached") or found.months >= LIMITS.reclaim_months
    _within(found.free, found.granted)
    if found.found == "low":
        _within(found.target, found.granted)
    if found.target.vcpus is not None:
        assert found.target.vcpus >= 1
    if "memory" not in found.figures and found.found == "low":
        assert found.target.memory is None
    assert found.months <= len(months)


def _within(part: Amount, whole: Amount) -> None:
    for name in ("vcpus", "memory", "disk"):
        some, all_ = getattr(part, name), getattr(whole, name)
        if some is not None and some:
            assert all_ is not None
            assert 0 <= some <= all_


@settings(max_examples=100, deadline=None)
@given(
    st.floats(0, 0.79),
    st.dictionaries(st.sampled_from(["memory", "net_rx", "net_tx", "steal"]), st.floats(0, 100)),
    st.floats(0, 100),
)
def test_never_anything_with_little_coverage(
    coverage: float, others: dict[str, float], cpu: float
) -> None:
    case = {"measured": {"cpu": {"p95": cpu, "coverage": coverage}, **others}}
    assert judged(case).state == "insufficient"


@settings(max_examples=100, deadline=None)
@given(st.floats(0, 29), st.floats(0, 59), st.floats(1, 128), st.integers(1, 512))
def test_a_target_holds_what_was_used(cpu: float, memory: float, vcpus: float, gib: int) -> None:
    said = {"vcpus": vcpus, "memory": gib}
    found = judged({"use": said, "measured": {"cpu": cpu, "memory": memory}})
    assert found.state == "low"
    assert found.target.vcpus is not None
    assert found.target.memory is not None
    assert found.target.vcpus >= min(vcpus, vcpus * cpu / 100 * 1.25)
    assert found.target.memory >= min(gib, gib * memory / 100 * 1.25) * GIB - 1


@pytest.mark.parametrize("months", [1, 13])
def test_ten_thousand_resources(months: int) -> None:
    """How long it takes is printed, not asserted: it is the machine's."""
    case = {"measured": {"cpu": 1, "memory": 20, "net_rx": 0, "net_tx": 0}, "months": [{}] * months}
    resource = history(CASES["base"], case)
    many = exemptions(
        [{"resources": [f"dr-{n}-*"], "expires": ON} for n in range(100)]
        + [{"resources": [f"host-{n}"], "expires": ON} for n in range(1000)]
    )
    began = time.process_time()
    found = [judge(resource, LIMITS, many, ON) for _ in range(10_000)]
    print(f"10000 resources, {months} months: {time.process_time() - began:.2f} s of CPU")
    assert {one.months for one in found} == {months}
