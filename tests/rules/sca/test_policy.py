"""A whole policy on recorded machines and on this one; how documents of both versions are read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from collectors.model import Command, Glob, Inventory, Stat
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource
from rules.model import OUTCOMES
from rules.sca.kind import is_policy
from rules.sca.policy import parse
from rules.sca.results import Options
from tests.rules.sca import lab

SERVER = Path(__file__).parent / "server.yml"
MACHINES = Path(__file__).parents[2] / "fixtures/machines"

# default, hardened: as reading the recordings by eye says
EXPECTED = {
    "1001": ("pass", "pass"),
    "1002": ("unknown", "unknown"),  # no folders were recorded
    "1004": ("fail", "pass"),
    "1009": ("pass", "pass"),
    "1010": ("pass", "pass"),
    "1013": ("unknown", "unknown"),  # no such command was recorded
    "1014": ("unknown", "unknown"),  # no such folder
    "1021": ("unknown", "unknown"),
    "1022": ("unknown", "unknown"),
}


def test_on_recordings() -> None:
    policy = parse(SERVER.read_bytes(), str(SERVER))
    assert len(policy.checks) == 24
    for column, name in enumerate(("debian12", "hardened")):
        result, rounds = lab.judged(policy, RecordedSource(MACHINES / name))
        outcomes = {v.rule.rpartition(".")[2]: v.verdict for v in result.verdicts}
        assert {it: outcomes[it] for it in EXPECTED} == {
            it: both[column] for it, both in EXPECTED.items()
        }
        assert sum(result.counts.values()) == 24
        assert result.score is not None
        assert len(rounds) <= 4


def test_on_this_machine() -> None:
    policy = parse(SERVER.read_bytes(), str(SERVER))
    result, rounds = lab.judged(policy, LocalSource(), Options())
    assert {v.verdict for v in result.verdicts} <= set(OUTCOMES)
    outcomes = {v.rule: v for v in result.verdicts}
    assert outcomes["sca.gov_server.1001"].verdict == "pass"
    refused = outcomes["sca.gov_server.1013"]
    assert (refused.verdict, "--allow-commands" in refused.reason) == ("unknown", True)
    asked = [reading for one in rounds for reading in one]
    assert not any(isinstance(reading, Command) for reading in asked)
    assert all(isinstance(reading, (Glob, Stat, Inventory)) for reading in asked)


def test_commands_wait_for_the_requirements(tmp_path: Path) -> None:
    requirements = {"title": "r", "condition": "all", "rules": ["f:/etc/x -> r:^1"]}
    document = lab.document(["c:true", "f:/etc/a -> r:x"], requirements=requirements)
    policy = parse(document, "t.yml")
    here = lab.machine(tmp_path / "here", {"/etc/x": "1\n", "/etc/a": "x\n"}, commands={"true": ""})
    result, rounds = lab.judged(policy, here)
    assert result.verdicts[0].verdict == "pass"
    # files of the checks go with those of the requirements, so that a host over SSH is asked once
    first = ["Stat", "Glob"] * 2
    assert [[type(it).__name__ for it in one] for one in rounds] == [first, ["Command"]]
    there = lab.machine(tmp_path / "there", {"/etc/x": "2\n", "/etc/a": "x\n"})
    result, rounds = lab.judged(policy, there)
    assert len(rounds) == 1
    assert (result.verdicts[0].verdict, result.score) == ("not_applicable", None)
    assert "requirements are not met" in result.verdicts[0].reason


def test_evidence_is_the_line_that_decides(tmp_path: Path) -> None:
    source = lab.machine(
        tmp_path,
        {
            "/etc/login.defs": "# PASS_MAX_DAYS 90\nPASS_MAX_DAYS\t99999\n",
            "/etc/ssh/sshd_config": "# PermitRootLogin no\nPort 22\nPermitRootLogin yes\n",
        },
    )
    high = lab.verdict(source, [r"f:/etc/login.defs -> n:^PASS_MAX_DAYS\s+(\d+) compare <= 90"])
    assert (high.verdict, high.actual, high.source) == (
        "fail",
        "PASS_MAX_DAYS\t99999",
        "/etc/login.defs:2",
    )
    assert "compare <= 90" in high.expected
    allowed = lab.verdict(source, ["not f:/etc/ssh/sshd_config -> r:^PermitRootLogin yes"])
    assert (allowed.actual, allowed.source) == ("PermitRootLogin yes", "/etc/ssh/sshd_config:3")
    forbidden = lab.verdict(source, ["f:/etc/ssh/sshd_config -> !r:^PermitRootLogin yes"])
    assert "/etc/ssh/sshd_config:3 has what no line may have" in forbidden.reason
    near = lab.verdict(source, ["f:/etc/ssh/sshd_config -> !r:^# && r:PermitRootLogin && r:no$"])
    assert (near.actual, near.source) == ("PermitRootLogin yes", "/etc/ssh/sshd_config:3")
    found = lab.verdict(source, ["f:/etc/ssh/sshd_config -> r:^Port"])
    assert (found.verdict, found.actual, found.source) == (
        "pass",
        "Port 22",
        "/etc/ssh/sshd_config:2",
    )


def test_evidence_is_the_whole_line(tmp_path: Path) -> None:
    found = []
    for end in ("x", "y"):
        source = lab.machine(tmp_path / end, {"/etc/a": f"bad {'a' * 600}{end}\n"})
        found.append(lab.verdict(source, ["not f:/etc/a -> r:^bad"]))
    assert found[0].actual == found[1].actual
    assert found[0].evidence != found[1].evidence


def test_verdicts_are_like_those_of_packs() -> None:
    policy = parse(SERVER.read_bytes(), str(SERVER))
    result, _ = lab.judged(policy, RecordedSource(MACHINES / "debian12"))
    assert (result.pack, result.params) == (
        "gov_server",
        {"sca_semantics": 5, "regex_type": "pcre2"},
    )
    first = result.verdicts[0]
    assert (first.rule, first.severity) == ("sca.gov_server.1001", "medium")
    assert first.title.zh == first.title.en == "Only root has user id 0"
    assert first.maps == {"cis": ("6.2.2",), "pci_dss": ("8.1", "8.1.1")}
    assert len(first.fingerprint) == 64
    weight = sum(result.counts[it] for it in ("pass", "fail", "unknown"))
    assert result.score == pytest.approx(result.counts["pass"] / weight)


OF_5 = """
policy: {id: new, name: New}
checks:
  - id: a1
    name: "As in 5.x"
    compliance: {cmmc: ["CM.1"], unheard_of: ["X"], one: "1.1", number: [1.2]}
    mitre: {tactic: {id: [TA1]}, technique: {id: [T1036], name: [a]}, subtechnique: {id: [T1564.1]}}
    condition: all
    rules: ['f:/etc/a -> r:^x+$']
"""


def test_a_policy_of_5() -> None:
    policy = parse(OF_5, "new.yml")
    check = policy.checks[0]
    assert policy.engine == "pcre2"
    assert check.title.en == "As in 5.x"
    assert check.maps == {
        "cmmc": ("CM.1",),
        "unheard_of": ("X",),
        "one": ("1.1",),
        "number": ("1.2",),
        "mitre": ("T1036", "T1564.1"),
    }


def test_a_policy_of_4_is_in_osregex_unless_it_says_otherwise() -> None:
    old = lab.document(["f:/etc/a -> r:x"])
    assert parse(old, "t.yml", 5).engine == "osregex"
    assert parse(OF_5, "t.yml", 4).engine == "osregex"
    assert parse(lab.document([], engine="pcre2"), "t.yml", 4).engine == "pcre2"


def test_a_key_that_is_written_twice_is_told_and_does_not_hinder() -> None:
    policy = parse(OF_5 + "    condition: any\n", "new.yml")
    assert policy.checks[0].condition == "all"
    assert policy.mistakes == ("new.yml:10: the key 'condition' is written twice",)


def test_what_is_a_policy() -> None:
    assert is_policy(SERVER.read_bytes())
    assert is_policy(b"\xef\xbb\xbfpolicy:\n  id: a\nchecks:\n")
    assert is_policy(b"policy: {id: a}\r\nchecks:\r\n")
    assert not is_policy(b"pack: a\nrules:\n  - policy: x\n    checks: y\n")
    packs = Path(os.path.dirname(__file__)).parents[2] / "rules/packs"
    assert not any(is_policy(path.read_bytes()) for path in packs.rglob("*.yaml"))
