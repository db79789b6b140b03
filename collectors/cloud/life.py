"""The life of what is held, as dated facts: `Span`s, made of one look after another. Pure.

A span is one aspect of one resource that had one value from `since` to `until`. Spans of an aspect
never overlap. Rules:

- What was not seen is not changed: what is missing is `released` only where the look saw all of its
  kind, and a size, state, name or holder that the look does not know leaves the known one.
- What only libvirt tells of may move to another host between two looks: the one on which it runs
  tells of it, and where none has it, it is on its way until it was missing for a while.
- What is not asked for any more (its cloud or region was taken out of the settings) is not released.
  After `FORGOTTEN` it is of unknown state since it was last seen.
- Between the look before and this one a new resource began when its cloud says that it was created.
  What is older than the first look has been there since then, but its state, size and holder only
  since the look: how it was before is not known.
- What is released has no size, holder or project any more; what returns begins again.
- A server that Nova tells of is Nova's: libvirt, which tells of the same UUID, changes nothing of
  it.
- A look from before the last one (`LATE` at most) came late, and is ignored. One from longer before
  means that the clock was set back: what changed is dated no earlier than what it changes.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import UTC, datetime, time, tzinfo
from typing import Final

import msgspec

from collectors.cloud.hosts import Hosts
from collectors.cloud.model import CloudView, Part, Project, Resource, Size, State
from collectors.cloud.owners import Attribution, clean
from collectors.cloud.spans import ASPECTS, Aspect, Identity, Known, Limits, Span, Value

LATE: Final = 3600.0  # seconds
FORGOTTEN: Final = 31 * 86400.0  # seconds for which what is not asked for is as it was last seen
NO_HOSTS: Final = Hosts()

_PARTS: Final[Mapping[str, Part]] = {
    "server": "servers",
    "volume": "volumes",
    "host": "capacity",
    "container": "servers",
    "project": "projects",
}


def changes(
    known: Known,
    view: CloudView,
    attributions: Mapping[str, Attribution],
    at: float,
    *,
    last: float | None = None,
    clouds: Collection[str] | None = None,
    zone: tzinfo = UTC,
    hosts: Hosts = NO_HOSTS,
) -> list[Span]:
    """The spans that end, and those that begin, by a look at the time `at`.

    `known` are all spans that last, of all clouds. `attributions` are those that are known now.
    `last` is the time of the last look at this cloud, None before the first. `clouds` are those
    that are asked now: what another one told of may be taken over. `zone` is that of the days of
    overrides. `hosts` are those of the round that this look is of.
    """
    if last is not None and last - LATE <= at <= last and known:
        return []
    return list(_Look(known, view, attributions, at, last, clouds, zone, hosts).spans())


def forgotten(
    known: Known, views: Iterable[CloudView], seen: Mapping[str, float], at: float
) -> list[Span]:
    """The spans that end, and the unknown states that begin, of what no view of a round asks for any
    more. `seen` is when each resource was last seen."""
    asked = {view.cloud: view.regions for view in views}
    found: list[Span] = []
    for (id, aspect), span in known.items():
        told, state = span.value, known.get((id, "state"))
        if aspect != "identity" or not isinstance(told, Identity) or state is None:
            continue
        if told.cloud in asked and _asks(asked[told.cloud], told.region):
            continue
        if state.value not in ("released", "unknown") and at - seen.get(id, at) > FORGOTTEN:
            found += _ended(known, id, "unknown", seen[id])
    return found


def _asks(regions: Collection[str], region: str) -> bool:
    return not (region and regions) or region in regions


def _ended(known: Known, id: str, state: State, at: float) -> Iterator[Span]:
    """Nothing more is known of it than this state."""
    lasting = [it for of in ASPECTS if (it := known.get((id, of))) and it.until is None]
    # what comes after it begins after all that it ends, also where the clock was set back
    at = max(at, *(span.since for span in lasting))
    for span in lasting:
        if span.aspect == "state":
            if at > span.since:
                yield msgspec.structs.replace(span, until=at)
            yield Span(id, "state", at, None, state)
        elif span.aspect != "identity":
            yield msgspec.structs.replace(span, until=at)
    if (id, "state") not in known:
        yield Span(id, "state", at, None, state)


class _Look:
    def __init__(
        self,
        known: Known,
        view: CloudView,
        attributions: Mapping[str, Attribution],
        at: float,
        last: float | None,
        clouds: Collection[str] | None,
        zone: tzinfo,
        hosts: Hosts,
    ) -> None:
        self._known, self._view, self._attributions = known, view, attributions
        self._at, self._last, self._clouds, self._zone = at, last, clouds, zone
        self._hosts = hosts

    def spans(self) -> Iterator[Span]:
        seen: set[str] = set()
        for resource in self._view.resources:
            if resource.id not in seen and self._ours(resource.id):
                seen.add(resource.id)
                yield from self._resource(resource)
        for project in self._view.projects:
            if project.id not in seen and self._ours(project.id):
                seen.add(project.id)
                yield from self._project(project)
        yield from self._missing(seen)

    def _ours(self, id: str) -> bool:
        """Whether this cloud is the one to tell of it."""
        teller = self._hosts.tellers.get(id) if self._view.kind == "libvirt" else None
        if teller not in (None, self._view.cloud):
            return False
        identity = self._lasting(id, "identity")
        if identity is None or not isinstance(identity.value, Identity):
            return True
        told = identity.value
        if told.cloud == self._view.cloud:
            return True
        if self._clouds is not None and told.cloud not in self._clouds:
            return True
        if told.told_by != self._view.kind:
            return told.told_by == "libvirt"  # Nova takes over, and libvirt never does
        return teller is not None or self._released(id)

    def _lasting(self, id: str, aspect: Aspect) -> Span | None:
        span = self._known.get((id, aspect))
        return span if span is not None and span.until is None else None

    def _released(self, id: str) -> bool:
        state = self._lasting(id, "state")
        return state is not None and state.value == "released"

    def _resource(self, it: Resource) -> Iterator[Span]:
        new, again = self._lasting(it.id, "identity") is None, self._released(it.id)
        if it.state == "released":  # its cloud still tells of it
            if not new and not again:
                yield from _ended(self._known, it.id, "released", self._at)
            return
        created = it.created if it.created is not None and 0 < it.created <= self._at else self._at
        began = created if self._fresh(it.id, created, new) else self._at
        first = created if new else began
        view, name = self._view, clean(it.name) if it.described else self._name(it)
        told = Identity(it.kind, name, view.cloud, view.kind, it.region)
        yield from self._now(it.id, "identity", told, first)
        if it.state != "unknown" or new or again:
            yield from self._now(it.id, "state", it.state, began)
        if it.size != Size():
            yield from self._now(it.id, "size", self._sized(it), began)
        if it.project:
            yield from self._now(it.id, "project", it.project, first)
        if it.kind == "volume":
            yield from self._now(it.id, "attached", tuple(sorted(it.attached)), began)
        yield from self._owned(it.id, began)

    def _name(self, it: Resource) -> str:
        """The name that is known of what the look does not know the name of."""
        span = self._lasting(it.id, "identity")
        return span.value.name if span and isinstance(span.value, Identity) else clean(it.name)

    def _fresh(self, id: str, created: float, new: bool) -> bool:
        """Whether it began between two looks, so that it was always as it is now."""
        if new:
            return self._last is not None and created >= self._last - LATE
        state = self._lasting(id, "state")
        return state is not None and state.value == "released" and created >= state.since

    def _sized(self, it: Resource) -> Size:
        """With what is known of a size of which the look knows a part."""
        span = self._lasting(it.id, "size")
        old = span.value if span and isinstance(span.value, Size) else Size()
        return Size(
            old.vcpus if it.size.vcpus is None else it.size.vcpus,
            old.memory if it.size.memory is None else it.size.memory,
            old.disk if it.size.disk is None else it.size.disk,
        )

    def _owned(self, id: str, began: float) -> Iterator[Span]:
        """An override that begins or ends on a day moves a resource on that day, whenever it was
        written down; what the table has said all along dates nothing."""
        now, span = self._attributions.get(id), self._lasting(id, "owner")
        if now is None:
            return
        before = span.value if span and isinstance(span.value, Attribution) else None
        if span is None or before is None:
            yield from self._now(id, "owner", now, began)
        elif (before.owner, before.how, before.since) == (now.owner, now.how, now.since):
            return  # the line of the table that says it may change
        elif (before.owner, before.how) == (now.owner, now.how):
            yield Span(id, "owner", span.since, None, now)  # nobody else holds it
        elif now.since in ("", before.since):
            yield from self._now(id, "owner", now, began)
        else:
            day = datetime.combine(datetime.fromisoformat(now.since), time(), self._zone)
            at = min(max(day.timestamp(), span.since), began)
            yield from self._now(id, "owner", now, at)

    def _project(self, it: Project) -> Iterator[Span]:
        told = Identity("project", clean(it.name), self._view.cloud, self._view.kind)
        yield from self._now(it.id, "identity", told, self._at)
        yield from self._now(it.id, "state", "active", self._at)
        yield from self._owned(it.id, self._at)
        if it.quotas:
            limits = {quota.resource: quota.limit for quota in it.quotas}
            span = self._lasting(it.id, "quota")
            if span and isinstance(span.value, Limits) and not self._all_quotas(it.id):
                limits = {**span.value.limits, **limits}
            yield from self._now(it.id, "quota", Limits(dict(sorted(limits.items()))), self._at)

    def _all_quotas(self, id: str) -> bool:
        return self._view.whole("quotas") and not any(
            problem.part in ("quotas", "all") and problem.resource == id
            for problem in self._view.problems
        )

    def _now(self, id: str, aspect: Aspect, value: Value, since: float) -> Iterator[Span]:
        """The aspect has this value since then: what it ends, and what begins."""
        span = self._lasting(id, aspect)
        if span is None:
            if state := self._lasting(id, "state"):
                since = max(since, state.since)  # what it was before a release has ended by then
            yield Span(id, aspect, since, None, value)
            return
        if span.value == value:
            return
        if since > span.since:
            yield Span(id, aspect, span.since, since, span.value)
        yield Span(id, aspect, max(since, span.since), None, value)

    def _missing(self, seen: Collection[str]) -> Iterator[Span]:
        """What this cloud told of and does not any more."""
        for (id, aspect), span in self._known.items():
            told = span.value
            if aspect != "identity" or span.until is not None or id in seen:
                continue
            if not isinstance(told, Identity) or told.cloud != self._view.cloud:
                continue
            if self._released(id) or not self._view.whole(_PARTS[told.kind]):
                continue
            if told.told_by == "libvirt" and self._hosts.on_its_way(id, self._at):
                continue
            if _asks(self._view.regions, told.region):
                yield from _ended(self._known, id, "released", self._at)
