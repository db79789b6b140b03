"""Answers of OpenStack's Identity, Placement and Block Storage turned into the types of model.py. Pure.

Formats: api-ref of Identity 3, Placement 1.0, Block Storage 3.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from collectors.cloud.model import Capacity, Project, Resource, Size, State
from collectors.cloud.openstackjson import (
    GIBIBYTE,
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

VOLUME_STATES: Mapping[str, State] = {
    "available": "available",
    "in-use": "active",
    "creating": "building",
    "downloading": "building",
    "deleting": "released",
}
# --- Identity -------------------------------------------------------------------------------------


class _Project(msgspec.Struct):
    id: PathId
    name: str
    domain_id: str | None = None
    parent_id: str | None = None
    description: str | None = None
    enabled: bool = True
    tags: list[str] = []


class _Projects(msgspec.Struct):
    projects: list[_Project]
    truncated: bool = False


def projects(content: bytes) -> tuple[list[Project], bool]:
    """Projects, and whether they are all. A parent that is the domain is none."""
    answer = decode(content, _Projects)
    found = [
        Project(
            id=it.id,
            name=it.name,
            domain=it.domain_id or "",
            parent="" if it.parent_id in (None, it.domain_id) else it.parent_id or "",
            description=it.description or "",
            enabled=it.enabled,
            tags=tuple(it.tags),
        )
        for it in answer.projects
    ]
    return found, not answer.truncated


# --- Placement ------------------------------------------------------------------------------------


class Provider(msgspec.Struct):
    uuid: PathId
    name: str = ""


class _Providers(msgspec.Struct):
    resource_providers: list[Provider]


class _Inventory(msgspec.Struct):
    total: Amount
    reserved: Amount = 0.0
    allocation_ratio: Amount = 1.0


class _Inventories(msgspec.Struct):
    inventories: dict[str, _Inventory]


class _ProviderUsages(msgspec.Struct):
    usages: dict[str, Amount]


def providers(content: bytes) -> list[Provider]:
    return decode(content, _Providers).resource_providers


def usages(content: bytes) -> dict[str, float]:
    return decode(content, _ProviderUsages).usages


def inventories(content: bytes, provider: str, used: Mapping[str, float]) -> list[Capacity]:
    """`used` is what is told; a class without a number in it is not known."""
    return [
        Capacity(provider, name, it.total, it.reserved, it.allocation_ratio, used.get(name))
        for name, it in decode(content, _Inventories).inventories.items()
    ]


# --- Block storage --------------------------------------------------------------------------------


class _Attachment(msgspec.Struct):
    server_id: str | None = None


class _Volume(msgspec.Struct):
    id: Id
    name: str | None = None
    status: str = ""
    size: Whole | None = None
    created_at: str | None = None
    metadata: dict[str, str] = {}
    attachments: list[_Attachment] = []
    volume_type: str | None = None
    project: str | None = msgspec.field(default=None, name="os-vol-tenant-attr:tenant_id")


class _Volumes(msgspec.Struct):
    volumes: list[_Volume]
    volumes_links: list[Link] = []


def volumes(content: bytes, region: str) -> Page[Resource]:
    answer = decode(content, _Volumes)
    return Page([_volume(it, region) for it in answer.volumes], marker(answer.volumes_links))


def _volume(it: _Volume, region: str) -> Resource:
    attached = tuple(one.server_id for one in it.attachments if one.server_id)
    between: State = "active" if attached else "available"
    # error_deleting, error_extending and the like; the other states are between these
    state = "error" if it.status.startswith("error") else VOLUME_STATES.get(it.status, between)
    return Resource(
        id=it.id,
        kind="volume",
        name=it.name or "",
        state=state if it.status else "unknown",
        size=Size(disk=None if it.size is None else it.size * GIBIBYTE),
        raw_state=it.status,
        project=it.project or "",
        created=moment(it.created_at),
        flavor=it.volume_type or "",
        region=region,
        metadata=it.metadata,
        attached=attached,
    )
