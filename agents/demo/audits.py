"""Audits of the example city's machines by the pack mlps-l3. What a rule finds is what it finds in the scenarios that it
carries itself, so that every value shown is one that the rule really judged.

A machine fails the more rules the less its department cares; weeks later some are mended, and one comes back.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Final, NamedTuple

import msgspec

from agents.demo import city
from agents.demo.city import Machine
from rules import pack as packs
from rules.model import AuditResult, Host, Outcome, Pack, PackResult, Rule, Verdict, fingerprint
from rules.scenarios import run
from rules.score import counts, layers, score, side_scores

PACK: Final = "mlps-l3"
BACK: Final = "linux.sshd.no-root-login"  # the rule whose hit was fixed and came back
_FAILS: Final = {"critical": 0.015, "high": 0.09, "medium": 0.14, "low": 0.18, "info": 0.2}
_UNKNOWN: Final = 0.012
# where the facts of a rule are from, by the beginning of its id
_SOURCES: Final[Mapping[str, str]] = {
    "linux.sshd": "/etc/ssh/sshd_config:32",
    "linux.accounts": "/etc/shadow:24",
    "linux.pam": "/etc/pam.d/common-auth:17",
    "linux.audit": "/etc/audit/rules.d/50-site.rules:8",
    "linux.kernel": "/etc/sysctl.d/99-site.conf:9",
    "linux.border": "/etc/nftables.conf:14",
    "linux.logs": "/etc/rsyslog.d/50-site.conf:6",
    "linux.sudo": "/etc/sudoers.d/90-ops:3",
    "linux.shell": "/etc/profile:27",
    "linux.time": "/etc/chrony/chrony.conf:4",
}


class Findings(NamedTuple):
    """How a rule comes out: the verdicts of its scenarios by outcome. A manual rule has none that fail."""

    rule: Rule
    of: Mapping[Outcome, tuple[Verdict, ...]]


class Auditors:
    """Makes audits. The scenarios are run once, which takes some seconds."""

    def __init__(self) -> None:
        self.pack: Pack = packs.load(PACK)
        found: dict[str, dict[Outcome, tuple[Verdict, ...]]] = {}
        for result in run(self.pack):
            if result.right:
                found.setdefault(result.id, {}).setdefault(result.expected, tuple(result.verdicts))
        self.findings = [Findings(rule, found.get(rule.id, {})) for rule in self.pack.rules]

    def audit(self, machine: Machine, time: datetime, week: int) -> AuditResult:
        """Of a week, from 0."""
        host = Host(machine.id, machine.name)
        verdicts = [
            verdict for it in self.findings for verdict in self._verdicts(it, machine, week)
        ]
        total, cap = score(self.pack, verdicts)
        result = PackResult(
            pack=self.pack.pack,
            title=self.pack.title,
            params=self.pack.params,
            score=total,
            counts=counts(verdicts),
            verdicts=tuple(verdicts),
            cap=cap,
            layers=layers(self.pack.rules, verdicts),
            scores=side_scores(self.pack, verdicts),
        )
        return AuditResult(host, time, 1.4, (result,))

    def _verdicts(self, it: Findings, machine: Machine, week: int) -> Sequence[Verdict]:
        rule = it.rule
        if rule.manual:
            return [_verdict(rule, "manual", machine, question=rule.manual)]
        outcome = _outcome(rule, machine, week)
        if outcome == "unknown":
            reason = "/etc: permission denied"
            return [_verdict(rule, outcome, machine, reason=reason)]
        if outcome == "fail" and (templates := it.of.get("fail")):
            source = next((it for start, it in _SOURCES.items() if rule.id.startswith(start)), "")
            return [
                msgspec.structs.replace(
                    template,
                    source=template.source or source,
                    fingerprint=fingerprint(machine.id, rule.id, template.instance),
                )
                for template in templates
                if template.verdict == "fail"
            ]
        return [_verdict(rule, "pass", machine)]


def _outcome(rule: Rule, machine: Machine, week: int) -> Outcome:
    if rule.id == BACK and machine.department == city.REGRESSED and machine.number % 3 == 0:
        return "pass" if week == 2 else "fail"
    # the same machine and rule have the same lots every week; what is mended stays mended
    drawn = hashlib.blake2b(f"{machine.number} {rule.id}".encode(), digest_size=16).digest()
    unknown, fails, mended, after = (lot / 2**32 for lot in struct.unpack("<4I", drawn))
    if unknown < _UNKNOWN:
        return "unknown"
    if fails >= _FAILS[rule.severity] * (1.6 - 1.4 * machine.care):
        return "pass"
    return "pass" if mended < 0.25 * machine.care + 0.05 and week > 3 * after else "fail"


def _verdict(rule: Rule, outcome: Outcome, machine: Machine, **more: object) -> Verdict:
    return Verdict(
        rule=rule.id,
        verdict=outcome,
        severity=rule.severity,
        title=rule.title,
        maps=rule.maps,
        fingerprint=fingerprint(machine.id, rule.id, ""),
        **more,  # type: ignore[arg-type]
    )
