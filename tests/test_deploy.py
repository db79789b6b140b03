"""The systemd units: valid, and as closed as they say."""

import gzip
import os
import re
import shutil
import subprocess
from datetime import time
from pathlib import Path

import pytest

from exporters.report.delivery.schedule import AT

UNITS = Path(__file__).parents[1] / "deploy/systemd"
ROTATION = UNITS.parent / "logrotate"
AGENT = UNITS / "jianwei-agent.service"
REPORT = UNITS / "jianwei-report.service"
CONSOLE = UNITS / "jianwei-console.service"
TARGETS = UNITS / "jianwei-sd.service"
MOST_EXPOSURE = {AGENT: 2.4, CONSOLE: 1.4, REPORT: 1.7, TARGETS: 1.4}

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


def test_units_with_users_of_their_own_keep_out_of_the_agents_folder() -> None:
    """/etc/jianwei is the agent's group's alone."""
    for unit in (CONSOLE, TARGETS):
        assert set(re.findall(r"/etc/\S+?/", unit.read_text())) == {f"/etc/{unit.stem}/"}
    page = (UNITS.parents[1] / "docs/console.md").read_text()
    assert re.findall(r"/etc/jianwei/\S*", page) == []
    assert "install -d -m 750 -g jianwei-console /etc/jianwei-console\n" in page


def test_the_time_of_the_report_is_after_it_is_due() -> None:
    timer = REPORT.with_suffix(".timer").read_text()
    found = re.search(r"^OnCalendar=\*-\*-\* (\d+:\d+):00$", timer, re.MULTILINE)
    assert found
    assert time.fromisoformat(found[1]) > AT


@pytest.mark.skipif(not shutil.which("logrotate"), reason="logrotate is not installed")
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: logrotate changes users")
def test_findings_are_rotated_and_gone_on_with(tmp_path: Path) -> None:
    """Where only the agent's user may write."""
    folder = tmp_path / "jianwei"
    folder.mkdir(mode=0o700)
    for parent in (*tmp_path.parents[:-2], tmp_path):
        parent.chmod(parent.stat().st_mode | 0o011)
    shutil.chown(folder, "nobody", "nogroup")
    text = ROTATION.read_text().replace("/var/lib/jianwei", str(folder))
    text = text.replace("jianwei jianwei", "nobody nogroup")
    (rules := tmp_path / "rules").write_text(text)
    rules.chmod(0o644)
    file = folder / "findings.ndjson"
    argv = ["logrotate", "--state", str(tmp_path / "state"), "--force", str(rules)]
    for line in ("one\n", "two\n", "three\n"):
        with file.open("a") as out:
            out.write(line)
        shutil.chown(file, "nobody", "nogroup")
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert file.read_bytes() == b""
        assert (file.stat().st_mode & 0o777, file.owner()) == (0o640, "nobody")
    assert (folder / "findings.ndjson.1").read_text() == "three\n"
    assert gzip.decompress((folder / "findings.ndjson.2.gz").read_bytes()) == b"two\n"
    assert gzip.decompress((folder / "findings.ndjson.3.gz").read_bytes()) == b"one\n"
