"""What an OpenStack cloud has, as metrics under the names and labels of openstack-exporter. Pure.

Names, labels and units: openstack-exporter 1.7 (`limits_memory_*` are MiB, `volume_gb` GiB, -1 is no limit), and
`cloud` beside them, since one agent may ask several. A label that is not known is left out; a total
is told only of a part that was seen whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from collectors.cloud.model import CloudView, Part, Project, Resource
from collectors.model import MEBIBYTE, Family, Sample, gauge

GIBIBYTE = 1 << 30
LONGEST = 128  # characters of a label: names, descriptions and tags are of people
SERVICES: Mapping[str, Part] = {
    "nova": "servers",
    "cinder": "volumes",
    "identity": "projects",
    "placement": "capacity",
}
SERVER_STATUSES = (
    "ACTIVE",
    "BUILD",
    "BUILD(spawning)",
    "DELETED",
    "ERROR",
    "HARD_REBOOT",
    "PASSWORD",
    "REBOOT",
    "REBUILD",
    "RESCUE",
    "RESIZE",
    "SHUTOFF",
    "SUSPENDED",
    "UNKNOWN",
    "VERIFY_RESIZE",
    "MIGRATING",
    "PAUSED",
    "REVERT_RESIZE",
    "SHELVED",
    "SHELVED_OFFLOADED",
    "SOFT_DELETED",
)
NUMBERS = {name: float(number) for number, name in enumerate(SERVER_STATUSES)}
VOLUME_STATUSES = (
    "creating",
    "available",
    "reserved",
    "attaching",
    "detaching",
    "in-use",
    "maintenance",
    "deleting",
    "awaiting-transfer",
    "error",
    "error_deleting",
    "backing-up",
    "restoring-backup",
    "error_backing-up",
    "error_restoring",
    "error_extending",
    "downloading",
    "uploading",
    "retyping",
    "extending",
)
LIMITS = (  # metric, quota, one of its units in ours
    ("nova_limits_vcpus", "", "vcpus", 1),
    ("nova_limits_memory", "", "memory", MEBIBYTE),
    ("nova_limits_instances", "", "instances", 1),
    ("cinder_limits_volume", "_gb", "disk", GIBIBYTE),
)


def families(view: CloudView) -> list[Family]:
    """Of one cloud; those without a sample are left out."""
    made = [
        *_services(view),
        *_servers(view),
        *_volumes(view),
        *_limits(view),
        *_projects(view),
        *_placement(view),
    ]
    return [family for family in made if family.samples]


def _services(view: CloudView) -> Iterable[Family]:
    for service, part in SERVICES.items():
        if not _lacks(view, part):
            yield _gauge(
                f"{service}_up",
                f"Whether {service} told all of its {part}; nothing else of it counts here.",
                _sample(view, float(view.whole(part))),
            )


def _lacks(view: CloudView, part: Part) -> bool:
    """Whether the cloud has no such service, nor anything that would be of it."""
    return part in view.absent and view.whole(part)


def _servers(view: CloudView) -> Iterable[Family]:
    servers = [it for it in view.resources if it.kind == "server"]
    if view.whole("servers"):
        yield _gauge("nova_total_vms", "Servers of all projects.", _sample(view, len(servers)))
    yield _gauge(
        "nova_server_status",
        "Status of a server as a number: its place in openstack-exporter's list, -1 for others.",
        *(
            _sample(
                view,
                NUMBERS.get(it.raw_state, -1.0),
                id=it.id,
                status=it.raw_state,
                name=it.name,
                tenant_id=it.project,
                hypervisor_hostname=it.host,
                uuid=it.id,
            )
            for it in servers
        ),
    )


def _volumes(view: CloudView) -> Iterable[Family]:
    volumes = [it for it in view.resources if it.kind == "volume"]
    if view.whole("volumes") and not _lacks(view, "volumes"):
        yield _gauge("cinder_volumes", "Volumes of all projects.", _sample(view, len(volumes)))
        counts = Counter(
            it.raw_state if it.raw_state in VOLUME_STATUSES else "other" for it in volumes
        )
        yield _gauge(
            "cinder_volume_status_counter",
            "Volumes by status.",
            *(
                _sample(view, counts[status], status=status)
                for status in (*VOLUME_STATUSES, "other")
                if status != "other" or counts[status]
            ),
        )
    yield _gauge(
        "cinder_volume_gb",
        "Size of a volume in GiB, with the first server that it is attached to.",
        *(
            _sample(
                view,
                it.size.disk / GIBIBYTE,
                id=it.id,
                name=it.name,
                status=it.raw_state,
                tenant_id=it.project,
                volume_type=it.flavor,
                server_id=_first(it),
            )
            for it in volumes
            if it.size.disk is not None
        ),
    )


def _first(volume: Resource) -> str:
    return volume.attached[0] if volume.attached else ""


def _limits(view: CloudView) -> Iterable[Family]:
    for name, tail, resource, unit in LIMITS:
        most: list[Sample] = []
        used: list[Sample] = []
        for project in view.projects:
            labels = {"tenant": project.name, "tenant_id": project.id}
            for quota in project.quotas:
                if quota.resource == resource:
                    limit = -1.0 if quota.limit is None else quota.limit / unit
                    most.append(_sample(view, limit, **labels))
                    if quota.used is not None:
                        used.append(_sample(view, quota.used / unit, **labels))
        what = name.partition("_limits_")[2]
        yield _gauge(f"{name}_max{tail}", f"Quota of a project: {what}, -1 for none.", *most)
        yield _gauge(f"{name}_used{tail}", f"Of its quota a project uses: {what}.", *used)


def _projects(view: CloudView) -> Iterable[Family]:
    if view.whole("projects"):
        yield _gauge("identity_projects", "Projects.", _sample(view, len(view.projects)))
    yield _gauge(
        "identity_project_info",
        "A project; always 1.",
        *(_sample(view, 1.0, **_labels(project)) for project in view.projects),
    )


def _labels(project: Project) -> dict[str, str]:
    return {
        "is_domain": "false",
        "description": project.description,
        "domain_id": project.domain,
        "enabled": str(project.enabled).lower(),
        "id": project.id,
        "name": project.name,
        "parent_id": project.parent or project.domain,
        "tags": ",".join(project.tags),
    }


def _placement(view: CloudView) -> Iterable[Family]:
    for name, field, help in (
        ("total", "total", "Inventory of a resource provider, in Placement's units."),
        ("reserved", "reserved", "Of an inventory, what is not given to servers."),
        ("allocation_ratio", "ratio", "How often an inventory may be given."),
        ("usage", "used", "Of an inventory, what was given to servers."),
    ):
        samples = []
        for it in view.capacity:
            value: float | None = getattr(it, field)
            if value is not None:
                labels = {"hostname": it.provider, "resourcetype": it.resource}
                samples.append(_sample(view, value, **labels))
        yield _gauge(f"placement_resource_{name}", help, *samples)


def _gauge(name: str, help: str, *samples: Sample) -> Family:
    """Of samples with the same labels (two providers of one name) the first: twice is no exposition."""
    once = {sample.labels: sample for sample in reversed(samples)}
    return gauge(f"openstack_{name}", help, *reversed(once.values()))


def _sample(view: CloudView, value: float, **labels: str) -> Sample:
    pairs = [("cloud", view.cloud)]
    pairs += [(name, text[:LONGEST]) for name, text in labels.items()]
    return Sample(tuple(pairs), float(value))
