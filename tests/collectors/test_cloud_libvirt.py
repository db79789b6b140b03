"""Real libvirt: its test driver, and QEMU under a libvirtd of ours, against what `virsh` says."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from collectors.cloud.libvirtdomains import LibvirtCloud
from collectors.cloud.model import CloudView
from collectors.cloud.settings import CloudSource, CloudsSettings
from collectors.strictyaml import Duration
from tests import libvirtlab
from tests.collectors.test_cloud_domainxml import NOVA, OURS
from tests.libvirtlab import Libvirtd, domain, needs_libvirt, needs_qemu, node, uuid, virsh
from tests.sshlab import wait_until

DEVICES = """<disk type='file' device='disk'><source file='/i'/><target dev='vda' bus='virtio'/></disk>
<interface type='network'><source network='default'/><target dev='tap{0}'/></interface>"""
# what virsh says, our metric's name, and how many of its units make one of ours
DOMSTATS = {
    "state.state": ("info_vstate", 1),
    "cpu.time": ("info_cpu_time_seconds_total", 1e9),
    "balloon.current": ("info_memory_usage_bytes", 1 / 1024),
    "balloon.maximum": ("info_maximum_memory_bytes", 1 / 1024),
    "balloon.rss": ("memory_stats_rss_bytes", 1 / 1024),
    "vcpu.current": ("info_virtual_cpus", 1),
    "vcpu.#.state": ("vcpu_state", 1),
    "vcpu.#.time": ("vcpu_time_seconds_total", 1e9),
    "vcpu.#.wait": ("vcpu_wait_seconds_total", 1e9),
    "vcpu.#.delay": ("vcpu_delay_seconds_total", 1e9),
    "block.#.rd.reqs": ("block_stats_read_requests_total", 1),
    "block.#.rd.bytes": ("block_stats_read_bytes_total", 1),
    "block.#.rd.times": ("block_stats_read_time_seconds_total", 1e9),
    "block.#.wr.reqs": ("block_stats_write_requests_total", 1),
    "block.#.wr.bytes": ("block_stats_write_bytes_total", 1),
    "block.#.wr.times": ("block_stats_write_time_seconds_total", 1e9),
    "block.#.fl.reqs": ("block_stats_flush_requests_total", 1),
    "block.#.fl.times": ("block_stats_flush_time_seconds_total", 1e9),
    "block.#.allocation": ("block_stats_allocation", 1),
    "block.#.capacity": ("block_stats_capacity_bytes", 1),
    "block.#.physical": ("block_stats_physicalsize_bytes", 1),
}


def gather(uri: str, deadline: float = 30, timeout: float = 20, use: bool = True) -> CloudView:
    source = CloudSource("host", "libvirt", uri=uri, use=use)
    return LibvirtCloud(source, CloudsSettings(timeout=Duration(timeout))).gather(deadline)


def series(view: CloudView) -> dict[tuple[str, ...], float]:
    """Values by name (without what all have) and labels, the cloud's left out."""
    return {
        (family.name.removeprefix("libvirt_domain_"), *(v for _, v in sample.labels[1:])): float(
            sample.value
        )
        for family in view.families
        for sample in family.samples
    }


def domstats(uri: str) -> dict[str, dict[str, str]]:
    """Figures of each domain by name, as virsh prints them."""
    found = {}
    for block in virsh(uri, "domstats").split("Domain: ")[1:]:
        name, *lines = block.strip().splitlines()
        found[name.strip("'")] = dict(line.strip().split("=", 1) for line in lines if line)
    return found


def expected(name: str, stats: Mapping[str, str]) -> dict[tuple[str, ...], float]:
    """What our metrics must say if virsh says this."""
    found = {}
    for key, value in stats.items():
        group, n, _ = (*key.split(".", 2), "", "")[:3]
        number = n if n.isdecimal() else ""
        known = DOMSTATS.get(key.replace(f".{number}.", ".#.", 1) if number else key)
        if known:
            labels = [stats.get(f"{group}.{n}.name", n)] if number else []
            found[(known[0], name, *labels)] = float(value) / known[1]
    return found


# --- the test driver ------------------------------------------------------------------------------


@pytest.fixture
def uri(tmp_path: Path) -> str:
    return node(
        tmp_path / "node.xml",
        [
            domain(1, NOVA, DEVICES.format(1) + "<memballoon model='virtio'/>"),
            domain(2, OURS, DEVICES.format(2) + "<memballoon model='none'/>"),
            domain(3, shut_off=True),
        ],
    )


@needs_libvirt
def test_resources_of_a_node(uri: str) -> None:
    view = gather(uri)
    assert not view.problems
    assert view.whole("servers")
    assert view.whole("use")
    one, two, three = sorted(view.resources, key=lambda it: it.id)
    assert [it.id for it in (one, two, three)] == [uuid(1), uuid(2), uuid(3)]
    assert (one.name, one.state, one.project, one.flavor) == ("门户", "active", "p-1", "g1.large")
    assert one.nova["project_name"] == "税务"
    assert one.created == 1767323045
    assert (one.size.vcpus, one.size.memory) == (2, 4 << 30)
    assert (two.name, dict(two.nova)) == ("instance-00000002", {})
    assert two.metadata["department"] == "税务局"
    assert (three.state, three.raw_state) == ("stopped", "shut off")
    assert {it.resource for it in view.uses} == {uuid(1), uuid(2)}
    capacity = {it.resource: (it.total, it.used) for it in view.capacity}
    assert capacity == {"VCPU": (16, 4), "MEMORY_MB": (65536, 8192)}


@needs_libvirt
def test_memory_is_told_with_a_balloon_and_unknown_without(uri: str) -> None:
    memory = {it.resource: it.memory_used for it in gather(uri).uses}
    told = dict(
        line.split() for line in virsh(uri, "dommemstat", uuid(1)).splitlines() if line.strip()
    )
    assert memory[uuid(1)] == (int(told["available"]) - int(told["usable"])) * 1024
    assert memory[uuid(2)] is None


@needs_libvirt
def test_every_figure_of_a_domain_is_what_virsh_says(uri: str) -> None:
    """The driver's counters follow the clock, so ours lie between what virsh said before and after."""
    before, view, after = asked_singly(uri), gather(uri), asked_singly(uri)
    got = series(view)
    assert len(before) == 25
    for key, low in before.items():
        assert low <= got[key] <= after[key], key
    [use] = [it for it in view.uses if it.resource == uuid(1)]
    name = "instance-00000001"
    assert use.cpu == got["info_cpu_time_seconds_total", name]
    assert use.net_rx == got["interface_stats_receive_bytes_total", name, "tap1"]
    assert use.disk_write == got["block_stats_write_bytes_total", name, "vda"]
    assert use.steal is None  # this driver does not know it


def asked_singly(uri: str) -> dict[tuple[str, ...], float]:
    """All that virsh says of the first domain."""
    name, found = "instance-00000001", dict[tuple[str, ...], float]()

    def put(text: str, names: Mapping[str, tuple[str, float]], *labels: str) -> None:
        for said, (ours, units) in names.items():
            [value] = re.findall(
                rf"^\s*(?:vda |tap1 )?{re.escape(said)}\s+([\d.]+)", text, re.MULTILINE
            )
            found[(ours, name, *labels)] = float(value) / units

    kib = 1 / 1024
    put(virsh(uri, "domstats", name).replace("=", " "), {"state.state": ("info_vstate", 1)})
    put(
        virsh(uri, "dominfo", name),
        {
            "CPU(s):": ("info_virtual_cpus", 1),
            "Max memory:": ("info_maximum_memory_bytes", kib),
            "Used memory:": ("info_memory_usage_bytes", kib),
        },
    )
    memory = {
        **dict.fromkeys(("major_fault", "minor_fault"), 1.0),
        **dict.fromkeys(("unused", "available", "usable", "rss"), kib),
    }
    names = {
        key: (f"memory_stats_{key}_{'total' if units == 1 else 'bytes'}", units)
        for key, units in memory.items()
    }
    names["actual"] = ("memory_stats_actual_balloon_bytes", kib)
    names["disk_caches"] = ("memory_stats_disk_cache_bytes", kib)
    put(virsh(uri, "dommemstat", name), names)
    put(
        virsh(uri, "domblkstat", name, "vda"),
        {
            "rd_req": ("block_stats_read_requests_total", 1),
            "rd_bytes": ("block_stats_read_bytes_total", 1),
            "wr_req": ("block_stats_write_requests_total", 1),
            "wr_bytes": ("block_stats_write_bytes_total", 1),
        },
        "vda",
    )
    put(
        virsh(uri, "domblkinfo", name, "vda"),
        {"Capacity:": ("block_stats_capacity_bytes", 1)},
        "vda",
    )
    ways = {"rx": "receive", "tx": "transmit"}
    whats = {"bytes": "bytes", "packets": "packets", "errs": "errors", "drop": "drops"}
    put(
        virsh(uri, "domifstat", name, "tap1"),
        {
            f"{way}_{what}": (f"interface_stats_{long}_{whats[what]}_total", 1)
            for way, long in ways.items()
            for what in whats
        },
        "tap1",
    )
    return found


@needs_libvirt
def test_a_look_without_use_has_states_and_no_figures(uri: str) -> None:
    view = gather(uri, use=False)
    assert not view.uses
    assert not view.problems
    assert [it.state for it in sorted(view.resources, key=lambda it: it.id)] == [
        "active",
        "active",
        "stopped",
    ]


@needs_libvirt
def test_five_hundred_domains(tmp_path: Path) -> None:
    domains = (domain(n, NOVA, DEVICES.format(n)) for n in range(1, 501))
    view = gather(node(tmp_path / "node.xml", domains))
    assert not view.problems
    assert {it.id for it in view.resources} == {uuid(n) for n in range(1, 501)}
    assert len(view.uses) == 500
    assert view.requests < 500 * 10
    assert {it.nova["project_id"] for it in view.resources} == {"p-1"}


@needs_libvirt
def test_a_domain_that_vanishes_after_it_was_listed_is_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import libvirt

    host = libvirt.open("test:///default")
    left = {it.UUIDString() for it in host.listAllDomains()}
    gone = host.createXML(domain(77), 0)
    listing = libvirt.virConnect.listAllDomains

    def listed_and_gone(connection: Any, flags: int = 0) -> Any:
        found = listing(connection, flags)
        if gone.isActive():
            gone.destroy()
        return found

    monkeypatch.setattr(libvirt.virConnect, "listAllDomains", listed_and_gone)
    view = gather("test:///default")
    assert {it.id for it in view.resources} == left
    assert not view.problems


@needs_libvirt
def test_xml_that_cannot_be_read_costs_what_it_says_only(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """libvirt itself writes good XML, so that the bad is put in its mouth."""
    import libvirt

    said = libvirt.virDomain.XMLDesc

    def odd(domain: Any, flags: int = 0) -> str:
        laughs = "<!DOCTYPE d [<!ENTITY a 'ha'>]><domain>&a;</domain>"
        return laughs if domain.name().endswith("1") else str(said(domain, flags))

    monkeypatch.setattr(libvirt.virDomain, "XMLDesc", odd)
    view = gather(uri)
    [problem] = view.problems
    assert (problem.part, problem.resource) == ("servers", uuid(1))
    assert problem.reason == "instance-00000001: its XML has a document type, which is not read"
    [one] = [it for it in view.resources if it.id == uuid(1)]
    assert (one.name, one.state, dict(one.nova)) == ("instance-00000001", "active", {})
    assert not one.described  # it is not nobody's, nor is that its name
    other = next(it for it in view.resources if it.id == uuid(2))
    assert other.metadata
    assert other.described


@needs_libvirt
def test_a_domain_that_never_says_what_it_is_is_left_out_and_told(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is neither released nor nobody's: the part is not whole."""
    import libvirt

    said, never = libvirt.virDomain.XMLDesc, threading.Event()

    def silent(domain: Any, flags: int = 0) -> str:
        if domain.name().endswith("1"):
            never.wait()
        return str(said(domain, flags))

    monkeypatch.setattr(libvirt.virDomain, "XMLDesc", silent)
    view = gather(uri, timeout=1)
    never.set()
    [problem] = view.problems
    assert (problem.part, problem.resource) == ("servers", "")
    assert problem.reason == (
        "1 domains were not described (instance-00000001): no answer within 1 s"
    )
    assert not view.whole("servers")
    assert {it.id for it in view.resources} == {uuid(2), uuid(3)}
    assert {it.resource for it in view.uses} == {uuid(2)}
    assert {it.used for it in view.capacity} == {None}
    assert next(it for it in view.resources if it.id == uuid(2)).metadata


@needs_libvirt
def test_a_slow_hypervisor_ends_at_the_deadline_with_what_it_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import libvirt

    said = libvirt.virDomain.XMLDesc

    def slow(domain: Any, flags: int = 0) -> str:
        time.sleep(0.1)
        return str(said(domain, flags))

    monkeypatch.setattr(libvirt.virDomain, "XMLDesc", slow)
    uri = node(tmp_path / "node.xml", map(domain, range(1, 201)))
    view = gather(uri, deadline=2)
    assert 0 < len(view.resources) < 200
    [problem] = view.problems
    assert problem.reason.startswith(f"{200 - len(view.resources)} domains were not described")


@needs_libvirt
def test_a_figure_that_fails_costs_itself_and_is_told(
    uri: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import libvirt

    def failing(domain: Any, target: str) -> Any:
        raise libvirt.libvirtError("the disk\nis gone" + "!" * 999)

    monkeypatch.setattr(libvirt.virDomain, "blockStats", failing)
    view = gather(uri)
    told = {it.resource: it.reason for it in view.problems}
    assert told.keys() == {uuid(1), uuid(2)}
    assert told[uuid(1)].startswith("instance-00000001: the disk is gone!!!")
    assert len(told[uuid(1)]) < 400
    for use in view.uses:
        assert use.disk_read is None
        assert use.net_rx is not None


@needs_libvirt
@pytest.mark.parametrize(
    ("uri", "reason"),
    [
        ("test:////nowhere/node.xml", "failed to parse"),
        ("qemu+tcp://127.0.0.1:1/system", "refused"),
        ("qemu+unix:///system?socket=/nowhere", "No such file"),
        ("none:///x", "."),
        ("", "."),
    ],
)
def test_a_hypervisor_that_is_not_there(uri: str, reason: str) -> None:
    source = CloudSource("host", "libvirt", uri=uri or " ")
    view = LibvirtCloud(source, CloudsSettings()).gather(10)
    [problem] = view.problems
    assert problem.part == "all"
    assert re.search(reason, problem.reason)
    assert not view.resources
    assert not view.capacity
    assert not view.whole("servers")
    assert series(view) == {("libvirt_up",): 0}


@needs_libvirt
@pytest.mark.parametrize(("deadline", "timeout"), [(0.4, 20.0), (30, 0.4)])
def test_a_server_that_never_speaks_ends_at_the_deadline(deadline: float, timeout: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        view = gather(f"qemu+tcp://127.0.0.1:{port}/system", deadline, timeout)
    [problem] = view.problems
    assert problem.part == "all"
    assert "no answer within 0.4 s" in problem.reason


def test_without_the_library_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "libvirt", None)
    [problem] = gather("test:///default").problems
    assert problem.part == "all"
    assert "python3-libvirt" in problem.reason
    assert "jianwei[libvirt]" in problem.reason


def test_the_module_does_not_import_the_library() -> None:
    code = "import sys, collectors.cloud.libvirtdomains; sys.exit('libvirt' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


# --- QEMU -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def host() -> Iterator[Libvirtd]:
    with libvirtlab.libvirtd() as host:
        host.start(1, "<memballoon model='virtio'><stats period='1'/></memballoon>")
        host.start(2, "<interface type='user'/>")
        yield host


@needs_qemu
def test_every_figure_of_qemu_is_what_virsh_says(host: Libvirtd) -> None:
    before, view, after = domstats(host.uri), gather(host.uri), domstats(host.uri)
    assert not view.problems
    got, compared = series(view), 0
    for name, stats in before.items():
        low, high = expected(name, stats), expected(name, after[name])
        assert low.keys() == high.keys()
        for key in low:
            # the resident memory may fall as well
            least, most = sorted((low[key], high[key]))
            if key[0] != "memory_stats_rss_bytes":
                assert least <= got[key] <= most, key
            compared += 1
    assert compared >= 2 * 28  # some need a kernel that tells them
    [one] = [it for it in view.uses if it.resource == uuid(1)]
    assert one.cpu
    assert one.cpu > 0
    assert one.steal is not None
    assert one.steal == pytest.approx(
        sum(got["vcpu_delay_seconds_total", "instance-00000001", n] for n in "01")
    )


@needs_qemu
def test_a_guest_whose_balloon_never_spoke_has_unknown_memory(host: Libvirtd) -> None:
    view = gather(host.uri)
    assert {(it.memory_used, it.memory_total) for it in view.uses} == {(None, None)}
    assert {it.size.memory for it in view.resources} == {64 << 20}
    assert {it.size.disk for it in view.resources} == {16 << 20}
    # its second guest has an interface of which nobody counts: not known, rather than idle
    assert {it.resource: it.net_rx for it in view.uses} == {uuid(1): 0, uuid(2): None}


@needs_qemu
def test_a_process_that_hangs_costs_only_its_own_domain(host: Libvirtd) -> None:
    process = host.process(1)
    os.kill(process, signal.SIGSTOP)
    try:
        looks = [gather(host.uri, timeout=4), gather(host.uri, timeout=4)]
    finally:
        os.kill(process, signal.SIGCONT)
    for view in looks:
        [problem] = view.problems
        assert (problem.part, problem.resource) == ("use", uuid(1))
        assert "does not answer" in problem.reason
        assert {it.id for it in view.resources} == {uuid(1), uuid(2)}
        uses = {it.resource: it for it in view.uses}
        assert uses[uuid(1)].disk_read is None
        assert uses[uuid(1)].memory_used is None
        assert uses[uuid(1)].cpu is not None  # libvirtd reads it from the kernel
        assert uses[uuid(2)].disk_read is not None
    wait_until(lambda: not gather(host.uri).problems, 60)
