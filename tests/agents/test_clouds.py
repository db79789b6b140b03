"""Clouds as the agent looks at them: a real libvirt's nodes, by command, on schedule and into the history."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents import cloudlines, cloudlook
from agents import config as configuration
from agents.clouds import cloud_families
from collectors.cloud import gathering
from collectors.cloud.model import CloudView, Problem, Project, Resource, Size, Use
from collectors.cloud.settings import CloudSource, CloudsSettings
from collectors.model import Family
from collectors.strictyaml import Duration
from exporters.history.accumulate import Rollup
from exporters.history.file import connect
from exporters.history.store import HistoryWriter, Known
from tests.collectors.test_cloud_domainxml import OURS
from tests.libvirtlab import domain, needs_libvirt, node, uuid
from tests.openstackreplay import Replay, send

OVERRIDES = """resource,department,system,valid_from
{},市教育局,学籍系统,2026-01-01
"""
SYSTEMS = "系统,部门,上云\n学籍系统,市教育局,是\n收费系统,市财政局,否\n"


def configured(folder: Path, uri: str, more: str = "", clouds: str = "") -> Path:
    path = folder / "jianwei.yaml"
    path.write_text(
        f"state_dir: state\n{more}\nclouds:\n  interval: 30s\n  deadline: 5s\n  timeout: 2s\n"
        f"  sources:\n    - {{name: kvm, kind: libvirt, uri: '{uri}'}}\n{clouds}",
        encoding="utf-8",
    )
    return path


def jianwei(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "agents", *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, "LANG": "C"},
    )


def values(families: list[Family], name: str) -> dict[tuple[str, ...], float]:
    return {
        tuple(value for _, value in one.labels): one.value
        for family in families
        if family.name == name
        for one in family.samples
    }


@needs_libvirt
def test_what_is_shown_has_owners_by_all_its_sources(tmp_path: Path) -> None:
    ours = OURS.replace("财政局", "市财政局") if "财政局" in OURS else OURS
    uri = node(tmp_path / "node.xml", [domain(1, ours), domain(2), domain(3, shut_off=True)])
    (tmp_path / "owners.csv").write_text(OVERRIDES.format(uuid(2)), encoding="utf-8")
    (tmp_path / "systems.csv").write_text(SYSTEMS, encoding="utf-8")
    path = configured(
        tmp_path, uri, "attribution: {overrides_file: owners.csv, systems_file: systems.csv}"
    )
    told = jianwei("cloud", "show", "--config", path, "--json")
    assert told.returncode == 0, told.stderr
    found = json.loads(told.stdout)
    owners = {id: (one["how"], one["owner"]["department"]) for id, one in found["owners"].items()}
    assert owners[uuid(1)][0] == "libvirt"
    assert owners[uuid(2)] == ("override", "市教育局")
    assert owners[uuid(3)] == ("unassigned", "")
    assert found["holdings"]["estate"]["granted"]["allocated"]["vcpus"] == 6
    assert found["holdings"]["estate"]["migration"]["systems"] == 2
    shown = jianwei("cloud", "show", "--config", path)
    assert "市教育局" in shown.stdout
    assert "未归属" in shown.stdout
    assert "上云率：50.0 %" in shown.stdout
    by_system = jianwei("cloud", "show", "--config", path, "--by", "system", "--lang", "en")
    assert "学籍系统" in by_system.stdout
    assert uuid(3) not in by_system.stdout


@needs_libvirt
def test_a_cloud_that_never_answers_costs_only_itself(tmp_path: Path, silent: int) -> None:
    uri = node(tmp_path / "node.xml", [domain(1)])
    dead = f"    - {{name: dead, kind: libvirt, uri: 'qemu+tcp://127.0.0.1:{silent}/system'}}\n"
    path = configured(tmp_path, uri, clouds=dead)
    began = time.monotonic()
    told = jianwei("cloud", "show", "--config", path, "--json")
    assert time.monotonic() - began < 30
    assert told.returncode == 1
    views = {view["cloud"]: view for view in json.loads(told.stdout)["views"]}
    assert [one["id"] for one in views["kvm"]["resources"]] == [uuid(1)]
    assert views["kvm"]["problems"] == []
    assert views["dead"]["problems"][0]["part"] == "all"
    granted = json.loads(told.stdout)["holdings"]["estate"]["granted"]
    assert granted["allocated"]["vcpus"] is None


@needs_libvirt
@pytest.mark.parametrize("by", [(), ("--by", "department"), ("--by", "system")])
def test_what_could_not_be_seen_is_below_every_table(tmp_path: Path, by: tuple[str, ...]) -> None:
    uri = node(tmp_path / "node.xml", [domain(1)])
    dead = "    - {name: dead, kind: libvirt, uri: 'qemu+tcp://127.0.0.1:1/system'}\n"
    path = configured(tmp_path, uri, clouds=dead)
    told = jianwei("cloud", "show", "--config", path, "--lang", "en", *by)
    assert told.returncode == 1
    assert told.stdout.splitlines()[-1].startswith("could not be seen: dead all ")
    if "system" not in by:
        (total,) = (line for line in told.stdout.splitlines() if line.startswith("Total"))
        assert set(total.split()[1:]) <= {"unknown", "0"}
        assert "Compute scale: unknown" in told.stdout


def test_a_part_that_was_not_seen_is_no_success(tmp_path: Path) -> None:
    """Servers are refused: nothing of them is told as a number, and the status says so."""
    pytest.importorskip("openstack", reason="openstacksdk is not installed")
    with Replay(tmp_path) as replay:
        path = tmp_path / "jianwei.yaml"
        path.write_text(
            "state_dir: state\nattribution: {overrides_file: owners.csv, systems_file: s.csv}\n"
            "clouds: {page: 2, sources: [{name: gov, kind: openstack, cloud: gov, use: false,"
            f" clouds_file: {replay.clouds_file}}}]}}\n"
        )
        (tmp_path / "owners.csv").write_text("resource,department\nnobodys-id,a\n")
        (tmp_path / "s.csv").write_text("系统,部门\n学籍系统,市教育局\n", encoding="utf-8")
        show = ("cloud", "show", "--config", path, "--lang", "en", "--by", "department")
        told = jianwei(*show)
        assert told.returncode == 0, told.stdout + told.stderr
        assert "Migration to the cloud: 0.0 %" in told.stdout
        assert told.stdout.splitlines()[-1] == (
            "rows of the override table that fit nothing: owners.csv:2"
        )
        replay.twists["nova /v2.1/servers/detail"] = lambda handler, *_: send(handler, 403, b"{}")
        told = jianwei(*show)
        assert told.returncode == 1
        assert "could not be seen: gov servers the compute service answered HTTP 403" in told.stdout
        assert "Compute scale: unknown vCPU granted" in told.stdout
        assert "Migration to the cloud: unknown (of 1 systems, 1 hang" in told.stdout
        assert "fit nothing" not in told.stdout  # it may be one of those that were not seen


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ("", "clouds.sources is empty"),
        ("clouds: {sources: [{name: a, kind: openstack}]}", "needs 'cloud'"),
        ("clouds: {sources: [{name: a, kind: libvirt, uri: x, cloud: y}]}", "not for a cloud"),
        (
            "clouds: {sources: [{name: a, kind: libvirt, uri: x}, {name: a, kind: libvirt, uri: y}]}",
            "two clouds are named 'a'",
        ),
        ("clouds: {interval: 1s}", "must be 30s or more"),
        (
            "clouds: {interval: 60s}",
            "the deadline of 120 s must be shorter than the interval of 60 s",
        ),
    ],
)
def test_bad_settings_are_told(tmp_path: Path, more: str, words: str) -> None:
    path = tmp_path / "jianwei.yaml"
    path.write_text(more)
    told = jianwei("cloud", "show", "--config", path)
    assert told.returncode == 2
    assert words in told.stderr
    assert "jianwei.yaml" in told.stderr


def test_a_wrong_table_of_owners_stops_everything_rather_than_moving_everything(
    tmp_path: Path,
) -> None:
    path = configured(tmp_path, "test:///default", "attribution: {overrides_file: owners.csv}")
    (tmp_path / "owners.csv").write_text(
        "resource,department,valid_from,valid_to\na,b,2026-02-01,2026-01-01\n"
    )
    for arguments in (
        ("cloud", "show", "--config", path),
        ("check-config", path),
        ("run", "--config", path),
    ):
        told = jianwei(*arguments)
        assert told.returncode == 2, arguments
        assert "owners.csv:2" in told.stderr


class FakeCloud:
    """What a view is made by; the real ones are tested with real libvirt and OpenStack."""

    def __init__(self, gather: Callable[[], CloudView]) -> None:
        self._gather = gather

    def gather(self, deadline: float) -> CloudView:
        return self._gather()


def test_a_cloud_that_raises_or_hangs_is_a_view_with_a_problem() -> None:
    hung = threading.Event()

    def hang() -> CloudView:
        hung.wait(30)
        raise AssertionError

    def fail() -> CloudView:
        raise ZeroDivisionError("secret")

    made = {
        "good": lambda: CloudView("good", "libvirt", 1.0, 0.1),
        "hangs": hang,
        "fails": fail,
    }
    sources = [CloudSource(name, "libvirt", uri="x") for name in made]
    done: list[str] = []
    views = gathering.gather(
        sources,
        CloudsSettings(deadline=Duration(0.2)),
        lambda source, _: FakeCloud(made[source.name]),
        lambda view: done.append(view.cloud),
    )
    hung.set()
    assert sorted(done) == ["fails", "good", "hangs"]  # also of what was given up
    assert [view.cloud for view in views] == ["good", "hangs", "fails"]
    assert not views[0].problems
    assert [one.part for one in views[1].problems] == ["all"]
    assert "no end within" in views[1].problems[0].reason
    assert views[2].problems[0].reason == "a bug: ZeroDivisionError"  # what it said may be secret


def look_at(monkeypatch: pytest.MonkeyPatch, path: Path, *views: CloudView) -> cloudlook.Look:
    monkeypatch.setattr(cloudlook, "gather", lambda *_, **__: list(views))
    return cloudlook.look(configuration.load(str(path)))


def view(
    at: float, *resources: Resource, cloud: str = "kvm", uses: tuple[Use, ...] = (), **more: Any
) -> CloudView:
    return CloudView(cloud, more.pop("kind", "libvirt"), at, 0.1, resources, uses=uses, **more)


def keep(path: Path, look: cloudlook.Look) -> None:
    """As the agent does."""
    with closing(HistoryWriter(path)) as writer:
        for one in look.clouds:
            writer.add(int(one.began // 300), (), one.resources, one.spans)


def spans(path: Path) -> list[tuple[str, str, bool]]:
    with closing(connect(path)) as connection:
        return list(
            connection.execute(
                "SELECT id, aspect, until IS NULL FROM spans JOIN resources ON number = resource"
                " WHERE aspect IN ('state', 'size') ORDER BY id, aspect, since"
            )
        )


def test_looks_become_spans_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = configured(tmp_path, "test:///default")
    file = tmp_path / "state" / "history.db"
    now = time.time()
    server = Resource("vm", "server", "vm", "active", Size(2, 1 << 30, 0))
    first = look_at(monkeypatch, path, view(now, server))
    assert {span.aspect for span in first.clouds[0].spans} >= {"identity", "state", "size", "owner"}
    keep(file, first)
    again = look_at(monkeypatch, path, view(now + 300, server))
    assert again.clouds[0].spans == ()
    keep(file, again)
    stopped = Resource("vm", "server", "vm", "stopped", Size(4, 1 << 30, 0))
    keep(file, look_at(monkeypatch, path, view(now + 600, stopped)))
    assert spans(file) == [
        ("vm", "size", 0),
        ("vm", "size", 1),
        ("vm", "state", 0),
        ("vm", "state", 1),
    ]
    # not seen because of a problem is not gone; not there is
    blind = view(now + 900, problems=(Problem("servers", "denied"),))
    assert look_at(monkeypatch, path, blind).clouds[0].spans == ()
    keep(file, look_at(monkeypatch, path, view(now + 1200)))
    with closing(connect(file)) as connection:
        assert connection.execute(
            "SELECT value FROM spans WHERE aspect = 'state' AND until IS NULL"
        ).fetchall() == [('"released"',)]


def test_projects_that_are_not_seen_make_nothing_nobodys(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configured(tmp_path, "test:///default")
    now = time.time()
    server = Resource("vm", "server", "vm", "active", Size(2), project="p")
    city = (Project("p", "p", tags=("department=市财政局",)),)
    keep(
        tmp_path / "state" / "history.db",
        look_at(monkeypatch, path, view(now, server, projects=city, kind="openstack")),
    )
    blind = (Problem("projects", "denied"),)
    look = look_at(monkeypatch, path, view(now + 300, server, problems=blind, kind="openstack"))
    [labels] = values(list(look.families), "jianwei_resource_info")
    assert "市财政局" in labels
    assert not look.clouds[0].spans


def rows(path: Path, aspect: str) -> list[str]:
    with closing(connect(path)) as connection:
        found = connection.execute(
            "SELECT value FROM spans WHERE aspect = ? ORDER BY since, until IS NULL", (aspect,)
        )
        return [value for (value,) in found]


def test_a_machine_moves_from_host_to_host_and_a_source_is_taken_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = "    - {name: kvm-2, kind: libvirt, uri: 'test:///other'}\n"
    path = configured(tmp_path, "test:///default", clouds=second)
    file = tmp_path / "state" / "history.db"
    began = time.time()
    machine = Resource("vm", "server", "vm", "stopped", Size(2, 1 << 30, 0))
    for number, place in enumerate(("kvm", "kvm-2", "", "kvm", "")):
        now = began + 30 * number
        views = [
            view(now, *[machine] * (place == cloud), cloud=cloud) for cloud in ("kvm", "kvm-2")
        ]
        keep(file, look_at(monkeypatch, path, *views))
        assert rows(file, "state") == ['"stopped"']
    # taken out of the settings it is not released
    first = "    - {name: kvm, kind: libvirt, uri: 'test:///default'}\n"
    path.write_text(path.read_text().replace(first, ""))
    keep(file, look_at(monkeypatch, path, view(now, cloud="kvm-2")))
    assert rows(file, "state") == ['"stopped"']
    keep(file, look_at(monkeypatch, path, view(now + 32 * 86400, cloud="kvm-2")))
    assert rows(file, "state") == ['"stopped"', '"unknown"']


def test_openstack_is_down_and_libvirt_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    city = "    - {name: city, kind: openstack, cloud: city}\n"
    path = configured(tmp_path, "test:///default", clouds=city)
    file = tmp_path / "state" / "history.db"
    now = time.time()
    server = Resource("vm", "server", "web", "active", Size(2), project="p")
    volume = Resource("v", "volume", "data", "active", project="p", attached=("vm",))
    domain = Resource(
        "vm", "server", "web", "active", nova={"project_id": "p", "project_name": "proj-17"}
    )
    projects = (Project("p", "proj-17", tags=("department=市财政局",)),)
    whole = view(now, server, volume, projects=projects, cloud="city", kind="openstack")
    keep(file, look_at(monkeypatch, path, view(now, domain), whole))
    down = view(now + 300, cloud="city", kind="openstack", problems=(Problem("all", "503"),))
    look = look_at(monkeypatch, path, view(now + 300, domain), down)
    assert not [span for one in look.clouds for span in one.spans]
    [labels] = values(list(look.families), "jianwei_resource_info")
    assert "市财政局" in labels
    # and without its block storage alone
    part = Resource("v", "volume", "", "active", project="p", attached=("vm",), partial=True)
    more: dict[str, Any] = {"cloud": "city", "kind": "openstack", "projects": projects}
    blind = view(now + 600, server, part, problems=(Problem("volumes", "503"),), **more)
    look = look_at(monkeypatch, path, view(now + 600, domain), blind)
    assert not [span for one in look.clouds for span in one.spans]
    assert {"vm": "web", "v": "data"}.items() <= {
        it.id: it.name for it in look.clouds[1].resources
    }.items()


def test_a_history_that_cannot_be_read_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configured(tmp_path, "test:///default")
    file = tmp_path / "state" / "history.db"
    file.parent.mkdir()
    file.write_bytes(b"damaged" * 1000)
    server = Resource("vm", "server", "vm", "active")
    look = look_at(monkeypatch, path, view(time.time(), server))
    assert look.clouds[0].spans == ()
    assert values(list(look.families), "jianwei_resource_info")


def test_nova_says_whose_a_domain_is_and_libvirt_what_it_uses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configured(
        tmp_path,
        "test:///default",
        clouds="    - {name: city, kind: openstack, cloud: city}\n",
    )
    now = time.time()
    nova = view(
        now,
        Resource("vm", "server", "vm", "active", Size(2), metadata={"department": "市财政局"}),
        uses=(Use("vm", now, cpu=1.0, vcpus=2.0),),
        cloud="city",
        kind="openstack",
    )
    host = view(
        now,
        Resource("vm", "server", "instance-1", "active", Size(2)),
        uses=(Use("vm", now, cpu=2.0, vcpus=2.0, steal=0.0),),
    )
    look = look_at(monkeypatch, path, host, nova)
    kvm, city = look.clouds
    assert not kvm.spans
    assert {span.aspect for span in city.spans} >= {"owner", "size", "state"}
    [labels] = values(list(look.families), "jianwei_resource_info")
    assert "市财政局" in labels


def printed(*views: CloudView, sources: Iterable[CloudSource]) -> list[cloudlines.Line]:
    out = io.BytesIO()
    lines = cloudlines.Printer(out, sources)
    for one in views:
        lines.came(one, cloudlook.families(one))
    return [msgspec.json.decode(line, type=cloudlines.Line) for line in out.getvalue().splitlines()]


KVM = CloudSource("kvm", "libvirt", uri="x")
CITY = CloudSource("city", "openstack", cloud="city")


@pytest.mark.parametrize("first", ["kvm", "city"])
def test_a_hypervisor_tells_of_use_before_nova_does(first: str) -> None:
    uses = (Use("vm", 1.0, cpu=1.0), Use("other", 1.0, cpu=1.0))
    nova = view(1.0, uses=uses, cloud="city", kind="openstack")
    host = view(1.0, uses=(Use("vm", 1.0, cpu=2.0),))
    views = (host, nova) if first == "kvm" else (nova, host)
    lines = printed(*views, sources=(KVM, CITY))
    used = [one for one in lines if isinstance(one, cloudlines.Used)]
    assert [(one.cloud, [(use.resource, use.cpu) for use in one.uses]) for one in used] == [
        ("kvm", [("vm", 2.0)]),
        ("city", [("other", 1.0)]),
    ]
    blind = view(1.0, problems=(Problem("all", "no end within 5 s"),))
    told = printed(nova, blind, sources=(KVM, CITY))
    assert [len(one.uses) for one in told if isinstance(one, cloudlines.Used)] == [2]


def test_the_page_tells_how_old_a_look_is() -> None:
    families = list(cloud_families(["a", "b"], [], {"a": 100.0}, 160.0))
    assert values(families, "jianwei_cloud_success") == {("a",): 0.0, ("b",): 0.0}
    assert values(families, "jianwei_cloud_age_seconds") == {("a",): 60.0}


def test_what_a_wrong_clock_wrote_is_not_of_late(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configured(tmp_path, "test:///default")
    now = time.time()
    ahead = int(now // 300) + 200_000
    with closing(HistoryWriter(tmp_path / "state" / "history.db")) as writer:
        known = [
            Known(id, "server", id, "kvm", now, at) for id, at in (("a", now), ("b", now + 6e7))
        ]
        writer.add(ahead, [Rollup("b", "cpu", 30.0, 30.0)], known)
        writer.add(int(now // 300) - 1, [Rollup("a", "cpu", 40.0, 40.0)])
    past = cloudlook._past(configuration.load(str(path)))
    assert past.cpu == {"a": 0.4}
    assert past.last == {"kvm": now}
