"""Facts of resources as agents serve them, and since when they were so: asked for the whole time at once, then by
days of those that changed, then by five minutes of the days in doubt.

Where two agents tell of one resource, the labels of the agents (`instance`, `job`, a replica's) do not count; what
they tell may differ: `best` chooses.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Generic, NamedTuple, TypeVar

from exporters.history.schema import SLOT
from exporters.promapi.asking import Asker
from exporters.promapi.client import Series
from exporters.promapi.selectors import Range, each, recorded
from exporters.promapi.timelines import Timeline, Told, doubtful, timeline
from exporters.promapi.windows import DAY, Windows, moments

V = TypeVar("V")
Query = Callable[[str, int], str]  # of the matcher, and how many slots
ByEnd = dict[float, set[V]]  # by when a window ends: what was told in it


class Fact(NamedTuple, Generic[V]):
    """`value` is of the labels and the value of a series; None tells nothing. Of a window it may tell
    several; `best` is the one to be believed."""

    queries: tuple[Query, ...]
    value: Callable[[Mapping[str, str], float], V | None]
    best: Callable[[Told[V]], V]


def labelled(
    series: str,
    labels: Sequence[str],
    value: Callable[[Mapping[str, str]], V],
    best: Callable[[Told[V]], V],
    over: Range,
) -> Fact[V]:
    """What stands in labels of a series that is 1 while it is so."""

    def query(matcher: str, slots: int) -> str:
        by = ", ".join(("resource", *labels))
        return f"max by ({by}) (max_over_time({over(series, matcher, slots)}))"

    return Fact((query,), lambda its, number: value(its) if number > 0 else None, best)


def number(series: str, over: Range) -> Fact[float]:
    """What is the value of a series: the lowest and the highest within a window."""

    def lowest(matcher: str, slots: int) -> str:
        return each("min_over_time", series, matcher, slots, over, "min")

    def highest(matcher: str, slots: int) -> str:
        return each("max_over_time", series, matcher, slots, over)

    return Fact((lowest, highest), lambda _, value: value if math.isfinite(value) else None, max)


def presence(series: str) -> Fact[bool]:
    """Whether there was anything of a rule."""

    def query(matcher: str, slots: int) -> str:
        return each("count_over_time", series, matcher, slots, recorded)

    return Fact((query,), lambda _, count: True if count > 0 else None, all)


def day_windows(first: int, end: int) -> Windows:
    """Whole days up to a slot, that begin at `first` or before."""
    count = max(1, -(-(end - first) // DAY))
    return Windows(DAY, end - (count - 1) * DAY, end, DAY)


def by_days(
    asker: Asker, what: str, fact: Fact[V], windows: Windows, ids: Sequence[str] | None, ends: bool
) -> dict[str, Timeline[V]]:
    """Timelines of these resources (None: of all); `ends`: and when exactly each was told first and last."""
    daily = _told(fact, _asked(asker, what, fact, [(windows, ids)])[0])
    moments_of = [float(end * SLOT) for end in windows.ends]
    days = {id: [frozenset(told.get(end, ())) for end in moments_of] for id, told in daily.items()}
    doubted: dict[int, list[str]] = defaultdict(list)
    for id, its in days.items():
        for day in doubtful(its, ends):
            doubted[day].append(id)
    parts = [
        (Windows(1, windows.ends[day] - windows.slots + 1, windows.ends[day], 1), who)
        for day, who in sorted(doubted.items())
    ]
    within: dict[str, dict[int, dict[float, Told[V]]]] = defaultdict(dict)
    for day, answers in zip(sorted(doubted), _asked(asker, what, fact, parts), strict=True):
        for id, told in _told(fact, answers).items():
            within[id][day] = {at: frozenset(values) for at, values in told.items()}
    length = float(windows.slots * SLOT)
    found = {}
    for id, its in days.items():
        made = timeline(its, moments_of, length, within.get(id, {}), fact.best)
        if made:
            found[id] = made
    return found


def steady(
    asker: Asker, what: str, fact: Fact[V], windows: Windows, ids: Sequence[str]
) -> dict[str, Timeline[V]]:
    """The same of a fact that seldom changes, and of which it is no matter when it was told first."""
    begin, end = windows.first - windows.slots, windows.last
    whole = Windows(end - begin, end, end, 1)
    found: dict[str, Timeline[V]] = {}
    changed = []
    for id, told in _told(fact, _asked(asker, what, fact, [(whole, ids)])[0]).items():
        [values] = told.values()
        if len(values) == 1:
            [value] = values
            found[id] = Timeline([(float(begin * SLOT), value)], begin * SLOT, end * SLOT)
        else:
            changed.append(id)
    return found | by_days(asker, what, fact, windows, changed, False) if changed else found


def _asked(
    asker: Asker,
    what: str,
    fact: Fact[V],
    parts: Sequence[tuple[Windows, Sequence[str] | None]],
) -> list[list[Series]]:
    """What is told of each part: windows, and of whom."""
    jobs: list[Callable[[], list[Series]]] = []
    of: list[int] = []
    for number, (windows, ids) in enumerate(parts):
        for asked in fact.queries:

            def query(matcher: str, asked: Query = asked, slots: int = windows.slots) -> str:
                return asked(matcher, slots)

            own = list(asker.overs(query, *moments(windows), ids))
            jobs += own
            of += [number] * len(own)
    found: list[list[Series]] = [[] for _ in parts]
    for number, series in zip(of, asker.together(what, jobs), strict=True):
        found[number] += series
    return found


def _told(fact: Fact[V], answers: Iterable[Series]) -> dict[str, ByEnd[V]]:
    found: dict[str, ByEnd[V]] = defaultdict(dict)
    for one in answers:
        id = one.labels.get("resource")
        if not id:
            continue
        its = found[id]
        for at, number in zip(one.times.tolist(), one.values.tolist(), strict=True):
            value = fact.value(one.labels, number)
            if value is not None:
                its.setdefault(at, set()).add(value)
    return found
