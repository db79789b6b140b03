"""The files that the report of an estate's readiness is made of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from exporters.estate import readinesscsv
from exporters.estate.readiness import Report
from exporters.estate.readinesshtml import html


def contents(report: Report, languages: Sequence[str], made: datetime) -> dict[str, bytes]:
    """Names of files, and what is in them."""
    found = {}
    for language in languages:
        found[f"ipv6-estate.{language}.html"] = html(report, language, made).encode()
        found[f"ipv6-subjects.{language}.csv"] = readinesscsv.subjects(report, language, made)
        found[f"ipv6-checks.{language}.csv"] = readinesscsv.checks(report, language)
    return found
