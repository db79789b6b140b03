"""A host over SSH as a source: nothing of ours is installed or written there.

One connection, one exec channel for all readings asked at once (ssh/exchange.py). Host keys
are verified (ssh/connecting.py); no terminal, no agent forwarding.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING

from collectors.model import Answer, Reading
from collectors.sources.ssh.auth import plainly
from collectors.sources.ssh.connecting import HostKeyError, close, connect
from collectors.sources.ssh.exchange import ScriptTooLong, exchange
from collectors.sources.ssh.frames import FrameError
from collectors.sources.ssh.script import START
from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.target import SshError, route

if TYPE_CHECKING:
    import paramiko

__all__ = ["HostKeyError", "SshError", "SshSource"]


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
        close(self._transports)

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
        self._transports = connect(self._route, self._settings)


class _Channel:
    """A paramiko channel as ssh/exchange.py has it."""

    def __init__(self, channel: paramiko.Channel) -> None:
        self._channel = channel

    def send(self, data: bytes) -> None:
        self._channel.sendall(data)

    def receive(self, seconds: float) -> bytes:
        self._channel.settimeout(seconds)
        return self._channel.recv(1 << 16)
