"""Mounts: the table, what is excluded, what fails and what hangs."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from collectors.model import Answer, Answers, MountUsage, Reading
from collectors.rows import Mount
from collectors.sources.local import LocalSource
from collectors.sources.mounts import MountReader


def ask(reading: Reading, root: Path | str = "/") -> Answer:
    return LocalSource(str(root)).answer([reading])[reading]


MOUNTINFO = r"""
22 27 0:21 / /proc rw,relatime shared:5 - proc proc rw
27 1 254:0 / / rw,relatime shared:1 master:2 - ext4 /dev/vda1 rw,errors=remount-ro
28 27 0:40 / /home rw - autofs systemd-1 rw
30 27 8:1 / /srv/two\040words\011\134 ro,relatime - ext4 /dev/disk\040one rw
31 27 8:2 / /home rw - xfs /dev/sdb1 rw
32 27 0:52 / /nas rw - nfs4 nas:/export ro,vers=4.2
33 27 0:53 / /sshfs rw - fuse.sshfs me@there:/ rw
"""
USAGE = os.statvfs_result((4096, 1024, 100, 50, 40, 1000, 900, 800, 0, 255))


def machine(tmp_path: Path) -> str:
    path = tmp_path / "proc/self/mountinfo"
    path.parent.mkdir(parents=True)
    path.write_text(MOUNTINFO[1:])
    return str(tmp_path)


def test_mounts_are_read_and_the_last_one_on_a_point_counts(tmp_path: Path) -> None:
    reader = MountReader(machine(tmp_path), lambda _: USAGE)
    rows = {row.mountpoint: row for row in reader.rows(MountUsage(exclude_types="^proc$"))}
    assert set(rows) == {"/", "/srv/two words\t\\", "/home", "/nas", "/sshfs"}
    assert rows["/"] == Mount(
        *("/dev/vda1", "/", "ext4", ("rw", "relatime"), 102400, 51200, 40960, 1000, 900)
    )
    assert (rows["/home"].fstype, rows["/home"].device) == ("xfs", "/dev/sdb1")
    assert rows["/srv/two words\t\\"].device == "/dev/disk one"
    assert {point for point, row in rows.items() if row.readonly} == {"/srv/two words\t\\", "/nas"}


def test_what_is_excluded_is_not_touched(tmp_path: Path) -> None:
    asked: list[str] = []

    def statvfs(path: str) -> os.statvfs_result:
        asked.append(path.removeprefix(str(tmp_path)))
        return USAGE

    MountReader(machine(tmp_path), statvfs).rows(MountUsage("^(proc|fuse[.].*|autofs)$", "^/nas"))
    assert asked == ["/", "/srv/two words\t\\", "/home"]


def test_a_mount_that_fails_costs_no_other(tmp_path: Path) -> None:
    def statvfs(path: str) -> os.statvfs_result:
        if path.endswith(("/home", "/nas")):
            raise OSError(5, "")
        return USAGE

    rows = MountReader(machine(tmp_path), statvfs).rows(MountUsage())
    assert {row.mountpoint: row.error for row in rows if row.error} == {
        "/home": "Input/output error",
        "/nas": "Input/output error",
    }
    assert len(rows) == 6


def test_mounts_that_hang_are_waited_for_together_and_asked_once(tmp_path: Path) -> None:
    answered, asked = threading.Event(), []

    def statvfs(path: str) -> os.statvfs_result:
        if path.endswith(("/nas", "/sshfs")):
            asked.append(path)
            answered.wait(60)
        return USAGE

    reader = MountReader(machine(tmp_path), statvfs, patience=0.2)
    try:
        for _ in range(3):
            errors = {row.mountpoint: row.error for row in reader.rows(MountUsage()) if row.error}
            assert errors == dict.fromkeys(("/nas", "/sshfs"), "no answer within 0.2 s")
        assert len(asked) == 2
    finally:
        answered.set()
    for _ in range(100):
        if not any(row.error for row in reader.rows(MountUsage())):
            break
        time.sleep(0.05)
    else:
        pytest.fail("the mounts answer again and are not asked")


def test_the_root_of_the_real_machine() -> None:
    reading = MountUsage(exclude_points="^/.+")
    (row,) = Answers({reading: ask(reading)}).rows(reading, Mount)
    usage = os.statvfs("/")
    assert (row.mountpoint, row.size, row.files) == (
        *("/", usage.f_blocks * usage.f_frsize, usage.f_files),
    )


def test_no_mount_table_is_absent(tmp_path: Path) -> None:
    assert ask(MountUsage(), tmp_path).state == "absent"
