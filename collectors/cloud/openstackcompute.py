"""Answers of OpenStack's Compute API turned into the types of model.py: servers, quotas, hours, diagnostics. Pure.

Formats: api-ref of Compute 2.48 to 2.93 (servers, quota sets, os-simple-tenant-usage, diagnostics); quota sets
of Block Storage 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from collectors.cloud.model import Allocated, Quota, Resource, Size, State, Use
from collectors.cloud.openstackjson import (
    GIBIBYTE,
    MEBIBYTE,
    Amount,
    Id,
    Link,
    Page,
    PathId,
    Whole,
    decode,
    marker,
    moment,
)
from collectors.model import ParseError

SERVER_STATES: Mapping[str, State] = {
    "ACTIVE": "active",
    "SHUTOFF": "stopped",
    "SHELVED": "stopped",
    "SHELVED_OFFLOADED": "stopped",
    "PAUSED": "paused",
    "SUSPENDED": "paused",
    "BUILD": "building",
    "REBUILD": "building",
    "ERROR": "error",
    "DELETED": "released",
    "SOFT_DELETED": "released",
}
# In RESIZE, MIGRATING and the like a server runs or does not: OS-EXT-STS:power_state of Nova.
POWER_STATES: Mapping[int | None, State] = {1: "active", 3: "paused", 4: "stopped", 7: "paused"}
QUOTAS = {  # ours → theirs, and how many of ours are one of theirs
    "vcpus": ("cores", 1),
    "memory": ("ram", MEBIBYTE),
    "instances": ("instances", 1),
    "disk": ("gigabytes", GIBIBYTE),
    "volumes": ("volumes", 1),
}


class _Flavor(msgspec.Struct):
    vcpus: Amount | None = None
    ram: Whole | None = None
    disk: Whole | None = None
    ephemeral: Whole = 0
    original_name: str = ""


class _Attached(msgspec.Struct):
    id: Id


class _Server(msgspec.Struct):
    """Of a cell that is down, Nova tells only a few fields (2.69)."""

    id: PathId
    name: str | None = None
    status: str = "UNKNOWN"
    tenant_id: str = ""
    created: str | None = None
    metadata: dict[str, str] = {}
    flavor: _Flavor = msgspec.field(default_factory=_Flavor)
    image: Any = None
    power: int | None = msgspec.field(default=None, name="OS-EXT-STS:power_state")
    host: str | None = msgspec.field(default=None, name="OS-EXT-SRV-ATTR:host")
    hypervisor: str | None = msgspec.field(default=None, name="OS-EXT-SRV-ATTR:hypervisor_hostname")
    volumes: list[_Attached] = msgspec.field(
        default_factory=list, name="os-extended-volumes:volumes_attached"
    )


class _Servers(msgspec.Struct):
    servers: list[_Server]
    servers_links: list[Link] = []


class Server(msgspec.Struct, frozen=True):
    """A server, and the ids of the volumes that Nova says are attached to it."""

    resource: Resource
    volumes: tuple[str, ...]

    @property
    def bare(self) -> bool:
        """Of a cell that is down: others have a name, whatever their status."""
        return self.resource.raw_state == "UNKNOWN" and not self.resource.name


def servers(content: bytes, region: str) -> Page[Server]:
    answer = decode(content, _Servers)
    return Page([_server(it, region) for it in answer.servers], marker(answer.servers_links))


def _server(it: _Server, region: str) -> Server:
    flavor = it.flavor
    disk = flavor.disk
    if disk is not None:
        # booted from a volume: its root is no disk of the host
        disk = (0 if it.image == "" else disk) + flavor.ephemeral
    state = SERVER_STATES.get(it.status) or POWER_STATES.get(it.power, "unknown")
    resource = Resource(
        id=it.id,
        kind="server",
        name=it.name or "",
        state="unknown" if it.status == "UNKNOWN" else state,
        size=Size(
            flavor.vcpus,
            None if flavor.ram is None else flavor.ram * MEBIBYTE,
            None if disk is None else disk * GIBIBYTE,
        ),
        raw_state=it.status,
        project=it.tenant_id,
        created=moment(it.created),
        flavor=flavor.original_name,
        host=it.hypervisor or it.host or "",
        region=region,
        metadata=it.metadata,
    )
    return Server(resource, tuple(one.id for one in it.volumes))


class _Service(msgspec.Struct):
    host: str = ""
    status: str = ""


class _Services(msgspec.Struct):
    services: list[_Service]


def unknown_hosts(content: bytes) -> list[str]:
    """Those of a cell that is down (2.69): Nova knows only that they belong to it."""
    services = decode(content, _Services).services
    return sorted({it.host for it in services if it.status == "UNKNOWN"})


class _Limit(msgspec.Struct):
    limit: float
    in_use: Amount | None = None


class _QuotaSet(msgspec.Struct):
    quota_set: dict[str, Any]


def quotas(content: bytes) -> tuple[Quota, ...]:
    """Those of QUOTAS that a quota set of Nova (detail) or Cinder (usage) has."""
    answer = decode(content, _QuotaSet).quota_set
    return tuple(_quotas(answer))


def _quotas(answer: Mapping[str, Any]) -> Iterator[Quota]:
    for ours, (theirs, factor) in QUOTAS.items():
        if theirs in answer:
            try:
                it = msgspec.convert(answer[theirs], _Limit)
            except msgspec.ValidationError as error:
                raise ParseError(f"the quota {theirs!r} is not in the API's format") from error
            yield Quota(
                ours,
                None if it.limit < 0 else it.limit * factor,  # -1 is no limit
                None if it.in_use is None else it.in_use * factor,
            )


class _Usage(msgspec.Struct):
    tenant_id: Id
    total_vcpus_usage: Amount = 0.0
    total_memory_mb_usage: Amount = 0.0
    total_local_gb_usage: Amount = 0.0


class _Usages(msgspec.Struct):
    tenant_usages: list[_Usage]
    tenant_usages_links: list[Link] = []


def allocated(content: bytes, since: float, until: float) -> Page[tuple[str, Allocated]]:
    """Hours by project. Pages are of servers, so that a project may be in several: `added` them."""
    answer = decode(content, _Usages)
    rows = [
        (
            it.tenant_id,
            Allocated(
                since,
                until,
                it.total_vcpus_usage,
                it.total_memory_mb_usage * MEBIBYTE,
                it.total_local_gb_usage * GIBIBYTE,
            ),
        )
        for it in answer.tenant_usages
    ]
    return Page(rows, marker(answer.tenant_usages_links))


def added(one: Allocated | None, other: Allocated) -> Allocated:
    if one is None:
        return other
    return Allocated(
        other.since,
        other.until,
        one.vcpu_hours + other.vcpu_hours,
        one.memory_byte_hours + other.memory_byte_hours,
        one.disk_byte_hours + other.disk_byte_hours,
    )


class _Cpu(msgspec.Struct):
    time: Amount | None = None


class _Nic(msgspec.Struct):
    rx_octets: Amount | None = None
    tx_octets: Amount | None = None


class _Disk(msgspec.Struct):
    read_bytes: Amount | None = None
    write_bytes: Amount | None = None


class _Diagnostics(msgspec.Struct):
    num_cpus: Amount | None = None
    cpu_details: list[_Cpu] | None = None
    nic_details: list[_Nic] | None = None
    disk_details: list[_Disk] | None = None


def use(content: bytes, resource: str, at: float) -> Use:
    """Diagnostics of 2.48. Their memory is what the host gave, which says nothing of the guest's use."""
    it = decode(content, _Diagnostics)
    cpu = _total(one.time for one in it.cpu_details or ()) if it.cpu_details else None
    nics, disks = it.nic_details, it.disk_details
    return Use(
        resource,
        at,
        cpu=None if cpu is None else cpu / 1e9,
        vcpus=it.num_cpus,
        net_rx=None if nics is None else _total(one.rx_octets for one in nics),
        net_tx=None if nics is None else _total(one.tx_octets for one in nics),
        disk_read=None if disks is None else _total(one.read_bytes for one in disks),
        disk_write=None if disks is None else _total(one.write_bytes for one in disks),
    )


def _total(amounts: Iterable[float | None]) -> float | None:
    """Of all, or nothing where one of them is not known."""
    total = 0.0
    for amount in amounts:
        if amount is None:
            return None
        total += amount
    return total
