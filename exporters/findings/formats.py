"""Formats of an audit by name. Each is a function of the audit, rules by id and hits by fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

import msgspec

from exporters.findings.html import html
from exporters.findings.ocsf import ocsf
from exporters.findings.sarif import sarif
from exporters.findings.table import table
from exporters.findings.verdictscsv import verdicts_csv
from rules.model import AuditResult, Hit, Rule

Format = Callable[[AuditResult, Mapping[str, Rule], Mapping[str, Hit], str], bytes]


def _table(
    result: AuditResult, rules: Mapping[str, Rule], hits: Mapping[str, Hit], language: str
) -> bytes:
    return table(result, language, colour=False).encode() + b"\n"


def _json(
    result: AuditResult, rules: Mapping[str, Rule], hits: Mapping[str, Hit], language: str
) -> bytes:
    return msgspec.json.encode(result) + b"\n"


FORMATS: Final[Mapping[str, Format]] = {
    "table": _table,
    "json": _json,
    "ocsf": ocsf,
    "sarif": sarif,
    "csv": verdicts_csv,
    "html": html,
}
