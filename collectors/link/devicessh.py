"""Interfaces of devices over SSH: routers by their own commands, Linux hosts by the SSH source.

A router has no POSIX shell, so each command goes by an exec channel of its own. Login and host
keys are the SSH source's. Nothing is configured on a device.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from collectors.link import cli, hostinterfaces
from collectors.link.devices import SshAccess, valid_interface
from collectors.link.interfaces import DevicePoll, DeviceReason, InterfaceCounters, Missing
from collectors.model import Answers, ParseError, Unavailable
from collectors.sources.ssh.auth import plainly
from collectors.sources.ssh.settings import SshSettings
from collectors.sources.ssh.source import HostKeyError, SshSource
from collectors.sources.ssh.target import LoginError, SshError
from collectors.strictyaml import Duration

if TYPE_CHECKING:
    import paramiko

MAX_OUTPUT = 4 << 20  # bytes of one command
_TAIL = 64  # bytes in which the prompt of a pager stands


class _CommandError(Exception):
    """A command that brought no output."""


def poll(
    device: str,
    access: SshAccess,
    wanted: Sequence[str] | None,
    ssh: SshSettings,
    deadline: float,
) -> DevicePoll:
    """Ask one device; never raises for what it or the network does. Blocks for the deadline."""
    start = time.monotonic()
    limited = msgspec.structs.replace(
        ssh,
        connect_timeout=Duration(min(ssh.connect_timeout, deadline)),
        deadline=Duration(min(ssh.deadline, deadline)),
    )
    rows: list[InterfaceCounters] = []
    missing: list[Missing] = []
    reason: DeviceReason = ""
    detail = ""
    try:
        with SshSource(access.host, limited) as source:
            if access.dialect == "linux":
                answers = Answers(source.answer(hostinterfaces.READINGS))
                rows, missing = hostinterfaces.rows(device, answers, wanted, time.monotonic())
            else:
                router = _Router(source.connected(), start + deadline)
                _ask(router, device, access, wanted, rows, missing)
    except HostKeyError as error:
        reason, detail = "ssh_host_key", str(error)
    except LoginError as error:
        reason, detail = "ssh_login", str(error)
    except SshError as error:
        reason, detail = "ssh_unreachable", str(error)
    except _CommandError as error:
        reason, detail = "command", str(error)
    except TimeoutError:
        reason, detail = "timeout", f"not all was answered within {deadline:g} s"
    except (ParseError, Unavailable) as error:
        reason, detail = "malformed", str(error)
    if reason:
        known = {row.name for row in rows} | {one.name for one in missing}
        missing += [Missing(name, "unread") for name in wanted or () if name not in known]
    seconds = time.monotonic() - start
    return DevicePoll(device, reason, detail, seconds, tuple(rows), tuple(missing))


def _ask(
    router: _Router,
    device: str,
    access: SshAccess,
    wanted: Sequence[str] | None,
    rows: list[InterfaceCounters],
    missing: list[Missing],
) -> None:
    if wanted is None:
        output = router.output(cli.command(access.dialect))
        rows += cli.rows(access.dialect, device, output, time.monotonic())
        if not rows:
            raise _CommandError(_first_line(output))
        return
    for name in wanted:
        if not valid_interface(name):
            raise ValueError(f"{name!r} is no name of an interface")
        output = router.output(cli.command(access.dialect, name))
        found = cli.rows(access.dialect, device, output, time.monotonic())
        if len(found) == 1:  # by its full name, where a short one was asked for
            rows.append(msgspec.structs.replace(found[0], name=name))
        else:
            missing.append(Missing(name, "no_interface", _first_line(output)))


class _Router:
    """Commands on a router, each on a channel of its own, until a moment of the monotonic clock."""

    def __init__(self, transport: paramiko.Transport, until: float) -> None:
        self._transport, self._until = transport, until

    def output(self, command: str) -> bytes:
        """What a command prints; raises TimeoutError and _CommandError."""
        import paramiko

        try:
            with self._transport.open_session(timeout=self._left()) as channel:
                channel.set_combine_stderr(True)
                channel.settimeout(self._left())
                channel.exec_command(command)
                return self._read(channel)
        except TimeoutError:
            raise
        except (paramiko.SSHException, OSError, EOFError) as error:
            raise _CommandError(f"{command}: {plainly(error)}") from error

    def _read(self, channel: paramiko.Channel) -> bytes:
        content = bytearray()
        answered = 0
        while True:
            channel.settimeout(self._left())
            chunk = channel.recv(1 << 16)
            if not chunk:
                return bytes(content)
            content += chunk
            if len(content) > MAX_OUTPUT:
                raise _CommandError(f"output longer than {MAX_OUTPUT >> 20} MiB")
            start = max(answered, len(content) - _TAIL)
            if cli.PAGER.search(content, start):
                answered = len(content)
                channel.sendall(b" ")

    def _left(self) -> float:
        left = self._until - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def _first_line(output: bytes) -> str:
    """What the device says instead, for people."""
    lines = (line.strip(" ^\r\t") for line in output.decode("utf-8", "replace").splitlines())
    text = next((line for line in lines if line), "the device printed nothing")
    return "".join(c if c.isprintable() else " " for c in text[:120])
