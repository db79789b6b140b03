"""How each resource was used over a period, out of a source of usage: what the pack `utilisation` judges."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from collectors.cloud.model import Size
from exporters.history.reader import span
from exporters.history.workcalendar import WorkCalendar
from exporters.usage.lives import Life, Otherwise
from exporters.usage.source import UsageSource
from rules.usagemodel import Measured, ResourceUse

METRICS: Final = ("cpu", "memory", "steal", "disk", "net_rx", "net_tx")


class Period(NamedTuple):
    """A month or another stretch of time: [since, until) in Unix seconds, and what it is called."""

    label: str
    since: float
    until: float
    under_way: bool = False  # it is not over: `until` is now


def month(label: str, zone: ZoneInfo, now: float) -> Period:
    """The month `2026-10` in a zone; one that is not over ends now. Raises ValueError."""
    begin = datetime.strptime(label, "%Y-%m").replace(tzinfo=zone)
    end = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    until = min(end.timestamp(), max(now, begin.timestamp()))
    return Period(label, begin.timestamp(), until, until < end.timestamp())


def shown_month(began: float | None, zone: ZoneInfo, now: float) -> str:
    """The month that is shown unless another is asked for: the last one that is over, and while a history
    that began at `began` (None: it is empty) has not all of it, the one under way."""
    current = datetime.fromtimestamp(now, zone).strftime("%Y-%m")
    last = months_before(current, 2)[0]
    whole = began is not None and began <= month(last, zone, now).since
    return last if whole else current


def months_before(label: str, count: int) -> list[str]:
    """That many months, the last of which is `label`."""
    year, number = map(int, label.split("-"))
    last = 12 * year + number - 1
    return [f"{n // 12:04}-{n % 12 + 1:02}" for n in range(last - count + 1, last + 1)]


def resource_uses(
    source: UsageSource,
    period: Period,
    calendar: WorkCalendar,
    otherwise: Otherwise | None = None,
) -> list[ResourceUse]:
    """Of every resource that was there; `otherwise` says whose one is of which the source does not know it."""
    there = source.lives(period.since, period.until)
    zone, slots = source.zone, span(period.since, period.until)
    begins = {life.id: at for life in there if (at := _back(life, period, zone)) is not None}
    measured = {metric: source.measured(metric, slots, calendar, begins) for metric in METRICS}
    return [_use(life, period, measured, otherwise) for life in there]


def _back(life: Life, period: Period, zone: ZoneInfo) -> float | None:
    """From when on the use of a resource that was released and came back within the period is its own: from the
    midnight before it came back where it was not held then, so that the sketch of that day counts; None of
    any other."""
    granted = life.granted(period.until)
    if granted <= max(period.since, life.first_seen):
        return None
    midnight = datetime.fromtimestamp(granted, zone).replace(hour=0, minute=0, second=0)
    state = life.at("state", midnight.timestamp())
    held = state is None or state.value != "released"
    return granted if held else midnight.timestamp()


def _use(
    life: Life,
    period: Period,
    measured: Mapping[str, Mapping[str, Measured]],
    otherwise: Otherwise | None,
) -> ResourceUse:
    since, until = period.since, period.until
    attribution = life.owner(until)
    if otherwise and attribution.how == "unassigned":
        attribution = otherwise(life, since, until)[-1][1]
    size: Size = life.size(until)
    state = life.last("state", until)
    attached = life.at("attached", until - 1)
    project = life.last("project", until)
    owner = attribution.owner
    return ResourceUse(
        resource=life.id,
        name=life.name,
        kind=life.kind,
        month=period.label,
        since=since,
        until=until,
        first_seen=life.granted(until),
        last_seen=life.last_seen,
        state=str(state.value) if state else "unknown",
        department=owner.department,
        system=owner.system,
        region=owner.region,
        environment=owner.environment,
        attribution=attribution.how,
        project=str(project.value) if project else "",
        vcpus=size.vcpus,
        memory=size.memory,
        disk=size.disk,
        released_at=state.since if state and state.value == "released" else None,
        stopped_since=state.since if state and state.value == "stopped" else None,
        detached_since=attached.since if attached and attached.value == () else None,
        attached=bool(attached and attached.value),
        resized=tuple(life.resized(since, until)),
        under_way=period.under_way,
        moved=tuple(life.moved(since, until, otherwise)),
        measured={name: all_of[life.id] for name, all_of in measured.items() if life.id in all_of},
    )
