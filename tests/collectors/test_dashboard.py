"""What the most used dashboard of node_exporter (grafana.com 1860, "Node Exporter Full") asks for.

The list lies outside the project: name, type, labels, labels that its queries filter by.
"""

from __future__ import annotations

import glob
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from collectors.catalogue import COLLECTORS
from collectors.model import Family, Source
from collectors.observe import observe
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource

HERE = Path(__file__).parent
LIST = HERE.parents[2] / "shared/reference/dashboard-1860-metrics.tsv"
MACHINE = HERE.parent / "fixtures/machines/debian12"

# The page supplies these, not a collector.
OF_THE_PAGE = re.compile(r"node_scrape_collector_.*|process_.*")

# Filters that only very old node_exporters satisfied.
OLD_FILTERS = {"node_network_up": {"operstate"}}

# Names → the files by which the kernel supplies them, and what one of these must contain.
HWMON = "/sys/class/hwmon/hwmon*"
KERNEL = (
    (r"node_arp_.*", "/proc/net/arp", ""),
    (r"node_(boot|context|forks|intr|procs)_.*", "/proc/stat", ""),
    (r"node_cpu_(guest_)?seconds_total", "/proc/stat", ""),
    (r"node_cpu_scaling_.*", "/sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq", r"^\\d"),
    (r"node_cooling_device_.*", "/sys/class/thermal/cooling_device*/cur_state", ""),
    (r"node_disk_.*", "/proc/diskstats", r" ([hsv]d[a-z]+|nvme\\S+) "),
    (r"node_entropy_.*", "/proc/sys/kernel/random/entropy_avail", ""),
    (r"node_filefd_.*", "/proc/sys/fs/file-nr", ""),
    (r"node_filesystem_.*", "/proc/self/mounts", r" / "),
    (r"node_hwmon_chip_names", f"{HWMON}/name", ""),
    (r"node_hwmon_fan_rpm", f"{HWMON}/fan*_input", r"^\\d"),
    (r"node_hwmon_fan_(\w+)_rpm", rf"{HWMON}/fan*_\1", r"^\\d"),
    (r"node_hwmon_temp_celsius", f"{HWMON}/temp*_input", r"^\\d"),
    (r"node_hwmon_temp_(\w+)_celsius", rf"{HWMON}/temp*_\1", r"^\\d"),
    (r"node_interrupts_total", "/proc/interrupts", ""),
    (r"node_kernel_hung_tasks", "/proc/sys/kernel/hung_task_detect_count", ""),
    (r"node_load\d+", "/proc/loadavg", ""),
    (r"node_memory_(\w+)_(anon|file)_bytes", "/proc/meminfo", r"^\1\\(\2\\):"),
    (r"node_memory_(\w+?)(_bytes)?", "/proc/meminfo", r"^\1:"),
    (
        r"node_netstat_([A-Z][a-z]+[A-Z]?[a-z]*)_(\w+)",
        "/proc/net/[ns][en][tm][sp]*",
        r"^\1: .*\\b\2\\b",
    ),
    (r"node_network_(receive|transmit)_.*", "/proc/net/dev", ":"),
    (r"node_network_mtu_bytes", "/sys/class/net/*/mtu", r"^\\d"),
    (r"node_network_up", "/sys/class/net/*/operstate", ""),
    (r"node_network_carrier", "/sys/class/net/*/carrier", r"^\\d"),
    (r"node_network_speed_bytes", "/sys/class/net/*/speed", r"^\\d"),
    (r"node_nf_conntrack_.*", "/proc/sys/net/netfilter/nf_conntrack_count", ""),
    (r"node_power_supply_online", "/sys/class/power_supply/*/online", r"^\\d"),
    (r"node_pressure_(cpu|io|memory|irq)_.*", r"/proc/pressure/\1", ""),
    (r"node_processes_.*", "/proc/self/stat", ""),
    (r"node_schedstat_.*", "/proc/schedstat", ""),
    (r"node_sockstat_(\w+?)_(\w+?)(_bytes)?", "/proc/net/sockstat", r"^\1: .*\\b\2\\b"),
    (r"node_softnet_(flow|received)_.*", "/proc/net/softnet_stat", r"^(\\w+ ){10}"),
    (r"node_softnet_.*", "/proc/net/softnet_stat", ""),
    (r"node_systemd_.*", "/run/systemd/private", ""),
    (r"node_tcp_connection_states", "/proc/net/tcp", " 0A "),
    (r"node_textfile_scrape_error", "/proc/version", ""),
    (r"node_(time|timex|uname)_.*", "/proc/version", ""),
    (r"node_udp_queues", "/proc/net/udp", ""),
    (r"node_vmstat_(\w+)", "/proc/vmstat", r"^\1 "),
)


class Wanted(NamedTuple):
    name: str
    kind: str
    labels: frozenset[str]


@pytest.fixture(scope="module")
def wanted() -> list[Wanted]:
    if not LIST.exists():
        pytest.skip("the list of the dashboard's metrics is not here (../shared/reference)")
    made = []
    for line in LIST.read_text().splitlines():
        name, kind, labels, filters = line.split("\t")
        also = set(filters.split(",")) - {"instance", "job"}  # these come from Prometheus
        also -= OLD_FILTERS.get(name, set())
        made.append(Wanted(name, kind, frozenset({*labels.split(","), *also} - {""})))
    return [it for it in made if not OF_THE_PAGE.fullmatch(it.name)]


def supplied(source: Source) -> dict[str, Family]:
    """Families with at least one sample, of every collector, on by default or not."""
    collectors = [entry.cls() for entry in COLLECTORS.values() if entry.metrics]
    seen = [f for it in observe(source, collectors) for f in it.families if f.samples]
    return {family.name: family for family in seen}


def can_supply(name: str) -> bool:
    """Whether this machine's kernel has the file and, in it, what the metric needs."""
    for names, files, needle in KERNEL:
        if match := re.fullmatch(names, name):
            pattern = re.compile(match.expand(needle), re.MULTILINE)
            return any(_contains(path, pattern) for path in glob.glob(match.expand(files)))
    pytest.fail(f"no line in KERNEL says where {name} comes from")


def _contains(path: str, pattern: re.Pattern[str]) -> bool:
    if pattern.pattern == "":
        return True
    try:
        return bool(pattern.search(Path(path).read_text(errors="replace")))
    except OSError:  # sysfs: no value for this device
        return False


def test_what_this_kernel_can_supply_is_supplied(wanted: list[Wanted]) -> None:
    found = supplied(LocalSource())
    expected = {it.name for it in wanted if can_supply(it.name)}
    assert len(expected) > 100, "the table finds nothing on this machine"
    assert sorted(expected - set(found)) == []


def test_the_fixture_machine_supplies_everything(wanted: list[Wanted]) -> None:
    found = supplied(RecordedSource(MACHINE))
    assert sorted({it.name for it in wanted} - set(found)) == []


@pytest.mark.parametrize(
    "source", [LocalSource(), RecordedSource(MACHINE)], ids=["local", "fixture"]
)
def test_types_and_labels_are_those_of_the_dashboard(wanted: list[Wanted], source: Source) -> None:
    found = supplied(source)
    for name, kind, labels in wanted:
        if family := found.get(name):
            assert kind in (family.kind, "?"), name
            for it in family.samples:
                assert labels <= {label for label, _ in it.labels}, name
