"""Real peers for the SSH source: sshd on a loopback port, an ssh-agent, a server with passwords.

Everything lives in one temporary folder and ends with its owner.
"""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paramiko
import pytest

from collectors.sources.ssh.settings import SshSettings

SSHD = "/usr/sbin/sshd"


USER = getpass.getuser()


needs_sshd = pytest.mark.skipif(
    not os.access(SSHD, os.X_OK), reason="needs the Debian package openssh-server"
)


class Sshd:
    """One sshd and its host key. `log` has what it says at LogLevel VERBOSE."""

    def __init__(
        self, folder: Path, key: Path, extra: str = "", address: str = "127.0.0.1"
    ) -> None:
        folder.mkdir()
        self.address = address
        self.port = free_port()
        self.log = folder / "log"
        self.host_key = folder / "host_key"
        keygen(self.host_key)
        (folder / "authorized_keys").write_bytes(key.with_suffix(".pub").read_bytes())
        config = folder / "config"
        config.write_text(
            f"Port {self.port}\nListenAddress {address}\nHostKey {self.host_key}\n"
            f"AuthorizedKeysFile {folder}/authorized_keys\nPidFile none\nStrictModes no\n"
            "UsePAM no\nPasswordAuthentication no\nKbdInteractiveAuthentication no\n"
            f"PermitRootLogin prohibit-password\nLogLevel VERBOSE\n{extra}\n"
        )
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        self._process = subprocess.Popen([SSHD, "-f", config, "-D", "-E", self.log])
        wait_for_port(self.port, address)

    @property
    def known_hosts_line(self) -> str:
        kind, key, *_ = self.host_key.with_suffix(".pub").read_text().split()
        return f"[{self.address}]:{self.port} {kind} {key}\n"

    @property
    def target(self) -> str:
        return f"ssh://{USER}@{self.address}:{self.port}"

    def sessions(self) -> int:
        """How many commands were started so far."""
        return self.log.read_text().count("Starting session: ")

    def close(self) -> None:
        self._process.terminate()
        self._process.wait(10)


class SshLab:
    """Servers that let `key` in, and settings that know their host keys."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.key = folder / "id"
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.touch()
        keygen(self.key)
        self._servers: list[Sshd] = []

    def server(self, extra: str = "", known: bool = True, address: str = "127.0.0.1") -> Sshd:
        server = Sshd(self.folder / f"sshd-{len(self._servers)}", self.key, extra, address)
        self._servers.append(server)
        if known:
            with self.known_hosts.open("a") as file:
                file.write(server.known_hosts_line)
        return server

    def settings(self, **changes: Any) -> SshSettings:
        values: dict[str, Any] = {
            "known_hosts": (str(self.known_hosts),),
            "config_file": "",
            "key_file": str(self.key),
            "use_agent": False,
        }
        return SshSettings(**{**values, **changes})

    @contextlib.contextmanager
    def agent(self, *keys: Path) -> Iterator[str]:
        """An ssh-agent with these keys; gives its socket."""
        path = str(self.folder / "agent")
        process = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.DEVNULL)
        try:
            wait_until(lambda: os.path.exists(path))
            environment = {**os.environ, "SSH_AUTH_SOCK": path}
            subprocess.run(["ssh-add", "-q", *keys], env=environment, check=True)
            yield path
        finally:
            process.terminate()
            process.wait(10)

    def close(self) -> None:
        for server in self._servers:
            server.close()


def keygen(path: Path, kind: str = "ed25519", passphrase: str = "") -> None:
    argv = ["ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", "test", "-f", str(path)]
    subprocess.run(argv, check=True)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def wait_for_port(port: int, address: str = "127.0.0.1") -> None:
    def answers() -> bool:
        try:
            with socket.create_connection((address, port), 1) as connection:
                return bool(connection.recv(1))
        except OSError:
            return False

    wait_until(answers)


def wait_until(condition: Any, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.02)


class PasswordServer(paramiko.ServerInterface):
    """An SSH server in this process that takes one password and runs commands."""

    def __init__(self, user: str, password: str) -> None:
        self._login = user, password
        self.key = paramiko.ECDSAKey.generate()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._transports: list[paramiko.Transport] = []
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(connection)
            transport.add_server_key(self.key)
            self._transports.append(transport)
            transport.start_server(threading.Event(), self)

    def close(self) -> None:
        self._listener.close()
        for transport in self._transports:
            transport.close()

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == self._login
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED  # type: ignore[attr-defined,no-any-return]

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED  # type: ignore[attr-defined,no-any-return]

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_run, args=(channel, command), daemon=True).start()
        return True


def _run(channel: paramiko.Channel, command: bytes) -> None:
    with subprocess.Popen(
        ["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout

        def feed() -> None:
            assert process.stdin
            with contextlib.suppress(OSError), process.stdin as pipe:
                while data := channel.recv(1 << 16):
                    pipe.write(data)
                    pipe.flush()

        threading.Thread(target=feed, daemon=True).start()
        with contextlib.suppress(OSError):
            while data := os.read(process.stdout.fileno(), 1 << 16):
                channel.sendall(data)
    with contextlib.suppress(OSError, EOFError):  # a client may hang up before it hears the end
        channel.send_exit_status(process.returncode)
        channel.close()
