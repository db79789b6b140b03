"""Our host collectors and Debian's node_exporter, looking at the same machine in the same second.

We look, node_exporter looks, we look again. What we saw twice alike node_exporter must have seen as
well; a counter of its must lie between ours; what changes by itself may be off by what CHANGES
allows. Both look at this machine; and both at the files of the recorded one, which has the hardware
that this one may lack and where nothing changes.
"""

from __future__ import annotations

import math
import re
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from prometheus_client.parser import text_string_to_metric_families

from agents.runner import Runner
from collectors.catalogue import COLLECTORS
from collectors.model import Collector
from collectors.observe import Observation
from collectors.sources.local import LocalSource

PROGRAM = shutil.which("prometheus-node-exporter")
MACHINE = Path(__file__).parent.parent / "fixtures/machines/debian12"

pytestmark = pytest.mark.skipif(PROGRAM is None, reason="prometheus-node-exporter is missing")

ONLY_OURS = {
    "node_cpu_online": "newer than 1.5",
    "node_cpu_scaling_governor": "newer than 1.5",
    "node_kernel_hung_tasks": "newer than 1.5; dashboard 1860 has it",
    "node_netstat_TcpExt_TCPOFOQueue": "newer than 1.5; dashboard 1860 has it",
    "node_netstat_TcpExt_TCPRcvQDrop": "newer than 1.5; dashboard 1860 has it",
    "node_netstat_Tcp_MaxConn": "dashboard 1860 has it",
    "node_network_receive_nohandler_total": "1.5 has it only by netlink, which reads no files",
    "node_pressure_irq_stalled_seconds_total": "newer than 1.5; dashboard 1860 has it",
    "node_softnet_backlog_len": "newer than 1.5",
    "node_softnet_cpu_collision_total": "newer than 1.5",
    "node_softnet_flow_limit_count_total": "newer than 1.5; dashboard 1860 has it",
    "node_softnet_received_rps_total": "newer than 1.5; dashboard 1860 has it",
}
ONLY_THEIRS = {
    "node_exporter_build_info": "of itself",
    "promhttp_metric_handler_errors_total": "of itself",
    "node_scrape_collector_duration_seconds": "ours is made from the observations",
    "node_scrape_collector_success": "ours is made from the observations; compared apart",
    "node_power_supply_info": "batteries are no concern of a server",
}
OTHER_TYPE = {
    # the name says what it is, and promtool complains of a gauge with this name
    "node_systemd_socket_refused_connections_total": ("counter", "gauge"),
}
# Collectors that ask the kernel, or look at fixed paths, and so do not see a recorded machine.
NOT_FROM_FILES = (
    *("filesystem", "os", "processes", "selinux", "systemd", "tcpstat", "time", "timex", "uname"),
)
COMES_AND_GOES = re.compile("node_(processes_(threads_)?state|tcp_connection_states|arp_entries)$")
# What changes by itself, and how much in the moment between two looks.
CHANGES = (
    ("node_memory_.*_bytes", 512 << 20),
    ("node_filesystem_(avail|free)_bytes", 512 << 20),
    ("node_filesystem_files_free", 10_000),
    ("node_load.*", 2),
    ("node_sockstat_.*_mem_bytes", 4 << 20),
    ("node_(processes|procs|filefd|sockstat|arp|nf_conntrack|udp_queues).*", 50),
    ("node_netstat_Tcp_CurrEstab", 100),
    ("node_tcp_connection_states", 1 << 20),  # bytes in queues among them
    ("node_cpu_(guest_)?seconds_total", 0.1),  # idle and iowait can go back
    ("node_cpu_(scaling_)?frequency.*_hertz", 6e9),
    ("node_disk_io_now", 1000),
    ("node_entropy_available_bits", 256),
    ("node_softnet_backlog_len", 1000),
    ("node_hwmon_.*|node_thermal_.*|node_cooling_.*", 5000),
    ("node_timex_(maxerror|estimated_error|offset)_seconds", 0.1),
    ("node_timex_frequency_adjustment_ratio", 1e-6),
    ("node_textfile_mtime_seconds", 1),
)
WHOLE_SECONDS = (("node_textfile_mtime_seconds", 1),)

Changes = Sequence[tuple[str, float]]
Series = tuple[str, frozenset[tuple[str, str]]]


class Page(NamedTuple):
    """What one of both saw: types by family, values by series, success by collector."""

    kinds: Mapping[str, str]
    values: Mapping[Series, float]
    success: Mapping[str, bool]


def theirs(text: str) -> Page:
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", text, re.M))
    values = {}
    success = {}
    for metric in text_string_to_metric_families(text):
        # the parser gives every counter a `_total`, whether the page has it or not
        bare = metric.type == "counter" and metric.name in kinds
        for it in metric.samples:
            name = it.name.removesuffix("_total") if bare else it.name
            values[series(name, it.labels.items())] = it.value
            if name == "node_scrape_collector_success":
                success[it.labels["collector"]] = bool(it.value)
    return Page(kinds, values, success)


def ours(observations: Iterable[Observation]) -> Page:
    families = [family for observation in observations for family in observation.families]
    return Page(
        {family.name: family.kind for family in families},
        {
            series(family.name + it.suffix, it.labels): it.value
            for family in families
            for it in family.samples
        },
        {observation.collector: not observation.failure for observation in observations},
    )


def series(name: str, labels: Iterable[tuple[str, str]]) -> Series:
    return name, frozenset((label, value) for label, value in labels if value)


@contextmanager
def node_exporter(*flags: str) -> Iterator[str]:
    """Its address, once it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        address = f"127.0.0.1:{free.getsockname()[1]}"
    assert PROGRAM
    process = subprocess.Popen(
        [PROGRAM, f"--web.listen-address={address}", *flags], stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            assert process.poll() is None, "node_exporter ended"
            try:
                get(f"http://{address}/")
                break
            except (urllib.error.URLError, ConnectionError):
                time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait()


def get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=10) as answer:
        return str(answer.read().decode())


def collectors(names: Iterable[str], textfiles: Path) -> list[Collector]:
    return [
        COLLECTORS[name].cls(**({"directory": str(textfiles)} if name == "textfile" else {}))
        for name in names
    ]


def flags(names: Iterable[str], textfiles: Path) -> list[str]:
    return [
        *("--collector.disable-defaults", "--web.disable-exporter-metrics"),
        *(f"--collector.{name}" for name in names),
        *("--collector.cpu.info", "--collector.cpu.guest"),
        f"--collector.textfile.directory={textfiles}",
    ]


def compared(names: Sequence[str], first: Page, theirs: Page, last: Page, changes: Changes) -> int:
    """Number of series that were compared; raises AssertionError with all that differs."""
    known = {name: kind for name, kind in first.kinds.items() if name not in ONLY_OURS}
    missing = known.keys() - theirs.kinds.keys()
    assert not missing, f"names that node_exporter does not have: {sorted(missing)}"
    beyond = theirs.kinds.keys() - first.kinds.keys() - last.kinds.keys() - ONLY_THEIRS.keys()
    assert not beyond, f"names that we do not have: {sorted(beyond)}"
    kinds = {n: (k, theirs.kinds[n]) for n, k in known.items() if theirs.kinds[n] != k}
    assert kinds.items() <= OTHER_TYPE.items()
    success = {n: (first.success[n], theirs.success[n]) for n in names}
    assert not {n: both for n, both in success.items() if both[0] != both[1]}

    ours = first.values.keys() & last.values.keys()
    alone = ours - theirs.values.keys()
    assert not {s for s in alone if s[0] not in ONLY_OURS and not COMES_AND_GOES.match(s[0])}
    alone = theirs.values.keys() - first.values.keys() - last.values.keys()
    assert not {s for s in alone if s[0] not in ONLY_THEIRS and not COMES_AND_GOES.match(s[0])}

    both = ours & theirs.values.keys()
    off = {
        s: (first.values[s], theirs.values[s], last.values[s])
        for s in both
        if not between(first.values[s], theirs.values[s], last.values[s], allowance(s[0], changes))
    }
    assert not off
    return len(both)


def allowance(name: str, changes: Changes) -> float:
    return next((amount for pattern, amount in changes if re.fullmatch(pattern, name)), 0)


def between(first: float, value: float, last: float, allowed: float) -> bool:
    low, high = sorted((first, last))
    slack = allowed + 1e-9 * max(abs(low), abs(high))
    return low - slack <= value <= high + slack or (math.isnan(first) and math.isnan(value))


HOST = [n for n, e in COLLECTORS.items() if e.cls.__module__.startswith("collectors.host.")]


@pytest.fixture
def textfiles(tmp_path: Path) -> Path:
    shutil.copy(MACHINE / "root/var/lib/jianwei/textfile/apt.prom", tmp_path)
    return tmp_path


def test_this_machine(textfiles: Path) -> None:
    runner = Runner(LocalSource())
    with node_exporter(*flags(HOST, textfiles)) as address:
        first = ours(runner.observe(collectors(HOST, textfiles)))
        page = theirs(get(f"http://{address}/metrics"))
        last = ours(runner.observe(collectors(HOST, textfiles)))
    assert compared(HOST, first, page, last, CHANGES) > 300


def test_the_recorded_machine(tmp_path: Path) -> None:
    root = tmp_path / "root"
    shutil.copytree(MACHINE / "root", root, symlinks=True)
    # node_exporter wants the link that a kernel has there, and looks up what is mounted
    (root / "proc/self").rename(root / "proc/1201")
    (root / "proc/self").symlink_to("1201")
    (root / "proc/1201/mountinfo").write_text(
        "98 22 0:52 / /srv/archive rw - nfs4 nas01.gov.example:/export/archive rw\n"
    )
    names = [name for name in HOST if name not in NOT_FROM_FILES]
    textfiles = root / "var/lib/jianwei/textfile"
    paths = (
        *(f"--path.procfs={root}/proc", f"--path.sysfs={root}/sys", f"--path.rootfs={root}"),
        *(f"--path.udev.data={root}/run/udev/data", "--no-collector.netdev.netlink"),
    )
    runner = Runner(LocalSource(str(root)))
    with node_exporter(*flags(names, textfiles), *paths) as address:
        page = theirs(get(f"http://{address}/metrics").replace(f'file="{root}', 'file="'))
    seen = ours(runner.observe(collectors(names, Path("/var/lib/jianwei/textfile"))))
    assert compared(names, seen, page, seen, WHOLE_SECONDS) > 700
