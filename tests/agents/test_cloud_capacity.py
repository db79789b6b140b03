"""What clouds have, in the history: dated, each host once, and as it was last told before a moment."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from collectors.cloud.model import Capacity, CloudView, Problem, Resource, Size
from exporters.history.file import connect
from exporters.usage.historysource import HistorySource
from exporters.usage.source import CapacityTold
from tests.agents.test_clouds import configured, keep, look_at, view

GIB = 2**30
DAY = 86400.0


def capacity(path: Path, until: float) -> CapacityTold | None:
    with closing(connect(path, reading=True)) as connection:
        return HistorySource(connection, "x").capacity(until)


def hypervisor(at: float, cpus: float, *held: Resource, **more: object) -> CloudView:
    told = (Capacity("kvm-01", "VCPU", cpus, 0, 1.0), Capacity("kvm-01", "MEMORY_MB", 4096, 0, 1.0))
    host = Resource("h1", "host", "kvm-01", "active")
    return view(at, host, *held, cloud="kvm", capacity=told, **more)  # type: ignore[arg-type]


def openstack(at: float, *held: Resource) -> CloudView:
    told = (
        Capacity("kvm-01", "VCPU", 16, 2, 4.0, 3.0),
        Capacity("kvm-02", "VCPU", 16, 0, 4.0),
        Capacity("kvm-02", "DISK_GB", 100, 0, 1.0),
    )
    return view(at, *held, cloud="city", kind="openstack", capacity=told)


def test_capacity_is_kept_and_a_host_counts_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configured(
        tmp_path,
        "test:///default",
        clouds="    - {name: city, kind: openstack, cloud: c}\n",
    )
    file, now = tmp_path / "state" / "history.db", 1_760_000_000.0
    keep(file, look_at(monkeypatch, path, hypervisor(now, 16), openstack(now)))
    told = capacity(file, now + 1)
    memory, disk = 4096 * 2**20, 100 * GIB
    assert told == CapacityTold(Size(32, memory, disk), Size((14 + 16) * 4, memory, disk))
    assert capacity(file, now) is None


def test_changes_are_dated_and_what_was_not_seen_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = configured(tmp_path, "test:///default")
    file, now = tmp_path / "state" / "history.db", 1_760_000_000.0
    keep(file, look_at(monkeypatch, path, hypervisor(now, 16)))
    again = look_at(monkeypatch, path, hypervisor(now + 300, 16))
    assert [span for one in again.clouds for span in one.spans if span.aspect == "capacity"] == []
    keep(file, again)
    blind = hypervisor(now + 600, 0, problems=(Problem("capacity", "denied"),))
    keep(file, look_at(monkeypatch, path, blind))
    keep(file, look_at(monkeypatch, path, hypervisor(now + DAY, 32)))
    cpus = [capacity(file, now + later) for later in (1, 700, DAY, DAY + 1, 40 * DAY)]
    assert [one and one.physical.vcpus for one in cpus] == [16, 16, 16, 32, None]
    with closing(connect(file, reading=True)) as connection:
        there = HistorySource(connection, "x").lives(now, now + DAY)
    assert [life.id for life in there] == ["h1"]  # nobody holds capacity


@pytest.mark.parametrize("later", [False, True])
def test_what_a_hypervisor_holds_itself_is_of_no_disk_that_placement_tells(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, later: bool
) -> None:
    path = configured(
        tmp_path,
        "test:///default",
        clouds="    - {name: city, kind: openstack, cloud: c}\n",
    )
    file, now = tmp_path / "state" / "history.db", 1_760_000_000.0
    one, own = (Resource(name, "server", name, "active") for name in ("one", "own"))
    views = [hypervisor(now, 16, one), openstack(now, one)]
    keep(file, look_at(monkeypatch, path, *views[:: -1 if later else 1]))
    told = capacity(file, now + 1)
    assert told
    # the fixture's Placement tells of no memory
    assert (told.usable.disk, told.untold) == (
        100 * GIB,
        {"memory": ("city",)},
    )  # Nova's, whoever tells it last
    keep(
        file,
        look_at(monkeypatch, path, hypervisor(now + 300, 16, one, own), openstack(now + 300, one)),
    )
    told = capacity(file, now + 301)
    assert told
    assert (told.usable.vcpus, told.usable.disk) == (120, None)
    assert told.untold == {"disk": ("kvm",), "memory": ("city",)}
