"""What is held, of several views: each resource once, though Nova and its host's libvirt both tell
of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from collectors.cloud.model import CloudView, Resource


class Held(NamedTuple):
    """`resource` is what is believed of it; `domain` is what libvirt tells, `resource` itself where
    nobody else does."""

    resource: Resource
    cloud: str
    domain: Resource | None = None


def held(views: Iterable[CloudView]) -> list[Held]:
    """OpenStack before libvirt, and of two alike the first."""
    found: dict[str, Held] = {}
    for view in sorted(views, key=lambda view: view.kind == "libvirt"):
        for resource in view.resources:
            known = found.get(resource.id)
            if known is None:
                domain = resource if view.kind == "libvirt" else None
                found[resource.id] = Held(resource, view.cloud, domain)
            elif known.domain is None and view.kind == "libvirt":
                found[resource.id] = known._replace(domain=resource)
    return list(found.values())
