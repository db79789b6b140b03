"""The agent's own history: sampled from this host, taken from clouds, and whole whatever happens to it."""

from __future__ import annotations

import json
import math
import os
import random
import re
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest

from agents import history
from agents.clocks import Clocks
from agents.compaction import OVER, SPREAD, Compaction
from agents.config import Config
from agents.history import HistorySchedule
from agents.historyfile import WAITING, HistoryFile
from collectors.cloud.model import Use
from exporters import locks
from exporters.history import settings
from exporters.history.accumulate import Rollup
from exporters.history.schema import SLOT
from exporters.history.settings import HistorySettings
from exporters.history.store import HistoryWriter, Known, Span
from exporters.history.units import METRICS
from tests.agentlab import Agent, agent, eventually

KILLS = 4
DROPPED = "jianwei_history_dropped_days_total"
QUIET = """
audit: {packs: []}
inventories: {enable: false}
probes: {gateways: false}
history: {sample_interval: 1s}
state_dir: state
"""


def read(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


class Clock:
    """Both clocks, moved by hand."""

    def __init__(self) -> None:
        self.wall, self.steady = 1_700_000_100.0, 50.0  # the begin of a slot

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds


class Driven:
    """A schedule of this host without its thread, sampled every 30 s of a clock moved by hand."""

    def __init__(self, folder: Path, clock: Clock) -> None:
        self.clock = clock
        self.schedule = HistorySchedule(Config(state_dir=str(folder)))
        self.path = self.schedule.path
        self.schedule._file = HistoryFile(self.path, "Asia/Shanghai")
        self.sample()

    def sample(self, seconds: float = 0.0) -> None:
        for _ in range(int(seconds // 30)):
            self.clock.pass_by(30)
            self.schedule._sample()
        if not seconds:
            self.schedule._sample()

    def slots(self) -> dict[int, int]:
        """How many rollups each slot has, counted from the first."""
        first = 1_700_000_100 // SLOT
        found = read(self.path, "SELECT slot, count(*) FROM rollups GROUP BY slot ORDER BY slot")
        return {int(str(slot)) - first: int(str(count)) for slot, count in found}


@pytest.fixture
def driven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driven:
    clock = Clock()
    monkeypatch.setattr(history, "time", clock)
    return Driven(tmp_path, clock)


def test_a_quarter_of_an_hour_of_this_host(driven: Driven) -> None:
    driven.sample(900)
    assert driven.slots() == dict.fromkeys(range(3), len(METRICS))
    ((identity, kind, size),) = read(
        driven.path,
        "SELECT id, kind, value FROM resources JOIN spans ON resource = number WHERE until IS NULL",
    )
    assert re.fullmatch(r"[0-9a-f]{32}", str(identity))
    assert kind == "host"
    assert json.loads(str(size))["vcpus"] == os.cpu_count()
    rows = read(driven.path, "SELECT average, maximum FROM rollups")
    assert all(0 <= average <= most for average, most in rows)  # type: ignore[operator]


def test_a_clock_set_back_by_an_hour(driven: Driven) -> None:
    driven.sample(480)
    driven.clock.wall -= 3600
    driven.sample(600)
    # the slot under way had 180 s and is told; those of the hour before come as well
    assert driven.slots() == dict.fromkeys((-11, -10, 0, 1), len(METRICS))


def test_a_clock_set_forward_and_a_sleep(driven: Driven) -> None:
    driven.sample(300)
    driven.clock.wall += 3600  # the monotonic clock does not count sleep
    driven.sample(600)
    assert driven.slots() == dict.fromkeys((0, 13, 14), len(METRICS))
    spread = read(driven.path, "SELECT max(maximum) FROM rollups, series ON series = number "
                  "WHERE metric = (SELECT number FROM metrics WHERE name = 'cpu')")  # fmt: skip
    assert float(str(spread[0][0])) <= 100


def test_an_agent_that_was_stopped_for_long_tells_nothing_of_meanwhile(driven: Driven) -> None:
    driven.sample(300)
    driven.clock.pass_by(1200)
    driven.sample(300)
    assert driven.slots() == {0: len(METRICS), 5: len(METRICS)}


def test_a_leap_second_and_a_slew_change_nothing(driven: Driven) -> None:
    driven.sample(150)
    driven.clock.wall -= 1
    driven.sample(150)
    driven.clock.wall += 1
    driven.sample(300)
    assert driven.slots() == dict.fromkeys(range(2), len(METRICS))


def test_a_resized_host(driven: Driven) -> None:
    host = driven.schedule._host
    assert host
    driven.sample(300)
    first = driven.clock.wall
    host.size = msgspec.structs.replace(host.size, vcpus=99.0)
    driven.schedule._write({})
    spans = read(driven.path, "SELECT since, until, value FROM spans ORDER BY since")
    assert [span[1] for span in spans] == [first, None]
    assert '"vcpus":99.0' in str(spans[1][2])
    # another agent process finds the open span, and begins none anew
    driven.schedule._size = ""
    driven.schedule._write({})
    assert len(read(driven.path, "SELECT * FROM spans")) == 2


def test_what_cannot_be_written_waits_for_the_disk(driven: Driven) -> None:
    driven.sample(300)
    away = driven.path.with_name("away")
    driven.path.parent.joinpath("history.db.lock").unlink()
    os.rename(driven.path, away)
    driven.path.mkdir()  # nothing can be opened there
    driven.sample(600)
    file = driven.schedule._file
    assert file
    assert str(driven.path) in file.problem
    driven.path.rmdir()
    os.rename(away, driven.path)
    driven.sample(300)
    assert file.problem == ""
    assert file.lost == 0
    assert driven.slots() == dict.fromkeys(range(4), len(METRICS))


def test_memory_of_what_waits_is_bounded(tmp_path: Path) -> None:
    blocked = tmp_path / "history.db"
    blocked.mkdir()
    file = HistoryFile(blocked, "Asia/Shanghai")
    host = Known("h", "host", "h", "", 1, 1)
    for slot in range(1000):
        assert not file.write({slot: [Rollup("h", metric, 1, 1) for metric in METRICS]}, [host])
    assert sum(len(it.rows) + len(it.resources) for it in file._waiting) <= WAITING
    kept = len(file._waiting)
    assert file.lost == (1000 - kept) * len(METRICS)
    blocked.rmdir()
    assert file.write({})
    assert read(blocked, "SELECT min(slot), max(slot) FROM rollups") == [(1000 - kept, 999)]
    file.close()


@pytest.mark.skipif(os.geteuid() != 0, reason="mounting a file system takes root")
def test_a_file_system_that_becomes_read_only(tmp_path: Path) -> None:
    disk = str(tmp_path)
    mounted = subprocess.run(["mount", "-t", "tmpfs", "none", disk], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"cannot mount here: {mounted.stderr.decode().strip()}")
    try:
        file = HistoryFile(tmp_path / "h.db", "Asia/Shanghai")
        host = Known("h", "host", "h", "", 1, 1)
        assert file.write({1: [Rollup("h", "cpu", 1, 1)]}, [host])
        file.close()
        subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
        for slot in (2, 3):
            assert not file.write({slot: [Rollup("h", "cpu", 1, 1)]}, [host])
        assert "Read-only file system" in file.problem
        subprocess.run(["mount", "-o", "remount,rw", disk], check=True)
        assert file.write({4: [Rollup("h", "cpu", 1, 1)]}, [host])
        file.close()
        assert read(tmp_path / "h.db", "SELECT slot FROM rollups") == [(1,), (2,), (3,), (4,)]
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_file_that_was_moved_away_begins_anew(tmp_path: Path) -> None:
    file = HistoryFile(tmp_path / "h.db", "Asia/Shanghai")
    host = Known("h", "host", "h", "", 1, 1)
    assert file.write({1: [Rollup("h", "cpu", 1, 1)]}, [host])
    os.rename(tmp_path / "h.db", tmp_path / "old.db")
    assert file.write({2: [Rollup("h", "cpu", 1, 1)]}, [host])
    file.close()
    assert read(tmp_path / "h.db", "SELECT slot FROM rollups") == [(2,)]


def test_clocks() -> None:
    clocks = Clocks()
    assert not clocks.set_between(1000.0, 10.0)
    assert not clocks.set_between(1029.0, 40.0)  # a leap second
    assert clocks.steady(1029.0, 40.0) == 40.0
    assert clocks.set_between(4659.0, 70.0)
    assert clocks.steady(4659.0, 70.0) == 70.0
    assert clocks.steady(1050.0, 70.0) is None  # told before the clock was set
    assert clocks.set_between(1089.0, 100.0)
    assert clocks.steady(4659.0, 100.0) is None
    assert clocks.steady(math.nan, 100.0) is None


# --- clouds ---------------------------------------------------------------------------------------


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[HistorySchedule]:
    schedule = HistorySchedule(Config(state_dir=str(tmp_path)))
    schedule.start()
    eventually(lambda: schedule.open_spans())
    yield schedule
    schedule.stop()


def test_looks_at_a_cloud(kept: HistorySchedule) -> None:
    vm = Known("vm", "server", "web", "city", 1, 2)
    begin = (time.time() // SLOT - 8) * SLOT
    owner = Span("vm", "owner", begin, None, '{"department":"x"}')
    for look in range(6):
        at = begin + look * 300
        uses = [
            Use("vm", at + 20, 30.0 * look, 0.0, 1.0, net_rx=1e6 * look),
            Use("vm", at + 20, 30.0 * look, 0.0, 1.0, net_rx=1e6 * look),  # told twice
            Use("unheard", at, 5.0 * look, vcpus=1.0),
        ]
        assert kept.take("city", 300, at, uses, [vm], [] if look else [owner])
    assert owner in (kept.open_spans() or ())
    told = {one.name: [(it.labels, it.value) for it in one.samples] for one in kept.families()}
    cpu = told["jianwei_resource_cpu_ratio"]
    assert [dict(labels)["resource"] for labels, _ in cpu] == ["vm", "unheard"]
    assert [value for _, value in cpu] == pytest.approx([0.1, 5 / 300])
    assert told["jianwei_resource_memory_ratio"] == []
    kept.stop()
    found = read(
        kept.path,
        "SELECT slot, name, average FROM rollups, series ON series = series.number, metrics "
        "ON metric = metrics.number WHERE resource = (SELECT number FROM resources "
        "WHERE id = 'vm') ORDER BY slot, name",
    )
    slots = {int(str(slot)) - begin // SLOT for slot, _, _ in found}
    assert slots == {0, 1, 2, 3, 4}
    assert {(name, round(float(str(value)), 2)) for _, name, value in found} == {
        ("cpu", 10.0),
        ("net_rx", 3333.33),
        ("steal", 0.0),
    }
    assert kept._file
    assert kept._file.lost == 5  # of what nobody told of, and nothing else


def test_what_comes_after_the_end_is_refused(kept: HistorySchedule) -> None:
    kept.stop()
    assert not kept.take("city", 300, time.time(), [])


def test_a_history_that_is_not_kept(tmp_path: Path) -> None:
    settings = HistorySettings(enable=False)
    schedule = HistorySchedule(Config(state_dir=str(tmp_path), history=settings))
    schedule.start()
    assert schedule.families() == ()
    assert schedule.open_spans() is None
    assert not schedule.take("city", 300, time.time(), [])
    schedule.stop()
    assert not list(tmp_path.iterdir())


# --- the real agent -------------------------------------------------------------------------------


def metrics(it: Agent) -> dict[str, float]:
    with urllib.request.urlopen(f"{it.url}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return {
        name: float(value)
        for name, value in re.findall(r"^(jianwei_history_\w+) (\S+)$", text, re.MULTILINE)
    }


def test_the_agent_killed_as_it_begins(tmp_path: Path) -> None:
    """What was written is whole after each kill. That no rollup is lost but the last one, kills of
    the writer show: tests/exporters/test_history_store.py."""
    path = tmp_path / "state/history.db"
    chance = random.Random(4)  # noqa: S311 - no secret
    for _ in range(KILLS):
        with agent(tmp_path, QUIET) as it:
            time.sleep(chance.uniform(0, 0.4))
            it.process.send_signal(signal.SIGKILL)
            it.process.wait()
        if path.exists():
            assert read(path, "PRAGMA integrity_check") == [("ok",)]
    with agent(tmp_path, QUIET) as it:
        eventually(lambda: metrics(it).get("jianwei_history_success") == 1)
        eventually(lambda: len(read(path, "SELECT * FROM spans")) == 1)
        assert metrics(it)["jianwei_history_size_bytes"] > 10_000
        assert metrics(it)["jianwei_history_rollups_lost_total"] == 0
    assert not list(tmp_path.glob("state/*damaged*"))
    assert not path.with_name("history.db-wal").exists(), "it was not closed well"


def test_two_agents_on_one_file(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    both = QUIET.replace("state_dir: state", f"state_dir: {tmp_path}/state")
    with agent(tmp_path / "a", both) as one, agent(tmp_path / "b", both) as other:
        eventually(lambda: metrics(one)["jianwei_history_success"] == 1)
        eventually(lambda: metrics(other)["jianwei_history_success"] == 0)
        eventually(lambda: "another agent writes it" in other.log.read_text())
        assert metrics(one)["jianwei_history_success"] == 1


def test_an_agent_that_cannot_write_its_history_serves_all_else(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("not a folder")
    with agent(tmp_path, QUIET) as it:
        eventually(lambda: metrics(it)["jianwei_history_success"] == 0)
        assert f"{tmp_path}/state" in it.log.read_text()


def test_an_agent_waits_for_another_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    waited: list[float] = []
    monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.2)
    path = tmp_path / "history.db"
    with closing(HistoryWriter(path)):
        file = HistoryFile(path, "Asia/Shanghai")
        monkeypatch.setattr(time, "sleep", waited.append)
        assert not file.write({})
        assert waited, "one that ends just now has a moment"
        waited.clear()
        for _ in range(3):
            assert not file.write({})
            assert file.open_spans() is None
        assert not waited, "all else of the agent would wait with it"
    assert file.write({})
    file.close()


def test_a_reload_goes_on_where_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(locks, "LOCK_PATIENCE", 0.1)
    config = Config(state_dir=str(tmp_path))
    before = HistorySchedule(config)
    before.start()
    eventually(lambda: before.open_spans())
    after, other = HistorySchedule(config), HistorySchedule(Config(state_dir=str(tmp_path / "x")))
    after.adopt(before)
    assert after._host is None  # it was not stopped
    before.stop()
    after.adopt(before)
    other.adopt(before)
    assert after._host_slots is before._host_slots
    assert other._host is None
    after.start()
    eventually(lambda: after.open_spans())
    after.stop()
    assert len(read(after.path, "SELECT * FROM spans")) == 1


# --- compaction -----------------------------------------------------------------------------------


def test_a_day_that_is_over_becomes_blocks(tmp_path: Path) -> None:
    path, failed = tmp_path / "history.db", threading.Event()
    filled(path, 3, OVER + SPREAD)
    (first,) = read(path, "SELECT min(slot) FROM rollups")[0]
    it = Compaction(path, HistorySettings(), failed.set)
    it._due = 0.0
    with closing(HistoryWriter(path)) as writer:  # the agent goes on meanwhile
        it.if_due(writer.first_slot, 0.0)
        slot = int(time.time() // SLOT)
        writer.add(slot, [Rollup("h", "cpu", 1.0, 2.0)])
        eventually(lambda: it.well is not None)
        writer.add(slot, [Rollup("h", "cpu", 3.0, 4.0)])
    assert it.well
    assert not failed.is_set()
    assert read(path, "SELECT average FROM rollups") == [(3.0,)]
    assert read(path, "SELECT count(*) FROM blocks") == [(len(METRICS),)]
    assert int(str(first)) < slot - 200


def test_what_is_let_go_before_its_time_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "history.db"
    filled(path, 300, OVER + SPREAD + 2 * 86400)
    monkeypatch.setattr(settings, "MIN_BYTES", 1)
    config = Config(state_dir=str(tmp_path), history=HistorySettings(max_bytes=40_000))
    it = HistorySchedule(config)
    it._file = HistoryFile(path, "Asia/Shanghai")
    it._compaction._due = 0.0
    with caplog.at_level("WARNING"):
        it._compaction.if_due(it._first_slot, 0.0)
        eventually(lambda: it._compaction.well is not None)
    assert it._compaction.well
    told = {family.name: family.samples for family in it.families()}
    dropped = {dict(one.labels)["what"]: one.value for one in told[DROPPED]}
    assert dropped["rollups"] >= 1
    assert "rollups were let go early, as the file may take 40000 bytes" in caplog.text
    after = HistorySchedule(config)
    after.adopt(it)
    assert after._compaction.dropped == it._compaction.dropped
    it._file.close()


def filled(path: Path, slots: int, age: float) -> None:
    first = int((time.time() - age) // SLOT)
    with closing(HistoryWriter(path)) as writer:
        for slot in range(first, first + slots):
            rows = [Rollup("h", metric, 1.0, 2.0) for metric in METRICS]
            writer.add(slot, rows, [Known("h", "host", "h", "", 1, 1)])


@pytest.mark.parametrize(("first", "begins"), [(None, False), (OVER, False), (OVER + SPREAD, True)])
def test_when_days_are_made_blocks(tmp_path: Path, first: float | None, begins: bool) -> None:
    failed = threading.Event()
    it = Compaction(tmp_path / "none.db", HistorySettings(), failed.set)
    slot = None if first is None else int((time.time() - first) // SLOT)
    it.if_due(lambda: slot, 0.5)
    assert it._thread is None  # the agent has just begun
    it._due = 0.0
    it.if_due(lambda: slot, 0.5)
    if not begins:
        assert it._thread is None
        return
    eventually(lambda: it.well is not None)
    assert it.well is False  # there is no such file
    assert failed.is_set()
    it._due = 0.0
    it.stop()
