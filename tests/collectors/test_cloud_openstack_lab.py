"""A real OpenStack, looked at: what is in it, beside what its own client says, and what a look may not see."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from collectors.cloud.model import CloudView, Project, Resource
from collectors.cloud.openstack import OpenStackCloud
from collectors.cloud.openstackmetrics import families
from collectors.cloud.settings import CloudSource, CloudsSettings
from collectors.strictyaml import Duration
from tests.openstackcity import BUREAU, DISTRICT, EMPTY, GIBIBYTE, METADATA, TAX, City
from tests.openstackconfig import PASSWORD
from tests.processgroups import listens
from tests.slowproxy import SlowProxy

# the first of them starts the lab
pytestmark = [
    pytest.mark.openstack,
    pytest.mark.timeout(600),
    pytest.mark.filterwarnings("ignore:Support for InfluxDB"),  # openstacksdk warns itself
]
MEBIBYTE = 1 << 20
CLI = str(Path(sys.executable).parent / "openstack")


def look(
    city: City, cloud: str = "admin", deadline: float = 120, use: bool = True, **settings: Any
) -> CloudView:
    file = str(settings.pop("file", city.lab.clouds_file))
    source = CloudSource("gov", "openstack", cloud=cloud, clouds_file=file, use=use)
    return OpenStackCloud(source, CloudsSettings(**settings)).gather(deadline)


@pytest.fixture(scope="module")
def seen(city: City) -> CloudView:
    return look(city)


def server(city: City, view: CloudView, name: str) -> Resource:
    return next(it for it in view.resources if it.id == city.servers[name])


def project(view: CloudView, name: str) -> Project:
    return next(it for it in view.projects if it.name == name)


def openstack(city: City, *argv: str) -> Any:
    environment = {
        "OS_CLIENT_CONFIG_FILE": str(city.lab.clouds_file),
        "OS_CLOUD": "admin",
        "PATH": os.environ["PATH"],
        "HOME": str(city.lab.folder),
        "LC_ALL": "C.UTF-8",
    }
    done = subprocess.run(
        [CLI, *argv, "-f", "json"], env=environment, capture_output=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def test_all_parts_are_seen_whole(city: City, seen: CloudView) -> None:
    assert seen.problems == ()
    assert seen.cloud == "gov"
    assert seen.kind == "openstack"
    assert seen.requests > 20
    servers = {it.id: it for it in seen.resources if it.kind == "server"}
    assert set(servers) == set(city.servers.values())
    assert city.gone not in servers
    states = {name: servers[id].state for name, id in city.servers.items()}
    expected = dict.fromkeys(city.servers, "active")
    assert states == expected | {"oa-00": "stopped", "oa-01": "paused"}


def test_a_server_has_what_it_was_given(city: City, seen: CloudView) -> None:
    one = server(city, seen, "oa-03")
    assert (one.name, one.flavor, one.raw_state) == ("oa-03", "gov.small", "ACTIVE")
    assert one.size.vcpus == 1
    assert one.size.memory == 512 * MEBIBYTE
    assert one.size.disk == GIBIBYTE
    assert one.project == city.projects[BUREAU]
    assert one.metadata == METADATA
    assert one.host == "fake-0000"
    assert one.region == "RegionOne"
    assert one.created is not None
    assert abs(one.created - seen.began) < 3600
    resized = server(city, seen, "oa-02")
    assert (resized.flavor, resized.size.vcpus) == ("gov.large", 4)
    assert server(city, seen, "税务-00").name == "税务-00"


def test_projects_have_parents_tags_and_domains(city: City, seen: CloudView) -> None:
    district, bureau = project(seen, DISTRICT), project(seen, BUREAU)
    assert set(district.tags) == {"区县:金平", "level:district"}
    assert district.description == "区级"
    assert district.parent == ""
    assert bureau.parent == district.id
    assert bureau.domain == "default"
    assert project(seen, TAX).domain == city.domain
    assert not project(seen, EMPTY).enabled


def test_quotas_and_hours(city: City, seen: CloudView) -> None:
    quotas = {it.resource: (it.limit, it.used) for it in project(seen, BUREAU).quotas}
    assert quotas == {
        "vcpus": (64, 10 + 4),
        "memory": (131072 * MEBIBYTE, (10 * 512 + 8192) * MEBIBYTE),
        "instances": (50, 11),
        "disk": (2000 * GIBIBYTE, 600 * GIBIBYTE),
        "volumes": (10, 1),
    }
    assert {it.resource: it.limit for it in project(seen, TAX).quotas}["vcpus"] is None
    hours = project(seen, TAX).allocated
    none = project(seen, EMPTY).allocated
    assert hours is not None
    assert none is not None
    assert hours.vcpu_hours > 0
    assert none.vcpu_hours == 0


def test_capacity_is_that_of_placement(city: City, seen: CloudView) -> None:
    found = {it.resource: it for it in seen.capacity}
    assert set(found) == {"VCPU", "MEMORY_MB", "DISK_GB"}
    assert (found["VCPU"].total, found["VCPU"].ratio) == (1000, 16)
    assert found["MEMORY_MB"].reserved == 512
    assert found["VCPU"].used == 10 + 4 + 9 * 4


def test_use_is_that_of_diagnostics(city: City, seen: CloudView) -> None:
    active = {it.id for it in seen.resources if it.kind == "server" and it.state == "active"}
    assert {it.resource for it in seen.uses} == active
    one = seen.uses[0]  # the constants of Nova's fake driver
    assert (one.cpu, one.net_rx, one.net_tx) == (17.3, 2070139, 140208)
    assert (one.disk_read, one.disk_write) == (262144, 5778432)
    assert one.memory_used is None
    assert look(city, use=False).uses == ()


def test_volumes_attached_and_not(city: City, seen: CloudView) -> None:
    volumes = {it.name: it for it in seen.resources if it.kind == "volume"}
    attached = volumes["数据盘-a"]
    assert attached.attached == (city.servers["oa-03"],)
    assert attached.size.disk == 100 * GIBIBYTE
    assert (attached.state, attached.project) == ("active", city.projects[BUREAU])
    assert (volumes["数据盘-b"].state, volumes["数据盘-b"].attached) == ("available", ())
    assert volumes["数据盘-c"].state == "error"


def test_pages_bring_the_same(city: City, seen: CloudView) -> None:
    paged = look(city, page=3)
    assert paged.problems == ()
    assert sorted(it.id for it in paged.resources) == sorted(it.id for it in seen.resources)
    assert paged.requests > seen.requests
    one, other = project(paged, TAX).allocated, project(seen, TAX).allocated
    assert one is not None
    assert other is not None
    # later by some seconds, and no page lost or counted twice
    assert one.vcpu_hours == pytest.approx(
        other.vcpu_hours + 36 * (one.until - other.until) / 3600, rel=0.01
    )


def test_servers_are_those_of_the_client(city: City, seen: CloudView) -> None:
    theirs = openstack(city, "server", "list", "--all-projects", "--long")
    ours = {it.id: it for it in seen.resources if it.kind == "server"}
    assert {it["ID"] for it in theirs} == set(ours)
    for one in theirs:
        mine = ours[one["ID"]]
        assert one["Name"] == mine.name
        assert one["Status"] == mine.raw_state
        assert one["Project ID"] == mine.project
        assert one["Host"] == mine.host
        assert one["Properties"] == mine.metadata
        assert one["Flavor"].startswith(mine.flavor)  # "gov.small" or with its description


def test_quotas_are_those_of_the_client(city: City, seen: CloudView) -> None:
    rows = openstack(city, "quota", "show", "--usage", "--compute", city.projects[BUREAU])
    theirs = {row["Resource"]: (row["Limit"], row["In Use"]) for row in rows}
    ours = {it.resource: it for it in project(seen, BUREAU).quotas}
    for name, their, unit in (
        ("vcpus", "cores", 1),
        ("memory", "ram", MEBIBYTE),
        ("instances", "instances", 1),
    ):
        limit, used = theirs[their]
        assert (ours[name].limit, ours[name].used) == (limit * unit, used * unit)


def test_hours_are_those_of_the_client(city: City) -> None:
    rows = openstack(city, "usage", "list", "--start", _day(-1), "--end", _day(1))
    theirs = {row["Project"]: row for row in rows}
    mine = look(city, use=False)  # just afterwards
    assert len(theirs) == 2
    for name, row in theirs.items():
        hours = next(it for it in mine.projects if name in (it.id, it.name)).allocated
        assert hours is not None
        assert row["CPU Hours"] == pytest.approx(hours.vcpu_hours, rel=0.3, abs=0.05)
        ratio = hours.memory_byte_hours / MEBIBYTE / hours.vcpu_hours
        assert row["RAM MB-Hours"] / row["CPU Hours"] == pytest.approx(ratio, rel=0.1)


def _day(offset: int) -> str:
    return (datetime.now(UTC) + timedelta(days=offset)).strftime("%Y-%m-%d")


def test_inventories_are_those_of_the_client(city: City, seen: CloudView) -> None:
    for provider in openstack(city, "resource", "provider", "list"):
        rows = openstack(city, "resource", "provider", "inventory", "list", provider["uuid"])
        theirs = {
            (
                row["resource_class"],
                row["total"],
                row["reserved"],
                row["allocation_ratio"],
                row["used"],
            )
            for row in rows
        }
        ours = {
            (it.resource, it.total, it.reserved, it.ratio, it.used)
            for it in seen.capacity
            if it.provider == provider["name"]
        }
        assert ours == theirs


def test_metrics_of_the_city(city: City, seen: CloudView) -> None:
    found = {it.name: it for it in families(seen)}
    assert found["openstack_nova_total_vms"].samples[0].value == 20
    statuses = found["openstack_nova_server_status"].samples
    assert sorted({it.value for it in statuses}) == [0.0, 11.0, 16.0]
    assert found["openstack_cinder_volumes"].samples[0].value == 3
    up = {name: it.samples[0].value for name, it in found.items() if name.endswith("_up")}
    assert set(up.values()) == {1.0}


# --- who may see what: the table of docs/clouds.md -------------------------------------------------


def missing(view: CloudView) -> set[str]:
    return {it.part for it in view.problems if not it.resource}


def test_the_read_only_role_sees_all_but_use_and_volumes(city: City, seen: CloudView) -> None:
    view = look(city, "watcher")
    assert missing(view) == {"use", "volumes"}
    assert len(view.problems) == 2  # not one for each server
    reasons = {it.part: it.reason for it in view.problems}
    assert "404" in reasons["use"]
    assert "one project alone" in reasons["volumes"]
    servers = {it.id for it in seen.resources if it.kind == "server"}
    assert {it.id for it in view.resources} == servers
    assert {it.id for it in view.projects} == {it.id for it in seen.projects}
    assert server(city, view, "oa-03").host == "fake-0000"
    assert project(view, BUREAU).quotas
    assert len(view.capacity) == 3
    assert missing(look(city, "watcher", use=False)) == {"volumes"}


def test_reader_of_a_project_sees_itself_alone(city: City) -> None:
    view = look(city, "reader")
    denied = {"projects", "quotas", "servers", "volumes", "capacity", "allocated", "use"}
    assert missing(view) == denied
    assert view.projects[0].quotas
    assert [it.name for it in view.projects] == ["monitoring"]
    assert view.projects[0].allocated is None
    assert view.resources == ()
    assert view.capacity == ()
    reasons = {it.part: it.reason for it in view.problems}
    assert "servers:detail:get_all_tenants" in reasons["servers"]


def test_reader_of_the_system_sees_projects_and_capacity(city: City) -> None:
    view = look(city, "system")
    assert missing(view) == {"servers", "volumes", "quotas", "allocated", "use"}
    assert {BUREAU, TAX} <= {it.name for it in view.projects}
    assert len(view.capacity) == 3


# --- what goes wrong ------------------------------------------------------------------------------


def test_a_wrong_password_is_one_problem_that_does_not_tell_it(
    city: City, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    view = look(city, "wrong")
    assert [it.part for it in view.problems] == ["all"]
    assert "401" in view.problems[0].reason
    assert view.resources == ()
    assert "not-the-secret-x9" not in repr(view) + caplog.text
    look(city, "admin", use=False)
    assert PASSWORD not in caplog.text


def through(city: City, port: int, path: Path) -> Path:
    """A clouds.yaml in which Nova is at another port."""
    text = yaml.safe_load(city.lab.clouds_file.read_text(encoding="utf-8"))
    override = f"http://127.0.0.1:{port}/v2.1"
    text["clouds"]["admin"]["compute_endpoint_override"] = override
    path.write_text(yaml.safe_dump(text), encoding="utf-8")
    return path


def test_an_api_that_does_not_answer_costs_its_parts_and_no_more(
    city: City, tmp_path: Path
) -> None:
    with SlowProxy(city.lab.ports.nova) as proxy:
        proxy.held.set()
        file = through(city, proxy.port, tmp_path / "clouds.yaml")
        view = look(city, file=file, deadline=4, timeout=Duration(10_000))
    assert missing(view) == {"servers", "quotas", "allocated", "use"}
    assert all("within 4 s" in it.reason for it in view.problems if it.part == "servers")
    assert len(view.projects) >= 4
    assert all(it.allocated is None for it in view.projects)
    assert len(view.capacity) == 3
    assert len([it for it in view.resources if it.kind == "volume"]) == 3


def test_a_slow_api_times_out(city: City, tmp_path: Path) -> None:
    with SlowProxy(city.lab.ports.nova, delay=1.0) as proxy:
        file = through(city, proxy.port, tmp_path / "clouds.yaml")
        view = look(city, file=file, use=False, timeout=Duration(0.3))
    reasons = {it.part: it.reason for it in view.problems if not it.resource}
    assert set(reasons) == {"servers", "quotas", "allocated"}
    assert "in time" in reasons["servers"]


def test_an_api_killed_in_the_middle(city: City, tmp_path: Path) -> None:
    with SlowProxy(city.lab.ports.nova) as proxy:
        proxy.held.set()
        file = through(city, proxy.port, tmp_path / "clouds.yaml")
        views: list[CloudView] = []
        thread = threading.Thread(target=lambda: views.append(look(city, file=file)))
        thread.start()
        try:
            assert proxy.asked.wait(60)
            city.lab.processes.kill("nova")
            proxy.held.clear()
            thread.join(100)
        finally:
            city.lab.restart_nova()
    assert "servers" in missing(views[0])
    assert len(views[0].capacity) == 3
    assert look(city, use=False).problems == ()


def move_cell(city: City, old: str, new: str) -> None:
    """Let Nova's API look for the database of its cell elsewhere; it reads that once, when it starts."""
    change = f"database_connection = REPLACE(database_connection, '/{old}?', '/{new}?')"
    sql = " ".join(("UPDATE nova_api.cell_mappings SET", change, "WHERE name = 'cell1'"))
    socket = f"--socket={city.lab.folder}/database.sock"
    city.lab.processes.run("mariadb", "--no-defaults", socket, "-e", sql)
    city.lab.processes.kill("nova")
    port = city.lab.ports.nova  # its workers end a little after it
    city.lab.processes.until(lambda: not listens(port), "end of Nova", 30)
    city.lab.restart_nova()


def test_servers_of_a_cell_that_is_down_are_unknown_and_not_gone(
    city: City, seen: CloudView
) -> None:
    for page in (5, 1000):
        assert look(city, use=False, page=page).problems == ()
        assert missing(look(city, "watcher", use=False, page=page)) == {"volumes"}
    move_cell(city, "nova", "nova_gone")
    try:
        whole = look(city, use=False)
        pages = look(city, use=False, page=5)
    finally:
        move_cell(city, "nova_gone", "nova")
    down = [it for it in whole.resources if it.kind == "server"]
    assert {it.id for it in down} == set(city.servers.values())
    assert {it.state for it in down} == {"unknown"}
    reasons = [{it.part: it.reason for it in view.problems} for view in (whole, pages)]
    assert reasons[0]["servers"].startswith("a cell of Nova is down: of 20 servers")
    assert "a cell of Nova is down, with the host fake-0000" in reasons[1]["servers"]
    assert not any(it.kind == "server" for it in pages.resources)
    assert look(city, use=False).problems == ()
