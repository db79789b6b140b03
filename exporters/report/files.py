"""The report as files in a folder, each written aside and renamed: nobody reads half of one."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping, Sequence
from datetime import datetime

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
    aside: dict[str, str] = {}
    try:
        for name, content in files.items():
            path = os.path.join(folder, name)
            aside[f"{path}.{os.getpid()}.tmp"] = path
            _write(f"{path}.{os.getpid()}.tmp", content)
        for temporary, path in aside.items():
            os.replace(temporary, path)
    except BaseException:
        for temporary in aside:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
        raise
    return list(aside.values())


def _write(path: str, content: bytes) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o666), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
