"""The systemd unit: valid, and as closed as it says."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

UNIT = Path(__file__).parents[1] / "deploy/systemd/jianwei-agent.service"
MOST_EXPOSURE = 2.5

pytestmark = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed"
)


def analyze(*arguments: str) -> str:
    ran = subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )
    return ran.stdout + ran.stderr


def test_exposure() -> None:
    told = analyze("security", "--offline=yes", str(UNIT))
    found = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
    assert found, told
    assert float(found[1]) <= MOST_EXPOSURE


def test_every_directive_is_known(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    # the program is not installed here
    unit.write_text(UNIT.read_text().replace("/opt/jianwei/bin/jianwei", "/bin/true"))
    assert analyze("verify", str(unit)) == ""
