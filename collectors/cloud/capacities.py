"""What clouds have, as dated facts beside those of what is held: one a cloud, whose hosts are told once. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

import msgspec

from collectors.cloud.estatecapacity import capacity
from collectors.cloud.model import CloudView, Resource, Size
from collectors.cloud.spans import Capacities, Known, Span

KIND: Final = "capacity"  # as a resource of the history, which nobody holds


def id_of(cloud: str) -> str:
    return f"{KIND}:{cloud}"


def changes(known: Known, view: CloudView) -> Iterator[Span]:
    """What ends and begins by a look; nothing of one that did not see all of the capacity."""
    if not view.capacity or not view.whole("capacity"):
        return
    told = Capacities(
        view.kind,
        tuple(msgspec.structs.replace(it, used=None) for it in view.capacity),
        {it.name: it.id for it in view.resources if it.kind == "host"},
    )
    span = known.get((id_of(view.cloud), "capacity"))
    if span is not None and span.value == told:
        return
    if span is not None and span.until is None and view.began > span.since:
        yield msgspec.structs.replace(span, until=view.began)
    since = view.began if span is None else max(view.began, span.since)
    yield Span(id_of(view.cloud), "capacity", since, None, told)


def together(told: Mapping[str, Capacities]) -> tuple[Size, Size]:
    """What clouds have by their names, and what they can grant; a host that two of them tell of counts once."""
    views = [
        CloudView(
            cloud,
            one.kind,
            began=0.0,
            seconds=0.0,
            capacity=one.capacity,
            resources=tuple(Resource(id, "host", name, "active") for name, id in one.hosts.items()),
        )
        for cloud, one in sorted(told.items())
    ]
    usable, physical = capacity(views)
    return _size(physical), _size(usable)


def _size(amounts: Mapping[str, float]) -> Size:
    memory, disk = amounts.get("memory"), amounts.get("disk")
    return Size(
        amounts.get("vcpus"),
        None if memory is None else int(memory),
        None if disk is None else int(disk),
    )
