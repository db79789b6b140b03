"""Audits of a city that was made up, the same every time: hosts of 23 departments and 46 systems, judged by the
mlps-l3 pack, whose failing rules are spread as on real machines: a few fail nearly everywhere, most seldom, and some
have many offenders.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from exporters.console.intake.arrived import Arrived
from rules import pack as packs
from rules.model import AuditResult, Host, Outcome, Pack, PackResult, Rule, Verdict, fingerprint
from rules.score import counts, score

PACK: Final = "mlps-l3"
BEGUN: Final = datetime(2026, 10, 1, 0, 0, tzinfo=UTC)
SYSTEMS: Final = 46
DEPARTMENTS: Final = (
    *("市政府办公室", "市发展改革委", "市教育局", "市科技局", "市工业和信息化局", "市公安局"),
    *("市民政局", "市司法局", "市财政局", "市人力资源社会保障局", "市自然资源局"),
    *("市生态环境局", "市住房城乡建设局", "市交通运输局", "市水利局", "市农业农村局"),
    *("市商务局", "市文化旅游局", "市卫生健康委", "市应急管理局", "市审计局"),
    *("市市场监管局", "市大数据中心"),
)
REGIONS: Final = ("市本级", "东城区", "西城区", "滨江区", "高新区", "新城区", "港区", "云山县")
_PEOPLE: Final = ("张伟", "王芳", "李敏", "刘洋", "陈静", "杨磊", "赵强", "黄丽")
_NAMES: Final = ("oracle", "tomcat", "nginx", "备份账号", "运维", "mysql", "zabbix", "ftp")
_PATHS: Final = ("/etc/ssh/sshd_config", "/etc/passwd", "/etc/pam.d/system-auth", "/etc/sudoers")


def audits(hosts: int, hits: int, seed: int = 1, round_: int = 0) -> Iterator[AuditResult]:
    """One audit of each host, with so many hits in all. In each round after the first, an hour later, one hit of a
    hundred is fixed or fails again, and one of a hundred shows something else."""
    pack = packs.load(PACK)
    for number in range(hosts):
        share = hits * (number + 1) // hosts - hits * number // hosts
        yield _audit(pack, number, share, seed, round_)


def arrived(number: int) -> Arrived:
    """What the targets file says of the host of this number."""
    system = number % SYSTEMS
    labels = {
        "department": DEPARTMENTS[system % len(DEPARTMENTS)],
        "system": f"政务系统{system + 1:02}",
        "region": REGIONS[number % len(REGIONS)],
        "level": "三级" if system % 3 else "二级",
    }
    return Arrived("pull", labels, f"10.{number >> 14}.{number >> 6 & 255}.{number & 63}:9808", "1")


def _audit(pack: Pack, number: int, share: int, seed: int, round_: int) -> AuditResult:
    chance = random.Random(seed * 1_000_003 + number)  # noqa: S311 - not a secret
    later = random.Random((seed + 1) * 1_000_003 * (round_ + 1) + number)  # noqa: S311
    host = Host(f"{chance.getrandbits(128):032x}", f"vm-{number:05}")
    rules = pack.about("host")
    asked = [rule for rule in rules if not rule.manual]
    chance.shuffle(asked)
    failing = asked[: min(len(asked) // 3, share)]
    fails = {rule.id: 1 for rule in failing}
    many = failing[::6] or failing  # these have offenders to name
    for place in range(share - len(failing)):
        fails[many[place % len(many)].id] += 1
    verdicts: list[Verdict] = []
    for rule in rules:
        verdicts += _verdicts(rule, fails.get(rule.id, 0), host, chance, later, round_)
    total, cap = score(pack, verdicts)
    result = PackResult(pack.pack, pack.title, {}, total, counts(verdicts), tuple(verdicts), cap)
    time = BEGUN + timedelta(hours=round_, seconds=number % 3000)
    return AuditResult(host, time, 3.0, (result,))


def _verdicts(
    rule: Rule,
    offenders: int,
    host: Host,
    chance: random.Random,
    later: random.Random,
    round_: int,
) -> list[Verdict]:
    if not offenders:
        outcome: Outcome = (
            "manual" if rule.manual else "unknown" if chance.random() < 0.03 else "pass"
        )
        reason = "/etc/shadow: permission denied" if outcome == "unknown" else ""
        return [
            Verdict(
                *(rule.id, outcome, rule.severity, rule.title),
                reason=reason,
                maps=rule.maps,
                question=rule.manual,
            )
        ]
    found = []
    for place in range(offenders):
        name = f"{chance.choice(_NAMES)}{place}" if offenders > 1 else ""
        uid, owner = chance.randrange(1000, 60000), chance.choice(_PEOPLE)
        source = f"{chance.choice(_PATHS)}:{uid % 300}"
        if round_ and later.random() < 0.01:
            continue
        shown = uid + 1 if round_ and later.random() < 0.01 else uid
        actual: Any = {"name": name, "uid": shown, "owner": owner} if name else shown
        found.append(
            Verdict(
                rule=rule.id,
                verdict="fail",
                severity=rule.severity,
                title=rule.title,
                instance=name,
                actual=actual,
                expected=None if name else "no",
                source=source,
                maps=rule.maps,
                fingerprint=fingerprint(host.id, rule.id, name),
                evidence=f"{shown:064x}",
            )
        )
    return found or [Verdict(rule.id, "pass", rule.severity, rule.title, maps=rule.maps)]
