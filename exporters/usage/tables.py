"""Resources with their owners, departments with what they hold, and what happened: tables for a
terminal.

Names come from the cloud: they are escaped and cut, so that they steer nothing and break no column.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, tzinfo
from typing import Any, Final

from collectors.cloud.events import Event
from collectors.cloud.holdings import Estate, Holding, Holdings
from collectors.cloud.model import CloudView, Size
from collectors.cloud.owners import Attribution
from collectors.cloud.projectsums import NOBODYS
from collectors.cloud.spans import Identity, Limits
from exporters.findings.columns import aligned
from exporters.findings.text import cut, neutral
from exporters.usage.holdingwords import ENVIRONMENT, EVENT, HOW, KIND, STATE, of, say

GIB: Final = 1 << 30
MAX_CELL: Final = 40  # columns
MAX_LISTED: Final = 10  # systems in one line
_RESOURCES: Final = (
    *("name", "kind", "state", "vcpus", "memory", "disk"),
    *("department", "system", "region", "environment", "how", "detail"),
)


def resources_table(view: CloudView, attributions: Mapping[str, Attribution], language: str) -> str:
    """Every resource of a view with its owner and how that is known; what could not be seen below
    it."""
    rows = [[say(key, language) for key in _RESOURCES]]
    loose = odd = 0
    for it in sorted(view.resources, key=lambda it: (it.kind, it.name, it.id)):
        attribution = attributions.get(it.id, NOBODYS)
        owner = attribution.owner
        held = it.kind != "host"  # a host is what there is to hold
        loose += held and not owner.department
        odd += bool(attribution.conflicts)
        cells = (
            it.name or it.id,
            of(KIND, it.kind, language),
            of(STATE, it.state, language),
            _number(it.size.vcpus, language) if it.kind != "volume" else "",
            _gib(it.size.memory, language) if it.kind != "volume" else "",
            _gib(it.size.disk, language),
            owner.department or (say("unassigned", language) if held else ""),
            owner.system,
            owner.region,
            of(ENVIRONMENT, owner.environment, language),
            of(HOW, attribution.how, language),
            attribution.detail,
        )
        rows.append([_cell(cell) for cell in cells])
    seen = view.whole("servers") and view.whole("volumes")
    lines = aligned(rows) if view.resources else [say("nothing" if seen else "unknown", language)]
    notes = [
        say(key, language).format(count)
        for key, count in (("left", loose), ("conflicts", odd))
        if count
    ]
    notes += _problems(view, language)
    return "\n".join([*lines, *([""] if notes else []), *notes])


def problem_lines(views: Iterable[CloudView], language: str) -> list[str]:
    """What could not be seen of all clouds, each with its cloud."""
    return [line for view in views for line in _problems(view, language, view.cloud)]


def loose_line(table: str, lines: Sequence[int], language: str) -> str:
    """Rows of the override table, by their lines, that fit nothing."""
    more = f" +{len(lines) - MAX_LISTED}" if len(lines) > MAX_LISTED else ""
    where = ", ".join(map(str, lines[:MAX_LISTED]))
    return say("loose", language).format(f"{neutral(table)}:{where}{more}")


def _problems(view: CloudView, language: str, cloud: str = "") -> list[str]:
    return [
        say("problem", language).format(
            " ".join(filter(None, map(neutral, (cloud, it.part, it.resource, it.reason))))
        )
        for it in view.problems
    ]


def departments_table(found: Holdings, language: str) -> str:
    """Quota, allocated and used of each department, nobody's last but the sum; the estate below
    it. A sum of which a part was not seen is unknown."""
    total = say("total", language)
    rows = [_heads(language)]
    for one in found.departments:
        rows.append(_row(one.department or say("unassigned", language), one, language))
    rows.append(_row(total, found.estate.granted, language, quota=False))
    return "\n".join([*aligned(rows), "", *_estate(found.estate, language)])


def systems_table(found: Holdings, language: str) -> str:
    """The same of each system that holds something."""
    rows = [[say("system", language), *_heads(language)]]
    for one in found.systems:
        department = one.department or say("unassigned", language)
        rows.append([_cell(one.system), *_row(department, one, language)])
    if found.systems:
        return "\n".join(aligned(rows))
    blind = any(found.estate.unseen.get(part) for part in ("servers", "volumes"))
    return say("unknown" if blind else "nothing", language)


def events_table(
    happened: Iterable[Event], names: Mapping[str, str], language: str, zone: tzinfo | None = None
) -> str:
    """What happened, each with its time in a zone (None: that of this machine); `names` of
    resources."""
    rows = [[say(key, language) for key in ("time", "name", "event", "before", "after")]]
    for it in happened:
        when = datetime.fromtimestamp(it.at, zone).astimezone(zone).strftime("%Y-%m-%d %H:%M:%S %z")
        cells = (
            names.get(it.resource) or it.resource,
            EVENT[it.what].of(language),
            _value(it.before, language),
            _value(it.after, language),
        )
        rows.append([when, *(_cell(cell) for cell in cells)])
    return "\n".join(aligned(rows)) if len(rows) > 1 else say("nothing", language)


def _heads(language: str) -> list[str]:
    parts = {
        "vcpus": ("quota", "allocated", "used", "known"),
        "memory": ("quota", "allocated"),
    }
    heads = [say("department", language)]
    for key in ("vcpus", "memory"):
        heads += [f"{say(key, language)} {say(part, language)}" for part in parts[key]]
        heads += [say("vcpu_hours", language)] if key == "vcpus" else []
    return heads + [
        say(key, language)
        for key in ("servers", "stopped", "disk", "volumes", "detached", "systems")
    ]


def _row(name: str, one: Holding, language: str, quota: bool = True) -> list[str]:
    it = one.allocated
    cells = (
        name,
        _limit(one, "vcpus", 1, language) if quota else "",
        _number(it.vcpus, language),
        _used(one, language),
        _percent(one.coverage),
        _hours(one, language),
        _limit(one, "memory", GIB, language) if quota else "",
        _gib(it.memory, language),
        _number(it.servers, language),
        _number(one.stopped.servers, language),
        _gib(it.disk, language),
        _gib(it.volume_bytes, language),
        _gib(one.detached.volume_bytes, language),
        _number(one.systems, language),
    )
    return [_cell(cell) for cell in cells]


def _estate(estate: Estate, language: str) -> list[str]:
    granted, moved = estate.granted, estate.migration
    told = {
        "vcpus": f"{estate.usable['vcpus']:g}" if "vcpus" in estate.usable else "",
        **{
            key: _gib(estate.usable[key], language) if key in estate.usable else ""
            for key in ("memory", "disk")
        },
    }
    capacity = ", ".join(f"{say(key, language)} {value}" for key, value in told.items() if value)
    lines = [
        say("capacity", language).format(capacity or say("unknown", language)),
        say("scale" if granted.allocated.vcpus != 0 else "scale_alone", language).format(
            granted=_number(granted.allocated.vcpus, language),
            used=_used(granted, language),
            known=_percent(granted.coverage) or say("unknown", language),
        ),
    ]
    if moved.unsure:
        lines.append(
            say("migration_unknown", language).format(systems=moved.systems, unsure=moved.unsure)
        )
    elif moved.ratio is not None:
        lines.append(
            say("migration", language).format(
                ratio=_percent(moved.ratio),
                on_cloud=moved.on_cloud,
                systems=moved.systems,
                planned=moved.planned,
            )
        )
    if granted.allocated.unsized:
        lines.append(say("unsized", language).format(granted.allocated.unsized))
    for key, pairs in (("contradicted", moved.contradicted), ("unregistered", moved.unregistered)):
        if pairs and moved.systems:
            lines.append(say(key, language).format(_listed(pairs)))
    return lines


def _listed(pairs: Sequence[tuple[str, str]]) -> str:
    names = [_cell(" ".join(filter(None, pair))) for pair in pairs[:MAX_LISTED]]
    more = [f"+{len(pairs) - MAX_LISTED}"] if len(pairs) > MAX_LISTED else []
    return ", ".join(names + more)


def _cell(text: str) -> str:
    return cut(neutral(text), MAX_CELL)


def _number(value: float | None, language: str) -> str:
    return say("unknown", language) if value is None else f"{value:g}"


def _gib(value: float | None, language: str) -> str:
    return say("unknown", language) if value is None else f"{value / GIB:.1f}".removesuffix(".0")


def _percent(ratio: float | None) -> str:
    return "" if ratio is None else f"{100 * ratio:.1f} %"


def _used(one: Holding, language: str) -> str:
    """Nothing known is not nothing used."""
    if one.used_vcpus is None or not one.known_vcpus:
        return "" if one.allocated.vcpus == 0 else say("unknown", language)
    return f"{one.used_vcpus:.1f}"


def _hours(one: Holding, language: str) -> str:
    if "vcpu_hours" in one.unknown:
        return say("unknown", language)
    return "" if one.vcpu_hours is None else f"{one.vcpu_hours:.1f}"


def _limit(one: Holding, name: str, unit: int, language: str) -> str:
    if name in one.unknown:
        return say("unknown", language)
    if name not in one.quota:
        return ""
    limit = one.quota[name]
    return say("unlimited", language) if limit is None else f"{limit / unit:g}"


def _value(value: Any, language: str) -> str:
    match value:
        case None:
            return ""
        case Size(vcpus=vcpus, memory=memory, disk=disk):
            memory_gib, disk_gib = (_gib(it, language) for it in (memory, disk))
            return f"{_number(vcpus, language)} vCPU, {memory_gib} GiB, {disk_gib} GiB"
        case Attribution(owner=owner):
            department = owner.department or say("unassigned", language)
            return " ".join(filter(None, (department, owner.system, owner.region)))
        case Limits(limits=limits):
            return ", ".join(
                f"{name} {say('unlimited', language) if limit is None else f'{limit:g}'}"
                for name, limit in limits.items()
            )
        case Identity(name=name):
            return str(name)
        case tuple():
            return ", ".join(value)
    return of(STATE, str(value), language)
