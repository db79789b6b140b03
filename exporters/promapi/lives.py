"""Lives of resources out of facts that agents serve, and of their use.

- What is told within five minutes is dated to their end; what was so for less than an hour may be missed.
- Whatever is no longer told was last seen then; nobody is taken to have released it, since an agent that is away tells
  nothing either. A state `released` is none that agents serve; it would be believed.
- What has use and no facts is a server of which nothing else is known.
- What was stopped or detached already when the time looked at begins is looked for in the LONG_AGO before.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple, TypeVar

from collectors.cloud.model import Size
from collectors.cloud.spans import Aspect, Span, Value
from exporters.history.reader import span
from exporters.history.schema import SLOT
from exporters.promapi.asking import Asker
from exporters.promapi.facts import by_days, day_windows, presence, steady
from exporters.promapi.lifefacts import SAMPLED, WHOLE, Facts, Info
from exporters.promapi.selectors import HOUR
from exporters.promapi.timelines import Timeline
from exporters.promapi.windows import DAY, Windows
from exporters.usage.lives import Life

AROUND: Final = DAY  # slots looked at before and after a period
AGE: Final = (
    32 * DAY
)  # slots before its end that are looked at anyhow: for how old what is there is
LONG_AGO: Final = 400 * DAY
MISSED: Final = 2 * SLOT  # seconds before the end at which what was seen then is still there
WHAT: Final = "facts"  # to people
V = TypeVar("V")


class Told(NamedTuple):
    """Timelines by resource."""

    infos: Mapping[str, Timeline[Info]]
    states: Mapping[str, Timeline[str]]
    sizes: Sequence[Mapping[str, Timeline[float]]]  # vcpus, memory, disk
    attached: Mapping[str, Timeline[float]]
    created: Mapping[str, Timeline[float]]
    uses: Mapping[str, tuple[float, float]] = {}  # first and last, of those whose facts end early
    longer: Mapping[str, float] = {}  # when those were told first that were stopped long ago


def lives(asker: Asker, since: float, until: float, used: Mapping[str, set[str]]) -> list[Life]:
    """Of a period; `used` are the recorded series that each resource has anything of within it."""
    period = span(since, until)
    end = -(-period.end // HOUR) * HOUR  # full hours are what facts are sampled at
    windows = day_windows(min(period.first - AROUND, end - AGE), end + AROUND)
    most = _told(asker, SAMPLED, windows, None)
    # what was there for less than an hour
    rest = _told(asker, WHOLE, windows, sorted(used.keys() - most.infos.keys()))
    told = Told(
        {
            id: info
            for id, info in {**most.infos, **rest.infos}.items()
            if info.first < until and (info.last >= since or id in used)
        },
        {**most.states, **rest.states},
        [{**one, **other} for one, other in zip(most.sizes, rest.sizes, strict=True)],
        {**most.attached, **rest.attached},
        {**most.created, **rest.created},
    )
    told = told._replace(uses=_uses(asker, windows, since, until, used, told.infos))
    told = _long_ago(asker, windows, told)
    found = [_life(id, told, until) for id in told.infos]
    found += [Life(id, "server", id, "", *told.uses[id], {}) for id in used if id not in told.infos]
    return sorted(found, key=lambda it: (it.first_seen, it.id))


def _told(asker: Asker, facts: Facts, windows: Windows, some: Sequence[str] | None) -> Told:
    """Of some resources, or all."""
    infos = by_days(asker, WHAT, facts.info, windows, some, True)
    ids = sorted(infos)
    return Told(
        infos,
        steady(asker, WHAT, facts.state, windows, ids),
        [steady(asker, WHAT, fact, windows, ids) for fact in facts.sizes],
        steady(asker, WHAT, facts.attached, windows, ids),
        steady(asker, WHAT, facts.created, windows, ids),
    )


def _uses(
    asker: Asker,
    windows: Windows,
    since: float,
    until: float,
    used: Mapping[str, set[str]],
    infos: Mapping[str, Timeline[Info]],
) -> dict[str, tuple[float, float]]:
    """When those were used first and last whose facts do not cover the period."""
    of: dict[str, list[str]] = {}
    for id, names in used.items():
        info = infos.get(id)
        if info is None or info.last < until - MISSED or info.first > since + MISSED:
            for name in names:
                of.setdefault(name, []).append(id)
    found: dict[str, tuple[float, float]] = {}
    for name, ids in sorted(of.items()):
        for id, its in by_days(asker, WHAT, presence(name), windows, ids, True).items():
            first, last = found.get(id, (its.first, its.last))
            found[id] = min(first, its.first), max(last, its.last)
    return found


def _long_ago(asker: Asker, windows: Windows, told: Told) -> Told:
    """With what was stopped or detached before the time looked at."""
    begin = (windows.first - windows.slots) * SLOT
    here = {id for id, info in told.infos.items() if info.first <= begin}
    before = day_windows(windows.first - LONG_AGO, windows.last)
    stopped = [id for id in here if _began(told.states, id) == "stopped"]
    states = by_days(asker, WHAT, SAMPLED.state, before, sorted(stopped), True)
    detached = [id for id in here if _began(told.attached, id) == 0]
    attached = by_days(asker, WHAT, SAMPLED.attached, before, sorted(detached), True)
    return told._replace(
        states={**told.states, **states},
        attached={**told.attached, **attached},
        longer={id: one.first for its in (states, attached) for id, one in its.items()},
    )


def _began(told: Mapping[str, Timeline[V]], id: str) -> V | None:
    return told[id].changes[0][1] if id in told else None


def _life(id: str, told: Told, until: float) -> Life:
    info = told.infos[id]
    first, last = min(info.first, told.longer.get(id, info.first)), info.last
    if id in told.uses:
        first, last = min(first, told.uses[id][0]), max(last, told.uses[id][1])
    created = _began(told.created, id)
    if created and 0 < created <= first:
        first = created
    if until - MISSED <= last < until:
        last = until
    of: dict[Aspect, Iterable[tuple[float, Value]]] = {
        "owner": ((at, one.attribution) for at, one in info.changes),
        "state": ((at, state) for at, state in _changes(told.states, id)),
        "size": _sizes(id, told),
        "attached": ((at, ("",) * int(count)) for at, count in _changes(told.attached, id)),
    }
    made = {aspect: _spans(id, aspect, its, first, until) for aspect, its in of.items()}
    now = [one for at, one in info.changes if at < until][-1]
    spans = {aspect: its for aspect, its in made.items() if its}
    return Life(id, now.known_kind, now.name, now.cloud, first, last, spans)


def _changes(told: Mapping[str, Timeline[V]], id: str) -> list[tuple[float, V]]:
    return told[id].changes if id in told else []


def _sizes(id: str, told: Told) -> Iterator[tuple[float, Size]]:
    """A size whenever a part of it changes; before a part is told it was as it was told first."""
    parts = [_changes(its, id) for its in told.sizes]
    for at in sorted({at for its in parts for at, _ in its}):
        vcpus, memory, disk = (_at(its, at) for its in parts)
        yield at, Size(vcpus, _whole(memory), _whole(disk))


def _at(changes: Sequence[tuple[float, float]], moment: float) -> float | None:
    if not changes:
        return None
    return next((value for at, value in reversed(changes) if at <= moment), changes[0][1])


def _whole(value: float | None) -> int | None:
    return None if value is None else round(value)


def _spans(
    id: str, aspect: Aspect, changes: Iterable[tuple[float, Value]], first: float, until: float
) -> list[Span]:
    """The first is dated to when the resource was seen first: before a fact is known it was as it was known first."""
    kept: list[tuple[float, Value]] = []
    for at, value in changes:
        if not kept:
            kept.append((first, value))
        elif at < until and value != kept[-1][1]:
            kept.append((at, value))
    ends = [*(at for at, _ in kept[1:]), None][: len(kept)]
    return [Span(id, aspect, at, end, value) for (at, value), end in zip(kept, ends, strict=True)]
