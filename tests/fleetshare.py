"""What fleets of hosts share on one machine: addresses, instances of inotify, the cgroups."""

from __future__ import annotations

import contextlib
import fcntl
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from tests.processgroups import Failed

# systemd watches files by three of them each; the usual 128 are for forty hosts
INSTANCES: Final = Path("/proc/sys/fs/inotify/max_user_instances")


def cgroups() -> Path | None:
    """Where this machine has the cgroups of version 2."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        before, _, after = line.partition(" - ")
        if after.startswith("cgroup2 "):
            return Path(before.split()[4])
    return None


@contextlib.contextmanager
def block_of_addresses() -> Iterator[int]:
    """The part of a range of networks that is ours in this one: an abstract socket of its name is."""
    for number in range(256):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as claim:
            try:
                claim.bind(f"\0jianwei-fleet-{number}")
            except OSError:
                continue
            yield number
            return
    raise Failed("256 fleets are in this network already")


@contextlib.contextmanager
def watches(kept: Path, count: int) -> Iterator[None]:
    """So many instances of inotify at least; the last fleet to end puts back how many there were."""
    before = kept / "instances"
    with (kept / "users").open("w") as users:
        fcntl.flock(users, fcntl.LOCK_SH)
        if int(INSTANCES.read_text()) < count:
            before.write_text(INSTANCES.read_text())
            INSTANCES.write_text(f"{count}\n")
        try:
            yield
        finally:
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if before.exists():
                    INSTANCES.write_text(before.read_text())
                    before.unlink()
