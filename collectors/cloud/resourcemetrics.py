"""What each resource is, has and whose it is, as metric families, for whoever asks a time-series database how it
was used. What is not known has no series; amounts are those that were granted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from collectors.cloud.held import Held
from collectors.cloud.model import Resource
from collectors.cloud.owners import UNASSIGNED, Attribution, clean
from collectors.cloud.projectsums import NOBODYS
from collectors.model import Family, Sample, gauge, sample

_FACTS: Final[tuple[tuple[str, str, Callable[[Resource], float | None]], ...]] = (
    ("jianwei_resource_vcpus", "Virtual CPUs that a resource was given.", lambda it: it.size.vcpus),
    (
        "jianwei_resource_memory_bytes",
        "Memory that a resource was given.",
        lambda it: it.size.memory,
    ),
    ("jianwei_resource_disk_bytes", "Disk that a resource was given.", lambda it: it.size.disk),
    (
        "jianwei_resource_attachments",
        "Servers that a volume is attached to.",
        lambda it: len(it.attached) if it.kind == "volume" else None,
    ),
    (
        "jianwei_resource_created_timestamp_seconds",
        "When a resource was created, in Unix time.",
        lambda it: it.created,
    ),
)


def families(
    all_held: Sequence[Held], attributions: Mapping[str, Attribution], most: int
) -> list[Family]:
    """Of the first `most` resources; the first of two with one id."""
    by_id: dict[str, Held] = {}
    for one in all_held[:most]:
        by_id.setdefault(clean(one.resource.id), one)
    facts = (
        gauge(
            name,
            words,
            *(
                sample(float(value), resource=id)
                for id, one in by_id.items()
                if (value := of(one.resource)) is not None
            ),
        )
        for name, words, of in _FACTS
    )
    return [
        gauge(
            "jianwei_resource_info",
            "Always 1; labels tell what a resource is and whose. how is the step that knows its "
            "department; empty labels are not known.",
            *_whose(by_id, attributions),
        ),
        gauge(
            "jianwei_resource_state",
            "Always 1; the label state is that of the resource.",
            *(sample(1.0, resource=id, state=one.resource.state) for id, one in by_id.items()),
        ),
        *facts,
    ]


def _whose(by_id: Mapping[str, Held], attributions: Mapping[str, Attribution]) -> Iterator[Sample]:
    for id, one in by_id.items():
        attribution = attributions.get(one.resource.id, NOBODYS)
        owner = attribution.owner
        yield sample(
            1.0,
            resource=id,
            kind=one.resource.kind,
            name=clean(one.resource.name),
            department=owner.department or UNASSIGNED,
            system=owner.system,
            region=owner.region,
            environment=owner.environment,
            how=attribution.how,
            cloud=one.cloud,  # a name of the settings, which `clean` would empty if it is `none`
        )
