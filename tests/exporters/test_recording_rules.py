"""The recording rules that are shipped, as promtool of a real Prometheus takes them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from exporters.promapi.series import RECORDED

ROOT = Path(__file__).parents[2]
RULES = ROOT / "deploy" / "prometheus"

pytestmark = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")


def promtool(*arguments: str | Path) -> None:
    ended = subprocess.run(["promtool", *arguments], capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr


@pytest.mark.parametrize("path", sorted(RULES.glob("*-rules.yml")), ids=lambda path: path.stem)
def test_rules_are_valid(path: Path) -> None:
    promtool("check", "rules", path)


def test_rules_of_use_record_what_the_report_asks_for() -> None:
    promtool("test", "rules", RULES / "tests" / "usage-rules.yml")
    text = (RULES / "jianwei-usage-rules.yml").read_text()
    assert {line.split()[-1] for line in text.splitlines() if "record:" in line} == {
        *RECORDED.values()
    }
