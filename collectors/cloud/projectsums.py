"""Sums over the projects of a department or a system: limits, and hours that were granted. Pure.

A limit that one project did not tell makes the sum of its department unknown, not smaller.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from collectors.cloud.model import CloudView, Project
from collectors.cloud.owners import Attribution

QUOTAS: Final = ("vcpus", "memory", "instances", "disk", "volumes")
HOURS: Final = "vcpu_hours"
NOBODYS: Final = Attribution()


class ProjectSum(msgspec.Struct):
    """`quota` has a limit by its name, None is without limit; `hours` of virtual CPUs, None where
    there is no project. `unknown` are those of them that are there and are not known."""

    quota: dict[str, float | None] = {}
    hours: float | None = None
    unknown: set[str] = set()

    def take(self, project: Project, doubtful: bool) -> None:
        for quota in project.quotas:
            so_far = self.quota.get(quota.resource, 0.0)
            no_limit = so_far is None or quota.limit is None
            self.quota[quota.resource] = None if no_limit else (so_far or 0) + (quota.limit or 0)
        if doubtful:
            self.unknown |= set(QUOTAS) - {quota.resource for quota in project.quotas}
        if project.allocated is None:
            self.unknown.add(HOURS)
        else:
            self.hours = (self.hours or 0.0) + project.allocated.vcpu_hours

    def settled(self) -> ProjectSum:
        """Without what is not known."""
        quota = {name: limit for name, limit in self.quota.items() if name not in self.unknown}
        return ProjectSum(quota, None if HOURS in self.unknown else self.hours, self.unknown)


class ProjectSums:
    """By department and system; the system is empty for all of a department."""

    def __init__(self, views: Sequence[CloudView], attributions: Mapping[str, Attribution]) -> None:
        # whose the projects are that were not seen is not known
        all_seen = all(view.whole("projects") for view in views if view.kind == "openstack")
        self._blind = set() if all_seen else {*QUOTAS, HOURS}
        self._sums: dict[tuple[str, str], ProjectSum] = {}
        self.everyone = ProjectSum(unknown=set(self._blind))
        for view in views:  # two of them may tell different regions of one project
            failed = {it.resource for it in view.problems if it.part in ("quotas", "all")}
            for project in view.projects:
                owner = attributions.get(project.id, NOBODYS).owner
                doubtful = "" in failed or project.id in failed
                self.everyone.take(project, doubtful)
                # a dictionary: one where there is no system
                for key in {(owner.department, ""): 0, (owner.department, owner.system): 0}:
                    one = self._sums.setdefault(key, ProjectSum(unknown=set(self._blind)))
                    one.take(project, doubtful)

    @property
    def departments(self) -> set[str]:
        return {department for department, _ in self._sums}

    def of(self, department: str, system: str = "") -> ProjectSum:
        return (self._sums.get((department, system)) or ProjectSum(unknown=self._blind)).settled()
