"""A real agent in a process of its own, for tests."""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NamedTuple, TypeVar, cast

START_LIMIT = 30.0

T = TypeVar("T")


class Agent(NamedTuple):
    """A running agent: its base URL, its process, its configuration file and its log."""

    url: str
    process: subprocess.Popen[str]
    config: Path
    log: Path


@contextlib.contextmanager
def agent(directory: Path, config: str = "", *arguments: str) -> Iterator[Agent]:
    """An agent on a free loopback port with `config` as its YAML; ended by SIGTERM afterwards."""
    path, log = directory / "jianwei.yaml", directory / "agent.log"
    path.write_text(config)
    argv = [sys.executable, "-m", "agents", "run", "--config", path.name]
    if "listen:" not in config:
        argv += ["--web.listen-address", "127.0.0.1:0"]
    with log.open("w") as errors:
        process = subprocess.Popen(
            [*argv, *arguments],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env={**os.environ, "PYTHONUNBUFFERED": "1"},
            cwd=directory,
        )
    try:
        line = _first_line(cast(IO[str], process.stdout))
        found = re.search(r"on (https?://[^/ ]+)", line)
        assert found, f"the agent did not start: {line}{log.read_text()}"
        yield Agent(found[1], process, path, log)
    finally:
        process.terminate()
        try:
            process.wait(10)
        finally:
            process.kill()
            process.wait()
            cast(IO[str], process.stdout).close()


def _first_line(pipe: IO[str]) -> str:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return pipe.readline() if selector.select(START_LIMIT) else ""


def eventually(check: Callable[[], T], limit: float = 20.0) -> T:
    """Call `check` until it gives something true, and return that."""
    end = time.monotonic() + limit
    while not (result := check()):
        assert time.monotonic() < end, f"not within {limit:g} s"
        time.sleep(0.05)
    return result
