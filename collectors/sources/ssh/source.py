"""A host over SSH as a source: nothing of ours is installed or written there.

One connection, one exec channel for all readings asked at once (ssh/exchange.py). Host keys
are verified against known_hosts, those of jump hosts too; no terminal, no agent forwarding.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from collectors.model import Answer, Reading
from collectors.sources.ssh import knownhosts
from collectors.sources.ssh.auth import authenticate, plainly
from collectors.sources.ssh.exchange import ScriptTooLong, exchange
from collectors.sources.ssh.frames import FrameError
from collectors.sources.ssh.script import START
from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.target import Hop, SshError, route

if TYPE_CHECKING:
    import paramiko

__all__ = ["HostKeyError", "SshError", "SshSource"]

_LOG = __name__ + ".transport"


class HostKeyError(SshError):
    """A host showed a key that is not known, has changed or is revoked."""

    def __init__(self, hop: Hop, kind: str, key: bytes, found: tuple[str, str]) -> None:
        self.host, self.kind, self.fingerprint = hop.host, kind, knownhosts.fingerprint(key)
        self.judgement, where = found
        remedy = {
            "unknown": "compare it with `ssh-keygen -lf` of the key in /etc/ssh on the host itself, "
            f"then `ssh-keyscan -p {hop.port} {hop.host}` gives the line for known_hosts",
            "changed": f"{where} has another: the host was installed anew, or somebody is in "
            "between; find out which before you replace that line",
            "revoked": f"it is revoked in {where}",
        }[self.judgement]
        super().__init__(f"{hop}: {self.judgement} {kind} key {self.fingerprint}: {remedy}")


class SshSource:
    """Answers readings on a host. Connects when first asked; `close` it, or use it in a `with`.

    `target` is `ssh://user@host:port`. Raises SshError where the host cannot be asked at all.
    """

    def __init__(self, target: str, settings: SshSettings) -> None:
        self._settings = settings
        self._route = route(target, settings)
        self._transports: list[paramiko.Transport] = []

    def __enter__(self) -> SshSource:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        for transport in reversed(self._transports):
            transport.close()
        self._transports.clear()

    def connected(self) -> paramiko.Transport:
        """The connection to the host, for those that speak with it in another way."""
        self._connect()
        return self._transports[-1]

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        readings = list(dict.fromkeys(readings))
        if not readings:
            return {}
        self._connect()
        import paramiko

        target = self._route[-1]
        try:
            with self._transports[-1].open_session(timeout=self._settings.connect_timeout) as shell:
                shell.set_combine_stderr(True)  # what goes wrong before our script is told as well
                shell.settimeout(self._settings.connect_timeout)
                shell.exec_command(START)
                settings = self._settings
                return exchange(_Channel(shell), readings, settings.deadline, settings.sudo)
        except ScriptTooLong:
            half = len(readings) // 2
            return {**self.answer(readings[:half]), **self.answer(readings[half:])}
        except (FrameError, paramiko.SSHException, OSError, EOFError) as error:
            raise SshError(f"{target}: {plainly(error)}") from error

    def _connect(self) -> None:
        if self._transports and self._transports[-1].is_active():
            return
        self.close()
        logging.getLogger(_LOG).setLevel(logging.CRITICAL)  # the same is raised and told by us
        try:
            for hop in self._route:
                self._transports.append(self._open(hop))
                self._verify(hop, self._transports[-1])
                authenticate(hop, self._transports[-1], self._settings)
        except SshError:
            self.close()
            raise

    def _open(self, hop: Hop) -> paramiko.Transport:
        import paramiko

        seconds = self._settings.connect_timeout
        there = (hop.host, hop.port)
        try:
            if self._transports:
                before = self._transports[-1]
                way = before.open_channel("direct-tcpip", there, ("127.0.0.1", 0), timeout=seconds)
                transport = paramiko.Transport(way)
            else:
                transport = paramiko.Transport(socket.create_connection(there, seconds))
        except (OSError, paramiko.SSHException, EOFError) as error:
            raise SshError(f"{hop}: cannot connect: {plainly(error)}") from error
        transport.set_log_channel(_LOG)
        for name in ("banner_timeout", "handshake_timeout", "auth_timeout", "channel_timeout"):
            setattr(transport, name, seconds)
        return transport

    def _verify(self, hop: Hop, transport: paramiko.Transport) -> None:
        import paramiko

        entries = knownhosts.entries(self._known_hosts(), hop.known_as, hop.port)
        options = transport.get_security_options()
        known = {"rsa-sha2-512" if entry.kind == "ssh-rsa" else entry.kind for entry in entries}
        # a host has keys of several kinds: let it show one of those that are known
        options.key_types = sorted(options.key_types, key=lambda kind: kind not in known)
        try:
            transport.start_client(timeout=self._settings.connect_timeout)
            key = transport.get_remote_server_key()
        except (OSError, paramiko.SSHException, EOFError) as error:
            raise SshError(f"{hop}: no SSH session: {plainly(error)}") from error
        found = knownhosts.judge(entries, key.asbytes())
        if found[0] != "known":
            raise HostKeyError(hop, key.get_name(), key.asbytes(), found)

    def _known_hosts(self) -> Iterator[tuple[str, str]]:
        for path in map(os.path.expanduser, self._settings.known_hosts):
            try:
                with open(path, encoding="utf-8", errors="replace") as file:
                    yield path, file.read()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise SshError(f"{path}: cannot be read: {error.strerror}") from error


class _Channel:
    """A paramiko channel as ssh/exchange.py has it."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def send(self, data: bytes) -> None:
        self._channel.sendall(data)

    def receive(self, seconds: float) -> bytes:
        self._channel.settimeout(seconds)
        return self._channel.recv(1 << 16)
