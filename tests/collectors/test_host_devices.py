"""Disks, file systems and network devices on literal bytes."""

from __future__ import annotations

import pytest

from collectors.host.diskstats import DISKSTATS, UDEV, DiskstatsCollector
from collectors.host.filesystem import FilesystemCollector
from collectors.host.netclass import DEVICES as NET_DEVICES
from collectors.host.netclass import NetclassCollector
from collectors.host.netdev import DEV, NOHANDLER, NetdevCollector
from collectors.model import Answer, Family, ParseError
from collectors.rows import Mount
from collectors.strictyaml import Regex, loads
from tests.collectors.literal import parse, values

ABSENT = Answer("absent", reason="no such file")
EINVAL = Answer("failed", reason="Invalid argument")


# --- diskstats ------------------------------------------------------------------------------------


def disks(text: str, collector: DiskstatsCollector | None = None, **udev: str) -> dict[str, Family]:
    properties = {f"/run/udev/data/{name.replace('_', ':')}": it for name, it in udev.items()}
    return parse(collector or DiskstatsCollector(), {DISKSTATS: text, UDEV: properties})


@pytest.mark.parametrize(("columns", "families"), [(14, 11), (18, 15), (20, 17), (25, 17)])
def test_a_kernel_tells_as_much_as_it_has_columns_for(columns: int, families: int) -> None:
    figures = " ".join(str(number) for number in range(1, columns - 2))
    got = disks(f"   8       0 sda {figures}\n")
    assert len(got) == families + 1
    assert values(got["node_disk_reads_completed_total"]) == {("sda",): 1}
    assert values(got["node_disk_read_bytes_total"]) == {("sda",): 3 * 512}
    assert values(got["node_disk_io_now"]) == {("sda",): 9}
    assert values(got["node_disk_io_time_weighted_seconds_total"]) == {("sda",): 0.011}
    if columns >= 18:
        assert values(got["node_disk_discarded_sectors_total"]) == {("sda",): 14}
    if columns >= 20:
        assert values(got["node_disk_flush_requests_time_seconds_total"]) == {("sda",): 0.017}
    assert {f.kind for n, f in got.items() if n.endswith("_total")} == {"counter"}


def test_a_line_of_an_unknown_kind_is_an_error() -> None:
    with pytest.raises(ParseError, match="7 columns"):
        disks("8 1 sda1 1 2 3 4\n")
    with pytest.raises(ParseError):
        disks("8 0 sda" + " x" * 11)


DEVICES_OF_ALL_KINDS = (
    *("sda", "sda1", "sdaa", "hda2", "vda", "vdb12", "xvda1", "nvme0n1", "nvme0n1p2", "nvme10n1"),
    *("loop0", "ram3", "fd0", "dm-0", "md127", "sr0", "zram0", "mmcblk0p1", "nbd1"),
)


def kept(collector: DiskstatsCollector) -> set[str]:
    lines = "".join(f"8 0 {name}{' 0' * 17}\n" for name in DEVICES_OF_ALL_KINDS)
    return {name for (name,) in values(disks(lines, collector)["node_disk_io_now"])}


def test_partitions_and_their_like_are_left_out() -> None:
    assert kept(DiskstatsCollector()) == {
        *("sda", "sdaa", "vda", "nvme0n1", "nvme10n1", "dm-0", "md127", "sr0", "zram0"),
        *("mmcblk0p1", "nbd1"),
    }


def test_devices_are_chosen_by_patterns_of_the_user() -> None:
    assert kept(DiskstatsCollector(Regex("^(sd|nvme)"), Regex("[0-9]$"))) == {"sda", "sdaa"}
    settings = loads("{include_devices: '^md', exclude_devices: ''}", DiskstatsCollector)
    assert kept(settings) == {"md127"}


def test_what_udev_knows_of_a_device() -> None:
    got = disks(
        "8 0 sda" + " 0" * 17 + "\n254 3 dm-3" + " 0" * 17,
        b8_0="S:disk/by-id/x\nE:ID_MODEL=A=B\nE:ID_ATA=1\nE:ID_ATA_WRITE_CACHE=1\nE:odd\nV:1\n",
        b254_3="E:DM_NAME=vg-lv\nE:DM_LV_NAME=lv\nE:ID_FS_TYPE=xfs\n",
    )
    labels = [dict(it.labels) for it in got["node_disk_info"].samples]
    assert labels[0] == {
        "device": "sda",
        "major": "8",
        "minor": "0",
        "model": "A=B",
        **dict.fromkeys(("path", "wwn", "serial", "revision"), ""),
    }
    assert (labels[1]["device"], labels[1]["model"]) == ("dm-3", "")
    assert values(got["node_disk_ata_write_cache"]) == {("sda",): 1}
    assert "node_disk_ata_rotation_rate_rpm" not in got
    (mapped,) = got["node_disk_device_mapper_info"].samples
    assert mapped.labels == (
        *(("device", "dm-3"), ("name", "vg-lv"), ("uuid", ""), ("vg_name", "")),
        *(("lv_name", "lv"), ("lv_layer", "")),
    )
    (system,) = got["node_disk_filesystem_info"].samples
    assert dict(system.labels)["type"] == "xfs"


# --- filesystem -----------------------------------------------------------------------------------


def test_a_mount_with_an_error_tells_nothing_else_and_costs_no_other() -> None:
    collector = FilesystemCollector()
    root = Mount("/dev/sda1", "/", "ext4", ("rw",), 100, 60, 50, 10, 7)
    dead = Mount("nas:/x", "/nas", "nfs4", ("ro",), readonly=True, error="no answer within 1 s")
    got = parse(collector, {collector.readings()[0]: [root, dead]})
    assert values(got.pop("node_filesystem_device_error")) == {
        ("/dev/sda1", "ext4", "/"): 0,
        ("nas:/x", "nfs4", "/nas", "no answer within 1 s"): 1,
    }
    assert {name: values(family) for name, family in got.items()} == {
        f"node_filesystem_{name}": {("/dev/sda1", "ext4", "/"): value}
        for name, value in {
            "size_bytes": 100,
            "free_bytes": 60,
            "avail_bytes": 50,
            "files": 10,
            "files_free": 7,
            "readonly": 0,
        }.items()
    }
    assert {family.kind for family in got.values()} == {"gauge"}


def test_what_is_excluded_is_the_source_s_to_leave_out() -> None:
    collector = loads("{exclude_points: '^/data', exclude_types: '^tmpfs$'}", FilesystemCollector)
    (reading,) = collector.readings()
    assert (reading.exclude_points, reading.exclude_types) == ("^/data", "^tmpfs$")


# --- netdev ---------------------------------------------------------------------------------------


NET_DEV = """\
Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:     9       9    0    0    0     0          0         0        9       9    0    0    0     0       0          0
enp0s31f6:18446744073709551615  2    3    4    5     6          7         8        9      10   11   12   13    14      15         16
 eth0.100@a: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
  br:0: 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16
"""


def test_odd_names_of_network_devices() -> None:
    more = {f"/sys/class/net/{n}/statistics/rx_nohandler": "7\n" for n in ("lo", "br:0")}
    got = parse(NetdevCollector(), {DEV: NET_DEV, NOHANDLER: more})
    assert values(got["node_network_receive_bytes_total"]) == {
        ("enp0s31f6",): 2.0**64,
        ("eth0.100@a",): 1,
        ("br:0",): 1,
    }
    assert values(got["node_network_transmit_compressed_total"]) == {
        (name,): 16 for name in ("enp0s31f6", "eth0.100@a", "br:0")
    }
    assert values(got["node_network_receive_nohandler_total"]) == {("br:0",): 7}
    assert len(got) == 17


@pytest.mark.parametrize("line", ["eth0: 1 2 3", "eth0: a" + " 1" * 15, "eth0" + " 1" * 16])
def test_lines_of_net_dev_that_are_not_so(line: str) -> None:
    with pytest.raises(ParseError):
        parse(NetdevCollector(), {DEV: f"head\nhead\n{line}\n", NOHANDLER: {}})


def test_the_loopback_device_is_there_if_wanted() -> None:
    got = parse(NetdevCollector(Regex("lo"), Regex("")), {DEV: NET_DEV, NOHANDLER: {}})
    assert values(got["node_network_receive_bytes_total"]) == {("lo",): 9}


# --- netclass -------------------------------------------------------------------------------------


def test_attributes_that_are_missing_or_have_no_value_are_left_out() -> None:
    net = "/sys/class/net"
    said: dict[str, Answer | str] = {
        f"{net}/down/operstate": "down\n",
        f"{net}/down/speed": EINVAL,
        f"{net}/down/carrier": EINVAL,
        f"{net}/down/duplex": EINVAL,
        f"{net}/down/flags": "0x1002\n",
        f"{net}/down/ifalias": "up link\n",
        f"{net}/up/operstate": "up\n",
        f"{net}/up/speed": "-1\n",
        f"{net}/up/carrier": "1\n",
        f"{net}/up/carrier_changes": "4\n",
        f"{net}/up/dev_id": "0x0\n",
    }
    got = parse(NetclassCollector(), {NET_DEVICES: said})
    assert values(got["node_network_up"]) == {("down",): 0, ("up",): 1}
    assert values(got["node_network_speed_bytes"]) == {("up",): -125000}
    assert values(got["node_network_carrier"]) == {("up",): 1}
    assert values(got["node_network_flags"]) == {("down",): 0x1002}
    assert values(got["node_network_device_id"]) == {("up",): 0}
    assert got["node_network_carrier_changes_total"].kind == "counter"
    assert "node_network_mtu_bytes" not in got
    assert [dict(it.labels) for it in got["node_network_info"].samples] == [
        {
            "device": "down",
            "address": "",
            "broadcast": "",
            "duplex": "",
            "operstate": "down",
            "ifalias": "up link",
        },
        {
            "device": "up",
            "address": "",
            "broadcast": "",
            "duplex": "",
            "operstate": "up",
            "ifalias": "",
        },
    ]
    got = parse(NetclassCollector(Regex("^d")), {NET_DEVICES: said})
    assert values(got["node_network_up"]) == {("up",): 1}
