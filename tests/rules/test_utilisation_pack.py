"""The pack utilisation: its scenarios, its parameters, and the rows that it judges."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import msgspec
import pytest

from collectors.cloud.usagefacts import UsageCollector
from collectors.model import Answers, Fact
from rules import pack as packs
from rules import scenarios
from rules.engine import judge as judge_pack
from rules.offenders import MAX_OFFENDERS
from rules.pack import ParamError
from rules.usagemodel import FACT
from rules.usagerows import rows
from rules.usagethresholds import Thresholds, configured, thresholds_of
from rules.utilisation import judge
from tests.usagecases import ON, documents, exemptions, history

PACK = packs.load("utilisation")
CASES = documents()


def judged(**case: Any) -> dict[str, Any]:
    limits, exempt = configured({}), exemptions(case.pop("exemptions", ()))
    (row,) = rows([judge(history(CASES["base"], case), limits, exempt, ON)])
    return row


def outcomes(*found: dict[str, Any]) -> dict[str, str]:
    verdicts = judge_pack(PACK, {FACT: Fact(FACT, list(found))}, {}, "h")
    return {v.rule.removeprefix("usage."): v.verdict for v in verdicts}


def test_every_scenario_comes_out_as_it_says() -> None:
    results = list(scenarios.run(PACK))
    assert len(results) > 50
    assert [r for r in results if not r.right] == []


def test_without_resources_nothing_is_judged() -> None:
    (fact,) = UsageCollector().parse(Answers({}))
    assert isinstance(fact, Fact)
    assert set(outcomes(*fact.value).values()) == {"not_applicable"}


def test_the_defaults_are_those_of_the_pack() -> None:
    assert thresholds_of(PACK.params) == Thresholds()


def test_a_city_sets_some() -> None:
    found = configured({"idle_cpu": 3, "vcpu_steps": [2, 4.5], "memory_steps": [4]})
    assert (found.idle_cpu, found.vcpu_steps, found.memory_steps) == (3, (2, 4.5), (4 << 30,))
    with pytest.raises(ParamError, match="did you mean 'idle_cpu'"):
        configured({"idle_cp": 3})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("idle_cpu", value) for value in ("x", True, -1, float("nan"), 31, 101)),
        *(("idle_network", value) for value in (None, -1, float("inf"))),
        *(("low_cpu", value) for value in (81, 1e9)),
        *(("low_memory", value) for value in (81, "60")),
        *(("reclaim_months", value) for value in (0, 1.5, True)),
        ("sketch_error", 100),
        *(("vcpu_steps", value) for value in ([], [0.5, 1], [2, 1], [1, 1], ["1"], 4, [True])),
    ],
)
def test_thresholds_that_are_none(name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=f"'{name}'"):
        thresholds_of({**PACK.params, name: value})


def test_what_is_not_known_has_no_key() -> None:
    row = judged(measured={"cpu": 10}, use={"disk": None})
    assert row["state"] == "low"
    assert row["cpu_p95"] == 10
    assert row["free_vcpus"] == 7
    for key in ("memory_p95", "network_p95", "steal_p95", "target_memory", "free_memory", "disk"):
        assert key not in row
    assert "exemption" not in row


def test_rows_of_real_judgements() -> None:
    idle: dict[str, Any] = {"measured": {"cpu": 1, "net_rx": 0, "net_tx": 0}}
    some = outcomes(judged(**idle, use={"department": ""}))
    assert some["not-idle"] == some["assigned"] == "fail"
    assert some["reclaim-due"] == some["not-low"] == some["not-busy"] == "pass"
    assert outcomes(judged(**idle, months=[{}] * 3))["reclaim-due"] == "fail"
    none = outcomes(judged(measured={}))
    assert none["not-idle"] == none["not-low"] == none["not-busy"] == "unknown"
    assert none["reclaim-due"] == "pass"
    gone = outcomes(judged(measured={}, use={"unseen": 9}))
    assert gone["not-stopped-held"] == "unknown"
    assert outcomes(judged(measured={"cpu": 99}))["not-busy"] == "fail"


@pytest.mark.parametrize(
    ("expires", "in_force", "expiring"),
    [
        ("2026-11-02", "fail", "pass"),
        ("2026-11-03", "pass", "fail"),
        ("2026-12-04", "pass", "pass"),
    ],
)
def test_exemptions_end(expires: str, in_force: str, expiring: str) -> None:
    case: dict[str, Any] = {"measured": {"cpu": 1, "net_rx": 0, "net_tx": 0}}
    case["exemptions"] = [{"departments": ["市教育局"], "expires": expires}]
    found = outcomes(judged(**case))
    assert (found["exemptions-in-force"], found["exemptions-not-expiring"]) == (in_force, expiring)
    assert found["not-idle"] == ("fail" if in_force == "fail" else "pass")


def test_another_month_with_other_figures_is_the_same_hit() -> None:
    """So that who has acknowledged or waived it is not asked again each month."""

    def evidence(cpu: float, months: int) -> dict[str, str]:
        case = {"measured": {"cpu": cpu, "net_rx": 0, "net_tx": 0}, "months": [{}] * months}
        verdicts = judge_pack(PACK, {FACT: Fact(FACT, [judged(**case)])}, {}, "h")
        return {v.fingerprint: v.evidence for v in verdicts if v.rule == "usage.not-idle"}

    assert evidence(1, 1) == evidence(2, 3)


def test_of_very_many_the_first_are_told_and_the_others_counted() -> None:
    row = judged(measured={"cpu": 1, "net_rx": 0, "net_tx": 0})
    many = [{**row, "resource": f"id-{n:05}"} for n in range(MAX_OFFENDERS + 7)]
    verdicts = judge_pack(PACK, {FACT: Fact(FACT, many)}, {}, "h")
    idle = [v for v in verdicts if v.rule == "usage.not-idle"]
    assert len(idle) == MAX_OFFENDERS + 1
    assert idle[-1].actual == {"more": 7}


def test_who_judges_does_not_carry_the_engine() -> None:
    code = (
        "import sys; from rules.usagethresholds import configured; import rules.utilisation;"
        "configured({}); print([m for m in ('cel', 're2', 'numpy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_text_is_there() -> None:
    for rule in PACK.rules:
        assert rule.why
        assert rule.fix
        assert msgspec.json.encode(rule)
