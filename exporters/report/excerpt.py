"""The report for one department: its own figures, and nothing of the others.

Every part is made anew of what is the department's own, so that what the report comes to have later is not in an excerpt
until somebody puts it there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final

import msgspec

from collectors.cloud.owners import UNASSIGNED
from exporters.report.document import (
    BaselinePart,
    Department,
    Document,
    Estate,
    Exemption,
    Figure,
    FollowUp,
    FollowUps,
    Gap,
    Ipv6Part,
    Load,
    Sums,
    Total,
)
from exporters.report.excerptwords import WORDS, say
from exporters.report.resourcecolumns import counted
from exporters.usage.amounts import department as shown
from exporters.usage.amounts import gib, plain
from rules.model import Text
from rules.usagejudgement import Amount, Judgement

NEAREST: Final = 3
EXAMPLES: Final = 5
_MEASURED: Final = ("idle", "low", "right-sized", "busy")
_OPEN: Final[Sequence[str]] = ("notified", "confirmed", "carried_out")
_NOTHING: Final = Text("", "")
# Gaps of the month itself, alike for everybody; their examples are days and years.
_SHARED: Final = ("days", "few_days", "under_way", "calendar")


def excerpt(document: Document, department: str) -> Document:
    """Raises ValueError, naming the nearest, where there is no such department. `未归属` is what has none, unless a
    department is called so."""
    own = _found(document.departments, department)
    coverage = own.load.coverage
    return Document(
        scope=msgspec.structs.replace(document.scope, department=own.name, coverage=coverage),
        summary=_summary(own),
        figures=_figures(own),
        estate=_estate(own),
        departments=(own,),
        showback=own.showback,
        held=tuple(it for it in document.held if it.department == own.name),
        exemptions=_exemptions(document.exemptions, own),
        gaps=(*_gaps(document.gaps, own.resources), _left_out()),
        follow_ups=_follow_ups(document, own),
        ipv6=_ipv6(document.ipv6, own.name),
        baseline=_baseline(document.baseline, own.name),
    )


def _found(departments: Sequence[Department], name: str) -> Department:
    named = {it.name: it for it in departments}
    own = named.get(name) or (named.get("") if name == UNASSIGNED else None)
    if own is not None:
        return own
    near = get_close_matches(name, [it or UNASSIGNED for it in named], NEAREST, 0.3)
    hint = f"; the nearest: {', '.join(map(repr, near))}" if near else ""
    raise ValueError(f"no department is called {name!r} in this month{hint}")


def _estate(own: Department) -> Estate:
    """Its own, without what is the city's: capacity, trend, and days."""
    kinds = dict(sorted(Counter(it.kind for it in own.resources).items()))
    parts = (own.states, own.load, (), (), own.due, own.watched)
    return Estate((), own.granted, kinds, *parts)


def _summary(own: Department) -> tuple[Text, ...]:
    name = Text(shown(own.name, "zh"), shown(own.name, "en"))
    load, states, advice = own.load, own.states, own.advice
    told = [say("held", name=name, resources=own.granted.resources, **_amounts(own.granted))]
    told.append(_used(load))
    if own.change is not None:
        points = round(own.change, 1)
        change = "rose" if points > 0 else "fell" if points < 0 else "same"
        told.append(say(change, points=abs(points)))
    counts = {key: states.get(key, 0) for key in ("idle", "low", "busy", "insufficient")}
    told.append(say("states", **counts))
    acts = {key: advice.get(key, 0) for key in ("reclaim", "shrink", "grow")}
    told.append(say("due", **acts, **_amounts(own.due)))
    return tuple(told)


def _used(load: Load) -> Text:
    if load.average is None or load.coverage is None:
        return WORDS["used_unknown"]
    return say("used", used=f"{load.average:.1f}", coverage=f"{load.coverage:.1f}")


def _amounts(sums: Sums) -> dict[str, object]:
    unknown = sums.vcpus.unknown + sums.memory.unknown + sums.disk.unknown
    return {
        "vcpus": plain(sums.vcpus.value),
        "memory": plain(gib(sums.memory.value)),
        "disk": plain(gib(sums.disk.value)),
        "unknown": say("unknown", n=unknown) if unknown else _NOTHING,
    }


def _figures(own: Department) -> tuple[Figure, ...]:
    def of(total: Total) -> tuple[float, None, Text]:
        return total.value, None, say("n_unknown", n=total.unknown) if total.unknown else _NOTHING

    granted, granted_before, granted_note = of(own.granted.vcpus)
    due, due_before, due_note = of(own.due.vcpus)
    grow = float(own.advice.get("grow", 0))
    return (
        Figure("cpu", WORDS["average"], own.load.average, "percent", own.cpu_before),
        Figure("granted", WORDS["granted"], granted, "vcpus", granted_before, granted_note),
        Figure("reclaimable", WORDS["reclaimable"], due, "vcpus", due_before, due_note),
        Figure("grow", WORDS["grow"], grow, "count"),
        Figure("coverage", WORDS["coverage"], own.load.coverage, "percent"),
    )


def _exemptions(every: Sequence[Exemption], own: Department) -> tuple[Exemption, ...]:
    """Those that are for its own resources, or name it."""
    found = []
    for one in every:
        if own.name in one.departments:
            sums = one.by_department.get(own.name, Sums())
            only = {own.name: sums} if sums.resources else {}
            found.append(
                msgspec.structs.replace(
                    one,
                    resources=sums.resources,
                    granted=sums,
                    departments=(own.name,),
                    by_department=only,
                )
            )
    return tuple(found)


def _follow_ups(document: Document, own: Department) -> FollowUps | None:
    """Rows tell of what is open and of this month alone: what there ever was is known only where that is all."""
    every = document.follow_ups
    if every is None:
        return None
    month, rows = document.scope.month, [it for it in every.rows if it.department == own.name]
    ended = [it for it in rows if it.step == "reviewed"]
    now = [it for it in ended if it.reviewed and it.reviewed.isoformat().startswith(month)]
    costs = [it.saved_cost for it in ended if it.saved_cost is not None]
    steps: Counter[str] = Counter(it.step for it in rows)
    told = every.steps if sum(every.steps.values()) == len(every.rows) else _OPEN
    whole = _realised(it for it in every.rows if it.step == "reviewed") == every.realised_total
    return FollowUps(
        rows=tuple(rows),
        steps={step: steps[step] for step in told},
        realised=_realised(now),
        realised_total=_realised(ended) if whole else Amount(),
        saved_cost=sum(costs) if costs and whole else None,
        note=every.note,
    )


def _realised(rows: Iterable[FollowUp]) -> Amount:
    """Of what is known of it; None where there are rows and of none it is."""
    found = [it.realised or Amount() for it in rows]
    vcpus = [it.vcpus for it in found if it.vcpus is not None]
    memory = [it.memory for it in found if it.memory is not None]
    disk = [it.disk for it in found if it.disk is not None]
    return Amount(
        sum(vcpus) if vcpus or not found else None,
        sum(memory) if memory or not found else None,
        sum(disk) if disk or not found else None,
    )


def _ipv6(part: Ipv6Part | None, name: str) -> Ipv6Part | None:
    if part is None:
        return None
    departments = tuple(it for it in part.departments if it.name == name)
    subjects = tuple(it for it in part.subjects if it.department == name)
    if not departments:
        return None
    own = departments[0]
    outdated = tuple(it for it in part.outdated if it.department == name)
    return Ipv6Part(own.score, own.before, departments, subjects, part.source, outdated)


def _baseline(part: BaselinePart | None, name: str) -> BaselinePart | None:
    if part is None:
        return None
    departments = tuple(it for it in part.departments if it.name == name)
    oldest = tuple(it for it in part.oldest if it.department == name)
    waivers = tuple(it for it in part.waivers if it.department == name)
    if not (departments or oldest or waivers):
        return None
    outdated = tuple(it for it in part.outdated if it.department == name)
    return BaselinePart(departments, oldest, waivers, part.source, outdated)


def _gaps(every: Sequence[Gap], resources: Sequence[Judgement]) -> Iterable[Gap]:
    yield from (it for it in every if it.code in _SHARED)
    measured = [it for it in resources if it.found in _MEASURED]
    sized = [it for it in resources if counted(it)]
    for code, why, whole, some in (
        ("insufficient", "see", resources, [it for it in resources if it.state == "insufficient"]),
        ("memory_unknown", "no_memory", measured, [it for it in measured if "memory" not in it.figures]),
        ("network_unknown", "no_network", measured,
         [it for it in measured if "network" not in it.figures]),
        ("unsized", "no_size", sized, [it for it in sized if _unsized(it)]),
        ("not_seen", "gone", resources, [it for it in resources if not it.seen]),
    ):  # fmt: skip
        if some:
            share = 100 * len(some) / len(whole)
            names = tuple(sorted(it.name or it.resource for it in some)[:EXAMPLES])
            yield Gap(code, WORDS[code], WORDS[why], len(some), share, names)


def _unsized(one: Judgement) -> bool:
    amount = one.granted
    return None in ((amount.disk,) if one.kind == "volume" else (amount.vcpus, amount.memory))


def _left_out() -> Gap:
    return Gap("excerpt", WORDS["left_out"], WORDS["others"], 1)
