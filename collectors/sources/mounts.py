"""Mounted file systems and their usage: /proc/1/mountinfo (proc(5)) and statvfs(3).

A dead network mount blocks statvfs for ever. Whatever is not known to be local is therefore asked
on a thread of its own, all of them at once, and a mount that still hangs is not asked again.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Iterable, Sequence

import msgspec

from collectors.filters import matcher
from collectors.model import MountUsage, malformed
from collectors.rows import Mount

PATIENCE = 1.0  # seconds that the mounts which can hang are waited for, all together

# Served by this kernel from its own memory and disks. Anything else may ask another machine or
# another process (nfs, cifs, ceph, fuse.*, 9p, …) and wait for an answer that never comes.
# fmt: off
LOCAL_TYPES = frozenset((
    "bfs", "btrfs", "devtmpfs", "efivarfs", "erofs", "exfat", "ext2", "ext3", "ext4",
    "f2fs", "hfsplus", "hugetlbfs", "iso9660", "jfs", "msdos", "nilfs2", "ntfs3", "overlay",
    "ramfs", "reiserfs", "squashfs", "tmpfs", "udf", "vfat", "xfs", "zfs",
))
# fmt: on


class MountReader:
    """Reads the mounts of the host whose `/` is seen at `root`."""

    def __init__(
        self,
        root: str,
        statvfs: Callable[[str], os.statvfs_result] = os.statvfs,
        patience: float = PATIENCE,
    ) -> None:
        self._root = root
        self._statvfs = statvfs
        self._patience = patience
        self._asking: dict[str, threading.Thread] = {}
        self._last: tuple[bytes, MountUsage, list[Mount]] | None = None

    def rows(self, reading: MountUsage) -> list[Mount]:
        """One row a mount point that is not excluded; the last mount on a point counts."""
        mounts = {mount.mountpoint: mount for mount in self._wanted(reading)}
        silent = f"no answer within {self._patience:g} s"
        rows = {point: _with(mount, error=silent) for point, mount in mounts.items()}
        rows.update(self._answers([m for m in mounts.values() if m.fstype not in LOCAL_TYPES]))
        for point, mount in mounts.items():
            if mount.fstype in LOCAL_TYPES:
                rows[point] = self._ask(mount)
        return list(rows.values())

    def _wanted(self, reading: MountUsage) -> list[Mount]:
        path = f"{self._root}/proc/1/mountinfo"  # of the host, not of a service with its own view
        try:
            table = _content(path)
        except (PermissionError, FileNotFoundError):
            table = _content(f"{self._root}/proc/self/mountinfo")
        if self._last is None or self._last[:2] != (table, reading):  # it hardly ever changes
            mounts = parse_mountinfo(table.decode("utf-8", "surrogateescape"))
            self._last = (table, reading, wanted(mounts, reading))
        return self._last[2]

    def _answers(self, mounts: Sequence[Mount]) -> dict[str, Mount]:
        """What the mounts that can hang have answered by the end of our patience."""
        answers: dict[str, Mount] = {}
        asked = []
        for mount in mounts:
            before = self._asking.get(mount.mountpoint)
            if before is None or not before.is_alive():
                thread = threading.Thread(target=self._keep, args=(mount, answers), daemon=True)
                thread.start()
                self._asking[mount.mountpoint] = thread
                asked.append(thread)
        deadline = time.monotonic() + self._patience
        for thread in asked:
            thread.join(max(deadline - time.monotonic(), 0))
        return dict(answers)

    def _keep(self, mount: Mount, answers: dict[str, Mount]) -> None:
        answers[mount.mountpoint] = self._ask(mount)

    def _ask(self, mount: Mount) -> Mount:
        try:
            usage = self._statvfs(self._root + mount.mountpoint)
        except OSError as error:
            return _with(mount, error=os.strerror(error.errno or 0))
        unit = usage.f_frsize or usage.f_bsize
        return Mount(
            mount.device,
            mount.mountpoint,
            mount.fstype,
            mount.options,
            usage.f_blocks * unit,
            usage.f_bfree * unit,
            usage.f_bavail * unit,
            usage.f_files,
            usage.f_ffree,
            mount.readonly,
        )


def _content(path: str) -> bytes:
    with open(path, "rb", buffering=0) as file:
        return file.readall()


def wanted(mounts: Iterable[Mount], reading: MountUsage) -> list[Mount]:
    """The mounts that are not excluded."""
    skip_type = matcher(reading.exclude_types)
    skip_point = matcher(reading.exclude_points)
    return [m for m in mounts if not skip_type(m.fstype) and not skip_point(m.mountpoint)]


def _with(mount: Mount, error: str) -> Mount:
    return msgspec.structs.replace(mount, error=error)


def parse_mountinfo(text: str) -> list[Mount]:
    """Mounts without usage, in the kernel's order; options of the mount and of the file system."""
    mounts = []
    with malformed("mountinfo"):
        for line in text.split("\n"):
            if not line:
                continue
            mine, _, theirs = line.partition(" - ")
            fields = mine.split(" ")
            fstype, device, super_options = theirs.split(" ", 2)
            options = tuple(fields[5].split(","))
            mounts.append(
                Mount(
                    _unescape(device),
                    _unescape(fields[4]),
                    fstype,
                    options,
                    readonly="ro" in options or "ro" in super_options.split(","),
                )
            )
    return mounts


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text)
