"""What the answers of an OpenStack cloud come to: problems in few words, volumes, projects. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from collectors.cloud.model import (
    Allocated,
    Capacity,
    Part,
    Problem,
    Project,
    Quota,
    Resource,
    Use,
)
from collectors.cloud.openstackcompute import Server

NAMED = 3  # problems of more resources than that become one
MOST = 10  # problems of a part
NEEDS: Mapping[Part, Part] = {"quotas": "projects", "use": "servers"}  # what is asked for each of


class Found(msgspec.Struct):
    """What has come so far; `failed` are resources (or "") by part and reason."""

    projects: dict[str, Project] = {}
    quotas: dict[str, dict[str, Quota]] = {}
    tellers: Counter[tuple[str, str]] = msgspec.field(default_factory=Counter)  # of a quota
    regions: int = 1
    allocated: dict[str, Allocated] = {}
    servers: dict[str, Server] = {}
    volumes: dict[str, Resource] = {}
    stores: int = 0  # block storages that told all their volumes
    capacity: list[Capacity] = []
    uses: list[Use] = []
    failed: dict[tuple[Part, str], list[str]] = {}
    # not asked after refusals, by part and the reason of the last
    skipped: Counter[tuple[Part, str]] = msgspec.field(default_factory=Counter)

    def add_quotas(self, project: str, found: Iterable[Quota]) -> None:
        """Those of several regions are one."""
        quotas = self.quotas.setdefault(project, {})
        for quota in found:
            known = quotas.get(quota.resource)
            if known is not None:
                limit = _sum(known.limit, quota.limit)
                quota = Quota(quota.resource, limit, _sum(known.used, quota.used))
            quotas[quota.resource] = quota
            self.tellers[project, quota.resource] += 1

    def problems(self, late: Mapping[Part, str], use: bool) -> list[Problem]:
        """`late` are the parts that were not ended, with the reason; `use` was asked for."""
        by_part: dict[Part, list[Problem]] = {}
        for part, reason in late.items():
            by_part.setdefault(part, []).append(Problem(part, reason))
        for (part, reason), resources in self.failed.items():
            by_part.setdefault(part, []).extend(self._told(part, reason, resources))
        attached = any(server.volumes for server in self.servers.values())
        if attached and not self.stores and "volumes" not in by_part:
            reason = "the catalog has no block storage; only volumes of servers are known"
            by_part["volumes"] = [Problem("volumes", reason)]
        for part, base in NEEDS.items():
            missing = any(not problem.resource for problem in by_part.get(base, ()))
            if missing and part not in by_part and (use or part != "use"):
                by_part[part] = [Problem(part, f"not all {base} are known")]
        return [problem for part, all_of in by_part.items() for problem in _few(part, all_of)]

    def _told(self, part: Part, reason: str, resources: list[str]) -> list[Problem]:
        if not all(resources):
            return [Problem(part, reason)]
        skipped = self.skipped[part, reason]
        if len(resources) <= NAMED and not skipped:
            return [Problem(part, reason, resource) for resource in resources]
        rest = f", and {skipped} more were not asked for" if skipped else ""
        return [Problem(part, f"{reason} (of {len(resources)} resources{rest})")]

    def resources(self, problems: Iterable[Problem]) -> tuple[Resource, ...]:
        """Servers and volumes; of a volume that the block storage did not tell, what Nova knows."""
        volumes = dict(self.volumes)
        if any(it.part in ("volumes", "all") for it in problems):
            for server in self.servers.values():
                for volume in server.volumes:
                    known = volumes.get(volume)
                    if known is None:
                        known = Resource(
                            volume,
                            "volume",
                            "",
                            "active",
                            project=server.resource.project,
                            region=server.resource.region,
                            partial=True,
                        )
                    if server.resource.id not in known.attached:
                        attached = (*known.attached, server.resource.id)
                        known = msgspec.structs.replace(known, attached=attached)
                    volumes[volume] = known
        return (*(server.resource for server in self.servers.values()), *volumes.values())

    def projects_with(
        self, problems: Sequence[Problem], since: float, until: float
    ) -> tuple[Project, ...]:
        """Projects with their quotas, and hours; one that Nova did not name held nothing. What one
        of several regions did not tell is not known: that of the others is not all of it."""
        whole = not any(it.part in ("allocated", "all") for it in problems)
        none = Allocated(since, until, 0.0, 0.0, 0.0)
        failed = {it.resource for it in problems if it.part in ("quotas", "all")}
        return tuple(
            msgspec.structs.replace(
                project,
                quotas=tuple(
                    quota
                    for quota in self.quotas.get(project.id, {}).values()
                    if self.tellers[project.id, quota.resource] >= self.regions
                    or not failed & {"", project.id}
                ),
                allocated=self.allocated.get(project.id, none) if whole else None,
            )
            for project in self.projects.values()
        )


def _sum(one: float | None, other: float | None) -> float | None:
    return None if one is None or other is None else one + other


def _few(part: Part, problems: list[Problem]) -> list[Problem]:
    if len(problems) <= MOST:
        return problems
    rest = len(problems) - MOST
    return [*problems[:MOST], Problem(part, f"and {rest} other problems")]
