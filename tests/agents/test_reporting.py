"""The agent has a child make the monthly report, when there is none yet, and tells how that went."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agents import children
from agents import config as configuration
from agents.reporting import ReportSchedule
from collectors.sources.commands import Ended
from exporters.report.delivery import schedule
from exporters.report.delivery.schedule import Failure, Made

NOW = datetime(2026, 11, 2, 0, 30, tzinfo=UTC)  # 08:30 in China


class Child:
    """Instead of `jianwei report --schedule`: what it would leave behind."""

    def __init__(self, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self._file = file
        self.asked: list[tuple[str, ...]] = []
        self.ended = Ended(0, b"", "")
        self.leaves: Made | None = None
        monkeypatch.setattr(children, "run", self.run)

    def run(self, arguments: tuple[str, ...], *_: Any, **__: Any) -> Ended:
        self.asked.append(arguments)
        if self.leaves:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_bytes(msgspec.json.encode(self.leaves))
        return self.ended


@pytest.fixture
def agent(tmp_path: Path) -> ReportSchedule:
    path = tmp_path / "j.yaml"
    path.write_text(f"state_dir: {tmp_path}\nreport: {{profile: city.yaml}}\n")
    return ReportSchedule(str(path), configuration.load(str(path)), lambda: NOW)


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Child:
    return Child(schedule.file_of(tmp_path, str(tmp_path / "city.yaml")), monkeypatch)


def told(agent: ReportSchedule) -> dict[str, float]:
    return {it.name: one.value for it in agent.families() for one in it.samples}


def test_it_is_made_once(agent: ReportSchedule, child: Child, tmp_path: Path) -> None:
    assert told(agent) == {}
    child.leaves = Made({"2026-10": NOW})
    agent._look()
    (arguments,) = child.asked
    assert arguments == (
        *("report", "--schedule", "--config", str(tmp_path / "j.yaml")),
        *("--profile", str(tmp_path / "city.yaml")),
    )
    agent._look()
    assert len(child.asked) == 1
    assert told(agent) == {
        "jianwei_report_success": 1,
        "jianwei_report_timestamp_seconds": NOW.timestamp(),
    }


def test_nothing_is_due_yet(agent: ReportSchedule, child: Child) -> None:
    agent._look()
    assert told(agent) == {"jianwei_report_success": 1}
    assert len(child.asked) == 1


def test_what_fails_is_told(
    agent: ReportSchedule, child: Child, caplog: pytest.LogCaptureFixture
) -> None:
    child.ended = Ended(1, b"", "")
    child.leaves = Made({"2026-09": NOW}, {"2026-10": Failure(1, NOW, "mail is down")})
    agent._look()
    agent._look()
    assert told(agent)["jianwei_report_success"] == 0
    assert caplog.text.count("exit status 1") == 1
    # the child says that nothing is to be tried now: it is still not made
    child.ended = Ended(0, b"", "")
    agent._look()
    assert told(agent)["jianwei_report_success"] == 0
    assert "mail is down" in caplog.text
    child.leaves = Made({"2026-10": NOW})
    agent._look()
    assert told(agent)["jianwei_report_success"] == 1


def test_a_damaged_file_is_told(agent: ReportSchedule, child: Child, tmp_path: Path) -> None:
    path = schedule.file_of(tmp_path, str(tmp_path / "city.yaml"))
    path.parent.mkdir(parents=True)
    path.write_text("{")
    agent._look()
    assert told(agent) == {"jianwei_report_success": 0}
    assert child.asked == []


def test_not_before_dawn(child: Child, tmp_path: Path) -> None:
    path = tmp_path / "j.yaml"
    path.write_text(f"state_dir: {tmp_path}\nreport: {{profile: /etc/city.yaml}}\n")
    night = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)  # 04:00 in China
    agent = ReportSchedule(str(path), configuration.load(str(path)), lambda: night)
    agent._look()
    agent._look()
    assert len(child.asked) == 1  # at first, so that a wrong profile is told at once


def test_off_by_default() -> None:
    it = ReportSchedule("", configuration.load(None))
    it.start()
    assert it.families() == ()
    it.stop()


def test_the_agent_stays_lean() -> None:
    script = (
        "import sys; import agents.reporting;"
        "print([n for n in ('numpy', 'httpx', 'weasyprint', 'jinja2', 'xlsxwriter', 'smtplib')"
        " if n in sys.modules])"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert ran.stdout == "[]\n"
