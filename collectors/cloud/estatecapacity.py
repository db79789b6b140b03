"""What all clouds have together, each host once. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from collectors.cloud.model import Capacity, CloudView

# Placement's classes; a pinned CPU (PCPU) is a virtual CPU of the server that has it.
_UNITS: Final = {
    "VCPU": ("vcpus", 1.0),
    "PCPU": ("vcpus", 1.0),
    "MEMORY_MB": ("memory", 2.0**20),
    "DISK_GB": ("disk", 2.0**30),
}


def capacity(views: Iterable[CloudView]) -> tuple[dict[str, float], dict[str, float]]:
    """What can be granted and what there is, by vcpus, memory and disk."""
    usable: defaultdict[str, float] = defaultdict(float)
    physical: defaultdict[str, float] = defaultdict(float)
    for one in _inventories(tuple(views)):
        name, unit = _UNITS[one.resource]
        usable[name] += (one.total - one.reserved) * one.ratio * unit
        physical[name] += one.total * unit
    return dict(usable), dict(physical)


def _inventories(views: Sequence[CloudView]) -> Iterator[Capacity]:
    """Two OpenStacks have different hosts whatever their names. Placement names its providers as
    libvirt names its hosts, of several regions with the region before it."""
    known = set()
    for _, one in _of("openstack", views):
        yield one
        known.add((one.provider.rpartition("/")[2], _UNITS[one.resource][0]))
    told = set()
    for view, one in _of("libvirt", views):
        # one host may be asked under two addresses, and two hosts may have one name
        ids = [it.id for it in view.resources if it.kind == "host" and it.name == one.provider]
        key = (one.provider, ids[0] if ids else view.cloud, one.resource)
        if (one.provider, _UNITS[one.resource][0]) not in known and key not in told:
            told.add(key)
            yield one


def _of(kind: str, views: Iterable[CloudView]) -> Iterator[tuple[CloudView, Capacity]]:
    for view in views:
        if view.kind == kind:
            yield from ((view, one) for one in view.capacity if one.resource in _UNITS)
