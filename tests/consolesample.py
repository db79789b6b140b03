"""A small, varied set of audits in a console, the same every time: what tests of its pages look at.

Twelve hosts of four departments and nobody's; every severity, state and outcome; text that attackers wrote.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any, Final

from exporters.console.attest.reach import kept
from exporters.console.intake.arrived import Arrived
from exporters.console.intake.take import take
from exporters.console.schema import department, waiver, waiver_department, waiver_host
from rules.model import (
    AuditResult,
    Hit,
    Host,
    Outcome,
    PackResult,
    Rule,
    Severity,
    Text,
    Verdict,
    fingerprint,
)
from rules.score import counts, points
from tests.consolelab import Console

BEGUN: Final = datetime(2026, 3, 2, 1, 0, tzinfo=UTC)  # of the first audits
LAST: Final = BEGUN + timedelta(days=3)  # of the last ones
DEPARTMENTS: Final = ("市财政局", "市公安局", "市教育局", "市卫生健康委", "")
SYSTEMS: Final = ("预算管理系统", "政务服务平台", "学籍管理系统", "居民健康档案", "")
REGIONS: Final = ("市本级", "东城区", "西湖县")
HOSTILE: Final = (
    "<img src=x onerror=alert(1)>",
    "=cmd|' /C calc'!A0",
    "\u202egnp.exe\u202c",
    "nul\0 tab\t line\n \ud800",
)
WAIVER: Final = "W-2026-0001"
WAIVED: Final = "linux.sshd.no-root-login"
PACK: Final = "mlps-l3"
BASICS: Final = "host-basics"


def fill(console: Console, hosts: int = 12) -> None:
    """Three audits of every host, a day apart; the last host was heard of once only and is silent since. One
    waiver is in force, of WAIVED on the hosts of the second department."""
    _waive(console)
    for number in range(hosts):
        for day in range(1 if hosts > 3 and number == hosts - 1 else 3):
            result = sample(console, number, day)
            now = result.time + timedelta(minutes=2)
            take(console.database, console.services, arrived(number), result, now)


def _waive(console: Console) -> None:
    with console.database.writing() as connection:
        made = connection.execute(
            department.insert().values(name=DEPARTMENTS[1]).returning(department.c.id)
        )
        departments = (waiver_department, [made.scalar_one()])
        number = connection.execute(
            waiver.insert()
            .values(
                code=WAIVER,
                rule=WAIVED,
                hosts=["*"],
                departments=[DEPARTMENTS[1]],
                reason="业务系统改造完成前无法关闭",
                owner="王芳",
                requester="王芳",
                approver="李敏",
                state="approved",
                expires=date(2036, 3, 31),
                created=BEGUN - timedelta(days=2),
                decided=BEGUN - timedelta(days=1),
            )
            .returning(waiver.c.id)
        ).scalar_one()
        kept(connection, console.database, number, departments, (waiver_host, ["*"]))


def key(number: int) -> str:
    return f"6f1c{number:028x}"


def arrived(number: int) -> Arrived:
    where = number % len(DEPARTMENTS)
    labels = {
        "department": DEPARTMENTS[where],
        "system": SYSTEMS[where],
        "region": REGIONS[number % len(REGIONS)],
        "level": "三级" if number % 2 else "二级",
        "room": f"机房{number % 4}",
    }
    address = f"10.3.{number // 250}.{number % 250 + 1}:9808"
    return Arrived("push" if number % 4 == 3 else "pull", labels, address, "1.0.0")


def sample(console: Console, number: int, day: int) -> AuditResult:
    """The audit of one host on one of the three days."""
    rules = [rule for rule in console.services.rules.values() if rule.subject == "host"]
    rules.sort(key=lambda rule: rule.id)
    host = Host(key(number), f"vm-{number:04d}")
    mapped = [rule for rule in rules if "gb22239" in rule.maps]
    chosen = {rule.id: rule for rule in mapped[::6]}
    chosen |= {rule.id: rule for rule in mapped if rule.severity == "critical"}
    chosen |= {WAIVED: console.services.rules[WAIVED]}
    both = ((PACK, list(chosen.values())), (BASICS, list(chosen.values())[12:24]))
    time = BEGUN + timedelta(days=day, minutes=number)
    packs = tuple(_pack(name, some, host, number, day) for name, some in both)
    return AuditResult(host, time, 2.5, packs, hits=_own(packs, host, time, number))


def _pack(name: str, rules: list[Rule], host: Host, number: int, day: int) -> PackResult:
    verdicts = [
        verdict
        for place, rule in enumerate(rules)
        for verdict in _verdicts(rule, place, host, number, day)
    ]
    score = points(verdicts, {rule.id: rule.weight for rule in rules}).ratio
    return PackResult(
        name, Text("等级保护三级", "MLPS level 3"), {}, score, counts(verdicts), tuple(verdicts)
    )


def _verdicts(rule: Rule, place: int, host: Host, number: int, day: int) -> list[Verdict]:
    if rule.id == WAIVED:  # on every host
        return [_verdict(rule, "fail", host, actual="yes", expected="no")]
    if rule.manual:
        return [_verdict(rule, "manual", host, question=rule.manual)]
    what = (place * 7 + number * 3) % 11
    if what < 4:
        return [_verdict(rule, "pass", host)]
    if what == 4:
        return [_verdict(rule, "unknown", host, reason="/etc/shadow: permission denied")]
    if what == 5:
        return [_verdict(rule, "not_applicable", host, reason="no such service")]
    if what == 6:  # fails, is fixed on the second day, fails again
        fails = day != 1
        return [_verdict(rule, "fail" if fails else "pass", host, actual="yes", expected="no")]
    if what == 7:  # fixed on the last day
        fails = day < 2
        return [_verdict(rule, "fail" if fails else "pass", host, actual=0o666, expected=0o600)]
    if what == 8:  # what it shows changes
        return [_verdict(rule, "fail", host, actual=f"v{day}", expected="v9", evidence=f"e{day}")]
    names = [f"用户{place}", HOSTILE[(place + number) % len(HOSTILE)]]
    return [
        _verdict(rule, "fail", host, name, {"name": name, "uid": place}, None, f"/etc/{place}:3")
        for name in names
    ]


def _verdict(
    rule: Rule,
    outcome: Outcome,
    host: Host,
    instance: str = "",
    actual: Any = None,
    expected: Any = None,
    source: str = "",
    reason: str = "",
    evidence: str = "e",
    question: Text | None = None,
) -> Verdict:
    severity: Severity = rule.severity
    fails = outcome == "fail"
    return Verdict(
        rule=rule.id,
        verdict=outcome,
        severity=severity,
        title=rule.title,
        instance=instance,
        actual=actual if fails else None,
        expected=expected if fails else None,
        source=source or ("/etc/ssh/sshd_config:33" if fails else ""),
        reason=reason,
        maps=rule.maps,
        fingerprint=fingerprint(host.id, rule.id, instance),
        evidence=evidence if fails else "",
        question=question,
    )


def _own(packs: tuple[PackResult, ...], host: Host, time: datetime, number: int) -> tuple[Hit, ...]:
    """What was said at the agent: one hit of some hosts waived there, one acknowledged."""
    failed = [one for pack in packs for one in pack.verdicts if one.verdict == "fail"]
    said = []
    for place, one in enumerate(failed[: 2 if number % 3 == 0 else 0]):
        hit = Hit(
            *(one.fingerprint, host, one.rule, one.title, one.severity),
            state="acknowledged" if place else "waived",
            first_seen=time,
            last_seen=time,
            changed=time,
            instance=one.instance,
            waiver="" if place else "W-2026-001",
            by="张伟",
            note="已报备，等待厂商升级",
        )
        said.append(hit)
    return tuple(said)
