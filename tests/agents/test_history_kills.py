"""The real agent, killed as it writes rollups. Its slots are of a second, so that it writes often, and SIGXFSZ is not
ignored: both are set as Python begins, by a `sitecustomize` of this test; all else is what runs anywhere.

Half of the kills are SIGKILL when its journal has just been written. The other half are the kernel's: a limit of the size
of files, set on the running agent, ends it at one byte of what it writes next, in the middle of a transaction.
"""

from __future__ import annotations

import os
import random
import re
import resource
import shutil
import signal
import sqlite3
import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest

from tests.agentlab import Agent, agent

AGENTS, KILLS = 3, 2  # at once, and of each
CONFIG = """
audit: {packs: []}
inventories: {enable: false}
probes: {gateways: false}
history: {sample_interval: 1s}
state_dir: state
"""
AS_IT_BEGINS = """
import signal
import exporters.history.schema as schema
schema.SLOT = 1
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
"""
FRAME = 24 + 4096  # of a journal: header and page

Rows = dict[int, tuple[tuple[object, ...], ...]]  # by slot: series, average, maximum


def rollups(path: Path) -> Rows:
    """Those of a copy with its journal, which SQLite recovers there."""
    copy = path.with_name("copy.db")
    shutil.copy(path, copy)
    if (wal := path.with_name(f"{path.name}-wal")).exists():
        shutil.copy(wal, copy.with_name("copy.db-wal"))
    with closing(sqlite3.connect(copy)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found: dict[int, list[tuple[object, ...]]] = {}
        for slot, *row in db.execute("SELECT * FROM rollups ORDER BY slot, series"):
            found.setdefault(slot, []).append(tuple(row))
    return {slot: tuple(rows) for slot, rows in found.items()}


def writes(path: Path) -> Iterator[None]:
    """Each time that the journal is written: the first page of a transaction, in time for the rest of it."""
    wal, before = path.with_name(f"{path.name}-wal"), None
    end = time.monotonic() + 20
    while time.monotonic() < end:
        now = wal.stat().st_mtime_ns if wal.exists() else None
        if now != before:
            before = now
            yield
        time.sleep(0.0002)
    raise AssertionError("the agent writes nothing")


def written(path: Path) -> int:
    """Up to where the journal is written: to the last frame that has its salts."""
    raw = path.with_name(f"{path.name}-wal").read_bytes()
    end = 32
    while raw[end + 8 : end + 16] == raw[16:24]:
        end += FRAME
    return end


def kill(it: Agent, path: Path, changes: Iterator[None], torn: bool, chance: random.Random) -> None:
    if torn:
        most = written(path) + chance.randint(1, 4 * FRAME)
        resource.prlimit(it.process.pid, resource.RLIMIT_FSIZE, (most, most))
        assert it.process.wait(20) == -signal.SIGXFSZ
        return
    next(changes)
    time.sleep(chance.choice((0, chance.uniform(0, 0.006))))
    it.process.send_signal(signal.SIGKILL)
    it.process.wait()


def acknowledged(url: str) -> float:
    """The end of the last slot that the agent says is in the file; 0 before the first."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    found = re.search(r"^jianwei_history_last_rollup_timestamp_seconds (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def killed_again_and_again(folder: Path, chance: random.Random) -> None:
    path, known = folder / "state/history.db", Rows()
    for number in range(KILLS):
        with agent(folder, CONFIG) as it:
            changes = writes(path)
            first = told = 0.0
            while not first or told <= first:
                next(changes)
                told = acknowledged(it.url)
                first = first or told
            kill(it, path, changes, number % 2 == 0, chance)
        now = rollups(path)
        assert known.items() <= now.items(), "what was there stays as it was"
        assert max(now) + 1 >= told, "what was acknowledged is there"
        own = sorted(now.keys() - known.keys())
        series = {tuple(row[0] for row in now[slot]) for slot in own[1:]}  # the first may lack some
        assert len(series) <= 1, "a slot is there whole or not at all"
        assert len(own) > 1, "two were acknowledged"
        known = now
    with agent(folder, CONFIG) as it:  # it recovers what the last one left, and goes on
        while acknowledged(it.url) <= max(known) + 1:
            time.sleep(0.05)
    assert known.items() <= rollups(path).items()
    assert not list(folder.glob("state/*damaged*"))
    assert not path.with_name("history.db-wal").exists(), "it was not closed well"


@pytest.mark.timeout(120)
def test_agents_killed_as_they_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sitecustomize.py").write_text(AS_IT_BEGINS)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path), prepend=os.pathsep)
    folders = [tmp_path / str(number) for number in range(AGENTS)]
    for folder in folders:
        folder.mkdir()
    with ThreadPoolExecutor(AGENTS) as pool:
        chances = [random.Random(seed) for seed in range(AGENTS)]  # noqa: S311 - no secret
        list(pool.map(killed_again_and_again, folders, chances))
