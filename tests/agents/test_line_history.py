"""Lines in the agent's history: what the file has of each slot is what the states of lines counted, whatever becomes of
the clock, the file of lines and the agent; and the report's part out of it."""

from __future__ import annotations

import json
import re
import sqlite3
import urllib.request
from array import array
from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from click.testing import CliRunner

from agents import history
from agents.cli import main
from agents.config import Config
from agents.history import HistorySchedule
from agents.historyfile import HistoryFile
from agents.linehistory import AT_ONCE, LineSeconds, LineSlots
from collectors.link.lines import LEVELS, Line, Lines
from collectors.link.measure import Measure
from exporters.history.compaction import compact
from exporters.history.file import connect
from exporters.report.sections.lines import lines_from_history
from exporters.report.sections.settings import LinesSettings
from exporters.usage.lives import lives
from exporters.usage.period import Period
from rules.linejudge import Key
from rules.linestate import LineStates
from rules.linethresholds import Thresholds
from tests.agentlab import agent, eventually

SLOT = 300
BEGIN = 1_791_219_600.0  # a slot begins
ZONE = ZoneInfo("Asia/Shanghai")


class Wire:
    """Lines looked at every ten seconds by a clock moved by hand; those in `cut` do not answer."""

    def __init__(self, names: Sequence[str]) -> None:
        self.lines = Lines(
            tuple(Line(name=n, targets=("192.0.2.1",), family="ipv4") for n in names)
        )
        self.states = LineStates(self.lines, dict.fromkeys((*LEVELS, ""), Thresholds()))
        self.wall, self.steady = BEGIN, 50.0
        self.cut: set[str] = set()
        self._streaks: dict[str, tuple[int, float]] = {}

    def time(self) -> float:
        return self.wall

    def monotonic(self) -> float:
        return self.steady

    def pass_by(self, seconds: float) -> None:
        self.wall += seconds
        self.steady += seconds
        measures: dict[Key, Measure] = {}
        for line in self.lines.lines:
            way = -1 if line.name in self.cut else 1
            streak, since = self._streaks.get(line.name, (0, self.wall))
            streak, since = (streak + way, since) if streak * way > 0 else (way, self.wall)
            self._streaks[line.name] = streak, since
            measures[line.name, "ipv4", "icmp"] = Measure(
                line.name,
                "ipv4",
                "icmp",
                sent=10,
                answered=10,
                streak=streak,
                since=since,
                reason="timeout" if way < 0 else "",
            )
        self.states.update(self.wall, measures)

    def seconds(self) -> LineSeconds:
        states = self.states.states
        return LineSeconds(
            self.lines.lines,
            array("d", (s.seconds[0] + s.seconds[1] for s in states)),
            array("d", (sum(s.seconds[:3]) for s in states)),
        )


class Driven:
    """A schedule without its thread, sampled every 30 s."""

    def __init__(self, folder: Path, wire: Wire) -> None:
        self.wire = wire
        self.schedule = HistorySchedule(Config(state_dir=str(folder)), wire.seconds)
        self.path = self.schedule.path
        self.schedule._file = HistoryFile(self.path, "Asia/Shanghai")
        self.sample(0)

    def sample(self, seconds: float, every: float = 30) -> None:
        for _ in range(int(seconds // every)):
            for _ in range(int(every // 10)):
                self.wire.pass_by(10)
            self.schedule._sample()
        if not seconds:
            self.schedule._sample()

    def rows(self, name: str) -> dict[int, Any]:
        """By slot from BEGIN: up and known, percent."""
        with closing(sqlite3.connect(self.path)) as db:
            found: dict[str, dict[int, float]] = {"line_up": {}, "line_known": {}}
            for metric, slot, value in db.execute(
                "SELECT m.name, slot, average FROM rollups JOIN series s ON s.number = series"
                " JOIN metrics m ON m.number = metric JOIN resources r ON r.number = resource"
                " WHERE r.id = ?",
                (f"line:{name}",),
            ):
                found[metric][slot - int(BEGIN) // SLOT] = value
        return {
            slot: (found["line_up"].get(slot), known) for slot, known in found["line_known"].items()
        }


@pytest.fixture
def driven(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Driven:
    wire = Wire(["a", "b", "c"])
    monkeypatch.setattr(history, "time", wire)
    return Driven(tmp_path, wire)


def test_slots_add_up_to_what_was_counted(driven: Driven) -> None:
    wire = driven.wire
    driven.sample(600)
    wire.cut = {"b"}
    driven.sample(420)
    wire.cut = set()
    driven.sample(780)
    a, b = driven.rows("a"), driven.rows("b")
    assert set(a) == set(range(6))
    assert all(up == 100 for up, _ in a.values())
    assert sum(known for _, known in a.values()) * 3 == pytest.approx(6 * SLOT - 10)
    state = wire.states.by_name["b"]
    up, known = (
        sum(x) * 3 for x in zip(*(((u or 0) * k / 100, k) for u, k in b.values()), strict=True)
    )
    assert known - up == pytest.approx(state.downtime)
    assert known == pytest.approx(sum(state.seconds[:3]))
    assert state.downtime == pytest.approx(420, abs=20)


def test_samples_within_a_slot_are_shared_out(driven: Driven) -> None:
    driven.sample(30 * 7)
    driven.wire.pass_by(70)  # to 280 s
    driven.schedule._sample()
    driven.wire.pass_by(50)  # over the end of the slot
    driven.schedule._sample()
    driven.sample(300)
    assert driven.rows("a")[0] == (100, pytest.approx(100 * 290 / 300))
    assert driven.rows("a")[1] == (100, pytest.approx(100))


def test_what_nobody_looks_at_is_not_known(driven: Driven) -> None:
    driven.sample(300)
    driven.wire.states.update(driven.wire.wall, {})
    for _ in range(20):
        driven.wire.wall += 30
        driven.wire.steady += 30
        driven.wire.states.update(driven.wire.wall, {})
        driven.schedule._sample()
    rows = driven.rows("a")
    assert rows[1] == (None, 0)
    assert rows[2] == (None, 0)


def test_a_clock_that_is_set_and_a_sleep(driven: Driven) -> None:
    driven.sample(450)
    driven.wire.wall += 3600  # the slot under way is let go
    driven.sample(600)
    assert set(driven.rows("a")) == {0, 13, 14}
    assert driven.rows("a")[13][1] < 100  # from its middle on
    driven.wire.wall += 1200
    driven.wire.steady += 1200  # nobody looked for twenty minutes
    driven.sample(600)
    assert max(known for _, known in driven.rows("a").values()) <= 100.0001


def test_other_lines_begin_anew(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    driven.sample(450)
    other = Wire(["b", "d"])
    other.wall, other.steady = driven.wire.wall, driven.wire.steady
    after = HistorySchedule(Config(state_dir=str(driven.path.parent)), other.seconds)
    driven.schedule._thread = after._thread  # neither was started
    after.adopt(driven.schedule)
    monkeypatch.setattr(history, "time", other)
    driven.schedule, driven.wire = after, other
    driven.sample(600)
    assert set(driven.rows("a")) == {0}
    assert driven.rows("d")[1][1] <= 50
    assert driven.rows("d")[2] == (100, pytest.approx(100))


def test_many_lines_are_written_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wire = Wire([f"l{n}" for n in range(2 * AT_ONCE + 1)])
    monkeypatch.setattr(history, "time", wire)
    driven = Driven(tmp_path, wire)
    driven.sample(300)
    with closing(sqlite3.connect(driven.path)) as db:
        count = (
            "SELECT count(*) FROM rollups JOIN series s ON s.number = series WHERE resource IN (%s)"
        )
        own = "SELECT number FROM resources WHERE kind = 'line'"
        assert db.execute(count % own).fetchone() == (2 * (2 * AT_ONCE + 1),)


def test_a_file_that_cannot_be_written(driven: Driven) -> None:
    driven.schedule._file = HistoryFile(Path("/proc/history.db"), "Asia/Shanghai")
    driven.sample(600)
    assert driven.schedule._file.problem


def test_a_line_that_is_counted_anew() -> None:
    line = (Line(name="a", targets=("192.0.2.1",)),)
    slots = LineSlots()
    for at, up in ((0, 1000.0), (150, 1150.0), (240, 40.0), (310, 110.0)):
        told = slots.look(BEGIN + at, LineSeconds(line, array("d", [up]), array("d", [up])))
    assert told
    assert told.told.known.tolist() == [0.0]  # nothing is made up


def test_lines_are_no_usage_and_are_kept_like_others(driven: Driven, tmp_path: Path) -> None:
    wire = driven.wire
    driven.sample(1200)
    wire.cut = {"c"}
    driven.sample(1200)
    file = tmp_path / "maintenance.yaml"
    begin = datetime.fromtimestamp(BEGIN + 1500, ZONE).strftime("%Y-%m-%d %H:%M")
    end = datetime.fromtimestamp(BEGIN + 1800, ZONE).strftime("%Y-%m-%d %H:%M")
    file.write_text(f"maintenance: [{{since: {begin}, until: {end}, lines: [c], reason: x}}]")
    settings = LinesSettings(maintenance=str(file))
    period = Period("p", BEGIN, BEGIN + 2400)
    with closing(connect(driven.path)) as db:
        assert {life.kind for life in lives(db, 0, 1e11)} == {"host"}
        part = lines_from_history(db, period, settings, ZONE)
    assert part
    by_name = {one.name: one for one in part.lines}
    assert (by_name["a"].availability, by_name["a"].outages) == (100, 0)
    c = by_name["c"]
    assert c.maintenance * 3600 == 300
    assert c.down is not None
    assert c.down * 3600 == pytest.approx(900, abs=30)
    assert c.outages == 2  # before and after maintenance
    compact(driven.path, BEGIN + 2 * 86400)
    with closing(connect(driven.path)) as db:
        assert lines_from_history(db, period, settings, ZONE) == part


def run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(main, ["history", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_the_command_line_shows_exports_takes_and_merges_lines(
    driven: Driven, tmp_path: Path
) -> None:
    driven.wire.cut = {"b"}
    driven.sample(900)
    shown = run("summary", "--history", driven.path, "--metric", "line_up", "--format", "json")
    told = json.loads(shown)
    assert (told["unit"], told["resources"], told["max"]) == ("percent", 3, 100)
    assert told["mean"] == pytest.approx(200 / 3, abs=1)
    out = tmp_path / "lines.csv"
    run(
        "export",
        "--history",
        driven.path,
        "--out",
        out,
        "--metric",
        "line_up",
        "--metric",
        "line_known",
    )
    run("import", out, "--history", tmp_path / "other.db")
    run("merge", "--history", tmp_path / "merged.db", driven.path, tmp_path / "other.db")
    period = Period("p", BEGIN, BEGIN + 900)
    found = []
    for path in (driven.path, tmp_path / "other.db", tmp_path / "merged.db"):
        with closing(connect(path)) as db:
            assert not [life for life in lives(db, 0, 1e11) if life.id.startswith("line:")]
            found.append(lines_from_history(db, period, LinesSettings(), ZONE))
    assert found[0]
    assert found[0] == found[2]
    assert found[1]
    assert [one.down for one in found[1].lines] == [one.down for one in found[0].lines]


def test_an_agent_keeps_its_lines(tmp_path: Path) -> None:
    lines = tmp_path / "lines.yaml"
    lines.write_text(
        "lines:\n  - {name: here, targets: [127.0.0.1], level: county, family: ipv4}\n"
        "  - {name: nowhere, targets: [127.255.255.254], family: ipv4}\n"
    )
    config = (
        "audit: {packs: []}\ninventories: {enable: false}\nhistory: {sample_interval: 1s}\n"
        "probes: {gateways: false, lines_file: lines.yaml, interval: 1s}\nstate_dir: state\n"
    )
    with agent(tmp_path, config) as it:
        eventually(lambda: float(re.findall(UP, page(it.url))[0]) > 5, 20)
    with closing(sqlite3.connect(tmp_path / "state/history.db")) as db:
        kinds = dict(db.execute("SELECT id, kind FROM resources").fetchall())
        rows = db.execute(
            "SELECT m.name, average FROM rollups JOIN series s ON s.number = series"
            " JOIN metrics m ON m.number = metric JOIN resources r ON r.number = resource"
            " WHERE r.id = 'line:here'"
        ).fetchall()
    assert kinds["line:here"] == kinds["line:nowhere"] == "line"
    assert {value for name, value in rows if name == "line_up"} == {100}
    assert 0 < sum(value for name, value in rows if name == "line_known") < 20


UP = r'jianwei_line_state_seconds_total\{line="here",state="up"\} (\S+)'


def page(url: str) -> str:
    with urllib.request.urlopen(f"{url}/metrics", timeout=10) as answer:
        found: str = answer.read().decode()
    return found
