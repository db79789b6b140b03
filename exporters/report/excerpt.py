"""The report for one department: its own figures, and nothing of the others.

Every part is made anew of what is the department's own, so that what the report comes to have later is not in an excerpt
until somebody puts it there.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Final, TypeVar

import msgspec

from collectors.cloud.owners import UNASSIGNED
from exporters.report.columns import total
from exporters.report.content.gaps import PARTS, of_departments
from exporters.report.content.numbers import count, gib, quantity, unknown_of
from exporters.report.content.summary import EACH, GIB
from exporters.report.content.sums import released
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
from exporters.report.excerptwords import LEFT_OUT, OF_OTHERS, WORDS, say
from exporters.report.sections import gaps as parts
from exporters.usage.amounts import department as shown
from rules.model import Text
from rules.usagejudgement import Amount, Judgement

NEAREST: Final = 3
EXAMPLES: Final = 5
S = TypeVar("S", bound=msgspec.Struct)
# Reasons that tell nothing of what was used.
_KEPT: Final = (
    *("moved", "released", "resized", "not_seen", "age", "begun", "under_way", "months"),
    *("stopped", "stopped_for", "detached", "detached_for", "attached", "volume_unknown"),
    *("volume_untold", "size_unknown", "smallest", "machine", "exempt", "exemption_expired"),
)
_PEOPLE: Final = ("reason", "owner", "approver")  # of an exemption
_OPEN: Final[Sequence[str]] = ("notified", "confirmed", "carried_out")
_NOTHING: Final = Text("", "")
# Gaps of the month itself, alike for everybody; their examples are days and years. Then parts that nobody has.
_SHARED: Final = ("days", "few_days", "under_way", "calendar", *PARTS)
_PARTS: Final = ("showback", "follow_ups", "lines", "ipv6", "baseline")


def excerpt(document: Document, department: str) -> Document:
    """Raises ValueError, naming the nearest, where there is no such department. `未归属` is what has none, unless a
    department is called so."""
    own = _found(document.departments, department)
    hush = _Hush(document, own.name)
    coverage = own.load.coverage
    made = Document(
        scope=msgspec.structs.replace(document.scope, department=own.name, coverage=coverage),
        summary=_summary(own),
        figures=_figures(own),
        estate=_estate(own),
        departments=(msgspec.structs.replace(own, resources=_resources(own, hush)),),
        showback=own.showback,
        held=tuple(it for it in document.held if it.department == own.name),
        exemptions=_exemptions(document.exemptions, own, hush),
        gaps=tuple(_gaps(document.gaps, own)),
        follow_ups=_follow_ups(document, own, hush),
        ipv6=_ipv6(document.ipv6, own.name),
        baseline=_baseline(document.baseline, own.name, hush),
    )
    of_parts = parts.gaps(None, made.ipv6, made.baseline)
    return msgspec.structs.replace(made, gaps=(*made.gaps, *of_parts, *_left_out(document, made)))


class _Hush:
    """Free texts that people wrote: one that names another department is not told."""

    def __init__(self, document: Document, own: str) -> None:
        self._own = own
        self._others = [it.name for it in document.departments if it.name not in ("", own)]

    def text(self, text: str) -> str:
        rest = text.replace(self._own, " ") if self._own else text
        return OF_OTHERS if any(it in rest for it in self._others) else text

    def of(self, one: S, *fields: str) -> S:
        told = {it: self.text(getattr(one, it)) for it in fields}
        return msgspec.structs.replace(one, **told)


def _resources(own: Department, hush: _Hush) -> tuple[Judgement, ...]:
    """What was measured of those that came within the month is of others, too."""
    found = []
    for one in own.resources:
        it = one
        if it.exemption:
            exemption = hush.of(it.exemption, *_PEOPLE)
            it = msgspec.structs.replace(it, exemption=exemption)
        if _moved(it):
            reasons = tuple(reason for reason in it.reasons if reason.code in _KEPT)
            it = msgspec.structs.replace(it, figures={}, measured={}, reasons=reasons)
        found.append(it)
    return tuple(found)


def _moved(one: Judgement) -> bool:
    return any(it.code == "moved" for it in one.reasons)


def _found(departments: Sequence[Department], name: str) -> Department:
    named = {it.name: it for it in departments}
    own = named.get(name) or (named.get("") if name == UNASSIGNED else None)
    if own is not None:
        return own
    near = get_close_matches(name, [it or UNASSIGNED for it in named], NEAREST, 0.3)
    hint = f"; the nearest: {', '.join(map(repr, near))}" if near else ""
    raise ValueError(f"no department is called {name or UNASSIGNED!r} in this month{hint}")


def _estate(own: Department) -> Estate:
    """Its own, without what is the city's: capacity, trend, and days."""
    kinds = dict(sorted(Counter(it.kind for it in own.resources if not released(it)).items()))
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
    unknown = unknown_of(sums)
    return {
        "vcpus": quantity(count(total(sums.vcpus)), EACH),
        "memory": quantity(gib(total(sums.memory)), GIB),
        "disk": quantity(gib(total(sums.disk)), GIB),
        "unknown": say("unknown", n=unknown) if unknown else _NOTHING,
    }


def _figures(own: Department) -> tuple[Figure, ...]:
    """Of the month before what departments have of it."""
    grow = float(own.advice.get("grow", 0))
    return (
        Figure("cpu", WORDS["average"], own.load.average, "percent", own.cpu_before),
        _vcpus("granted", own.granted.vcpus),
        _vcpus("reclaimable", own.due.vcpus),
        Figure("grow", WORDS["grow"], grow, "count"),
        Figure("coverage", WORDS["coverage"], own.load.coverage, "percent"),
    )


def _vcpus(key: str, sum_of: Total) -> Figure:
    note = say("n_unknown", n=sum_of.unknown) if sum_of.unknown else _NOTHING
    return Figure(key, WORDS[key], total(sum_of), "vcpus", None, note)


def _exemptions(every: Sequence[Exemption], own: Department, hush: _Hush) -> tuple[Exemption, ...]:
    """Those that are for its own resources, or name it."""
    found = []
    for one in every:
        if own.name in one.departments:
            sums = one.by_department.get(own.name, Sums())
            changes = {
                "resources": sums.resources,
                "granted": sums,
                "departments": (own.name,),
                "by_department": {own.name: sums} if sums.resources else {},
            }
            found.append(hush.of(msgspec.structs.replace(one, **changes), *_PEOPLE))
    return tuple(found)


def _follow_ups(document: Document, own: Department, hush: _Hush) -> FollowUps | None:
    """Rows tell of what is open and of this month alone: what there ever was is known only where that is all."""
    every = document.follow_ups
    if every is None:
        return None
    month, rows = document.scope.month, list(_rows(document.departments, every.rows, own, hush))
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


def _rows(
    departments: Sequence[Department], every: Iterable[FollowUp], own: Department, hush: _Hush
) -> Iterable[FollowUp]:
    """What is open is of whoever holds the resource now."""
    held = {it.resource: it for one in departments for it in one.resources}
    for row in every:
        now = held.get(row.resource) if row.step in _OPEN else None
        if now is None or now.department == row.department:
            if row.department == own.name:
                yield hush.of(row, "note", "by")
        elif now.department == own.name:
            mine = {"department": own.name, "system": now.system, "name": now.name}
            yield hush.of(msgspec.structs.replace(row, **mine), "note", "by")


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


def _baseline(part: BaselinePart | None, name: str, hush: _Hush) -> BaselinePart | None:
    if part is None:
        return None
    departments = tuple(it for it in part.departments if it.name == name)
    oldest = tuple(it for it in part.oldest if it.department == name)
    own = (it for it in part.waivers if it.department == name)
    waivers = tuple(hush.of(it, "reason", "owner") for it in own)
    if not (departments or oldest or waivers):
        return None
    outdated = tuple(it for it in part.outdated if it.department == name)
    return BaselinePart(departments, oldest, waivers, part.source, outdated)


def _gaps(every: Sequence[Gap], own: Department) -> Iterable[Gap]:
    yield from (it for it in every if it.code in _SHARED)
    yield from of_departments((own,), own.resources)
    moved = sorted(it.name or it.resource for it in own.resources if _moved(it))
    if moved:
        share = 100 * len(moved) / len(own.resources)
        yield Gap(
            "moved", WORDS["moved"], WORDS["month"], len(moved), share, tuple(moved[:EXAMPLES])
        )


def _left_out(whole: Document, made: Document) -> Iterable[Gap]:
    """What the whole report has, and not this."""
    yield Gap("excerpt", WORDS["left_out"], WORDS["others"], 1)
    for part in _PARTS:
        if getattr(whole, part) is not None and getattr(made, part) is None:
            yield Gap(LEFT_OUT + part, WORDS[part], WORDS["in_the_whole"], 1)
