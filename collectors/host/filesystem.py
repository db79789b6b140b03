"""Size and inodes of mounted file systems: statvfs(3) of each mount in mountinfo (proc(5)).

A mount that does not answer shows `node_filesystem_device_error` 1 with the reason in the label
`device_error`, and nothing else. Where there is no error that label is left out, which Prometheus
takes for the empty one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.filters import OwnRegex
from collectors.model import Answers, Collector, Family, MountUsage, Sample, gauge
from collectors.rows import Mount
from collectors.strictyaml import Regex

# What Debian's node_exporter leaves out, so that its dashboards and alerts see the same mounts.
POINTS = OwnRegex(
    "^/(dev|proc|run|sys|mnt|media|var/lib/docker/.+|var/lib/containers/storage/.+)($|/)"
)
TYPES = OwnRegex(
    "^(autofs|binfmt_misc|bpf|cgroup2?|configfs|debugfs|devpts|devtmpfs|fusectl|hugetlbfs|iso9660"
    "|mqueue|nsfs|overlay|proc|procfs|pstore|rpc_pipefs|securityfs|selinuxfs|squashfs|sysfs|tracefs)$"
)

FIGURES = (
    ("size_bytes", "Size of the file system."),
    ("free_bytes", "Free space, with what is reserved for root."),
    ("avail_bytes", "Free space for users other than root."),
    ("files", "Inodes of the file system."),
    ("files_free", "Inodes that are free."),
    ("readonly", "Whether it is mounted read-only."),
)


class FilesystemCollector(Collector, frozen=True):
    """Size, free space, inodes and state of the mounted file systems."""

    name: ClassVar[str] = "filesystem"

    exclude_points: Regex = POINTS
    exclude_types: Regex = TYPES

    def readings(self) -> tuple[MountUsage]:
        return (MountUsage(self.exclude_types, self.exclude_points),)

    def parse(self, answers: Answers) -> Iterable[Family]:
        errors: list[Sample] = []
        columns: list[list[Sample]] = [[] for _ in FIGURES]
        for mount in answers.rows(self.readings()[0], Mount):
            labels = (
                ("device", mount.device),
                ("fstype", mount.fstype),
                ("mountpoint", mount.mountpoint),
            )
            if mount.error:
                errors.append(Sample((*labels, ("device_error", mount.error)), 1))
                continue
            errors.append(Sample(labels, 0))
            values = (
                mount.size,
                mount.free,
                mount.avail,
                mount.files,
                mount.files_free,
                float(mount.readonly),
            )
            for column, value in zip(columns, values, strict=True):
                column.append(Sample(labels, value))
        yield gauge("node_filesystem_device_error", "Whether a file system is silent.", *errors)
        for (name, help_), column in zip(FIGURES, columns, strict=True):
            yield gauge(f"node_filesystem_{name}", help_, *column)
