"""What departments and systems hold: quota, allocated, stopped, detached and used; and the whole
estate. Pure.

Servers (and libvirt's containers, which are domains too) and volumes are held; hosts are what there
is to hold. What nobody is known to hold is a department of its own, which is always there. Bytes.

A sum is None where a cloud did not tell all of what it is over: the rest of it is not the sum.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import date

import msgspec

from collectors.cloud.estatecapacity import capacity
from collectors.cloud.held import Held, held
from collectors.cloud.migration import Migration, migration
from collectors.cloud.model import CloudView, Part, Resource
from collectors.cloud.owners import Attribution
from collectors.cloud.projectsums import NOBODYS, ProjectSum, ProjectSums
from collectors.cloud.systems import Registry
from collectors.cloud.wholeness import unseen


class Amount(msgspec.Struct, frozen=True, gc=False):
    """`disk` is that of servers themselves, `volume_bytes` that of volumes. `unsized` is how many
    servers and volumes have a size that is not known, and is missing in the sum of it."""

    servers: int | None = 0
    vcpus: float | None = 0.0
    memory: int | None = 0
    disk: int | None = 0
    volumes: int | None = 0
    volume_bytes: int | None = 0
    unsized: int | None = 0

    def __add__(self, other: Amount) -> Amount:
        return Amount(
            *(
                None if mine is None or theirs is None else mine + theirs
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
    is not. `vcpu_hours` were granted to its projects since the month began, None where it has none;
    `unknown` are quotas, by name, and `vcpu_hours` where they could not be seen.
    """

    department: str
    system: str = ""
    allocated: Amount = Amount()
    stopped: Amount = Amount()
    detached: Amount = Amount()
    quota: Mapping[str, float | None] = {}
    used_vcpus: float | None = 0.0
    known_vcpus: float | None = 0.0
    systems: int | None = 0  # that hold something
    vcpu_hours: float | None = None
    unknown: tuple[str, ...] = ()

    @property
    def coverage(self) -> float | None:
        """The share of the virtual CPUs allocated whose use is known; None where there are none."""
        if self.known_vcpus is None or not self.allocated.vcpus:
            return None
        return self.known_vcpus / self.allocated.vcpus

    @property
    def used_ratio(self) -> float | None:
        """Of the virtual CPUs whose use is known; None where none is."""
        if self.used_vcpus is None or not self.known_vcpus:
            return None
        return self.used_vcpus / self.known_vcpus


class Estate(msgspec.Struct, frozen=True):
    """All clouds together. `usable` is what can be granted (with overcommitment), `physical` what
    there is, by vcpus, memory and disk; no key where nobody told. `unseen` are the clouds that did
    not tell all of a part, by part; no key where no cloud has it."""

    usable: Mapping[str, float] = {}
    physical: Mapping[str, float] = {}
    granted: Holding = Holding("")
    migration: Migration = Migration()
    unseen: Mapping[Part, tuple[str, ...]] = {}


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
    own: Collection[str] | None = None,
) -> Holdings:
    """`attributions` are those of resources and of projects by their ids, `cpu` how much of its
    virtual CPUs each server uses, 0 to 1; one that is not in it is not known. `own`: wholeness.py."""
    views = tuple(views)
    missing = unseen(views, own)
    servers, volumes = not missing.get("servers"), not missing.get("volumes")
    sums: defaultdict[tuple[str, str], _Sum] = defaultdict(lambda: _Sum(servers, volumes))
    for one in held(views):
        owner = attributions.get(one.resource.id, NOBODYS).owner
        sums[owner.department, owner.system].take(one, cpu)
    projects = ProjectSums(views, attributions)
    by_department: defaultdict[str, _Sum] = defaultdict(lambda: _Sum(servers, volumes))
    systems: defaultdict[str, set[str]] = defaultdict(set)
    everything = _Sum(servers, volumes)
    holding = []
    for (department, system), part in sums.items():
        by_department[department].join(part)
        everything.join(part)
        if system and part.allocated != Amount():
            systems[department].add(system)
            holding.append((department, system))
    departments = [
        by_department[name].holding(name, "", projects.of(name), len(systems[name]))
        for name in {"", *by_department, *projects.departments}
    ]
    of_systems = [sums[pair].holding(*pair, projects.of(*pair), 1) for pair in holding]
    usable, physical = ({}, {}) if missing.get("capacity") else capacity(views)
    all_hours = msgspec.structs.replace(projects.everyone.settled(), quota={})
    granted = everything.holding("", "", all_hours, len(holding))
    moved = migration(registry or Registry(), holding, at, servers)
    return Holdings(
        tuple(sorted(departments, key=_most)),
        tuple(sorted(of_systems, key=_most)),
        Estate(usable, physical, granted, moved, missing),
    )


def _most(one: Holding) -> tuple[bool, float, str, str]:
    return not one.department, -(one.allocated.vcpus or 0), one.department, one.system


class _Sum:
    """`servers`, `volumes`: whether all of them were seen, in all clouds."""

    def __init__(self, servers: bool, volumes: bool) -> None:
        self._servers, self._volumes = servers, volumes
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
            vcpus = resource.size.vcpus or 0.0
            self.known += vcpus
            self.used += min(ratio, 1.0) * vcpus

    def join(self, other: _Sum) -> None:
        self.allocated += other.allocated
        self.stopped += other.stopped
        self.detached += other.detached
        self.used += other.used
        self.known += other.known

    def holding(self, department: str, system: str, of: ProjectSum, systems: int) -> Holding:
        return Holding(
            department,
            system,
            self._known(self.allocated),
            self._known(self.stopped),
            self._known(self.detached),
            of.quota,
            self.used if self._servers else None,
            self.known if self._servers else None,
            systems if self._servers else None,
            of.hours,
            tuple(sorted(of.unknown)),
        )

    def _known(self, it: Amount) -> Amount:
        if not self._servers:
            it = msgspec.structs.replace(
                it, servers=None, vcpus=None, memory=None, disk=None, unsized=None
            )
        if not self._volumes:
            it = msgspec.structs.replace(it, volumes=None, volume_bytes=None, unsized=None)
        return it


def _amount(it: Resource) -> Amount:
    size = it.size
    if it.kind == "volume":
        return Amount(volumes=1, volume_bytes=size.disk or 0, unsized=int(size.disk is None))
    unsized = int(None in (size.vcpus, size.memory, size.disk))
    return Amount(1, size.vcpus or 0.0, size.memory or 0, size.disk or 0, unsized=unsized)
