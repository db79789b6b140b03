"""What clouds have in all, of which it is known whether each of them told. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Final

import msgspec

from collectors.cloud.model import Size
from exporters.usage.source import CapacityTold

# What is held of a cloud's capacity, by kind.
_OF_SERVERS: Final = ("vcpus", "memory", "disk")
HELD: Final[Mapping[str, tuple[str, ...]]] = {
    "server": _OF_SERVERS,
    "container": _OF_SERVERS,
    "volume": ("disk",),
}


def of_whole(
    physical: Size,
    usable: Size,
    held: Iterable[tuple[str, str]],
    told: Collection[tuple[str, str]],
) -> CapacityTold:
    """`held` are clouds and kinds of what they hold, `told` clouds and the resources of which they told what they have.
    A sum over clouds of which one holds some and told nothing is not known."""
    untold: dict[str, set[str]] = {}
    for cloud, kind in held:
        for resource in HELD.get(kind, ()):
            some = getattr(usable, resource) is not None or getattr(physical, resource) is not None
            if some and (cloud, resource) not in told:
                untold.setdefault(resource, set()).add(cloud)
    unknown = dict.fromkeys(untold)
    return CapacityTold(
        msgspec.structs.replace(physical, **unknown),
        msgspec.structs.replace(usable, **unknown),
        {resource: tuple(sorted(clouds)) for resource, clouds in sorted(untold.items())},
    )
