"""The pack host-basics: its own scenarios, and two machines that differ."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from collectors import catalogue
from collectors.model import Fact
from collectors.observe import observe
from collectors.sources.recorded import RecordedSource
from rules import pack as packs
from rules import scenarios
from rules.audit import audit, facts_of, needed
from rules.model import AuditResult
from rules.score import worst_by_rule

MACHINES = Path(__file__).parent.parent / "fixtures/machines"
PACK = packs.load("host-basics")


def facts(machine: str) -> dict[str, Fact]:
    collectors = catalogue.for_facts(needed([PACK]), catalogue.Settings())
    return facts_of(observe(RecordedSource(MACHINES / machine), collectors))


def judged(machine: str) -> AuditResult:
    return audit([PACK], facts(machine), {}, datetime.now(UTC))


def outcomes(machine: str) -> dict[str, str]:
    worst = worst_by_rule(judged(machine).packs[0].verdicts)
    return {rule: verdict.verdict for rule, verdict in worst.items()}


def test_every_scenario_comes_out_as_it_says() -> None:
    results = list(scenarios.run(PACK))
    assert len(results) > 100
    assert [r for r in results if not r.right] == []


def test_the_pack_is_real() -> None:
    rules = [rule for rule in PACK.rules if not rule.manual]
    assert len(rules) >= 15
    for rule in PACK.rules:
        assert rule.why is not None
        assert rule.fix is not None
        assert rule.maps["gb22239"]
    for rule in rules:
        assert rule.tests.unknown, rule.id


def test_scenarios_speak_of_what_collectors_supply() -> None:
    """A misspelt key would make a rule unknown on every machine and right in its own tests."""
    known = {name: _keys(fact.value) for name, fact in facts("debian12").items()}
    for rule in PACK.rules:
        for them in rule.tests.by_outcome().values():
            for scenario in them:
                for name, value in scenario.items():
                    # of a fact without rows this machine shows no keys
                    if name != "params" and known[name]:
                        assert _keys(value) <= known[name], (rule.id, name)


def _keys(value: Any) -> set[str]:
    rows = value if isinstance(value, list) else [value]
    return {key for row in rows if isinstance(row, dict) for key in row}


def test_a_hardened_machine_passes_everything() -> None:
    assert set(outcomes("hardened").values()) == {"pass", "manual"}
    assert judged("hardened").packs[0].score == 1


def test_a_machine_as_installed_does_not() -> None:
    found = outcomes("debian12")
    assert {rule for rule, outcome in found.items() if outcome == "fail"} == {
        "linux.accounts.default-max-age",
        "linux.accounts.default-umask",
        "linux.accounts.password-max-age",
        "linux.accounts.system-accounts-cannot-log-in",
        "linux.files.shadow",
        "linux.files.sshd-config",
        "linux.kernel.no-icmp-redirects",
        "linux.kernel.no-suid-dumps",
        "linux.sshd.idle-timeout",
        "linux.sshd.max-auth-tries",
        "linux.sshd.no-password-login",
        "linux.sshd.no-root-login",
    }
    assert "unknown" not in found.values()


def test_hits_say_where() -> None:
    verdicts = judged("debian12").packs[0].verdicts
    hits = {(v.rule, v.instance): v for v in verdicts if v.verdict == "fail"}
    account = hits["linux.accounts.system-accounts-cannot-log-in", "dmdba"]
    assert account.actual == {"uid": 999, "shell": "/bin/bash"}
    assert account.source == "/etc/passwd:16"
    login = hits["linux.sshd.no-root-login", "everyone"]
    assert login.actual == {"permitrootlogin": "prohibit-password", "by": "parser"}
    assert login.source == "/etc/ssh/sshd_config.d/50-site.conf:2"
    assert hits["linux.files.shadow", "/etc/shadow-"].actual["mode_octal"] == "0644"


@pytest.mark.parametrize("blind", sorted(needed([PACK]) - {"host"}))
def test_what_is_not_seen_is_unknown_and_never_passed(blind: str) -> None:
    seen = facts("hardened")
    seen[blind] = Fact(blind, None, unavailable="denied: permission denied")
    result = audit([PACK], seen, {}, datetime.now(UTC)).packs[0]
    for verdict in result.verdicts:
        rule = next(rule for rule in PACK.rules if rule.id == verdict.rule)
        if blind in rule.facts or re.search(rf"\b{blind}\.", rule.applies):
            assert verdict.verdict == "unknown"
            assert "permission denied" in verdict.reason
    assert result.counts["unknown"] > 0
    assert result.score is not None
    assert result.score < 1


def test_the_host_is_part_of_every_fingerprint() -> None:
    one, other = judged("debian12"), judged("hardened")
    assert one.host.name == "gov-node-01"
    assert one.host.id != other.host.id
    assert not {v.fingerprint for v in one.packs[0].verdicts} & {
        v.fingerprint for v in other.packs[0].verdicts
    }
