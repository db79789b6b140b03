"""Children with a fixed argv: no shell, a deadline, an output cap, the whole process group ended."""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from typing import IO, cast

from collectors.model import Answer, Command

ENVIRONMENT = {
    "LC_ALL": "C",
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
}


def run(reading: Command) -> Answer:
    """Run it and answer its standard output."""
    try:
        child = subprocess.Popen(
            reading.argv,
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            cwd="/",
        )
    except FileNotFoundError:
        return Answer("absent", reason=f"no program {reading.argv[0]}")
    except PermissionError:
        return Answer("denied", reason=f"may not run {reading.argv[0]}")
    try:
        content, problem = _drain(child, reading)
        if not problem:
            try:
                child.wait(reading.timeout)
            except subprocess.TimeoutExpired:
                problem = f"no end within {reading.timeout:g} s"
    finally:
        _end(child)
    if problem:
        return Answer("failed", reason=problem)
    if child.returncode not in reading.ok:
        return Answer("failed", reason=f"exit status {child.returncode}")
    return Answer("content", content)


def _drain(child: subprocess.Popen[bytes], reading: Command) -> tuple[bytes, str]:
    deadline = time.monotonic() + reading.timeout
    content = bytearray()
    pipe = cast(IO[bytes], child.stdout)
    with pipe, selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while True:
            if not selector.select(max(deadline - time.monotonic(), 0)):
                return b"", f"no end within {reading.timeout:g} s"
            chunk = os.read(pipe.fileno(), 1 << 16)
            if not chunk:
                return bytes(content), ""
            content += chunk
            if len(content) > reading.limit:
                return b"", f"output longer than {reading.limit} bytes"


def _end(child: subprocess.Popen[bytes]) -> None:
    """End whatever is left of the group, and reap the child."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()
