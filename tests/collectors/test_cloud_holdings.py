"""Holdings: what departments and systems hold and use, and the metrics of it."""

from __future__ import annotations

import math
from datetime import date
from typing import Any

import msgspec
import pytest

from collectors.cloud.attribution import NO_OVERRIDES, attributions
from collectors.cloud.holdingmetrics import families
from collectors.cloud.holdings import Amount, Holding, Holdings, holdings
from collectors.cloud.model import (
    Allocated,
    Capacity,
    CloudView,
    Project,
    Quota,
    Resource,
    Size,
    State,
)
from collectors.cloud.owners import UNASSIGNED, Attribution
from collectors.cloud.ownersettings import Aliases, AttributionSettings
from collectors.cloud.systems import Registry, System
from collectors.model import Family, Labels

GIB = 1 << 30
DAY = date(2026, 3, 10)


def server(id: str, dept: str, system: str = "", state: State = "active", **more: Any) -> Resource:
    metadata = {"部门": dept, "系统": system}
    made = Resource(id, "server", f"vm-{id}", state, Size(4, 8 * GIB, 40 * GIB), metadata=metadata)
    return msgspec.structs.replace(made, **more)


def volume(id: str, dept: str, *attached: str, disk: int | None = 100 * GIB) -> Resource:
    return Resource(
        id, "volume", id, "active", Size(disk=disk), metadata={"部门": dept}, attached=attached
    )


def hours(count: float) -> Allocated:
    return Allocated(0, 3600, count, count * GIB, 0)


PROJECTS = (
    Project(
        "p1",
        "a",
        tags=("部门=财政局",),
        quotas=(Quota("vcpus", 20), Quota("disk", 9.0 * GIB)),
        allocated=hours(1500),
    ),
    Project(
        "p2",
        "b",
        tags=("部门=财政局", "系统=预算"),
        quotas=(Quota("vcpus", 10), Quota("disk", None)),
        allocated=hours(500),
    ),
    Project("p3", "c", quotas=(Quota("instances", 5),), allocated=hours(0)),
)
RESOURCES = (
    server("s1", "财政局", "预算"),
    server("s2", "财政局", "预算", "stopped"),
    server("s3", "财政局", "国库"),
    server("s4", "审计局", "审计", "error"),
    server("s5", "", region="RegionOne"),
    server("s6", "审计局", "审计", size=Size()),
    server("s7", "审计局", "审计", "released"),
    volume("v1", "财政局", "s1"),
    volume("v2", "财政局"),
    volume("v3", "审计局", disk=None),
    Resource("h1", "host", "kvm-1", "active", Size(64, 256 * GIB)),
)
CAPACITY = (
    Capacity("kvm-1", "VCPU", 64, 4, 4.0),
    Capacity("kvm-1", "MEMORY_MB", 262144, 0, 1.0),
    Capacity("kvm-1", "PCI_DEVICE", 2, 0, 1.0),
)
VIEW = CloudView("gov", "openstack", 0, 1, RESOURCES, PROJECTS, CAPACITY)
DOMAINS = (
    server("s1", "另一局", "", size=Size(64)),
    server("d1", "水务局", kind="container"),
)
HOST = CloudView(
    "kvm-1", "libvirt", 0, 1, DOMAINS, capacity=(Capacity("kvm-1", "VCPU", 64, 0, 1.0),)
)
REGISTRY = Registry(
    (System("预算", "财政局"), System("审计", "审计局", on_cloud="no"), System("x", "y"))
)
CPU = {"s1": 0.5, "s2": 0.9, "s3": 1.7, "s4": math.nan, "d1": 0.25}


def found(
    *views: CloudView, cpu: dict[str, float] = CPU, registry: Registry | None = REGISTRY
) -> tuple[Holdings, dict[str, Attribution]]:
    whose = attributions(views, AttributionSettings(), NO_OVERRIDES, DAY)
    return holdings(views, whose, cpu, DAY, registry), whose


def of(found: Holdings, department: str) -> Holding:
    (one,) = (one for one in found.departments if one.department == department)
    return one


def test_what_a_department_holds() -> None:
    one = of(found(HOST, VIEW)[0], "财政局")
    assert one.allocated == Amount(3, 12, 24 * GIB, 120 * GIB, 2, 200 * GIB)
    assert one.stopped == Amount(1, 4, 8 * GIB, 40 * GIB)
    assert one.detached == Amount(volumes=1, volume_bytes=100 * GIB)
    assert one.quota == {"vcpus": 30, "disk": None}
    # half of s1, nothing of s2 which is stopped, all of s3 whose ratio was measured too high
    assert (one.used_vcpus, one.known_vcpus, one.coverage) == (6, 12, 1)
    assert (one.used_ratio, one.systems) == (0.5, 2)


def test_what_is_not_known_is_in_no_sum() -> None:
    one = of(found(VIEW)[0], "审计局")
    assert one.allocated == Amount(2, 4, 8 * GIB, 40 * GIB, 1, 0, 2)
    assert (one.known_vcpus, one.coverage, one.used_ratio) == (0, 0, None)


def test_nobody_is_always_there_and_last() -> None:
    whole = found(VIEW)[0]
    assert whole.departments[-1].department == ""
    assert whole.unassigned.allocated == Amount(1, 4, 8 * GIB, 40 * GIB)
    assert whole.unassigned.quota == {"instances": 5}
    empty = found()[0]
    assert [one.department for one in empty.departments] == [""]
    assert empty.unassigned.coverage is None
    assert empty.estate.migration.ratio == 0


def test_systems() -> None:
    systems = found(VIEW)[0].systems
    assert [(one.department, one.system) for one in systems] == [
        ("财政局", "预算"),
        ("审计局", "审计"),
        ("财政局", "国库"),
    ]
    assert systems[0].quota == {"vcpus": 10, "disk": None}
    assert systems[0].stopped.servers == 1


def test_the_estate_counts_each_resource_and_host_once() -> None:
    estate = found(HOST, VIEW)[0].estate
    assert estate.usable == {"vcpus": 240, "memory": 256 * GIB}
    assert estate.physical == {"vcpus": 64, "memory": 256 * GIB}
    assert estate.granted.allocated.servers == 7
    assert estate.granted.allocated.vcpus == 24
    assert estate.granted.used_vcpus == 7
    assert found(HOST)[0].estate.usable == {"vcpus": 64}
    moved = estate.migration
    assert (moved.on_cloud, moved.systems) == (1, 3)
    assert moved.contradicted == (("审计局", "审计"),)
    assert moved.unregistered == (("财政局", "国库"),)


def test_the_sums_of_departments_are_the_estate() -> None:
    whole = found(HOST, VIEW)[0]
    total = Amount()
    for one in whole.departments:
        total += one.allocated
    assert total == whole.estate.granted.allocated
    assert (
        sum(one.known_vcpus or 0 for one in whole.departments) == whole.estate.granted.known_vcpus
    )


def metrics(*views: CloudView, **more: Any) -> dict[str, dict[Labels, float]]:
    whole, whose = found(
        *views, **{key: more.pop(key) for key in ("cpu", "registry") if key in more}
    )
    told = families(whole, views, whose, **more)
    assert len({family.name for family in told}) == len(told)
    return {family.name: series(family) for family in told}


def series(family: Family) -> dict[Labels, float]:
    assert family.kind == "gauge"
    assert family.help.endswith(".")
    made = {one.labels: one.value for one in family.samples}
    assert len(made) == len(family.samples)
    return made


def labels(**given: str) -> Labels:
    return tuple(given.items())


def test_metrics_of_departments() -> None:
    told = metrics(HOST, VIEW)
    allocated = told["jianwei_department_allocated"]
    assert allocated[labels(department="财政局", resource="memory_bytes")] == 24 * GIB
    assert allocated[labels(department=UNASSIGNED, resource="vcpus")] == 4
    quota = told["jianwei_department_quota"]
    assert quota[labels(department="财政局", resource="vcpus")] == 30
    assert quota[labels(department="财政局", resource="volume_bytes")] == math.inf
    assert quota[labels(department=UNASSIGNED, resource="servers")] == 5
    used = told["jianwei_department_used"]
    assert used[labels(department="财政局", resource="vcpus")] == 6
    assert labels(department="审计局", resource="vcpus") not in used  # not known is not nothing
    assert told["jianwei_department_use_known_ratio"][labels(department="审计局")] == 0
    stopped = told["jianwei_department_stopped"]
    assert stopped[labels(department="财政局", resource="servers")] == 1
    detached = told["jianwei_department_detached"]
    assert detached[labels(department="财政局", resource="volume_bytes")] == 100 * GIB
    systems = told["jianwei_system_allocated"]
    assert systems[labels(department="财政局", system="预算", resource="servers")] == 2


def test_metrics_of_the_estate() -> None:
    told = metrics(HOST, VIEW)
    assert told["jianwei_estate_usable"] == {
        labels(resource="vcpus"): 240,
        labels(resource="memory_bytes"): 256 * GIB,
    }
    assert told["jianwei_estate_migration_ratio"] == {(): pytest.approx(1 / 3)}
    assert told["jianwei_estate_systems"] == {
        labels(standing="on_cloud"): 1,
        labels(standing="planned"): 0,
        labels(standing="not_on_cloud"): 2,
    }
    assert told["jianwei_estate_unassigned"][labels(resource="servers")] == 1
    assert told["jianwei_estate_used"] == {labels(resource="vcpus"): 7}
    unknown = metrics(VIEW, cpu={}, registry=None)
    assert "jianwei_estate_migration_ratio" not in unknown
    # that s2 is stopped is known
    assert unknown["jianwei_estate_used"] == {labels(resource="vcpus"): 0}
    assert unknown["jianwei_estate_use_known_ratio"] == {(): 4 / 20}


def test_metrics_of_resources_are_bounded() -> None:
    info = metrics(HOST, VIEW)["jianwei_resource_info"]
    assert len(info) == len(RESOURCES) + 1
    assert info[
        labels(
            resource="s1",
            kind="server",
            name="vm-s1",
            department="财政局",
            system="预算",
            region="",
            environment="",
            how="metadata",
            cloud="gov",
        )
    ]
    few = metrics(HOST, VIEW, max_resources=3)
    assert len(few["jianwei_resource_info"]) == 3
    assert few["jianwei_estate_resources"] == {labels(cloud="kvm-1"): 1, labels(cloud="gov"): 11}


def test_names_that_a_holder_chose() -> None:
    long = "长" * 5000
    twins = (server("a" * 200, long, long), server("a" * 201, "x\n\x1b[2J", name=long))
    told = metrics(CloudView("gov", "openstack", 0, 1, twins))
    for one in told.values():
        for made in one:
            assert all(len(value) <= 150 and value.isprintable() for _, value in made)
    assert len(told["jianwei_resource_info"]) == 1
    alias = AttributionSettings(aliases=Aliases({"x": UNASSIGNED}))
    view = CloudView("gov", "openstack", 0, 1, (server("s", "x"), server("t", "")))
    whose = attributions([view], alias, NO_OVERRIDES, DAY)
    assert len(holdings([view], whose, {}, DAY).departments) == 1
