"""What departments and systems hold: quota, allocated, stopped, detached and used; and the whole
estate. Pure.

Servers (and libvirt's containers, which are domains too) and volumes are held; hosts are what there
is to hold. What nobody is known to hold is a department of its own, which is always there. Bytes.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from typing import Final

import msgspec

from collectors.cloud.held import Held, held
from collectors.cloud.migration import Migration, migration
from collectors.cloud.model import Capacity, CloudView, Resource
from collectors.cloud.owners import Attribution
from collectors.cloud.systems import Registry

NOBODYS: Final = Attribution()
_UNITS: Final = {
    "VCPU": ("vcpus", 1.0),
    "MEMORY_MB": ("memory", 2.0**20),
    "DISK_GB": ("disk", 2.0**30),
}


class Amount(msgspec.Struct, frozen=True, gc=False):
    """`disk` is that of servers themselves, `volume_bytes` that of volumes. `unsized` is how many
    servers and volumes of unknown size are not in the sums."""

    servers: int = 0
    vcpus: float = 0.0
    memory: int = 0
    disk: int = 0
    volumes: int = 0
    volume_bytes: int = 0
    unsized: int = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            *(
                mine + theirs
                for mine, theirs in zip(
                    msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True
                )
            )
        )


class Holding(msgspec.Struct, frozen=True):
    """What one department holds, or (`system`) one system of it; `department` is empty for nobody.

    `stopped` is held by servers that are stopped, `detached` by volumes that are attached to
    nothing; both are parts of `allocated`. `quota` has a limit by its name, None is without limit.
    `used_vcpus` is what was used of `known_vcpus`, those of servers whose use is known; the others'
    is not.
    """

    department: str
    system: str = ""
    allocated: Amount = Amount()
    stopped: Amount = Amount()
    detached: Amount = Amount()
    quota: Mapping[str, float | None] = {}
    used_vcpus: float = 0.0
    known_vcpus: float = 0.0
    systems: int = 0  # that hold something

    @property
    def coverage(self) -> float | None:
        """The share of the virtual CPUs allocated whose use is known; None where there are none."""
        return self.known_vcpus / self.allocated.vcpus if self.allocated.vcpus else None

    @property
    def used_ratio(self) -> float | None:
        """Of the virtual CPUs whose use is known; None where none is."""
        return self.used_vcpus / self.known_vcpus if self.known_vcpus else None


class Estate(msgspec.Struct, frozen=True):
    """All clouds together. `usable` is what can be granted (with overcommitment), `physical` what
    there is, by vcpus, memory and disk; no key where nobody told."""

    usable: Mapping[str, float] = {}
    physical: Mapping[str, float] = {}
    granted: Holding = Holding("")
    migration: Migration = Migration()


class Holdings(msgspec.Struct, frozen=True):
    """The department that holds most virtual CPUs first, nobody last; systems likewise."""

    departments: tuple[Holding, ...]
    systems: tuple[Holding, ...]
    estate: Estate

    @property
    def unassigned(self) -> Holding:
        return self.departments[-1]


def holdings(
    views: Iterable[CloudView],
    attributions: Mapping[str, Attribution],
    cpu: Mapping[str, float],
    at: date,
    registry: Registry | None = None,
) -> Holdings:
    """`attributions` are those of resources and of projects by their ids, `cpu` how much of its
    virtual CPUs each server uses, 0 to 1; one that is not in it is not known."""
    views = tuple(views)
    sums: defaultdict[tuple[str, str], _Sum] = defaultdict(_Sum)
    for one in held(views):
        owner = attributions.get(one.resource.id, NOBODYS).owner
        sums[owner.department, owner.system].take(one, cpu)
    quotas = _quotas(views, attributions)
    by_department: defaultdict[str, _Sum] = defaultdict(_Sum)
    systems: defaultdict[str, set[str]] = defaultdict(set)
    everything = _Sum()
    holding = []
    for (department, system), part in sums.items():
        by_department[department].join(part)
        everything.join(part)
        if system and part.allocated != Amount():
            systems[department].add(system)
            holding.append((department, system))
    departments = [
        by_department[name].holding(name, "", quotas.get((name, ""), {}), len(systems[name]))
        for name in {"", *by_department, *(name for name, _ in quotas)}
    ]
    of_systems = [
        part.holding(department, system, quotas.get((department, system), {}), 1)
        for (department, system), part in sums.items()
        if system and part.allocated != Amount()
    ]
    usable, physical = _capacity(views)
    granted = everything.holding("", "", {}, len(holding))
    moved = migration(registry or Registry(), holding, at)
    return Holdings(
        tuple(sorted(departments, key=_most)),
        tuple(sorted(of_systems, key=_most)),
        Estate(usable, physical, granted, moved),
    )


def _most(one: Holding) -> tuple[bool, float, str, str]:
    return not one.department, -one.allocated.vcpus, one.department, one.system


class _Sum:
    def __init__(self) -> None:
        self.allocated = self.stopped = self.detached = Amount()
        self.used = self.known = 0.0

    def take(self, it: Held, cpu: Mapping[str, float]) -> None:
        resource = it.resource
        if resource.state == "released" or resource.kind == "host":
            return
        amount = _amount(resource)
        self.allocated += amount
        if resource.kind == "volume":
            if not resource.attached:
                self.detached += amount
            return
        if resource.state == "stopped":
            self.stopped += amount
        ratio = 0.0 if resource.state == "stopped" else cpu.get(resource.id)
        if ratio is not None and math.isfinite(ratio) and ratio >= 0:
            self.known += amount.vcpus
            self.used += min(ratio, 1.0) * amount.vcpus

    def join(self, other: _Sum) -> None:
        self.allocated += other.allocated
        self.stopped += other.stopped
        self.detached += other.detached
        self.used += other.used
        self.known += other.known

    def holding(
        self, department: str, system: str, quota: Mapping[str, float | None], systems: int
    ) -> Holding:
        return Holding(
            department,
            system,
            self.allocated,
            self.stopped,
            self.detached,
            quota,
            self.used,
            self.known,
            systems,
        )


def _amount(it: Resource) -> Amount:
    size = it.size
    if it.kind == "volume":
        return Amount(volumes=1, volume_bytes=size.disk or 0, unsized=int(size.disk is None))
    unsized = int(size.vcpus is None or size.memory is None)
    return Amount(1, size.vcpus or 0.0, size.memory or 0, size.disk or 0, unsized=unsized)


def _quotas(
    views: Iterable[CloudView], attributions: Mapping[str, Attribution]
) -> dict[tuple[str, str], dict[str, float | None]]:
    """Of departments (whose system is empty) and of systems: the sums of their projects' limits."""
    sums: dict[tuple[str, str], dict[str, float | None]] = {}
    projects = {project.id: project for view in views for project in view.projects}
    for project in projects.values():
        owner = attributions.get(project.id, NOBODYS).owner
        # a dictionary: one where there is no system
        for key in {(owner.department, ""): 0, (owner.department, owner.system): 0}:
            limits = sums.setdefault(key, {})
            for quota in project.quotas:
                so_far = limits.get(quota.resource, 0.0)
                if so_far is not None:
                    limits[quota.resource] = None if quota.limit is None else so_far + quota.limit
    return sums


def _capacity(views: Iterable[CloudView]) -> tuple[dict[str, float], dict[str, float]]:
    usable: defaultdict[str, float] = defaultdict(float)
    physical: defaultdict[str, float] = defaultdict(float)
    for one in _inventories(views):
        name, unit = _UNITS[one.resource]
        usable[name] += (one.total - one.reserved) * one.ratio * unit
        physical[name] += one.total * unit
    return dict(usable), dict(physical)


def _inventories(views: Iterable[CloudView]) -> Iterator[Capacity]:
    """Each host once: Placement names its providers as libvirt names its hosts."""
    seen = set()
    for view in sorted(views, key=lambda view: view.kind == "libvirt"):
        for one in view.capacity:
            if one.resource in _UNITS and (one.provider, one.resource) not in seen:
                seen.add((one.provider, one.resource))
                yield one
