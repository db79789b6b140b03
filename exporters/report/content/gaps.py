"""What could not be measured, or not well enough, and why: the page about the quality of data. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Final, NamedTuple

from exporters.report.content.gapwords import INSUFFICIENT, OTHERWISE, SAID, Said
from exporters.report.content.sums import released, unseen
from exporters.report.document import Capacity, DayPoint, Department, Gap, MonthPoint
from exporters.usage.lives import Life
from rules.model import Text
from rules.usagejudgement import Judgement

MEASURED: Final = ("idle", "low", "right-sized", "busy")
PARTS: Final = ("prices", "follow_ups", "lines", "ipv6", "baseline")
EXAMPLES: Final = 5
CAPACITIES: Final = {"vcpus": "vCPU", "memory": "内存 memory", "disk": "存储 disk"}


class Known(NamedTuple):
    """What there is to find gaps in."""

    judgements: Sequence[Judgement]
    lives: Mapping[str, Life]
    departments: Sequence[Department]
    capacity: Sequence[Capacity]
    days: Sequence[DayPoint]
    trend: Sequence[MonthPoint]
    until: float
    days_to_come: int
    least_days: float  # that a judgement asks for
    holidays: bool  # those of the year are known
    year: str
    unmatched: Sequence[str]  # exemptions
    given: Mapping[str, bool]  # of PARTS
    unpriced: Sequence[str] = ()  # departments of the price table that are none
    follow_ups: Text = Text("", "")  # why they were not carried on


def gaps(known: Known) -> tuple[Gap, ...]:
    """The most general first."""
    return (
        *_of_days(known),
        *of_departments(known.departments, known.judgements, partial(_disputed, known=known)),
        *_of_facts(known),
        *(_gap(part, SAID[part], 1) for part in PARTS if not known.given.get(part)),
    )


def of_departments(
    departments: Sequence[Department],
    judgements: Sequence[Judgement],
    disputed: Callable[[Judgement], bool] = lambda _: False,
) -> Iterator[Gap]:
    """Of these departments and their resources alone; `disputed` tells of which the sources disagree."""
    yield from _of_use(departments)
    yield from _insufficient(judgements)
    yield from _of_resources(judgements, disputed)


def _of_days(known: Known) -> Iterator[Gap]:
    there = [day for day in known.days if day.average is not None]
    missing = [day.day.isoformat() for day in known.days if day.average is None]
    if 0 < len(there) < known.least_days:
        yield _gap("few_days", SAID["few_days"], len(there), len(known.days))
    if missing:
        yield _gap("days", SAID["days"], len(missing), len(known.days), missing)
    if known.days_to_come:
        whole = len(known.days) + known.days_to_come
        yield _gap("under_way", SAID["under_way"], known.days_to_come, whole)
    if not known.holidays:
        yield _gap("calendar", SAID["calendar"], 1, examples=[known.year])


def _of_use(departments: Sequence[Department]) -> Iterator[Gap]:
    granted = sum(it.granted_core_hours for it in departments)
    unknown = granted - sum(it.known_core_hours for it in departments)
    if granted > 0 and unknown / granted > 0.0005:
        worst = sorted(
            (it for it in departments if it.granted_core_hours > it.known_core_hours),
            key=lambda it: it.known_core_hours - it.granted_core_hours,
        )
        names = [it.name for it in worst if it.name]
        yield _gap("core_hours", SAID["core_hours"], round(unknown), granted, names)
    blind = [it for it in departments if it.load.average is not None and it.load.p95 is None]
    if blind:
        names = [it.name for it in blind if it.name]
        yield _gap("no_slots", SAID["no_slots"], len(blind), len(departments), names)


def _insufficient(judgements: Sequence[Judgement]) -> Iterator[Gap]:
    by_code: defaultdict[str, list[Judgement]] = defaultdict(list)
    for one in judgements:
        if one.state == "insufficient":
            by_code[one.reasons[0].code if one.reasons else ""].append(one)
    for code, them in sorted(by_code.items(), key=lambda it: (-len(it[1]), it[0])):
        said = INSUFFICIENT.get(code, OTHERWISE)
        yield _of(f"insufficient_{code}" if code else "insufficient", said, them, len(judgements))


def _of_resources(
    every: Sequence[Judgement], disputed: Callable[[Judgement], bool]
) -> Iterator[Gap]:
    gone = unseen(every)
    granted = [it for it in every if not (it.kind == "host" or released(it) or it.resource in gone)]
    measured = [it for it in every if it.found in MEASURED]
    yield from _some(
        "memory_unknown", [it for it in measured if "memory" not in it.figures], len(measured)
    )
    yield from _some(
        "network_unknown", [it for it in measured if "network" not in it.figures], len(measured)
    )
    estimated = [it for it in every if any(one.estimated for one in it.measured.values())]
    yield from _some("estimates", estimated, len(every))
    yield from _some("unsized", [it for it in granted if _unsized(it)], len(granted))
    yield from _some("unassigned", [it for it in granted if not it.department], len(granted))
    yield from _some("conflicts", [it for it in granted if disputed(it)], len(granted))
    # of those that are insufficient for it there is a gap of its own
    lost = [it for it in every if not it.seen and it.state != "insufficient"]
    yield from _some("not_seen", lost, len(every))
    yield from _same_names(every)


def _same_names(judgements: Iterable[Judgement]) -> Iterator[Gap]:
    named: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for one in judgements:
        if one.name and not released(one):
            named[one.kind, one.name].append(one.resource)
    several = {name: ids for (_, name), ids in sorted(named.items()) if len(ids) > 1}
    if several:
        told = [f"{name}: {', '.join(sorted(ids)[:EXAMPLES])}" for name, ids in several.items()]
        yield _gap("same_name", SAID["same_name"], len(several), examples=told)


def _of_facts(known: Known) -> Iterator[Gap]:
    lacking = [it for it in known.capacity if it.usable is None]
    untold = [CAPACITIES[it.resource] for it in lacking if not it.untold]
    if untold:
        yield _gap("capacity", SAID["capacity"], len(untold), len(known.capacity), untold)
    if clouds := sorted({cloud for it in lacking for cloud in it.untold}):
        yield _gap("clouds", SAID["clouds"], len(clouds), None, clouds)
    empty = [it.month for it in known.trend if it.granted_vcpus is None]
    if empty:
        yield _gap("trend", SAID["trend"], len(empty), len(known.trend), empty[::-1])
    if known.unmatched:
        yield _gap("exemptions", SAID["exemptions"], len(known.unmatched), None, known.unmatched)
    if known.unpriced:
        yield _gap(
            "price_departments",
            SAID["price_departments"],
            len(known.unpriced),
            None,
            known.unpriced,
        )
    if known.follow_ups.zh:
        said = SAID["follow_ups_stand"]._replace(why=known.follow_ups)
        yield _gap("follow_ups_stand", said, 1)


def _unsized(one: Judgement) -> bool:
    amount = one.granted
    parts = (amount.disk,) if one.kind == "volume" else (amount.vcpus, amount.memory)
    return None in parts


def _disputed(one: Judgement, known: Known) -> bool:
    life = known.lives.get(one.resource)
    return bool(life and life.owner(known.until).conflicts)


def _some(code: str, them: Sequence[Judgement], whole: int) -> Iterator[Gap]:
    if them:
        yield _of(code, SAID[code], them, whole)


def _of(code: str, said: Said, them: Sequence[Judgement], whole: int) -> Gap:
    return _gap(code, said, len(them), whole, sorted(it.name or it.resource for it in them))


def _gap(
    code: str,
    said: Said,
    count: int,
    whole: float | None = None,
    examples: Sequence[str] = (),
) -> Gap:
    share = 100 * count / whole if whole else None
    return Gap(code, said.what, said.why, count, share, tuple(examples[:EXAMPLES]), said.remedy)
