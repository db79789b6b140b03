"""Sums over clouds of which a part was not seen, and what is counted once: never a part for the whole."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from collectors.cloud.model import Capacity, CloudView, Problem, Project, Quota, Resource, Size
from collectors.cloud.openstackfound import Found
from collectors.cloud.owners import UNASSIGNED
from collectors.cloud.systems import Registry, System
from collectors.cloud.wholeness import unseen
from tests.collectors.test_cloud_holdings import (
    GIB,
    HOST,
    PROJECTS,
    VIEW,
    found,
    hours,
    labels,
    metrics,
    of,
    server,
)


def blind(*parts: Any, cloud: str = "two", kind: Any = "openstack", **more: Any) -> CloudView:
    """A cloud of which parts could not be seen."""
    problems = tuple(Problem(part, "HTTP 403") for part in parts)
    return CloudView(cloud, kind, 0, 1, problems=problems, **more)


SERVERS_OF = ("servers", "vcpus", "memory", "disk")
VOLUMES_OF = ("volumes", "volume_bytes")


@pytest.mark.parametrize("views", [(blind("all"),), (VIEW, blind("all")), (VIEW, blind("servers"))])
def test_what_a_cloud_did_not_tell_is_not_nothing(views: tuple[CloudView, ...]) -> None:
    """An estate does not shrink to what was seen of it."""
    whole = found(*views)[0]
    for one in (*whole.departments, *whole.systems, whole.estate.granted):
        for amount in (one.allocated, one.stopped, one.detached):
            assert {getattr(amount, key) for key in SERVERS_OF} == {None}
        assert (one.used_vcpus, one.known_vcpus, one.coverage, one.systems) == (None,) * 4
        assert one.used_ratio is None
        assert one.allocated.unsized is None
    told = metrics(*views)
    for name in ("granted", "unassigned"):
        series = {dict(made)["resource"] for made in told[f"jianwei_estate_{name}"]}
        assert not series & {"servers", "vcpus", "memory_bytes", "disk_bytes"}
    gone = ("estate_used", "estate_use_known_ratio", "estate_migration_ratio", "estate_systems")
    assert not {f"jianwei_{name}" for name in gone} & told.keys()
    empty = ("department_used", "department_use_known_ratio", "department_stopped", "system_used")
    assert not any(told[f"jianwei_{name}"] for name in empty)
    assert told["jianwei_estate_complete"][labels(part="servers")] == 0
    assert labels(cloud="two") not in told["jianwei_estate_resources"]


def test_volumes_that_were_not_told_cost_the_sums_of_volumes_alone() -> None:
    told = metrics(VIEW, blind("volumes"))
    granted = {dict(made)["resource"] for made in told["jianwei_estate_granted"]}
    assert granted == {"servers", "vcpus", "memory_bytes", "disk_bytes"}
    assert not told["jianwei_department_detached"]
    assert told["jianwei_estate_migration_ratio"]
    assert told["jianwei_estate_complete"] == {
        labels(part=part): float(part != "volumes")
        for part in ("servers", "volumes", "projects", "quotas", "capacity", "allocated")
    }


def test_a_hypervisor_that_is_down_hides_no_volume_and_no_project() -> None:
    estate = found(VIEW, blind("all", kind="libvirt"))[0].estate
    assert estate.unseen["servers"] == estate.unseen["capacity"] == ("two",)
    assert not estate.unseen["volumes"]
    assert estate.granted.allocated.volumes == 3
    assert estate.granted.allocated.vcpus is None
    assert found(HOST)[0].estate.unseen == {"servers": (), "capacity": ()}


def test_one_server_that_could_not_be_read() -> None:
    """One that is there all the same is of unknown size; one that is not is missing."""
    lost = msgspec.structs.replace(VIEW, problems=(Problem("servers", "odd", "s9"),))
    assert found(lost)[0].estate.granted.allocated.servers is None
    there = msgspec.structs.replace(VIEW, problems=(Problem("servers", "odd", "s6"),))
    assert found(there)[0].estate.granted.allocated.servers == 6


def test_the_migration_rate_is_known_where_it_hangs_on_nothing_unseen() -> None:
    told = found(VIEW, blind("servers"))[0].estate.migration
    assert (told.ratio, told.unsure, told.on_cloud) == (None, 1, 1)  # x may be there
    assert told.contradicted == (("审计局", "审计"),)
    said = Registry((System("预算", "财政局"), System("x", "y", on_cloud="yes")))
    told = found(VIEW, blind("servers"), registry=said)[0].estate.migration
    assert (told.ratio, told.unsure, told.contradicted) == (1, 0, ())
    series = metrics(VIEW, blind("servers"), registry=said)
    assert series["jianwei_estate_migration_ratio"] == {(): 1}
    assert "jianwei_estate_systems_contradicted" not in series


@pytest.mark.parametrize("size", [Size(4, 8, None), Size(4, None, 8), Size(None, 8, 8)])
def test_every_size_that_is_not_known_is_told(size: Size) -> None:
    view = CloudView("gov", "openstack", 0, 1, (server("s", "财政局", size=size),))
    assert found(view)[0].estate.granted.allocated.unsized == 1


def test_quotas_that_one_project_did_not_tell_are_not_those_of_the_rest() -> None:
    odd = msgspec.structs.replace(PROJECTS[1], quotas=(Quota("disk", 4.0 * GIB),))
    view = msgspec.structs.replace(
        VIEW, projects=(PROJECTS[0], odd), problems=(Problem("quotas", "HTTP 500", "p2"),)
    )
    whole = found(view)[0]
    one = of(whole, "财政局")
    assert one.quota == {"disk": 13 * GIB}
    assert "vcpus" in one.unknown
    assert "disk" not in one.unknown
    quotas = metrics(view)["jianwei_department_quota"]
    assert labels(department="财政局", resource="vcpus") not in quotas
    assert metrics(view)["jianwei_estate_complete"][labels(part="quotas")] == 0
    # a project without a problem has no quota of the kind
    assert of(found(msgspec.structs.replace(view, problems=()))[0], "财政局").quota["vcpus"] == 20


def test_cinder_that_refuses_its_quotas_does_not_cost_those_of_nova() -> None:
    projects = tuple(
        msgspec.structs.replace(one, quotas=tuple(q for q in one.quotas if q.resource == "vcpus"))
        for one in PROJECTS[:2]
    )
    problems = (Problem("quotas", "HTTP 403 (of 2 resources)"),)
    view = msgspec.structs.replace(VIEW, projects=projects, problems=problems)
    one = of(found(view)[0], "财政局")
    assert one.quota == {"vcpus": 30}
    assert "disk" in one.unknown


def test_projects_that_were_not_seen_may_be_anybodys() -> None:
    one = of(found(VIEW, blind("projects"))[0], "财政局")
    assert one.quota == {}
    assert one.vcpu_hours is None
    assert {"vcpus", "vcpu_hours"} <= set(one.unknown)
    assert of(found(VIEW, blind("projects"))[0], "审计局").unknown == one.unknown
    assert one.allocated.vcpus == 12  # the servers were seen


def test_two_sources_of_one_keystone() -> None:
    """Each with regions of its own: the limits of a project are those of both."""
    other = msgspec.structs.replace(
        VIEW,
        cloud="gov-b",
        resources=(),
        projects=(msgspec.structs.replace(PROJECTS[0], quotas=(Quota("vcpus", 50),)),),
    )
    one = of(found(VIEW, other)[0], "财政局")
    assert one.quota == {"vcpus": 80, "disk": None}
    assert one.vcpu_hours == 3500


def test_hours_of_the_month() -> None:
    whole = found(HOST, VIEW)[0]
    assert of(whole, "财政局").vcpu_hours == 2000
    assert of(whole, "审计局").vcpu_hours is None  # has no project
    assert whole.estate.granted.vcpu_hours == 2000
    assert [one.vcpu_hours for one in whole.systems if one.system == "预算"] == [500]
    told = metrics(VIEW)["jianwei_department_vcpu_hours"]
    assert told == {labels(department="财政局"): 2000, labels(department=UNASSIGNED): 0}
    refused = msgspec.structs.replace(
        VIEW,
        projects=tuple(msgspec.structs.replace(one, allocated=None) for one in PROJECTS),
        problems=(Problem("allocated", "HTTP 403"),),
    )
    whole = found(refused)[0]
    assert of(whole, "财政局").vcpu_hours is whole.estate.granted.vcpu_hours is None
    assert "vcpu_hours" in of(whole, "财政局").unknown
    assert not metrics(refused)["jianwei_department_vcpu_hours"]


def vcpus(provider: str, total: float = 64, kind: str = "VCPU") -> Capacity:
    return Capacity(provider, kind, total, 0, 1)


def usable(*views: CloudView) -> float | None:
    return found(*views)[0].estate.usable.get("vcpus")


def test_capacity_counts_every_host_once() -> None:
    one = CloudView("a", "openstack", 0, 1, capacity=(vcpus("compute-1"),))
    assert usable(one, msgspec.structs.replace(one, cloud="b")) == 128  # two clouds, two hosts
    host = Resource("u-1", "host", "compute-1", "active")
    kvm = CloudView("kvm", "libvirt", 0, 1, (host,), capacity=(vcpus("compute-1"),))
    regions = msgspec.structs.replace(one, capacity=(vcpus("R1/compute-1"), vcpus("R2/c")))
    assert usable(kvm, regions) == 128
    assert usable(kvm, msgspec.structs.replace(kvm, cloud="again")) == 64
    twin = msgspec.structs.replace(host, id="u-2")
    assert usable(kvm, msgspec.structs.replace(kvm, cloud="twin", resources=(twin,))) == 128


def test_pinned_cpus_are_capacity() -> None:
    view = CloudView("a", "openstack", 0, 1, capacity=(vcpus("c", 16), vcpus("c", 48, "PCPU")))
    assert usable(view) == 64
    pinned = msgspec.structs.replace(view, capacity=(vcpus("c", 64, "PCPU"),))
    assert usable(pinned, CloudView("kvm", "libvirt", 0, 1, capacity=(vcpus("c"),))) == 64


@pytest.mark.parametrize(
    "problem", [Problem("capacity", "HTTP 500", "c-2"), Problem("capacity", "HTTP 403")]
)
def test_a_provider_that_was_not_told_leaves_no_capacity(problem: Problem) -> None:
    view = CloudView("a", "openstack", 0, 1, capacity=(vcpus("c-1"),), problems=(problem,))
    assert usable(view) is None
    assert not metrics(view)["jianwei_estate_usable"]
    there = (vcpus("c-1"), vcpus("c-2"))  # its usages alone were refused
    both = msgspec.structs.replace(view, capacity=there)
    assert usable(both) == (128 if problem.resource else None)


def test_clouds_have_the_names_of_the_settings() -> None:
    views = [
        CloudView(name, "openstack", 0, 1, (server(f"s-{name}", "x"),))
        for name in ("none", "unknown")
    ]
    told = metrics(*views)
    assert told["jianwei_estate_resources"] == {
        labels(cloud="none"): 1,
        labels(cloud="unknown"): 1,
    }
    assert {dict(made)["cloud"] for made in told["jianwei_resource_info"]} == {"none", "unknown"}


def gathered(*regions: tuple[Quota, ...] | None) -> Project:
    """A project as it is after a look at several regions, of which some (None) refused."""
    look = Found(projects={"p": Project("p", "a")}, regions=len(regions))
    look.allocated["p"] = hours(10)
    for number, quotas in enumerate(regions):
        if quotas is None:
            look.failed["quotas", f"HTTP 500 (region {number})"] = ["p"]
            look.failed["allocated", f"HTTP 500 (region {number})"] = [""]
        else:
            look.add_quotas("p", quotas)
    (project,) = look.projects_with(look.problems({}, use=False), 0, 1)
    return project


def test_a_region_that_refuses_makes_a_projects_limits_and_hours_unknown() -> None:
    one, other = (Quota("vcpus", 100.0, 10.0),), (Quota("vcpus", 50.0, 5.0),)
    assert gathered(one, other).quotas == (Quota("vcpus", 150.0, 15.0),)
    assert gathered(one, other).allocated == hours(10)
    assert gathered(one, None).quotas == ()
    assert gathered(one, None).allocated is None
    # a region without block storage has no quota of volumes, and no problem
    both = gathered((*one, Quota("disk", 1.0, 0.0)), other)
    assert [quota.resource for quota in both.quotas] == ["vcpus", "disk"]


def test_a_hypervisor_of_nova_that_does_not_answer_hides_nothing_that_nova_tells() -> None:
    down = blind("all", cloud="kvm", kind="libvirt")
    assert unseen([VIEW, down])["servers"] == ("kvm",)
    assert unseen([VIEW, down], {"kvm"})["servers"] == ("kvm",)
    assert unseen([VIEW, down], set())["servers"] == ()
    assert unseen([down], set())["servers"] == ("kvm",)
