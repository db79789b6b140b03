"""The other parts of a made-up report: follow-ups, lines, IPv6 and the security baseline."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Final, get_args

from exporters.report.document import (
    BaselineDepartment,
    BaselinePart,
    FollowUp,
    FollowUps,
    Ipv6Department,
    Ipv6Part,
    Ipv6Subject,
    Line,
    LineLevel,
    LinesPart,
    Maintenance,
    OldHit,
    Outdated,
    Step,
    Waiver,
)
from exporters.usage.period import months_before
from rules.model import Text
from rules.usagejudgement import Amount, Judgement
from tests import reportsamplenames as names

STEPS: Final[tuple[Step, ...]] = get_args(Step)
_ADVISED: Final = ("reclaim", "shrink", "grow")
_HOURS: Final = 744.0


def follow_ups(random: Random, judged: Sequence[Judgement], month: str) -> FollowUps:
    """Every step there is; the saving of one that was reviewed is not always known."""
    rows = []
    months, year = months_before(month, 4), int(month[:4])
    for n, it in enumerate([one for one in judged if one.advice in _ADVISED]):
        step = STEPS[n % len(STEPS)]
        after = STEPS.index(step) if step in STEPS[:4] else 0
        reviewed = step == "reviewed" and n % 12 != 3
        rows.append(
            FollowUp(
                id=f"{month.replace('-', '')}-{n + 1:04}",
                resource=it.resource,
                name=it.name,
                department=it.department,
                system=it.system,
                advice=it.advice,
                step=step,
                notified=months[n % 4],
                months=4 - n % 4,
                planned=it.free,
                realised=it.free if reviewed else None,
                saved_cost=(it.free.vcpus or 0.0) * _HOURS * 0.12 if reviewed else None,
                confirmed=date(year, 10, 12) if after >= 1 else None,
                carried_out=date(year, 10, 19) if after >= 2 else None,
                reviewed=date(year, 10, 30) if after >= 3 else None,
                by=random.choice(names.PEOPLE) if after else "",
                note="业务高峰在年末，暂不缩减" if step == "declined" else "",
            )
        )
    counted = Counter(it.step for it in rows)
    done = [it.realised for it in rows if it.realised is not None]
    realised = Amount(
        sum(it.vcpus or 0.0 for it in done),
        sum(it.memory or 0 for it in done),
        sum(it.disk or 0 for it in done),
    )
    ever = Amount((realised.vcpus or 0) + 96.0, realised.memory, realised.disk)
    saved = [it.saved_cost for it in rows if it.saved_cost is not None]
    steps: dict[str, int] = {step: counted[step] for step in STEPS}
    return FollowUps(tuple(rows), steps, realised, ever, sum(saved) if saved else None)


def lines(random: Random, since: datetime, hostile: bool) -> LinesPart:
    levels = (("city", 99.9, 4), ("county", 99.5, 14), ("town", 99.0, 67), ("village", None, 40))
    found = []
    for level, target, count in levels:
        for n in range(count):
            site = names.SITES[n % len(names.SITES)]
            name = f"<b>=1+{n}</b>{site}" if hostile else f"{site}-{level}-{n + 1:03}"
            down = 0.0 if n % 3 else random.uniform(0, 9)
            unknown = _HOURS if n % 13 == 12 else float(n % 5)
            maintenance = 4.0 if n % 6 == 0 else 0.0
            known = _HOURS - unknown - maintenance if unknown < _HOURS else 0.0
            up = 100 * (1 - down / known) if known > 0 else None
            met = None if up is None or target is None else up >= target
            found.append(
                Line(
                    name=name,
                    site=site,
                    level=level,
                    carrier=random.choice(("电信", "移动", "联通", "")),
                    availability=up,
                    target=target,
                    met=met,
                    down=down if known else None,
                    unknown=unknown,
                    maintenance=maintenance,
                    outages=None if not known else int(down) + 1 if down else 0,
                    longest=down / 2 if known else None,
                    whole=unknown < 4,
                )
            )
    measured = [it for it in found if it.availability is not None]
    worst = sorted(measured, key=lambda it: (it.availability or 0.0, it.name))[:10]
    windows = (
        Maintenance(since + timedelta(days=5), since + timedelta(days=5, hours=4), (),
                    ("county",), "骨干割接", "李敏", 14, 56.0),
        Maintenance(since + timedelta(days=20), since + timedelta(days=20, hours=2),
                    (found[0].name,), (), "光缆迁改", "", 1, 2.0),
    )  # fmt: skip
    kept = tuple(_level(level, target, found) for level, target, _ in levels)
    return LinesPart(kept, tuple(worst), tuple(found), windows, "links.db")


def _level(level: str, target: float | None, found: Sequence[Line]) -> LineLevel:
    some = [it for it in found if it.level == level]
    measured = [it for it in some if it.availability is not None]
    known = sum(_HOURS - it.unknown - it.maintenance for it in measured)
    down = sum(it.down or 0.0 for it in measured)
    return LineLevel(
        *(level, len(some), len(measured), 100 * (1 - down / known) if known else None, target),
        *(sum(it.met is True for it in some), sum(it.met is False for it in some)),
        *(down, sum(it.unknown for it in some), sum(it.maintenance for it in some)),
    )


def ipv6(random: Random, departments: Sequence[str], at: datetime) -> Ipv6Part:
    subjects = []
    for n, department in enumerate((*departments, "")):
        for m in range(1 + n % 3):
            score = None if (n + m) % 5 == 4 else random.uniform(20, 100)
            before = None if (n + m) % 6 == 5 else random.uniform(20, 100)
            kind = ("site", "host", "line")[m]
            when = None if score is None else at + timedelta(days=n)
            whose = f"{kind}{n}.example.gov", kind, department
            subjects.append(Ipv6Subject(*whose, score, before, when))
    found = []
    for department in (*departments, ""):
        some = [it for it in subjects if it.department == department]
        tested = [it.score for it in some if it.score is not None]
        mean = sum(tested) / len(some) if tested else None
        found.append(Ipv6Department(department, len(some), len(tested), mean, None))
    score = sum(it.score or 0.0 for it in subjects) / len(subjects)
    old = (Outdated(subjects[0].name, subjects[0].department, at - timedelta(days=90)),)
    return Ipv6Part(score, score - 3.5, tuple(found), tuple(subjects), "readiness.json", old)


def baseline(random: Random, departments: Sequence[str], since: datetime) -> BaselinePart:
    found, hits, waivers = [], [], []
    for n, department in enumerate((*departments, "")):
        audited = 0 if n % 8 == 7 else 3 + n
        score = random.uniform(55, 99) if audited else None
        before = random.uniform(50, 95) if audited and n % 4 else None
        counts = (3 * n % 7, n % 3, n % 4) if audited else (0, 0, 0)
        hits_open = None if n % 9 == 5 else n % 5
        found.append(
            BaselineDepartment(
                *(department, 4 + n, audited, score, before, *counts, hits_open),
                *((since + timedelta(days=n % 9), since + timedelta(days=20)) if audited else ()),
            )
        )
        hits.append(
            OldHit(
                host=f"host-{n:03}",
                department=department,
                rule="linux.accounts.only-root-has-uid-0",
                title=Text("除 root 外不得有 UID 为 0 的账户", "No account but root has UID 0"),
                severity=("critical", "high", "medium")[n % 3],
                instance=f"toor{n}",
                since=since - timedelta(days=400 - 9 * n),
                days=431 - 9 * n,
                state="acknowledged",
            )
        )
        if n % 4 == 0:
            expires = date(2026, 11, 1) + timedelta(days=n - 6)
            waiver = (f"W-{n:03}", department, f"厂商系统暂不支持 {n}", names.PEOPLE[n % 7])
            waivers.append(Waiver(*waiver, expires, n - 6, None if n % 8 == 4 else n + 1))
    old = (Outdated("host-old", departments[0], since - timedelta(days=200)),)
    return BaselinePart(tuple(found), tuple(hits), tuple(waivers), "hits.db", old)
