"""Configurations of deploy/scale, started as they are: names of hosts, ports, paths and intervals alone are others."""

from __future__ import annotations

import contextlib
import functools
import itertools
import re
import shlex
import shutil
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

from benchmarks.estatelab import Process, running
from benchmarks.estatetemplate import Template, taken

ROOT: Final = Path(__file__).parents[1]
SCALE: Final = ROOT / "deploy/scale"
PATIENCE: Final = 60.0
FRESH: Final = "FRESH"
_ASKED: Final = itertools.count()


@functools.cache
def template() -> Template:
    """A real agent's pages, taken once."""
    return taken()


def free() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        port: int = found.getsockname()[1]
    return port


def adapted(text: str, changes: Mapping[str, str]) -> str:
    """The text with each of these, all of which must be in it, become another."""
    for before, after in changes.items():
        assert before in text, f"{before!r} is not in it"
        text = text.replace(before, after)
    return text


def placed(folder: Path, name: str, changes: Mapping[str, str], targets: Path | None) -> Path:
    """A configuration in a folder of its own, with targets and quick rules where it looks for them."""
    (folder / "targets").mkdir(parents=True)
    if targets:
        shutil.copy(targets, folder / "targets/agents.json")
    for path in (ROOT / "deploy/prometheus").glob("jianwei-*-rules.yml"):
        text, count = re.subn(r"(?m)^(    interval:) \S+$", r"\1 1s", path.read_text())
        assert count
        (folder / path.name).write_text(text)
    path = folder / name
    path.write_text(adapted((SCALE / name).read_text(), changes))
    return path


@contextlib.contextmanager
def prometheus(config: Path, *flags: str, port: int = 0) -> Iterator[Process]:
    port = port or free()
    argv = [f"--config.file={config.name}", f"--web.listen-address=127.0.0.1:{port}"]
    if not any("agent" in flag for flag in flags):
        argv.append("--storage.tsdb.path=data")
    with running("prometheus", [*argv, *flags], config.parent, port, "/-/ready") as server:
        yield server


def words(unit: Path) -> list[str]:
    """The arguments of ExecStart of a unit, or of ARGS of a file of /etc/default."""
    text = unit.read_text().replace("\\\n", " ")
    found = re.search(r'^(?:ExecStart=\S+ (.*)|ARGS="(.*)")$', text, re.MULTILINE)
    assert found
    return shlex.split(found[1] or found[2])


@contextlib.contextmanager
def victoria(
    program: str, argv: Sequence[str], folder: Path, changes: Mapping[str, str]
) -> Iterator[Process]:
    """A program of VictoriaMetrics with these arguments, at another port."""
    port = free()
    told = adapted("\n".join(argv), changes)
    told = re.sub(r"(?m)^-httpListenAddr=.*$", f"-httpListenAddr=127.0.0.1:{port}", told)
    with running(program, told.split("\n"), folder, port, "/health") as server:
        yield server


def until(holds: Callable[[], object], what: str) -> None:
    """Waits for it."""
    ends = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < ends, f"not within {PATIENCE:g} s: {what}"
        time.sleep(0.2)


def value(server: Process, promql: str) -> float:
    """The one value of a query; nothing is 0. VictoriaMetrics keeps for ten seconds which series a selector has: FRESH in
    one makes it another each time."""
    found = server.query(promql.replace(FRESH, f'unseen{next(_ASKED)}=""'))
    assert len(found) < 2, found
    told = found[0]["value"] if found else (0, "0")
    assert isinstance(told, list | tuple)
    return float(told[1])


def scraped(server: Process) -> set[str]:
    """The agents that a server scrapes."""
    told = server.http.get("/api/v1/targets", params={"state": "active"}).json()["data"]
    return {
        target["labels"]["instance"]
        for target in told["activeTargets"]
        if target["labels"]["job"] == "jianwei"
    }


def tells(server: Process, promql: str, expected: float) -> None:
    """Waits for this value of a query."""
    until(lambda: value(server, promql) == expected, f"{promql} is {expected:g}")
