"""A program at the other end of an SSH channel: what it is sent, what it says, how it ends."""

from __future__ import annotations

import select
import time
from typing import TYPE_CHECKING, NamedTuple

from collectors.sources.ssh.target import Hop, SshError
from exporters.findings.text import neutral

if TYPE_CHECKING:
    import paramiko

PIECE = 1 << 15  # what OpenSSH takes in a packet


class Done(NamedTuple):
    """How a program ended: its status (-1: killed by a signal), what it wrote, its errors in words."""

    status: int
    out: bytes
    err: str


class Session:
    """A channel with a program at its other end. Raises SshError when it takes or tells too much."""

    def __init__(
        self, channel: paramiko.Channel, hop: Hop, seconds: float, limit: int, stall: float
    ) -> None:
        self._channel, self._hop, self._limit = channel, hop, limit
        self._deadline, self._seconds = time.monotonic() + seconds, seconds
        self._stall = stall
        self._poll = select.poll()
        self._poll.register(channel.fileno(), select.POLLIN)
        self.out, self.err = bytearray(), bytearray()

    def send(self, data: bytes) -> bool:
        """False if the other end takes no more: it has ended, and `ended` tells how."""
        import paramiko

        self._channel.settimeout(min(self._stall, max(self._left(), 0.001)))
        at = 0
        try:
            while at < len(data):
                at += self._channel.send(data[at : at + PIECE])
                self._drain()
        except TimeoutError as error:
            raise SshError(f"{self._hop}: it takes nothing for {self._stall:g} s") from error
        except (OSError, paramiko.SSHException):
            if not self._channel.get_transport().is_active():
                raise
            return False  # the program ended before it had read all
        return True

    def passed(self, mark: bytes) -> bool:
        """Whether both streams have come to the mark; what was before is dropped."""
        for stream in (self.out, self.err):
            if mark not in stream:
                return False
        for stream in (self.out, self.err):
            del stream[: stream.index(mark) + len(mark)]
        return True

    def line(self, key: str) -> str | None:
        """What follows `key` in a line, as soon as it is told; None if it ends without."""
        while b"\n" not in self.out and self.more():
            pass
        first = self.out.partition(b"\n")[0].decode("ascii", "replace")
        return first.removeprefix(key) if first.startswith(key) else None

    def more(self) -> bool:
        """Wait for more; false at the end."""
        if self._drain():
            return True
        if self._channel.closed or self._channel.eof_received:
            return False
        left = self._left()
        if left <= 0:
            raise SshError(f"{self._hop}: no end within {self._seconds:g} s")
        self._poll.poll(min(left, 1.0) * 1000)
        self._drain()
        return True

    def ended(self) -> Done:
        self._channel.shutdown_write()
        while self.more():
            pass
        if not self._channel.status_event.wait(max(self._left(), 0.001)):
            raise SshError(f"{self._hop}: no end within {self._seconds:g} s")
        self._drain()
        transport = self._channel.get_transport()
        if (status := self._channel.recv_exit_status()) == -1:
            transport.join(0.2)  # no status: killed, or with the connection
            if not transport.is_active():
                raise SshError(f"{self._hop}: the connection was lost")
        err = bytes(self.err).decode("utf-8", "replace").strip()
        lines = [neutral(line) for line in err.splitlines() if line.strip()]
        return Done(status, bytes(self.out), "\n".join(lines))

    def _drain(self) -> bool:
        before = len(self.out) + len(self.err)
        while self._channel.recv_ready():
            self.out += self._channel.recv(1 << 16)
        while self._channel.recv_stderr_ready():
            self.err += self._channel.recv_stderr(1 << 16)
        now = len(self.out) + len(self.err)
        if now > self._limit:
            raise SshError(f"{self._hop}: it tells more than {self._limit >> 20} MiB")
        return now > before

    def _left(self) -> float:
        return self._deadline - time.monotonic()
