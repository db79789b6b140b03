"""What is held, of several views: each resource once, though Nova and its host's libvirt both tell
of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final, NamedTuple

from collectors.cloud.model import CloudView, Resource, State

# What runs is believed before what does not.
RUNS: Final[Mapping[State, int]] = {"active": 2, "paused": 1, "building": 1}


class Held(NamedTuple):
    """`resource` is what is believed of it; `domain` is what libvirt tells, `resource` itself where
    nobody else does."""

    resource: Resource
    cloud: str
    domain: Resource | None = None


def held(views: Iterable[CloudView]) -> list[Held]:
    """OpenStack before libvirt, of two hosts that on which it runs, and of two alike the first."""
    found: dict[str, Held] = {}
    for view in sorted(views, key=lambda view: view.kind == "libvirt"):
        for resource in view.resources:
            known = found.get(resource.id)
            if known is None:
                domain = resource if view.kind == "libvirt" else None
                found[resource.id] = Held(resource, view.cloud, domain)
            elif view.kind == "libvirt" and _rather(resource, known.domain):
                if known.resource is known.domain:
                    known = known._replace(resource=resource, cloud=view.cloud)
                found[resource.id] = known._replace(domain=resource)
    return list(found.values())


def _rather(domain: Resource, other: Resource | None) -> bool:
    """Whether this one is believed: a machine that moved may have left its definition behind."""
    return other is None or RUNS.get(domain.state, 0) > RUNS.get(other.state, 0)
