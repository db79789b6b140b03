"""One exchange with a host's shell: all readings in one script, all answers in one stream.

The mounts to ask for depend on the host's mount table and on patterns that only we evaluate, so
their lines follow while the shell works on the rest: no further round trip.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Mapping, Sequence
from typing import Protocol

from collectors.model import Answer, MountUsage, ParseError, Reading
from collectors.rows import Mount
from collectors.sources.mounts import wanted
from collectors.sources.ssh import script as sshscript
from collectors.sources.ssh.answers import mount_table, parse_frames
from collectors.sources.ssh.frames import FrameError, parse_stream
from collectors.sources.ssh.together import unresolved

LIMIT = 64 << 20  # bytes that a host may tell in one exchange
SCRIPT_LIMIT = 1 << 20  # so that a script fits the window of a channel and sending never waits


class ScriptTooLong(Exception):
    """More readings than one script has room for."""


class Channel(Protocol):
    """Standard input and output of a shell. Errors are OSError; TimeoutError is one."""

    def send(self, data: bytes) -> None: ...

    def receive(self, seconds: float) -> bytes:
        """What has come, b"" at the end; raises TimeoutError."""
        ...


def exchange(
    channel: Channel, readings: Sequence[Reading], seconds: float, sudo: bool = False
) -> dict[Reading, Answer]:
    """Answers to all readings within `seconds`; what is missing then has failed.

    Raises FrameError if the host did not run the script at all, TimeoutError if it does not take
    it, and ScriptTooLong.
    """
    nonce = secrets.token_hex(16)
    deadline = time.monotonic() + seconds
    has_mounts = any(isinstance(reading, MountUsage) for reading in readings)
    script = sshscript.opening(nonce, sudo) + sshscript.questions(tuple(readings))
    if len(script) > SCRIPT_LIMIT and len(readings) > 1:
        raise ScriptTooLong
    unsent = ""
    try:
        channel.send(script)
    except TimeoutError:
        raise
    except OSError as error:  # it ended by itself; what it said before tells why
        unsent = f"the script could not be sent: {error}"
    told = bytearray()
    asked: Mapping[int, Sequence[Mount]] = {}
    mark = b"\n%b " % nonce.encode()
    ending, waits = mark + b"end\n", [mark + b"q\n"] * has_mounts + [mark + b"more\n"]
    cut = ""
    while not cut:
        before = max(len(told) - len(ending), 0)
        try:
            data = channel.receive(max(deadline - time.monotonic(), 0.001))
            told += data
            start = before  # never all of it again for each piece that comes
            while waits and told.find(waits[0], start) >= 0:
                start = 0
                if waits.pop(0).endswith(b"q\n"):
                    asked = _wanted(bytes(told), nonce, readings)
                    lines = [line for n in asked for line in sshscript.ask_mounts(n, asked[n])]
                else:
                    lines = [*_again(bytes(told), nonce, readings), sshscript.CLOSING]
                channel.send(b"".join(lines))
        except TimeoutError:
            cut = f"no end within {seconds:g} s"
        except OSError as error:
            cut = f"the connection was lost: {error}"
        else:
            if told.find(ending, before) >= 0:
                break
            if not data:
                cut = "the host closed the connection"
            elif len(told) > LIMIT:
                cut = f"the host told more than {LIMIT >> 20} MiB"
    cut = unsent or cut
    try:
        return parse_frames(bytes(told), nonce, readings, cut, asked)
    except FrameError as error:
        raise FrameError(f"{error} ({cut})" if cut else str(error)) from error


def _again(told: bytes, nonce: str, readings: Sequence[Reading]) -> list[bytes]:
    """Lines for what changed while it was read with the others, or where there is no tar, xargs …"""
    stream, _ = parse_stream(told, nonce)
    numbers = unresolved(stream, sshscript.asked_together(readings))
    return list(sshscript.ask_again(numbers, readings)) if numbers else []


def _wanted(told: bytes, nonce: str, readings: Sequence[Reading]) -> dict[int, list[Mount]]:
    stream, _ = parse_stream(told, nonce)
    found = {}
    for number, reading in enumerate(readings):
        if isinstance(reading, MountUsage):
            try:
                table = mount_table(stream, number)
            except ParseError:
                table = None
            if table is not None:
                found[number] = list({m.mountpoint: m for m in wanted(table, reading)}.values())
    return found
