"""What all clouds have and can grant, as an agent told it last."""

from __future__ import annotations

from typing import Final

from collectors.cloud.model import Size
from exporters.promapi.asking import Asker
from exporters.promapi.series import PHYSICAL, USABLE
from exporters.usage.source import CapacityTold

# the last day first: an agent that has another address since is another series
LOOKED_BACK: Final = ("1d", "31d")
# milliseconds: what is told at the end is none of before it
BEFORE: Final = 0.001


def capacity(asker: Asker, until: float) -> CapacityTold | None:
    for back in LOOKED_BACK:
        physical, usable = (_told(asker, name, back, until) for name in (PHYSICAL, USABLE))
        if physical != Size() or usable != Size():
            return CapacityTold(physical, usable)
    return None


def _told(asker: Asker, name: str, back: str, until: float) -> Size:
    query = f"max by (resource) (last_over_time({name}[{back}]))"
    found = {one.labels.get("resource"): one.value for one in asker.once(query, until - BEFORE)}
    memory, disk = found.get("memory_bytes"), found.get("disk_bytes")
    return Size(
        found.get("vcpus"),
        None if memory is None else round(memory),
        None if disk is None else round(disk),
    )
