"""The facts that make a life, and how what agents tell of them in labels is understood."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple, get_args

from collectors.cloud.model import ResourceKind
from collectors.cloud.owners import HOWS, UNASSIGNED, Attribution, Owner
from exporters.promapi import series
from exporters.promapi.facts import Fact, labelled, number
from exporters.promapi.selectors import Range, ranged, sampled
from exporters.promapi.timelines import Told

KINDS: Final[tuple[ResourceKind, ...]] = get_args(ResourceKind)


class Info(NamedTuple):
    """Labels of INFO."""

    how: str
    kind: str
    name: str
    cloud: str
    department: str
    system: str
    region: str
    environment: str

    @property
    def attribution(self) -> Attribution:
        department = "" if self.department == UNASSIGNED else self.department
        owner = Owner(department, self.system, self.region, self.environment)
        return Attribution(owner, self.how if self.how in HOWS else "unassigned")

    @property
    def known_kind(self) -> ResourceKind:
        return self.kind if self.kind in KINDS else "server"


def _info(labels: Mapping[str, str]) -> Info:
    return Info(*(labels.get(name, "") for name in Info._fields))


def _believed(told: Told[Info]) -> Info:
    """Where agents differ, the one that knows the owner by the better step; then one that knows a name."""

    def rank(one: Info) -> tuple[int, bool, Info]:
        return HOWS.index(one.how) if one.how in HOWS else len(HOWS), not one.name, one

    return min(told, key=rank)


def _state(told: Told[str]) -> str:
    return min(told, key=lambda state: (state in ("", "unknown"), state))


class Facts(NamedTuple):
    """All of them, in the order in which they are told."""

    info: Fact[Info]
    state: Fact[str]
    sizes: tuple[Fact[float], Fact[float], Fact[float]]  # vcpus, memory, disk
    attached: Fact[float]
    created: Fact[float]


def _facts(over: Range) -> Facts:
    vcpus, memory, disk = (
        number(name, over) for name in (series.VCPUS, series.MEMORY, series.DISK)
    )
    return Facts(
        labelled(series.INFO, Info._fields, _info, _believed, over),
        labelled(
            series.STATE, ("state",), lambda labels: labels.get("state", "unknown"), _state, over
        ),
        (vcpus, memory, disk),
        number(series.ATTACHED, over),
        number(series.CREATED, over),
    )


SAMPLED: Final = _facts(sampled)
WHOLE: Final = _facts(ranged)  # all that was told
