"""A month's report of a made-up city, as data: all that can be in one, sums that agree, nothing by chance.

`sample` is for whoever shows a report; with `hostile`, names are those that somebody would give who wants to harm readers.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from random import Random
from typing import Final
from zoneinfo import ZoneInfo

import msgspec

from exporters.report.document import (
    Capacity,
    DayPoint,
    Department,
    Document,
    Estate,
    Exemption,
    Held,
    Load,
    MonthPoint,
    Sums,
    System,
    Total,
)
from exporters.usage.period import months_before
from rules.model import Text
from rules.usagejudgement import ADVICES, STATES, Judgement
from tests import reportsamplenames as names
from tests.reportsamplecover import figures, gaps, scope, summary
from tests.reportsamplemoney import showback, together
from tests.reportsampleparts import baseline, follow_ups, ipv6, lines
from tests.reportsampleresources import HOURS, Placed, placed

CHINA: Final = ZoneInfo("Asia/Shanghai")
GIB: Final = 2**30
MISSING: Final = (4, 5)  # months of the trend of which nothing is known
GAP_DAY: Final = 8
DUE: Final = ("reclaim", "shrink")


def sample(
    departments: int = 23,
    resources: int = 400,
    hostile: bool = False,
    month: str = "2026-10",
    under_way: bool = False,
) -> Document:
    """`departments` that have a name; what is unassigned comes beside them."""
    random = Random(f"{departments} {resources} {month}")  # noqa: S311 - the same each time
    since = datetime.strptime(month, "%Y-%m").replace(tzinfo=CHINA)
    end = (since + timedelta(days=31)).replace(day=1)
    until = since + timedelta(days=12) if under_way else end
    given = _names(departments, hostile)
    all_of_them = placed(random, given, resources, hostile, month, under_way)
    parts = _departments(random, given, [it for it in all_of_them if it.judgement.kind != "host"])
    judged = [one.judgement for one in all_of_them]
    estate = _estate(random, month, since, until, judged, parts)
    held = _held(judged, until)
    return Document(
        scope=scope(month, since, until, under_way, estate.load.coverage),
        summary=summary(estate, parts),
        figures=figures(estate, parts),
        estate=estate,
        departments=parts,
        showback=together([it.showback for it in parts if it.showback]),
        held=held,
        exemptions=_exemptions(judged),
        gaps=gaps(judged, parts),
        follow_ups=follow_ups(random, judged, month),
        lines=lines(random, since, hostile),
        ipv6=ipv6(random, given, since),
        baseline=baseline(random, given, since),
    )


def _names(count: int, hostile: bool) -> list[str]:
    known = names.HOSTILE_DEPARTMENTS if hostile else names.DEPARTMENTS
    return [
        known[n] if n < len(known) else f"{known[n % len(known)]}第{n // len(known) + 1}分局"
        for n in range(count)
    ]


def sums(judged: Sequence[Judgement], free: bool = False) -> Sums:
    amounts = [it.free if free else it.granted for it in judged if it.kind != "host"]
    return Sums(
        len(amounts),
        *(
            Total(
                float(sum(getattr(it, name) or 0 for it in amounts)),
                sum(getattr(it, name) is None for it in amounts),
            )
            for name in ("vcpus", "memory", "disk")
        ),
    )


def _load(some: Sequence[Placed], peak_at: datetime | None) -> Load:
    """The average is that of its parts; quantiles are made up around it, and None for one part in nine."""
    used, known = sum(it.used for it in some), sum(it.known for it in some)
    granted = sum(it.granted for it in some)
    if not known:
        return Load(coverage=0.0 if granted else None)
    average, sketches = 100 * used / known, len(some) % 9 == 0
    return Load(
        average=average,
        p50=None if sketches else 0.9 * average,
        p95=None if sketches else min(97.0, 1.9 * average),
        peak=None if sketches else min(100.0, 2.6 * average),
        peak_at=None if sketches else peak_at,
        work=1.3 * average,
        off=0.8 * average,
        cores=used / HOURS,
        coverage=100 * known / granted,
    )


def _departments(
    random: Random, given: Sequence[str], all_of_them: Sequence[Placed]
) -> tuple[Department, ...]:
    by_name: dict[str, list[Placed]] = defaultdict(list)
    for one in all_of_them:
        by_name[one.judgement.department].append(one)
    found = [_department(random, name, by_name[name]) for name in given]
    found.sort(key=lambda it: (it.waste is None, -(it.waste or 0.0)))
    befores = list(range(1, len(found) + 1))
    random.shuffle(befores)
    ranked = [
        msgspec.structs.replace(it, rank=n + 1, rank_before=None if n == 2 else befores[n])
        for n, it in enumerate(found)
    ]
    return (*ranked, _department(random, "", by_name[""]))


def _department(random: Random, name: str, some: Sequence[Placed]) -> Department:
    judged = [it.judgement for it in some]
    used, known = sum(it.used for it in some), sum(it.known for it in some)
    peak_at = datetime(2026, 10, random.randint(1, 12), random.randint(9, 17), 35, tzinfo=CHINA)
    load = _load(some, peak_at)
    before = None if random.random() < 0.15 or load.average is None else random.uniform(4, 40)
    change = None if before is None or load.average is None else load.average - before
    by_system: dict[str, list[Placed]] = defaultdict(list)
    for one in some:
        by_system[one.judgement.system].append(one)
    return Department(
        name=name,
        rank=None,
        rank_before=None,
        granted=sums(judged),
        granted_core_hours=sum(it.granted for it in some),
        used_core_hours=used,
        known_core_hours=known,
        waste=known - used if known and name else None,
        load=load,
        cpu_before=before,
        change=change,
        reason=_reason(change),
        memory=None if random.random() < 0.2 or not known else random.uniform(20, 80),
        states=_counts(STATES, [it.state for it in judged]),
        advice=_counts(ADVICES, [it.advice for it in judged]),
        due=sums([it for it in judged if it.advice in DUE], free=True),
        watched=sums([it for it in judged if it.advice == "watch"], free=True),
        systems=tuple(
            _system(system, by_system[system], peak_at)
            for system in sorted(by_system, key=lambda it: (not it, it))
        ),
        resources=tuple(judged),
        showback=showback(some),
    )


def _system(name: str, some: Sequence[Placed], peak_at: datetime) -> System:
    judged = [it.judgement for it in some]
    states = _counts(STATES, [it.state for it in judged])
    due = sums([it for it in judged if it.advice in DUE], free=True)
    return System(name, sums(judged), _load(some, peak_at), states, due)


def _counts(keys: Sequence[str], found: Sequence[str]) -> Mapping[str, int]:
    counted = Counter(found)
    return {key: counted[key] for key in keys}


def _reason(change: float | None) -> Text:
    if change is None:
        return Text("上月没有可比的数据", "nothing to compare with in the month before")
    if change > 0:
        return Text(
            "新增业务上线，使用 vCPU 增加 12.5", "12.5 vCPUs more were used: a new system went live"
        )
    return Text("扩容 64 vCPU 后尚未用足", "64 vCPUs were added and are not used yet")


def _estate(
    random: Random,
    month: str,
    since: datetime,
    until: datetime,
    judged: Sequence[Judgement],
    parts: Sequence[Department],
) -> Estate:
    used = sum(it.used_core_hours for it in parts)
    known = sum(it.known_core_hours for it in parts)
    hours = sum(it.granted_core_hours for it in parts)
    average = 100 * used / known
    granted = sums(judged)
    load = Load(
        *(average, 0.95 * average, 1.6 * average, 2.1 * average),
        *(since + timedelta(days=9, hours=10, minutes=5), 1.2 * average, 0.85 * average),
        *(used / HOURS, 100 * known / hours),
    )
    months = months_before(month, 12)
    trend = tuple(
        MonthPoint(one)
        if n in MISSING
        else MonthPoint(
            one,
            granted.vcpus.value * (0.7 + n * 0.3 / 11),
            granted.memory.value * (0.7 + n * 0.3 / 11),
            granted.disk.value * (0.6 + n * 0.4 / 11) if n > 2 else None,
            average if n == 11 else random.uniform(12, 24),
            random.uniform(40, 55) if n > 6 else None,
            random.uniform(85, 100),
            len(judged) - 3 * (11 - n),
        )
        for n, one in enumerate(months)
    )
    days = []
    for n in range((until - since).days):
        day = (since + timedelta(days=n)).date()
        workday = day.weekday() < 5 and day >= date(day.year, day.month, 8)
        height = average * (1.2 if workday else 0.8) * random.uniform(0.9, 1.1)
        gap = n == GAP_DAY
        days.append(
            DayPoint(day, None if gap else height, None if gap else min(100, 2 * height), workday)
        )
    return Estate(
        capacity=(
            Capacity("vcpus", 4410.0, 8820.0, granted.vcpus, used / HOURS),
            Capacity("memory", 42000.0 * GIB, 42000.0 * GIB, granted.memory, 9000.0 * GIB),
            Capacity("disk", None, None, granted.disk, None, Text("配置文件", "the profile")),
        ),
        granted=granted,
        kinds=dict(Counter(it.kind for it in judged)),
        states=_counts(STATES, [it.state for it in judged]),
        load=load,
        trend=trend,
        days=tuple(days),
        due=sums([it for it in judged if it.advice in DUE], free=True),
        watched=sums([it for it in judged if it.advice == "watch"], free=True),
        hosts=tuple(it for it in judged if it.kind == "host"),
    )


def _held(judged: Sequence[Judgement], until: datetime) -> tuple[Held, ...]:
    found = []
    for it in judged:
        code = it.reasons[0].code.removesuffix("_for")
        if code in ("stopped", "detached"):
            days = it.reasons[0].value or 0.0
            since, due = until - timedelta(days=days), it.advice == "reclaim"
            one = (it.resource, it.name, it.kind, it.department, it.system, since, days)
            found.append(Held(*one, it.granted, due))
    return tuple(sorted(found, key=lambda it: (-it.days, it.resource)))


def _exemptions(judged: Sequence[Judgement]) -> tuple[Exemption, ...]:
    by_id: dict[str, list[Judgement]] = defaultdict(list)
    for it in judged:
        if it.exemption:
            by_id[it.exemption.id].append(it)
    found = []
    for id, some in sorted(by_id.items()):
        first = some[0].exemption
        assert first is not None
        whose = tuple(sorted({one.department for one in some}))
        said = (id, first.reason, first.owner, first.approver, first.expires, first.days_left)
        own = {name: sums([it for it in some if it.department == name]) for name in whose}
        found.append(Exemption(*said, len(some), sums(some), whose, own))
    return tuple(found)
