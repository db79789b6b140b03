"""Mounted file systems and their usage: /proc/self/mountinfo (proc(5)) and statvfs(3).

A dead network mount blocks statvfs for ever. Mounts of a kind that can hang are therefore asked
on a thread each, and one that still hangs is not asked again.
"""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Iterable

from collectors.model import Mount, MountUsage, malformed

PATIENCE = 1.0  # seconds that a mount which can hang is waited for

# File systems served by another machine or another process: only these can hang.
_REMOTE = re.compile(
    r"^(nfs\d?|cifs|smb3?|smbfs|9p|ceph|glusterfs|lustre|gpfs|afs|autofs|ncpfs|ocfs2|gfs2|fuse.*)$"
)


class MountReader:
    """Reads the mounts of the host whose `/` is seen at `root`."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._hanging: dict[str, threading.Thread] = {}

    def rows(self, reading: MountUsage) -> list[Mount]:
        """One row a mount point that is not excluded; the last mount on a point counts."""
        skip_type = matcher(reading.exclude_types)
        skip_point = matcher(reading.exclude_points)
        mounts = {
            mount.mountpoint: mount
            for mount in self._table()
            if not skip_type(mount.fstype) and not skip_point(mount.mountpoint)
        }
        return [self._ask(mount) for mount in mounts.values()]

    def _table(self) -> Iterable[Mount]:
        for owner in ("1", "self"):
            try:
                with open(
                    f"{self._root}/proc/{owner}/mountinfo", encoding="utf-8", errors="replace"
                ) as file:
                    return parse_mountinfo(file.read())
            except PermissionError:
                continue
        raise PermissionError(13, "permission denied")

    def _ask(self, mount: Mount) -> Mount:
        if not _REMOTE.match(mount.fstype):
            return self._statvfs(mount)
        if (thread := self._hanging.get(mount.mountpoint)) and thread.is_alive():
            return _with(mount, error="still hanging")
        result: list[Mount] = []
        thread = threading.Thread(target=lambda: result.append(self._statvfs(mount)), daemon=True)
        thread.start()
        thread.join(PATIENCE)
        if result:
            self._hanging.pop(mount.mountpoint, None)
            return result[0]
        self._hanging[mount.mountpoint] = thread
        return _with(mount, error=f"no answer within {PATIENCE:g} s")

    def _statvfs(self, mount: Mount) -> Mount:
        try:
            usage = os.statvfs(self._root + mount.mountpoint)
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


def _with(mount: Mount, error: str) -> Mount:
    return Mount(
        mount.device,
        mount.mountpoint,
        mount.fstype,
        mount.options,
        readonly=mount.readonly,
        error=error,
    )


def matcher(pattern: str) -> Callable[[str], object]:
    if not pattern:
        return lambda _: False
    import re2  # 2.5 MB of memory that an agent without such a setting does not pay for

    return re2.compile(pattern).search  # type: ignore[no-any-return]


def parse_mountinfo(text: str) -> list[Mount]:
    """Mounts without usage, in the kernel's order; options of the mount and of the file system."""
    mounts = []
    with malformed("mountinfo"):
        for line in text.splitlines():
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
    return (
        re.sub(r"\\([0-7]{3})", lambda match: chr(int(match[1], 8)), text) if "\\" in text else text
    )
