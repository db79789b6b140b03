"""Which file systems a walk has to go through: /proc/PID/mountinfo, proc(5); pure."""

from __future__ import annotations

from collections.abc import Iterable

from collectors.model import Answers, File
from collectors.sources.mounts import parse_mountinfo

# Of the host; of ourselves where we may not see that.
TABLES = (File("/proc/1/mountinfo", 16 << 20), File("/proc/self/mountinfo", 16 << 20))

# What has modes and owners of its own and can be written to: not the network's, not FUSE's, not
# the kernel's, not the read-only images of snaps.
TYPES = frozenset(
    {"bcachefs", "bfs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "jfs", "nilfs2", "ramfs"}
    | {"reiserfs", "tmpfs", "xfs", "zfs"}
)


def roots(answers: Answers, exclude: Iterable[str]) -> tuple[str, ...]:
    """Mount points to walk from, `/` whatever it is; without a mount table `/` alone."""
    text = next((t for table in TABLES if (t := _table(answers, table))), "")
    left_out = tuple(exclude)
    found = {"/"}
    for mount in parse_mountinfo(text):
        point = mount.mountpoint
        inside = any(point == path or point.startswith(f"{path}/") for path in left_out)
        if mount.fstype in TYPES and not inside and "\0" not in point:
            found.add(point)
    return tuple(sorted(found))


def _table(answers: Answers, reading: File) -> str:
    answer = answers.answer(reading)
    return answer.content.decode("utf-8", "surrogateescape") if answer.state == "content" else ""
