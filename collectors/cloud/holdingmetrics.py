"""Holdings and owners as metric families. Amounts are told under base units: vcpus, memory_bytes,
disk_bytes. A sum that is not known has no series; jianwei_estate_complete tells why."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from collectors.cloud import resourcemetrics
from collectors.cloud.held import held
from collectors.cloud.holdings import Amount, Estate, Holding, Holdings
from collectors.cloud.model import CloudView
from collectors.cloud.owners import UNASSIGNED, Attribution, clean
from collectors.model import Family, Sample, gauge, sample

MAX_RESOURCES: Final = 20_000  # of jianwei_resource_info
MAX_SYSTEMS: Final = 2_000
# Names of quotas that are the same as what is allocated; a quota of disk is one of volumes.
_QUOTAS: Final = {
    "memory": "memory_bytes",
    "instances": "servers",
    "disk": "volume_bytes",
}


def families(
    found: Holdings,
    views: Iterable[CloudView],
    attributions: Mapping[str, Attribution],
    max_resources: int = MAX_RESOURCES,
) -> list[Family]:
    """Everything that is told of who holds what. Nothing is told of what is not known."""
    views = tuple(views)
    all_held = held(views)
    without = {*found.estate.unseen.get("servers", ()), *found.estate.unseen.get("volumes", ())}
    clouds = {view.cloud: None for view in views if view.cloud not in without}
    return [
        *_departments(found.departments),
        *_systems(found.systems[:MAX_SYSTEMS]),
        *_estate(found.estate, found.unassigned),
        *resourcemetrics.families(all_held, attributions, max_resources),
        gauge(
            "jianwei_estate_resources",
            "Servers, volumes and others that a cloud has, also those beyond the limit of "
            "jianwei_resource_info; none of a cloud that did not tell all of them.",
            *(
                sample(float(sum(one.cloud == cloud for one in all_held)), cloud=cloud)
                for cloud in clouds
            ),
        ),
    ]


def _departments(departments: Sequence[Holding]) -> Iterator[Family]:
    yield gauge(
        "jianwei_department_quota",
        "Limits of all projects of a department together; +Inf is without limit. None where one "
        "of them did not tell its limit.",
        *(
            sample(math.inf if limit is None else limit, department=_name(one), resource=name)
            for one in departments
            for name, limit in _limits(one.quota).items()
        ),
    )
    yield gauge(
        "jianwei_department_allocated",
        "What a department was given and holds, also of what is stopped or detached. None while a "
        "cloud does not tell all servers, or volumes: see jianwei_estate_complete.",
        *_amounts(departments, "allocated", _EVERY),
    )
    yield gauge(
        "jianwei_department_stopped",
        "The part of what a department holds that is held by servers which are stopped.",
        *_amounts(departments, "stopped", _OF_SERVERS),
    )
    yield gauge(
        "jianwei_department_detached",
        "The part of what a department holds that is held by volumes attached to nothing.",
        *_amounts(departments, "detached", _OF_VOLUMES),
    )
    yield gauge(
        "jianwei_department_used",
        "Virtual CPUs that a department uses, of servers whose use is known: see "
        "jianwei_department_use_known_ratio.",
        *(
            sample(one.used_vcpus, department=_name(one), resource="vcpus")
            for one in departments
            if one.used_vcpus is not None and one.known_vcpus
        ),
    )
    yield gauge(
        "jianwei_department_use_known_ratio",
        "Share of the virtual CPUs allocated to a department whose use is known.",
        *(
            sample(one.coverage, department=_name(one))
            for one in departments
            if one.coverage is not None
        ),
    )
    yield gauge(
        "jianwei_department_unsized",
        "Servers and volumes of a department that have a size (vcpus, memory or disk) which is not "
        "known; it is missing in the sum of that.",
        *(
            sample(float(one.allocated.unsized), department=_name(one))
            for one in departments
            if one.allocated.unsized is not None
        ),
    )
    yield gauge(
        "jianwei_department_vcpu_hours",
        "Hours of virtual CPUs that the projects of a department were granted since the month "
        "began, as Nova counts them: also of servers that are stopped, or deleted since.",
        *(
            sample(one.vcpu_hours, department=_name(one))
            for one in departments
            if one.vcpu_hours is not None
        ),
    )


def _systems(systems: Sequence[Holding]) -> Iterator[Family]:
    yield gauge(
        "jianwei_system_allocated",
        "What a system of a department was given and holds.",
        *(
            sample(value, department=_name(one), system=one.system, resource=name)
            for one in systems
            for name, value in _values(one.allocated, _EVERY)
        ),
    )
    yield gauge(
        "jianwei_system_used",
        "Virtual CPUs that a system uses, of servers whose use is known.",
        *(
            sample(one.used_vcpus, department=_name(one), system=one.system, resource="vcpus")
            for one in systems
            if one.used_vcpus is not None and one.known_vcpus
        ),
    )


def _estate(estate: Estate, unassigned: Holding) -> Iterator[Family]:
    granted = estate.granted
    yield gauge(
        "jianwei_estate_complete",
        "Whether all clouds that have a part told all of it in the last round. With 0 of servers "
        "there are no sums of servers, of what they use and none that hangs on them; likewise of "
        "volumes, quotas (which need projects too), capacity (usable, physical) and allocated "
        "(hours).",
        *(sample(float(not clouds), part=part) for part, clouds in estate.unseen.items()),
    )
    for name, told, help in (
        ("usable", estate.usable, "What all clouds can grant: (total - reserved) × ratio."),
        ("physical", estate.physical, "What all clouds have, without overcommitment."),
    ):
        yield gauge(
            f"jianwei_estate_{name}",
            help,
            *(sample(told[key], resource=label) for key, label in _CAPACITY if key in told),
        )
    yield gauge(
        "jianwei_estate_granted",
        "What all departments hold together, and what nobody is known to hold. None while a cloud "
        "does not tell all servers, or volumes: see jianwei_estate_complete.",
        *(sample(value, resource=name) for name, value in _values(granted.allocated, _EVERY)),
    )
    yield gauge(
        "jianwei_estate_unassigned",
        "What nobody is known to hold.",
        *(sample(value, resource=name) for name, value in _values(unassigned.allocated, _EVERY)),
    )
    if granted.used_vcpus is not None and granted.known_vcpus:
        yield gauge(
            "jianwei_estate_used",
            "Virtual CPUs that are used, of servers whose use is known.",
            sample(granted.used_vcpus, resource="vcpus"),
        )
    if granted.coverage is not None:
        yield gauge(
            "jianwei_estate_use_known_ratio",
            "Share of the virtual CPUs granted whose use is known.",
            sample(granted.coverage),
        )
    moved = estate.migration
    if moved.ratio is None:
        return
    standings = {
        "on_cloud": moved.on_cloud,
        "planned": moved.planned,
        "not_on_cloud": moved.systems - moved.on_cloud - moved.planned,
    }
    yield gauge(
        "jianwei_estate_systems",
        "Systems of the registry by where they stand: on_cloud, planned or not_on_cloud.",
        *(sample(float(count), standing=standing) for standing, count in standings.items()),
    )
    yield gauge(
        "jianwei_estate_migration_ratio",
        "Share of the systems of the registry that are in the cloud; none where it hangs on "
        "servers of a cloud that did not tell all of them.",
        sample(moved.ratio),
    )
    if not moved.whole:
        return
    yield gauge(
        "jianwei_estate_systems_contradicted",
        "Systems of which the registry says otherwise than what the clouds hold.",
        sample(float(len(moved.contradicted))),
    )
    yield gauge(
        "jianwei_estate_systems_unregistered",
        "Systems that hold something and are in no registry.",
        sample(float(len(moved.unregistered))),
    )


_OF_SERVERS: Final = (
    ("servers", "servers"),
    ("vcpus", "vcpus"),
    ("memory", "memory_bytes"),
    ("disk", "disk_bytes"),
)
_OF_VOLUMES: Final = (("volumes", "volumes"), ("volume_bytes", "volume_bytes"))
_EVERY: Final = (*_OF_SERVERS, *_OF_VOLUMES)
_CAPACITY: Final = _OF_SERVERS[1:]


def _name(one: Holding) -> str:
    return one.department or UNASSIGNED


def _values(amount: Amount, keys: Sequence[tuple[str, str]]) -> Iterator[tuple[str, float]]:
    for key, label in keys:
        if (value := getattr(amount, key)) is not None:
            yield label, float(value)


def _amounts(
    departments: Sequence[Holding], of: str, keys: Sequence[tuple[str, str]]
) -> Iterator[Sample]:
    for one in departments:
        for label, value in _values(getattr(one, of), keys):
            yield sample(value, department=_name(one), resource=label)


def _limits(quota: Mapping[str, float | None]) -> dict[str, float | None]:
    """Under the names of what is allocated; of two with one name the first."""
    found: dict[str, float | None] = {}
    for name, limit in quota.items():
        found.setdefault(_QUOTAS.get(name, clean(name)), limit)
    return found
