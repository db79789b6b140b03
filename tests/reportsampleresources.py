"""Resources of a made-up city in one month, judged: every state, advice and reason there is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from random import Random
from typing import Final, NamedTuple

from rules.usagejudgement import (
    NOTHING,
    Advice,
    Amount,
    Exempted,
    Figures,
    Judgement,
    Reason,
    State,
)
from tests import reportsamplenames as names

HOURS: Final = 744.0
GIB: Final = 2**30
_SIZES: Final = ((2, 4), (4, 8), (4, 16), (8, 16), (8, 32), (16, 64), (32, 128))
_ENVIRONMENTS: Final = ("production", "production", "test", "recovery", "backup", "")
_NOT_KNOWN: Final = Amount()
_HOWS: Final = ("override", "metadata", "project", "libvirt")


class Placed(NamedTuple):
    """A resource and its core hours: granted, known, and used of what is known."""

    judgement: Judgement
    granted: float = 0.0
    known: float = 0.0
    used: float = 0.0


class Case(NamedTuple):
    state: State
    advice: Advice
    reasons: tuple[Reason, ...]
    cpu: float | None  # 95th percentile, percent
    months: int = 0
    exempt: str = ""  # id


def _cases(under_way: bool) -> tuple[Case, ...]:
    quiet = Reason("network_below", 1200.0, 3000.0)
    idle = Reason("cpu_below", 2.1, 5.0)
    low = (Reason("cpu_below", 17.3, 30.0, estimated=True), Reason("memory_below", 41.0, 60.0))
    busy = Reason("cpu_above", 91.5, 80.0)
    months = Reason("months", 3.0)
    cases = (
        Case("right-sized", "none", (Reason("cpu", 55.2), Reason("memory", 62.0)), 55.2),
        Case("low", "shrink", (*low, Reason("months", 2.0)), 17.3, 2),
        Case("right-sized", "none", (Reason("cpu", 61.0), Reason("memory_unknown")), 61.0),
        Case("idle", "reclaim", (idle, quiet, months), 2.1, 3),
        Case("low", "watch", (low[0], Reason("memory_unknown"), Reason("months", 1.0)), 17.3, 1),
        Case("busy", "grow", (busy, Reason("saturated")), 91.5, 1),
        Case("idle", "watch", (idle, quiet, Reason("peak", 64.0, None, "2026-10-12")), 2.1, 1),
        Case("insufficient", "none", (Reason("coverage", 41.0, 80.0),), 12.0),
        Case("right-sized", "none", (Reason("cpu_below", 29.96, 30.0), Reason("near", 1.0)), 29.96),
        Case("stopped", "reclaim", (Reason("stopped", 64.0, 30.0, "2026-08-28"),), None, 2),
        Case("exempt", "none", (Reason("exempt", text="E-1"), idle), 2.1, 0, "E-1"),
        Case("low", "none", (*low, Reason("smallest")), 17.3, 5),
        Case("busy", "watch", (Reason("steal_above", 7.5, 5.0), Reason("host_contended")), 70.0, 2),
        Case("insufficient", "none", (Reason("cpu_unknown"),), None),
        Case("exempt", "none", (Reason("exempt", text="E-2"), *low), 17.3, 0, "E-2"),
        Case("insufficient", "none", (Reason("age", 6.0, 14.0, "2026-10-25"),), 33.0),
        Case("right-sized", "none", (Reason("stopped_for", 9.0, None, "2026-10-22"),), 44.0),
        Case("idle", "reclaim", (idle, quiet, Reason("exemption_expired", text="E-3")), 2.1, 4),
        Case("low", "watch", (*low, Reason("moved", None, None, "2026-10-15")), 17.3, 0),
        Case("insufficient", "none", (Reason("resized", text="2026-10-18"),), 40.0),
    )
    if not under_way:
        return cases
    so_far = Reason("under_way", 12.0)
    return tuple(
        it if it.advice == "none" else it._replace(advice="watch", reasons=(*it.reasons, so_far))
        for it in cases
    )


_VOLUMES: Final = (
    Case("in-use", "none", (Reason("attached"),), None),
    Case("in-use", "none", (Reason("attached"),), None),
    Case("detached", "reclaim", (Reason("detached", 95.0, 30.0, "2026-07-28"),), None, 3),
    Case("in-use", "none", (Reason("detached_for", 11.0, None, "2026-10-20"),), None),
    Case("insufficient", "none", (Reason("volume_untold"),), None),
)


def placed(
    random: Random,
    departments: Sequence[str],
    count: int,
    hostile: bool,
    month: str,
    under_way: bool,
) -> list[Placed]:
    """One in 25 belongs to nobody; every fourth is a volume; three are machines themselves."""
    cases, found = _cases(under_way), []
    for n in range(count):
        loose = n % 25 == 24
        department = "" if loose else departments[n % len(departments)]
        system = "" if loose or n % 11 == 10 else _system(n, len(departments), hostile)
        where = (n, department, system, month, hostile)
        if n in (24, 49, 74):
            found.append(_host(random, *where))
        elif n % 4 == 3:
            found.append(_volume(random, _VOLUMES[n // 4 % len(_VOLUMES)], *where))
        else:
            found.append(_server(random, cases[(n - n // 4) % len(cases)], *where))
    return found


def _system(number: int, departments: int, hostile: bool) -> str:
    """Two to a department, of names that nobody else has."""
    index = 2 * (number % departments) + number // departments % 2
    known = names.HOSTILE_SYSTEMS if hostile else names.SYSTEMS
    name = known[index % len(known)]
    return f"{name} {index}" if hostile or index >= len(known) else name


def _name(random: Random, number: int, kind: str, hostile: bool) -> str:
    if hostile and number % 2:
        return names.HOSTILE_RESOURCES[number // 2 % len(names.HOSTILE_RESOURCES)].format(number)
    role = "vol" if kind == "volume" else random.choice(names.ROLES)
    return f"{role}-{number:05}"


def _judgement(
    random: Random,
    case: Case,
    kind: str,
    where: tuple[int, str, str, str, bool],
    granted: Amount,
    target: Amount = _NOT_KNOWN,
    free: Amount = NOTHING,
) -> Judgement:
    number, department, system, month, hostile = where
    measured = {} if case.cpu is None else _measured(random, case.cpu, month, number)
    figures: dict[str, float] = {
        name: it.p95 for name, it in measured.items() if it.p95 is not None
    }
    if "net_rx" in figures and number % 5:
        figures["network"] = figures.pop("net_rx") + figures.pop("net_tx")
    kept = {
        name: figures[name] for name in ("cpu", "memory", "steal", "network") if name in figures
    }
    coverage = measured["cpu"].coverage if measured else 0.0
    found: State = case.state
    if case.state == "exempt":
        found = "idle" if case.exempt == "E-1" else "low"
    return Judgement(
        resource=f"{random.getrandbits(64):016x}-{number:06}",
        name=_name(random, number, kind, hostile),
        kind=kind,
        month=month,
        state=case.state,
        found=found,
        advice=case.advice,
        months=case.months,
        reasons=case.reasons,
        department=department,
        system=system,
        region="" if number % 7 == 6 else names.SITES[number % len(names.SITES)],
        environment=_ENVIRONMENTS[number % len(_ENVIRONMENTS)],
        attribution=_HOWS[number % len(_HOWS)] if department else "unassigned",
        project="" if number % 9 == 8 else f"p-{number % 31:02}",
        granted=granted,
        target=target,
        free=free,
        figures=kept | {"coverage": coverage},
        measured=measured,
        exemption=_exempted(case, hostile),
        seen=number % 40 != 39,
    )


def _exempted(case: Case, hostile: bool) -> Exempted | None:
    expired = any(it.code == "exemption_expired" for it in case.reasons)
    id = "E-3" if expired else case.exempt
    if not id:
        return None
    reason = {"E-1": "异地容灾备机", "E-2": "月末批量", "E-3": "等保测评环境"}[id]
    reason = f"=1+1 <b>{reason}</b>" if hostile else reason
    days = {"E-1": 61, "E-2": 12, "E-3": -10}[id]
    expires = date.fromordinal(date(2026, 11, 1).toordinal() + days)
    return Exempted(id, reason, names.PEOPLE[0], names.PEOPLE[1], expires, days, not expired)


def _measured(random: Random, cpu: float, month: str, number: int) -> dict[str, Figures]:
    at = f"{month}-{1 + number % 12:02}T{9 + number % 9:02}:{number % 12 * 5:02}+08:00"
    coverage = random.choice((41.0, 60.0)) if cpu == 12.0 else random.uniform(85, 100)

    def of(p95: float, estimated: bool = False) -> Figures:
        average, top = p95 * random.uniform(0.3, 0.6), max(p95, min(100.0, p95 * 1.6))
        when = "" if estimated else at
        quantiles = (average, 0.9 * average, p95, top, when, 1.2 * average, 0.8 * average)
        return Figures(*quantiles, coverage, estimated)

    found = {"cpu": of(cpu, number % 6 == 5), "steal": of(random.uniform(0, 1))}
    if number % 5 != 4:
        found["memory"] = of(random.uniform(20, 70))
    for name in ("net_rx", "net_tx"):
        found[name] = Figures(random.uniform(1e3, 9e5), None, random.uniform(1e4, 2e6), 9e6, at,
                              None, None, coverage)  # fmt: skip
    return found


def _server(random: Random, case: Case, *where: object) -> Placed:
    number, department, system, month, hostile = where
    assert isinstance(number, int)
    vcpus, gib = random.choice(_SIZES)
    known = number % 37 != 36
    granted = Amount(float(vcpus) if known else None, gib * GIB if number % 41 != 40 else None, 0)
    target, free = Amount(), NOTHING
    if case.state == "insufficient":
        free = Amount()
    elif case.state in ("idle", "stopped"):
        free = granted
    elif case.state == "low" and known and case.advice != "none":
        target = Amount(vcpus / 2, None if number % 5 == 4 else gib * GIB // 2)
        free = Amount(vcpus / 2, target.memory, 0)
    elif case.advice == "grow" and known:
        target = Amount(vcpus * 2.0, gib * GIB)
    place = (number, str(department), str(system), str(month), bool(hostile))
    judged = _judgement(random, case, "server", place, granted, target, free)
    hours = (granted.vcpus or 0.0) * HOURS
    cpu = judged.measured.get("cpu")
    if cpu is None or cpu.average is None:
        return Placed(judged, hours)
    known_hours = hours * cpu.coverage / 100
    return Placed(judged, hours, known_hours, known_hours * cpu.average / 100)


def _volume(random: Random, case: Case, *where: object) -> Placed:
    number, department, system, month, hostile = where
    size = random.choice((50, 100, 200, 500, 2000)) * GIB
    granted = Amount(0.0, 0, None if case.reasons[0].code == "volume_untold" else size)
    free = Amount(0.0, 0, size) if case.state == "detached" else NOTHING
    free = Amount() if case.state == "insufficient" else free
    place = (int(str(number)), str(department), str(system), str(month), bool(hostile))
    return Placed(_judgement(random, case, "volume", place, granted, Amount(), free))


def _host(random: Random, *where: object) -> Placed:
    number, department, system, month, hostile = where
    case = Case("idle", "watch", (Reason("cpu_below", 3.0, 5.0), Reason("machine")), 3.0, 4)
    place = (int(str(number)), str(department), str(system), str(month), bool(hostile))
    return Placed(_judgement(random, case, "host", place, Amount(128.0, 512 * GIB, 0)))
