"""A Debian tree made by debootstrap, with the packages that the baseline is about, as a host.

It has namespaces of its own for mounts, processes, the network and the name: daemons, firewalls and net.* parameters in it are
its own and end with it. The rest of the kernel is this machine's, and cannot be changed from there. There is no systemd.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator, Sequence
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
    *("aide-common", "apparmor", "at", "auditd", "chrony", "cron", "iproute2", "login"),
    *("libpam-pwquality", "logrotate", "lynis", "nfs-kernel-server", "nftables", "nginx-light"),
    *("openscap-scanner", "openssh-server", "openssl", "passwd", "procps", "rpcbind", "rsyslog"),
    *("rsyslog-gnutls", "snmpd", "sudo", "systemd", "tftpd-hpa", "ufw", "vsftpd"),
)
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C", "HOME": "/root"}

# Else dpkg waits for the disk after each file, and aide-common asks for each of two hundred.
_QUICK = """force-unsafe-io
path-exclude=/usr/share/aide/config/aide/aide.conf.d/*
path-exclude=/usr/share/doc/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/man/*
"""

# What is this machine's is to be read, the network's parameters may be set; it ends with its input.
_INIT = """
mount --bind "$1" "$1"
mount -t proc proc "$1/proc"
mount -t sysfs -o ro sysfs "$1/sys"
mount --bind "$1/proc/sys" "$1/proc/sys"
mount -o remount,bind,ro "$1/proc/sys"
mount --bind "$1/proc/sys/net" "$1/proc/sys/net"
mount -o remount,bind,rw "$1/proc/sys/net"
mount -t tmpfs -o mode=1777 tmpfs "$1/dev/shm"
ip link set lo up
hostname debian
echo ready
exec cat
"""
_SPACES = ("--mount", "--pid", "--net", "--uts", "--ipc")


def unavailable() -> str:
    """Why there can be no such tree here; empty if there can."""
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in ("debootstrap", "unshare", "nsenter") if not shutil.which(name)]
    if missing:
        return f"needs {missing[0]}"
    tried = subprocess.run(
        ["unshare", *_SPACES, "--fork", "true"], capture_output=True, check=False
    )
    return f"cannot make namespaces: {tried.stderr.decode().strip()}" if tried.returncode else ""


class Chroot:
    """A tree as a host; a context manager."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree

    def __enter__(self) -> Chroot:
        self._process = subprocess.Popen(
            ["unshare", *_SPACES, "--fork", "--kill-child", "sh", "-euc", _INIT, "-", self.tree],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout
        assert self._process.stderr
        if self._process.stdout.readline() != b"ready\n":
            said = self._process.stderr.read().decode()
            self.__exit__()
            pytest.skip(f"cannot make a host of a tree: {said.strip()}")
        pid = self._process.pid
        init = Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()
        spaces = [*("nsenter", "-t", init, *_SPACES)]
        self._inside = [*spaces, "chroot", str(self.tree), "/bin/sh"]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def run(self, command: str) -> str:
        """What one shell command in it says; raises AssertionError unless it succeeds."""
        done = subprocess.run(
            [*self._inside, "-c", command],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def facts(self) -> dict[str, Fact]:
        """All facts, as over SSH."""
        collectors = [
            catalogue.collector(catalogue.Settings(), name) for name in catalogue.COLLECTORS
        ]
        facts_only = [it for it in collectors if it.facts]
        return facts_of(observe(ShellSource([*self._inside, "-s"], 300.0), facts_only))


def made(folder: Path, packages: Sequence[str] = PACKAGES) -> Path:
    """A fresh tree; skips the test where the mirror cannot be reached."""
    tree = folder / "debian"
    quick = tree / "etc/dpkg/dpkg.cfg.d/quick"
    quick.parent.mkdir(parents=True)
    quick.write_text(_QUICK)
    argv = ["debootstrap", "--variant=minbase", f"--include={','.join(packages)}", SUITE]
    done = subprocess.run(
        [*argv, str(tree), MIRROR], capture_output=True, text=True, timeout=600, check=False
    )
    if "Failed getting release file" in done.stdout + done.stderr:
        pytest.skip("Debian's mirror cannot be reached")
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr
    quick.unlink()
    (tree / "run/sshd").mkdir(exist_ok=True)
    return tree


@contextlib.contextmanager
def debian(folder: Path) -> Iterator[Chroot]:
    """The tree as a host."""
    with Chroot(made(folder)) as host:
        yield host
