"""What servers together used, slot by slot: the server adds up those of one department, system and number of virtual
CPUs, so that there is a series a group and none a resource.

Every slot has its own sample: an instant selector would take the one before for a slot that has none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from exporters.history.reader import Span, span
from exporters.history.schema import SLOT
from exporters.promapi.client import Series
from exporters.promapi.selectors import each, recorded
from exporters.promapi.statistics import Counted, Metric
from exporters.promapi.windows import Windows, moments
from exporters.usage.source import Key, Segment, Used

OF, COUNT = "of", "count"  # a label that tells the one from the other


class Group(NamedTuple):
    """Servers that count alike for a while."""

    key: Key
    own: Span
    vcpus: float


def used(
    of: Metric, period: Span, segments: Sequence[Segment], counted: Counted
) -> dict[Key, Used]:
    """`counted` is of the period: what is not in it has nothing."""
    counts, slots = counted.slots, period.end - period.first
    found: dict[Key, Used] = {}
    asked: list[Group] = []
    jobs: list[Callable[[], list[Series]]] = []
    for group, ids in grouped(period, segments, counts).items():
        whole = all(counts[id] == slots for id in ids)
        if whole:
            known = _of(found, group.key, period).known
            known[_part(period, group.own)] += group.vcpus * len(ids)
        own = _jobs(of, group.own, ids, whole, counted.doubled)
        jobs += own
        asked += [group] * len(own)
    for group, told in zip(asked, of.asker.together(of.what, jobs), strict=True):
        sums = _of(found, group.key, period)
        for series in told:
            at = np.rint(series.times / SLOT).astype(np.int64) - 1 - period.first
            values = np.where(np.isfinite(series.values), series.values, 0)
            if series.labels.get(OF) == COUNT:
                sums.known[at] += values * group.vcpus
            else:
                sums.cores[at] += values * (group.vcpus / 100)
    return {key: its for key, its in sorted(found.items()) if its.known.any()}


def grouped(
    period: Span, segments: Sequence[Segment], counts: Mapping[str, int]
) -> dict[Group, list[str]]:
    """Ids of servers by how they count; a size that is not known counts nowhere."""
    found: dict[Group, list[str]] = defaultdict(list)
    for it in segments:
        own = span(it.since, it.until)
        cut = Span(max(own.first, period.first), min(own.end, period.end))
        if it.size.vcpus is not None and it.resource in counts and cut.first < cut.end:
            found[Group((it.department, it.system), cut, it.size.vcpus)].append(it.resource)
    return dict(sorted(found.items()))


def _jobs(
    of: Metric, own: Span, ids: Sequence[str], whole: bool, doubled: bool
) -> Sequence[Callable[[], list[Series]]]:
    """What they used, and unless it is of all of them, of how many, in one query."""

    def added(function: str, matcher: str) -> str:
        if doubled:
            return f"sum({each(function, of.series, matcher, 1, recorded)})"
        # several times as fast
        return f"sum({function}({recorded(of.series, matcher, 1)}))"

    def query(matcher: str) -> str:
        use = added("sum_over_time", matcher)
        if whole:
            return use
        count = added("count_over_time", matcher)
        return f'{use} or label_replace({count}, "{OF}", "{COUNT}", "", "")'

    windows = Windows(1, own.first + 1, own.end, 1)
    return list(of.asker.overs(query, *moments(windows), ids, copies=1 if whole else 2))


def _of(found: dict[Key, Used], key: Key, period: Span) -> Used:
    if key not in found:
        slots = period.end - period.first
        empty: tuple[NDArray[np.float64], ...] = (np.zeros(slots), np.zeros(slots))
        found[key] = Used(period.first, *empty)
    return found[key]


def _part(period: Span, own: Span) -> slice:
    return slice(own.first - period.first, own.end - period.first)
