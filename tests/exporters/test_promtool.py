"""Debian's `promtool check metrics` on whole pages: of this machine and of the recorded one."""

from __future__ import annotations

import shutil
import subprocess
from fnmatch import fnmatchcase
from pathlib import Path

import pytest

from collectors.catalogue import COLLECTORS
from collectors.model import Source
from collectors.observe import observe
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.selfmetrics import SelfMetrics

MACHINE = Path(__file__).parents[1] / "fixtures/machines/debian12"
PROMTOOL = shutil.which("promtool")

SNAKE = "metric names should be written in 'snake_case' not 'camelCase'"
# What promtool would have named otherwise, and why it is not: name, complaint, reason.
EXCEPTIONS = (
    ("node_memory_*", SNAKE, "the kernel's keys in node_exporter's names"),
    ("node_netstat_*", SNAKE, "the kernel's keys in node_exporter's names"),
    ("backup_files", 'counter metrics should have "_total" suffix', "a name from a text file"),
    ("container_memory_failcnt", 'counter metrics should have "_total" suffix', "cAdvisor's name"),
    ("node_entropy_*_bits", 'use base unit "bytes" instead of "bits"', "node_exporter's name"),
)


@pytest.mark.skipif(not PROMTOOL, reason="promtool (Debian's prometheus) is not installed")
@pytest.mark.parametrize("source", [LocalSource(), RecordedSource(MACHINE)], ids=["here", "there"])
def test_promtool_accepts_the_page(source: Source) -> None:
    seen = observe(source, [entry.cls() for entry in COLLECTORS.values() if entry.metrics])
    families = [family for observation in seen for family in observation.families]
    page = Encoder().encode([*families, *SelfMetrics().families()])
    assert PROMTOOL
    run = subprocess.run(
        [PROMTOOL, "check", "metrics"], input=page, capture_output=True, timeout=60
    )
    complaints = [line.split(" ", 1) for line in run.stderr.decode().splitlines()]
    assert run.returncode == (3 if complaints else 0)  # 3: readable, but see the complaints
    unexpected = [
        (name, complaint)
        for name, complaint in complaints
        if not any(fnmatchcase(name, known) and complaint == text for known, text, _ in EXCEPTIONS)
    ]
    assert not unexpected
    if isinstance(source, RecordedSource):
        for known, text, _ in EXCEPTIONS:
            assert any(fnmatchcase(n, known) and c == text for n, c in complaints), known
