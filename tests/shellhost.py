"""Shells of this machine as hosts: the script of the SSH source without SSH."""

from __future__ import annotations

import contextlib
import os
import selectors
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from typing import Any

from collectors.model import (
    Answer,
    Reading,
)
from collectors.sources.commands import ENVIRONMENT
from collectors.sources.local import LocalSource
from collectors.sources.ssh.exchange import exchange

SHELLS = {
    name: argv
    for name, argv in {
        "dash": ["dash", "-s"],
        "bash": ["bash", "--posix", "-s"],
        "busybox": ["busybox", "sh", "-s"],
    }.items()
    if shutil.which(argv[0])
}


class ShellChannel:
    """A shell on this machine, spoken to as over SSH."""

    def __init__(
        self, argv: Sequence[str], environment: Mapping[str, str] = ENVIRONMENT, **how: Any
    ) -> None:
        self.process = subprocess.Popen(
            argv,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
            **how,
        )

    def __enter__(self) -> ShellChannel:
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe
            with contextlib.suppress(BrokenPipeError):
                pipe.close()
        self.process.kill()
        self.process.wait()

    def send(self, data: bytes) -> None:
        assert self.process.stdin
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def receive(self, seconds: float) -> bytes:
        assert self.process.stdout
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            if not selector.select(seconds):
                raise TimeoutError
        return os.read(self.process.stdout.fileno(), 1 << 16)


LOCAL = LocalSource()


SECONDS = 30.0


def ask(shell: Sequence[str], *readings: Reading, **how: Any) -> Mapping[Reading, Answer]:
    with ShellChannel(shell, **how) as channel:
        return exchange(channel, readings, SECONDS)


def ask_as_local(shell: Sequence[str], *readings: Reading) -> Mapping[Reading, Answer]:
    """The answers, after checking that LocalSource gives the same."""
    answers = ask(shell, *readings)
    assert answers == LOCAL.answer(readings)
    return answers


class ShellSource:
    """A host whose shell is started on this machine (a chroot, a namespace) as a source."""

    def __init__(self, argv: Sequence[str], seconds: float = 60.0) -> None:
        self._argv, self._seconds = argv, seconds

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        with ShellChannel(self._argv) as channel:
            return exchange(channel, readings, self._seconds)
