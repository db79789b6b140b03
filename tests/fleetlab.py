"""Real hosts for the fleet: Debian with systemd, sshd and sudo, without Python; each on an address of its own, port 22.

A host is a debootstrap tree below an overlay of its own, in its own namespaces, with a real systemd as its first
process, joined to this process's network by a cable (veth). The tree is made once and kept for other runs. When
the fleet ends, or this process is killed, so do its processes, mounts, cables, cgroups and files.
"""

from __future__ import annotations

import contextlib
import functools
import os
import secrets
import shutil
import signal
import socket
import subprocess
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, overload

import yaml

from collectors.sources.ssh.settings import SshSettings
from tests import chrootlab
from tests.fleetshare import block_of_addresses, cgroups, watches
from tests.fleettree import PASSWORD as PASSWORD
from tests.fleettree import USER as USER
from tests.fleettree import tree
from tests.processgroups import ENVIRONMENT, ProcessGroups
from tests.sshlab import keygen

RANGE: Final = "10.213"  # a fleet takes RANGE.N.0/24
MOST: Final = 250
INIT: Final = Path(__file__).with_name("fleethost.sh")
SPACES: Final = ("--mount", "--pid", "--net", "--uts", "--ipc", "--cgroup")

_SUDOERS: Final = {"free": "NOPASSWD: ALL", "password": "ALL", "none": ""}


@dataclass(frozen=True, kw_only=True)
class Kind:
    """How a host is. `disk`: the size of all that is written there, as of tmpfs(5), in memory. `read_only`: a
    folder, as `opt`. `key_changed`: known_hosts has another key of it."""

    sudo: Literal["free", "password", "none"] = "free"
    disk: str = ""
    read_only: str = ""
    key_changed: bool = False
    hangs: bool = False
    systemd: bool = True


PLAIN: Final = Kind()


@functools.cache
def unavailable() -> str:
    """Why there can be no hosts here; empty if there can."""
    if why := chrootlab.unavailable():
        return why
    if missing := [name for name in ("ip", "pivot_root", "ssh-keygen") if not shutil.which(name)]:
        return f"needs {missing[0]}"
    return "" if cgroups() else "needs cgroup2"


class Host:
    """One host."""

    def __init__(self, groups: ProcessGroups, folder: Path, kind: Kind, name: str) -> None:
        self.name, self.kind, self.folder = name, kind, folder
        self.address = ""
        self.pid = 0  # of its first process, as we see it
        self._groups = groups
        self._network = -1

    def prepare(self, authorized: bytes) -> None:
        """What is its own, before it is started."""
        for part in ("etc/ssh", "etc/sudoers.d", f"home/{USER}/.ssh"):
            (self.folder / "upper" / part).mkdir(parents=True)
        for part in ("work", "root"):
            (self.folder / part).mkdir()
        upper = self.folder / "upper"
        (upper / "home" / USER / ".ssh/authorized_keys").write_bytes(authorized)
        for path in (upper / "home" / USER, *(upper / "home" / USER).rglob("*")):
            os.chown(path, 1000, 1000)
        keygen(upper / "etc/ssh/ssh_host_ed25519_key")
        (upper / "etc/machine-id").write_text(f"{secrets.token_hex(16)}\n")
        (upper / "etc/hostname").write_text(f"{self.name}\n")
        (upper / "etc/hosts").write_text(f"127.0.0.1 localhost\n127.0.1.1 {self.name}\n")
        if rights := _SUDOERS[self.kind.sudo]:
            sudoers = upper / "etc/sudoers.d/ops"
            sudoers.write_text(f"{USER} ALL=(ALL) {rights}\n")
            sudoers.chmod(0o440)
        # named by known_hosts: its own key, or another
        self.public = (upper / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
        if self.kind.key_changed:
            keygen(self.folder / "other")
            self.public = (self.folder / "other.pub").read_text()

    @property
    def known_hosts_line(self) -> str:
        kind, key, *_ = self.public.split()
        return f"{self.address} {kind} {key}\n"

    def start(self, below: Path, cgroup: Path, address: str, gateway: str, device: str) -> None:
        self.address = address
        (mine := cgroup / self.name).mkdir()
        first = "/lib/systemd/systemd --show-status=0" if self.kind.systemd else ""
        variables = {
            "TREE": str(below),
            "FOLDER": str(self.folder),
            "NAME": self.name,
            "ADDRESS": address,
            "GATEWAY": gateway,
            "DEVICE": device,
            "DISK": self.kind.disk,
            "READ_ONLY": self.kind.read_only,
            "INIT": first or "/usr/sbin/sshd -D -e",
        }
        script = (
            f'echo $$ > "$1"; exec 9< /proc/self/ns/net; '
            f'exec unshare {" ".join(SPACES)} --fork --kill-child sh "$2"'
        )
        argv = ["sh", "-euc", script, "host", str(mine / "cgroup.procs"), str(INIT)]
        self._groups.spawn(self.name, argv, variables)

    def started(self) -> None:
        """Wait until it is all there."""
        self._groups.until(self._listens, self.name, 120)
        self.pid = self._first()
        # keeps the cable when the host is killed: it refuses, and is not looked for elsewhere
        self._network = os.open(f"/proc/{self.pid}/ns/net", os.O_RDONLY)
        if self.kind.systemd:
            self._groups.until(lambda: self.state() == "running", self.name, 60)
        if self.kind.hangs:
            self.hang()

    def state(self) -> str:
        """What systemd says of all its units: `running`, `degraded` …"""
        return self.shell("systemctl is-system-running --wait").stdout.strip()

    def shell(
        self, command: str, stdin: str = "", seconds: float = 120
    ) -> subprocess.CompletedProcess[str]:
        """One shell command there as root, not by SSH."""
        enter = ["nsenter", "-t", str(self.pid), *SPACES, "--root", "--wd"]
        return subprocess.run(
            [*enter, "--", "/bin/sh", "-c", command],
            input=stdin,
            capture_output=True,
            text=True,
            env=ENVIRONMENT,
            timeout=seconds,
            check=False,
        )

    def run(self, command: str, stdin: str = "") -> str:
        """What it says; raises AssertionError unless it succeeds."""
        done = self.shell(command, stdin)
        assert done.returncode == 0, f"{self.name}: {command}\n{done.stdout}{done.stderr}"
        return done.stdout

    def hang(self) -> None:
        """Connections are taken, and nothing is ever said."""
        self.run("pkill -STOP -o -x sshd")

    def resume(self) -> None:
        self.run("pkill -CONT -o -x sshd")

    def unplug(self) -> None:
        self.run("ip link set eth0 down")

    def plug(self) -> None:
        gateway = f"{self.address.rpartition('.')[0]}.254"
        self.run(f"ip link set eth0 up; ip route add default via {gateway}")

    def kill(self) -> None:
        """The whole host at once, as by its power switch. Its address then refuses connections."""
        if first := self._first():
            os.kill(first, signal.SIGKILL)
            self._groups.ended(self.name)
        else:
            self._groups.kill(self.name)

    def close(self) -> None:
        self.kill()
        if self._network >= 0:
            os.close(self._network)
            self._network = -1

    def _first(self) -> int:
        """The first process there, as we see it; 0 where there is none."""
        parent = self._groups.pid(self.name)
        try:
            return int(Path(f"/proc/{parent}/task/{parent}/children").read_text() or 0)
        except FileNotFoundError:
            return 0

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection((self.address, 22), 1) as peer:
            return peer.recv(4) == b"SSH-"
        return False


class Fleet(Sequence[Host]):
    """The hosts; `key` lets one in as USER, `known_hosts` has their keys."""

    def __init__(self, hosts: Sequence[Host], folder: Path, cgroup: Path) -> None:
        self._hosts = hosts
        self.folder, self.cgroup = folder, cgroup
        self.key, self.known_hosts = folder / "id", folder / "known_hosts"

    @overload
    def __getitem__(self, index: int) -> Host: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Host]: ...
    def __getitem__(self, index: int | slice) -> Host | Sequence[Host]:
        return self._hosts[index]

    def __len__(self) -> int:
        return len(self._hosts)

    def settings(self, **changes: Any) -> SshSettings:
        """How they are reached."""
        values: dict[str, Any] = {
            "user": USER,
            "known_hosts": (str(self.known_hosts),),
            "config_file": "",
            "key_file": str(self.key),
            "use_agent": False,
        }
        return SshSettings(**{**values, **changes})

    def inventory(self, path: Path, names: Collection[str] = (), **extra: Any) -> str:
        """Writes it for these hosts, or all; `extra` are more defaults, a host's name there more of that host."""
        own = {host.name: extra.pop(host.name, {}) for host in self}
        defaults = {
            "user": USER,
            "key_file": str(self.key),
            "known_hosts": [str(self.known_hosts)],
            "config_file": "",
            "use_agent": False,
            "sudo": True,
            **extra,
        }
        hosts = [
            {"name": host.name, "host": host.address, **own[host.name]}
            for host in self
            if not names or host.name in names
        ]
        text = yaml.safe_dump({"defaults": defaults, "hosts": hosts}, sort_keys=False)
        path.write_text(text)
        return text


@contextlib.contextmanager
def fleet(count: int = 0, kinds: Sequence[Kind] = (), prefix: str = "host") -> Iterator[Fleet]:
    """`count` hosts at least, of these kinds and then plain ones, that are up."""
    below, root = tree(), cgroups()
    assert root
    kinds = (*kinds, *[PLAIN] * (count - len(kinds)))
    assert len(kinds) <= MOST
    cgroup = root / f"jianwei-fleet-{os.getpid()}-{secrets.token_hex(3)}"
    cgroup.mkdir()
    groups = ProcessGroups("jwf-", cgroup)
    hosts: list[Host] = []
    with contextlib.ExitStack() as ends:
        ends.callback(groups.close)
        ends.enter_context(watches(below.parent, 4 * MOST))
        block = ends.enter_context(block_of_addresses())
        keygen(groups.folder / "id")
        public = (groups.folder / "id.pub").read_bytes()
        try:
            for number, kind in enumerate(kinds, 1):
                folder = groups.folder / f"{number}"
                folder.mkdir(mode=0o755)
                host = Host(groups, folder, kind, f"{prefix}{number:03}")
                host.prepare(public)
                hosts.append(host)
                net = f"{RANGE}.{block}"
                host.start(below, cgroup, f"{net}.{number}", f"{net}.254", f"jwf{block}h{number}")
            with ThreadPoolExecutor(16) as pool:
                list(pool.map(Host.started, hosts))
            made = Fleet(hosts, groups.folder, cgroup)
            made.known_hosts.write_text("".join(host.known_hosts_line for host in hosts))
            yield made
        finally:
            for host in hosts:
                host.close()
