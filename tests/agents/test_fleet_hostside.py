"""The whole way to a host, over a real sshd and sudo, in a mount namespace of its own."""

from __future__ import annotations

import contextlib
import os
import subprocess
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.fleet import hostside
from agents.fleet.hostside import HostError
from agents.fleet.model import FleetHost, Rise
from agents.fleet.remote import Done, Remote, connected
from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.target import SshError
from collectors.strictyaml import Secret
from tests.hostspace import HostSpace, Made, all_of_it, made, needs_root
from tests.sshlab import SSHD, free_port, keygen, needs_sshd, wait_for_port

PASSWORD = "pass'wörd $x"


class Lab:
    """A host with sshd, and `ops`, who may become root with a password."""

    def __init__(self, folder: Path) -> None:
        self.space = HostSpace(folder)
        self.port = free_port()
        for name in ("id", "host"):
            keygen(folder / name)
        kind, key, *_ = (folder / "host.pub").read_text().split()
        (folder / "known").write_text(f"[127.0.0.1]:{self.port} {kind} {key}\n")
        self.ssh = SshSettings(
            port=self.port,
            known_hosts=(str(folder / "known"),),
            config_file="",
            key_file=str(folder / "id"),
            use_agent=False,
        )
        self.space.command("mkdir", "-p", "/run/sshd", "/opt/ops")
        self.space.command("useradd", "-s", "/bin/bash", "-d", "/opt/ops", "ops")
        self.space.command("chpasswd", stdin=f"ops:{PASSWORD}\n".encode())
        self.space.path("/etc/ssh/keys").write_bytes((folder / "id.pub").read_bytes())
        (folder / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {folder}/host\nPidFile none\n"
            "AuthorizedKeysFile /etc/ssh/keys\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n"
        )
        self.sudoers("ops ALL=(ALL) ALL")
        enter = ["nsenter", "-t", str(self.space.pid), "-m"]
        self._sshd = subprocess.Popen(
            [*enter, SSHD, "-f", folder / "config", "-D"], stderr=subprocess.DEVNULL
        )
        wait_for_port(self.port)

    def sudoers(self, text: str) -> None:
        path = self.space.path("/etc/sudoers")
        path.write_text(f"Defaults !fqdn, !lecture\n{text}\n")
        path.chmod(0o440)

    def host(self, user: str, rise: Rise, password: str | None = None) -> FleetHost:
        ssh = msgspec.structs.replace(self.ssh, user=user)
        secret = None if password is None else Secret(password)
        return FleetHost(name="one", address="127.0.0.1", ssh=ssh, rise=rise, sudo_password=secret)

    def close(self) -> None:
        self._sshd.terminate()
        self._sshd.wait(10)
        self.space.close()


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    lab = Lab(tmp_path_factory.mktemp("lab"))
    yield lab
    lab.close()


@pytest.mark.parametrize(
    ("user", "rise", "password", "sudoers"),
    [
        ("root", "none", None, ""),
        ("ops", "sudo", None, "ops ALL=(ALL) NOPASSWD: ALL"),
        ("ops", "sudo", PASSWORD, "ops ALL=(ALL) ALL"),
        ("ops", "sudo", PASSWORD, "Defaults use_pty\nops ALL=(ALL) NOPASSWD: ALL"),
    ],
)
@needs_root
@needs_sshd
def test_all_of_it(
    lab: Lab, tmp_path: Path, user: str, rise: Rise, password: str | None, sudoers: str
) -> None:
    lab.sudoers(sudoers)
    with connected(lab.host(user, rise, password)) as remote:
        all_of_it(remote, tmp_path)


@pytest.mark.parametrize(
    ("password", "sudoers", "problem"),
    [
        (None, "ops ALL=(ALL) ALL", "sudo on one wants a password: set sudo_password"),
        ("wrong", "ops ALL=(ALL) ALL", "sudo on one does not take the password"),
        ("", "ops ALL=(ALL) ALL", "sudo on one does not take the password"),
        ("wrong", "Defaults passwd_tries=1\nops ALL=(ALL) ALL", "does not take the password"),
        (PASSWORD, "Defaults:ops requiretty\nops ALL=(ALL) ALL", "wants a terminal: put"),
        (PASSWORD, "", "does not let ops run /bin/sh: .*sudoers"),
        (PASSWORD, "ops ALL=(ALL) /bin/ls", "does not let ops run /bin/sh: .*not allowed"),
    ],
)
@needs_root
@needs_sshd
def test_why_sudo_does_not(lab: Lab, password: str | None, sudoers: str, problem: str) -> None:
    lab.sudoers(sudoers)
    with connected(lab.host("ops", "sudo", password)) as remote:
        with pytest.raises(SshError, match=problem) as error:
            hostside.look(remote)
        assert "\n" not in str(error.value)
        assert not password or password not in str(error.value)
        assert remote.run(["id", "-un"]).out == b"ops\n"


@needs_root
@needs_sshd
def test_without_sudo_and_without_root_it_is_told(lab: Lab, tmp_path: Path) -> None:
    with connected(lab.host("ops", "none")) as remote:
        assert hostside.look(remote).arch == os.uname().machine
        with pytest.raises(HostError, match="not root: log in as root, or set sudo for this host"):
            hostside.rollback(remote, 5)
        with pytest.raises(SshError, match="cannot upload"):
            hostside.upload(remote, made(tmp_path, "1.0"), lambda at: None)


@needs_root
@needs_sshd
def test_there_is_no_room_for_what_is_uploaded(lab: Lab, tmp_path: Path) -> None:
    big = made(tmp_path, "1.0")._replace(size=200 << 20)
    with connected(lab.host("root", "none")) as remote:
        with pytest.raises(SshError, match=r"no room: needs 201 MB, has \d+ MB on /opt/jianwei"):
            hostside.upload(remote, big, lambda at: None)
        hostside.uninstall(remote, keep_state=False)


@needs_root
@needs_sshd
def test_the_password_is_seen_nowhere(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.sudoers("ops ALL=(ALL) ALL")
    caplog.set_level(0)
    seen, stop = set[bytes](), threading.Event()

    def watch() -> None:
        while not stop.wait(0.002):
            for pid in filter(str.isdecimal, os.listdir("/proc")):
                for name in ("cmdline", "environ"):
                    with contextlib.suppress(OSError), open(f"/proc/{pid}/{name}", "rb") as file:
                        seen.add(file.read())

    watching = threading.Thread(target=watch)
    watching.start()
    with connected(lab.host("ops", "sudo", PASSWORD)) as remote:
        done = remote.run("sleep 0.3; cat /proc/[0-9]*/cmdline /proc/self/environ", root=True)
    stop.set()
    watching.join()
    told = b"\n".join([*seen, done.out, done.err.encode(), caplog.text.encode()])
    assert b"sudo" in told
    assert PASSWORD.encode() not in told
    assert PASSWORD not in repr(lab.host("ops", "sudo", PASSWORD))


def test_names_of_files_are_checked() -> None:
    for name in ("../x", "/x", "a/../b", ".x", "", "a\nb", "-x", "a//b"):
        with pytest.raises(ValueError, match="is no name for"):
            hostside.packed({name: b""})


@given(
    st.dictionaries(
        st.sampled_from(["arch", "free", "current", "versions", "config", "end", "staged"]),
        st.text(),
    )
)
def test_what_a_host_tells_is_checked(told: dict[str, str]) -> None:
    try:
        seen = hostside.seen({**told, "end": told.get("end", "look")})
    except SshError as error:
        problem = str(error)
    else:
        problem = ""
        values = [seen.arch, seen.current, *seen.versions, seen.config, seen.staged]
        assert all(value.isascii() and "/" not in value for value in values)
    assert problem.isprintable()


def test_what_is_no_version_is_refused() -> None:
    for version in ("../etc", "a/b", ".hidden", "$(id)", "x" * 200):
        with pytest.raises(SshError, match=r"told as (current|version) is none"):
            hostside.seen({"end": "look", "current": version, "versions": version})
    with pytest.raises(SshError, match="did not tell all"):
        hostside.seen({"arch": "x86_64"})


def test_every_change_has_time_for_what_it_may_wait_for() -> None:
    """90 s for another deployer, then 60 s and more for what an activation that was cut off goes back to."""
    allowed: dict[str, float] = {}

    class Counting:
        hop, configured = "host", ""

        def run(self, program: str, arguments: Sequence[str], **options: Any) -> Done:
            allowed[arguments[0]] = options["seconds"]
            told = b"configured=" + b"0" * 64 + b"\nactivated=1.0\n"
            return Done(0, told, "")

    counting = cast(Remote, Counting())
    hostside.unpack(counting, Made("x", "1.0", "0" * 64, 1))
    hostside.configure(counting, {"jianwei.yaml": b""}, "1.0")
    hostside.activate(counting, "1.0", 1)
    hostside.rollback(counting, 1)
    hostside.uninstall(counting, keep_state=False)
    assert len(allowed) == 5
    assert min(allowed.values()) >= 300
