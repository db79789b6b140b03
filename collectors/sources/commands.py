"""Children with a fixed argv: no shell, a deadline, an output cap, the whole process group ended."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import IO, NamedTuple, cast

import msgspec

from collectors.model import Answer, Command

ENVIRONMENT = {
    "LC_ALL": "C",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}
NICE = 10  # readings give way to what the host is for


class Ended(NamedTuple):
    """How a child ended. `problem` is empty or says why it was ended before its time."""

    status: int
    output: bytes
    problem: str


def run(reading: Command) -> Answer:
    """Run it and answer its standard output."""
    errors = subprocess.STDOUT if reading.errors else subprocess.DEVNULL
    try:
        ended = finish(reading.argv, reading.timeout, reading.limit, ENVIRONMENT, errors, nice=NICE)
    except FileNotFoundError:
        return Answer("absent", reason=f"no program {reading.argv[0]}")
    except PermissionError:
        return Answer("denied", reason=f"may not run {reading.argv[0]}")
    if ended.problem:
        return Answer("failed", reason=ended.problem)
    if ended.status not in reading.ok:
        return Answer("failed", reason=f"exit status {ended.status}")
    return Answer("content", ended.output)


def run_in(root: str, reading: Command) -> Answer:
    """Run it with `root` as its `/`, by chroot(1), whose own exit statuses are 125 to 127."""
    if os.geteuid() != 0:
        return Answer("denied", reason=f"only root may run it in {root}")
    argv = ("chroot", os.path.abspath(root), *reading.argv)
    answer = run(msgspec.structs.replace(reading, argv=argv))
    if answer.state == "absent":
        return Answer("failed", reason=f"cannot be run in {root}: {answer.reason}")
    match answer.reason:
        case "exit status 125":
            return Answer("denied", reason=f"may not be run in {root}")
        case "exit status 126":
            return Answer("denied", reason=f"may not run {reading.argv[0]}")
        case "exit status 127":
            return Answer("absent", reason=f"no program {reading.argv[0]}")
    return answer


def finish(
    argv: Sequence[str],
    timeout: float,
    limit: int,
    environment: Mapping[str, str],
    errors: int | None = None,
    stop: threading.Event | None = None,
    given: int = subprocess.DEVNULL,
    nice: int = 0,
    lines: Callable[[bytes], None] | None = None,
) -> Ended:
    """Run a child to its end, or end it after `timeout` seconds or `limit` bytes of output, or
    when `stop` is set.

    `lines` is given each line of its output as it comes; `limit` is then of one line, and the output
    that is left what follows the last whole one.

    `errors` is where its standard error goes (None: to ours), `given` its standard input, `nice` the
    priority that it is lowered to. Raises FileNotFoundError and
    PermissionError where it cannot be started.
    """
    child = subprocess.Popen(
        argv,
        env=environment,
        stdin=given,
        stdout=subprocess.PIPE,
        stderr=errors,
        start_new_session=True,
        cwd="/",
    )
    deadline = time.monotonic() + timeout
    try:
        if nice:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.setpriority(os.PRIO_PGRP, child.pid, nice)
        output, problem = _drain(cast(IO[bytes], child.stdout), deadline, limit, stop, lines)
        # a child that closed its output may still be running
        while not problem and not _has_ended(child.pid):
            if time.monotonic() > deadline:
                problem = _LATE
            time.sleep(0.002)
    finally:
        # before it is reaped, while its number cannot be another's: end all that is left of its group
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
    return Ended(child.returncode, output, problem and problem.format(timeout=timeout, limit=limit))


def _has_ended(pid: int) -> bool:
    """Whether a child of ours has ended; it is not reaped."""
    return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


_LATE = "no end within {timeout:g} s"
_LONG = "output longer than {limit} bytes"
_STOPPED = "stopped"
_GLANCE = 0.2  # seconds between two looks at `stop`


def _drain(
    pipe: IO[bytes],
    deadline: float,
    limit: int,
    stop: threading.Event | None,
    lines: Callable[[bytes], None] | None,
) -> tuple[bytes, str]:
    content = bytearray()
    with pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            left = max(deadline - time.monotonic(), 0)
            if not selector.select(min(left, _GLANCE) if stop else left):
                if stop and stop.is_set():
                    return b"", _STOPPED
                if time.monotonic() < deadline:
                    continue
                return b"", _LATE
            chunk = os.read(pipe.fileno(), 1 << 16)
            if not chunk:
                return bytes(content), ""
            content += chunk
            if lines and b"\n" in chunk:
                *whole, rest = content.split(b"\n")
                content = bytearray(rest)
                for line in whole:
                    if stop and stop.is_set():
                        return b"", _STOPPED
                    lines(bytes(line))
            if len(content) > limit:
                return b"", _LONG
