"""How many of the registered systems are in the cloud: the migration rate. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from datetime import date
from typing import Literal

import msgspec

from collectors.cloud.systems import Registry, System

Standing = Literal["on_cloud", "planned", "not_on_cloud"]


class Migration(msgspec.Struct, frozen=True):
    """`contradicted` are the systems of which the registry says otherwise than what the cloud
    holds, as (department, system); `unregistered` hold resources and are in no registry. `unsure`
    are in the cloud if they hold something that was not seen; `whole` unless anything was not."""

    systems: int = 0
    on_cloud: int = 0
    planned: int = 0
    contradicted: tuple[tuple[str, str], ...] = ()
    unregistered: tuple[tuple[str, str], ...] = ()
    unsure: int = 0
    whole: bool = True

    @property
    def ratio(self) -> float | None:
        """None without a registry, and where it hangs on what was not seen."""
        return None if not self.systems or self.unsure else self.on_cloud / self.systems


def migration(
    registry: Registry, holding: Collection[tuple[str, str]], at: date, whole: bool = True
) -> Migration:
    """`holding` are (department, system) that hold something now; `whole`: all that do.

    The registry is believed where it says yes or no (from the day it says that of), and what is
    held where it says `planned` or nothing: a plan may have come true.
    """
    names = Counter(system.system for system in registry.systems)
    pairs = {(one.department, one.system) for one in registry.systems}
    # a system whose holder is not known, or another department, is found by its name if only one has it
    by_name = {name for pair in holding if pair not in pairs and names[name := pair[1]] == 1}
    standings: Counter[Standing] = Counter()
    contradicted = []
    unsure = 0
    for one in registry.systems:
        pair = one.department, one.system
        held = pair in holding or one.system in by_name
        said = _said(one, at)
        standing = _standing(one, held, at)
        if not (held or whole) and standing != _standing(one, True, at):
            unsure += 1
        else:
            standings[standing] += 1
        if (said == "no" and held) or (said == "yes" and not held and whole):
            contradicted.append(pair)
    unregistered = [
        pair for pair in holding if pair[1] and pair not in pairs and pair[1] not in by_name
    ]
    return Migration(
        len(registry.systems),
        standings["on_cloud"],
        standings["planned"],
        tuple(contradicted),
        tuple(sorted(unregistered)),
        unsure,
        whole,
    )


def _said(one: System, at: date) -> str | None:
    return None if one.since is not None and at < one.since else one.on_cloud


def _standing(one: System, held: bool, at: date) -> Standing:
    said = _said(one, at)
    if said == "yes" or (held and said != "no"):
        return "on_cloud"
    # what is to be from a later day on is planned until then
    planned = said == "planned" or (said is None and one.on_cloud in ("yes", "planned"))
    return "planned" if planned else "not_on_cloud"
