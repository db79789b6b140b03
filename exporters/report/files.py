"""The report as files in a folder, each written aside and renamed: nobody reads half of one."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from exporters.aside import replacing
from exporters.report import readinesscsv
from exporters.report.readiness import Report
from exporters.report.readinesshtml import html


def contents(report: Report, languages: Sequence[str], made: datetime) -> dict[str, bytes]:
    """Names of files, and what is in them."""
    found = {}
    for language in languages:
        found[f"ipv6-estate.{language}.html"] = html(report, language, made).encode()
        found[f"ipv6-subjects.{language}.csv"] = readinesscsv.subjects(report, language, made)
        found[f"ipv6-checks.{language}.csv"] = readinesscsv.checks(report, language)
    return found


def write(folder: str, files: Mapping[str, bytes]) -> list[str]:
    """Write all of them, then rename all of them; raises OSError and leaves nothing half done."""
    os.makedirs(folder, exist_ok=True)
    paths = [os.path.join(folder, name) for name in files]
    with ExitStack() as aside:
        for path, content in zip(paths, files.values(), strict=True):
            _write(aside.enter_context(replacing(Path(path))), content)
    return paths


def _write(file: BinaryIO, content: bytes) -> None:
    file.write(content)
    file.flush()
    os.fsync(file.fileno())
