"""What one look at a cloud brings: resources, projects, capacity, counters, and what could not be seen.

A `Cloud` is asked over its API, by this machine alone; it is no `Collector`, since pages and quotas are
asked for one after another. Units are bytes, seconds and Unix times. What was not told is None,
never 0 and never what was allocated.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, Protocol

import msgspec

from collectors.model import Family

CloudKind = Literal["openstack", "libvirt"]
ResourceKind = Literal["server", "volume", "host", "container"]
State = Literal[
    "active", "stopped", "paused", "building", "error", "available", "released", "unknown"
]
Part = Literal["servers", "volumes", "projects", "quotas", "capacity", "allocated", "use", "all"]


class Size(msgspec.Struct, frozen=True, gc=False):
    """What a resource was given; `disk` and `memory` in bytes."""

    vcpus: float | None = None
    memory: int | None = None
    disk: int | None = None


class Resource(msgspec.Struct, frozen=True, gc=False):
    """Something that is held by somebody. `id` is the same wherever it is seen: the UUID of a server is
    that of its libvirt domain too, so that Nova tells who holds it and its host what it uses.

    `metadata` are the server's own (or libvirt's) words, `nova` what Nova wrote into the domain.
    `raw_state` is the state in the words of the cloud. `attached` are the servers a volume is attached to.
    Of one that is `partial` somebody else told, or its description could not be read: its name and
    metadata are not known, whatever stands there.
    """

    id: str
    kind: ResourceKind
    name: str
    state: State
    size: Size = Size()
    raw_state: str = ""
    project: str = ""  # its id
    created: float | None = None
    flavor: str = ""
    host: str = ""  # the hypervisor
    region: str = ""
    metadata: Mapping[str, str] = {}
    nova: Mapping[str, str] = {}
    attached: tuple[str, ...] = ()
    partial: bool = False

    @property
    def described(self) -> bool:
        """Whether its name and metadata are known; a server without a name is one that Nova tells little of."""
        return not self.partial and (bool(self.name) or self.kind != "server")


class Quota(msgspec.Struct, frozen=True, gc=False):
    """A limit of a project, in the units of `Size` or a count; None is no limit."""

    resource: str  # vcpus, memory, instances, disk, volumes, ...
    limit: float | None
    used: float | None = None


class Allocated(msgspec.Struct, frozen=True, gc=False):
    """What a project held from `since` to `until`: Nova's os-simple-tenant-usage."""

    since: float
    until: float
    vcpu_hours: float
    memory_byte_hours: float
    disk_byte_hours: float


class Project(msgspec.Struct, frozen=True, gc=False):
    id: str
    name: str
    domain: str = ""
    parent: str = ""  # the id of the project above it, or empty
    description: str = ""
    enabled: bool = True
    tags: tuple[str, ...] = ()
    quotas: tuple[Quota, ...] = ()
    allocated: Allocated | None = None


class Capacity(msgspec.Struct, frozen=True, gc=False):
    """One inventory of a resource provider (Placement): usable are (total - reserved) × ratio."""

    provider: str
    resource: str  # VCPU, MEMORY_MB, DISK_GB, ...: Placement's own classes and units
    total: float
    reserved: float
    ratio: float
    used: float | None = None


class Use(msgspec.Struct, frozen=True, gc=False):
    """What a resource used, as counters since its start, at the time it said so; None is not known.

    `steal` is time that a virtual CPU wanted to run and could not. `memory_used` is only what the
    guest itself told (its balloon driver), and `memory_total` what the guest sees.
    """

    resource: str
    at: float
    cpu: float | None = None
    steal: float | None = None
    vcpus: float | None = None
    net_rx: float | None = None
    net_tx: float | None = None
    disk_read: float | None = None
    disk_write: float | None = None
    memory_used: float | None = None
    memory_total: float | None = None


class Problem(msgspec.Struct, frozen=True, gc=False):
    """A part that could not be seen, whole or (`resource`) of one; `reason` in words for people."""

    part: Part
    reason: str
    resource: str = ""


class CloudView(msgspec.Struct, frozen=True):
    """One look. A part with a problem that names no resource was not seen whole: what is missing in it
    says nothing. `requests` were sent, and took `api_seconds` of waiting one after another.
    `regions` are those that were asked, of a cloud that has some.
    `families` are what else it tells, by CPU, disk and interface: as metrics only. `absent` are parts
    that it has no service for."""

    cloud: str
    kind: CloudKind
    began: float
    seconds: float
    resources: tuple[Resource, ...] = ()
    projects: tuple[Project, ...] = ()
    capacity: tuple[Capacity, ...] = ()
    uses: tuple[Use, ...] = ()
    problems: tuple[Problem, ...] = ()
    requests: int = 0
    api_seconds: float = 0.0
    families: tuple[Family, ...] = ()
    regions: tuple[str, ...] = ()
    absent: tuple[Part, ...] = ()

    def whole(self, part: Part) -> bool:
        """Whether all of a part was seen, so that what is not in it does not exist."""
        return not any(p.part in (part, "all") and not p.resource for p in self.problems)


class Cloud(Protocol):
    """A cloud by its settings. `gather` raises nothing for what the cloud does: it is in `problems`."""

    def gather(self, deadline: float) -> CloudView:
        """One look, ended `deadline` seconds after it began at most."""
        ...
