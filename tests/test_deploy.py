"""The systemd units: valid, and as closed as they say."""

import re
import shutil
import subprocess
from datetime import time
from pathlib import Path

import pytest

from exporters.report.delivery.schedule import AT

UNITS = Path(__file__).parents[1] / "deploy/systemd"
AGENT = UNITS / "jianwei-agent.service"
REPORT = UNITS / "jianwei-report.service"
CONSOLE = UNITS / "jianwei-console.service"
MOST_EXPOSURE = {AGENT: 2.5, CONSOLE: 1.4, REPORT: 1.7}

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)


def analyze(*arguments: str) -> str:
    ran = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )
    return ran.stdout + ran.stderr


@pytest.mark.parametrize("unit", MOST_EXPOSURE, ids=lambda unit: unit.name)
def test_exposure(unit: Path) -> None:
    told = analyze("security", "--offline=yes", str(unit))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert found, told
    assert float(found[1]) <= MOST_EXPOSURE[unit]


def test_every_directive_is_known(tmp_path: Path) -> None:
    for unit in UNITS.iterdir():
        # the program is not installed here
        text = unit.read_text().replace("/opt/jianwei/current/bin/jianwei", "/bin/true")
        (tmp_path / unit.name).write_text(text)
    assert analyze("verify", *map(str, sorted(tmp_path.iterdir()))) == ""
    assert {unit.suffix for unit in tmp_path.glob("jianwei-report.*")} == {".service", ".timer"}


def test_the_time_of_the_report_is_after_it_is_due() -> None:
    timer = REPORT.with_suffix(".timer").read_text()
    found = re.search(r"^OnCalendar=\*-\*-\* (\d+:\d+):00$", timer, re.MULTILINE)
    assert found
    assert time.fromisoformat(found[1]) > AT
