"""Block devices: /proc/diskstats (kernel Documentation/admin-guide/iostats.rst) and udev's database.

A device has 11 counters before kernel 4.18, 15 with discards, and 17 with flushes since 5.5.
A sector is 512 bytes whatever the device. The files /run/udev/data/bMAJOR:MINOR hold the properties
of a device as lines `E:NAME=value` (udevadm(8)).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, NamedTuple

from collectors.filters import OwnRegex, keeper
from collectors.model import (
    Answers,
    Collector,
    Family,
    File,
    Glob,
    Kind,
    Labels,
    Reading,
    Sample,
    gauge,
    malformed,
)
from collectors.strictyaml import Regex

DISKSTATS = File("/proc/diskstats")
UDEV = Glob("/run/udev/data/b*")
PARTITIONS = OwnRegex(r"^(ram|loop|fd|(h|s|v|xv)d[a-z]|nvme\d+n\d+p)\d+$")
LEAST_COLUMNS = 14


class Column(NamedTuple):
    name: str
    help: str
    factor: float = 1
    kind: Kind = "counter"


MS = 0.001
SECTOR = 512

COLUMNS = (
    Column("reads_completed_total", "Reads that have been completed."),
    Column("reads_merged_total", "Reads merged with an adjacent one."),
    Column("read_bytes_total", "Bytes read.", SECTOR),
    Column("read_time_seconds_total", "Time of all reads together.", MS),
    Column("writes_completed_total", "Writes that have been completed."),
    Column("writes_merged_total", "Writes merged with an adjacent one."),
    Column("written_bytes_total", "Bytes written.", SECTOR),
    Column("write_time_seconds_total", "Time of all writes together.", MS),
    Column("io_now", "Requests under way.", kind="gauge"),
    Column("io_time_seconds_total", "Time in which at least one request was under way.", MS),
    Column("io_time_weighted_seconds_total", "Time under way of all requests together.", MS),
    Column("discards_completed_total", "Discards that have been completed."),
    Column("discards_merged_total", "Discards merged with an adjacent one."),
    Column("discarded_sectors_total", "Sectors of 512 bytes that were discarded."),
    Column("discard_time_seconds_total", "Time of all discards together.", MS),
    Column("flush_requests_total", "Flushes that have been completed."),
    Column("flush_requests_time_seconds_total", "Time of all flushes together.", MS),
)


class Info(NamedTuple):
    """A family made of udev properties: label and property; `where` must not be empty."""

    name: str
    help: str
    where: str
    labels: tuple[tuple[str, str], ...]


INFOS = (
    Info(
        "node_disk_info",
        "What a block device is; always 1.",
        "",
        (
            ("path", "ID_PATH"),
            ("wwn", "ID_WWN"),
            ("model", "ID_MODEL"),
            ("serial", "ID_SERIAL_SHORT"),
            ("revision", "ID_REVISION"),
        ),
    ),
    Info(
        "node_disk_filesystem_info",
        "The file system on a block device; always 1.",
        "ID_FS_TYPE",
        (
            ("type", "ID_FS_TYPE"),
            ("usage", "ID_FS_USAGE"),
            ("uuid", "ID_FS_UUID"),
            ("version", "ID_FS_VERSION"),
        ),
    ),
    Info(
        "node_disk_device_mapper_info",
        "What a device mapper device is; always 1.",
        "DM_NAME",
        (
            ("name", "DM_NAME"),
            ("uuid", "DM_UUID"),
            ("vg_name", "DM_VG_NAME"),
            ("lv_name", "DM_LV_NAME"),
            ("lv_layer", "DM_LV_LAYER"),
        ),
    ),
)

ATA = (
    ("write_cache", "ID_ATA_WRITE_CACHE", "Whether an ATA disk has a write cache."),
    ("write_cache_enabled", "ID_ATA_WRITE_CACHE_ENABLED", "Whether that cache is used."),
    ("rotation_rate_rpm", "ID_ATA_ROTATION_RATE_RPM", "Turns a minute; 0 of an SSD."),
)


class Disk(NamedTuple):
    labels: Labels
    identity: Labels  # device, major and minor
    values: list[str]
    udev: dict[str, str]


class DiskstatsCollector(Collector, frozen=True):
    """Reads, writes, discards, flushes and identity of block devices, without partitions."""

    name: ClassVar[str] = "diskstats"

    include_devices: Regex = Regex("")
    exclude_devices: Regex = PARTITIONS

    def readings(self) -> tuple[Reading, ...]:
        return DISKSTATS, UDEV

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("/proc/diskstats"):
            disks = list(self._disks(answers))
            for number, (name, help_, factor, kind) in enumerate(COLUMNS):
                samples = [
                    Sample(disk.labels, float(disk.values[number]) * factor)
                    for disk in disks
                    if number < len(disk.values)
                ]
                yield Family(f"node_disk_{name}", kind, help_, samples)
        yield from _infos(disks)
        for name, key, help_ in ATA:
            samples = [
                Sample(disk.labels, float(disk.udev[key]))
                for disk in disks
                if "ID_ATA" in disk.udev and disk.udev.get(key, "").isdecimal()
            ]
            yield gauge(f"node_disk_ata_{name}", help_, *samples)

    def _disks(self, answers: Answers) -> Iterator[Disk]:
        keep = keeper(self.include_devices, self.exclude_devices)
        known = dict(answers.answer(UDEV).children)
        for line in answers.text(DISKSTATS).splitlines():
            fields = line.split()
            if not fields:
                continue
            if len(fields) < LEAST_COLUMNS:
                raise ValueError(f"{len(fields)} columns")
            major, minor, device = fields[:3]
            if keep(device):
                answer = known.get(f"/run/udev/data/b{major}:{minor}")
                yield Disk(
                    (("device", device),),
                    (("device", device), ("major", major), ("minor", minor)),
                    fields[3:],
                    _properties(answer.content) if answer else {},
                )


def _infos(disks: Iterable[Disk]) -> Iterator[Family]:
    for name, help_, where, names in INFOS:
        samples = [
            Sample(
                (
                    *(disk.labels if where else disk.identity),
                    *((label, disk.udev.get(key, "")) for label, key in names),
                ),
                1,
            )
            for disk in disks
            if not where or disk.udev.get(where)
        ]
        yield gauge(name, help_, *samples)


def _properties(content: bytes) -> dict[str, str]:
    lines = content.decode("utf-8", "replace").splitlines()
    return {
        name: value
        for name, equals, value in (line[2:].partition("=") for line in lines if line[:2] == "E:")
        if equals
    }
