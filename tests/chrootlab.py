"""A Debian tree made by debootstrap, with the packages that the baseline is about, as a host.

Nothing runs in it: no systemd, no daemons, the kernel is this machine's.
"""

from __future__ import annotations

import contextlib
import functools
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from collectors import catalogue
from collectors.model import Fact
from collectors.observe import observe
from rules.audit import facts_of
from tests.shellhost import ShellSource

SUITE = "bookworm"
MIRROR = "http://deb.debian.org/debian"
PACKAGES = (
    *("aide-common", "apparmor", "auditd", "ca-certificates", "chrony", "cron", "iproute2"),
    *("libpam-pwquality", "login", "logrotate", "lynis", "nftables", "nginx-light"),
    *("openssh-server", "openssl", "passwd", "procps", "rsyslog", "sudo", "systemd", "ufw"),
)


def unavailable() -> str:
    """Why there can be no such tree here; empty if there can."""
    if os.geteuid() != 0:
        return "needs root"
    return "" if shutil.which("debootstrap") else "needs the Debian package debootstrap"


class Chroot:
    """A tree with /proc and /sys of this machine mounted read-only in it."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self._mounted: list[Path] = []

    def run(self, command: str) -> None:
        """One shell command in it; raises AssertionError with what it said unless it succeeds."""
        done = subprocess.run(
            ["chroot", self.tree, "/bin/sh", "-c", command],
            capture_output=True,
            text=True,
            env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root"},
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"

    def facts(self) -> dict[str, Fact]:
        """All facts, as over SSH."""
        collectors = [getattr(catalogue.Settings(), name) for name in catalogue.COLLECTORS]
        facts_only = [it for it in collectors if it.facts]
        source = ShellSource(["chroot", str(self.tree), "/bin/sh", "-s"])
        return facts_of(observe(source, facts_only))

    def mount(self, kind: str, where: str) -> None:
        path = self.tree / where
        subprocess.run(["mount", "-t", kind, "-o", "ro", kind, path], check=True)
        self._mounted.append(path)

    def close(self) -> None:
        for path in reversed(self._mounted):
            subprocess.run(["umount", "-l", path], check=False)


@functools.cache
def made(folder: Path) -> Path:
    """A fresh tree; skips the test where the mirror cannot be reached."""
    tree = folder / "debian"
    argv = ["debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE]
    done = subprocess.run(
        [*argv, str(tree), MIRROR], capture_output=True, text=True, timeout=600, check=False
    )
    if "Failed getting release file" in done.stdout + done.stderr:
        pytest.skip("Debian's mirror cannot be reached")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    return tree


@contextlib.contextmanager
def debian(folder: Path) -> Iterator[Chroot]:
    """The tree as a host."""
    host = Chroot(made(folder))
    try:
        host.mount("proc", "proc")
        host.mount("sysfs", "sys")
        (host.tree / "run/sshd").mkdir(exist_ok=True)
        yield host
    finally:
        host.close()
