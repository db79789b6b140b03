"""Findings as CEF, the Common Event Format of ArcSight ("Implementing ArcSight CEF", revision 25), UTF-8.

`CEF:0|vendor|product|version|rule|name|severity|extension`. In the header `|` and `\\` are escaped, in the
extension `=` and `\\`; texts are in one line before they come here. Standard keys are no longer than
the format allows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

from exporters.findings.product import NAME, VENDOR, version
from exporters.findings.text import words
from exporters.findings.told import Told, both, clauses_of
from rules.model import Severity

SEVERITY: Final[Mapping[Severity, int]] = {
    "info": 1,
    "low": 3,
    "medium": 5,
    "high": 8,
    "critical": 10,
}
MAX_NAME: Final = 512
MAX_REASON: Final = 1023
MAX_CUSTOM: Final = 4000  # cs1 to cs6
MAX_ID: Final = 255


def cef(told: Told) -> str:
    """One event in one line, without the syslog header before it."""
    header = (
        "CEF:0",
        _header(VENDOR),
        _header(NAME),
        _header(version()),
        _header(told.rule),
        _header(both(told.title)[:MAX_NAME]),
        str(SEVERITY[told.severity]),
    )
    extension = " ".join(f"{key}={_value(text)}" for key, text in _extension(told) if text)
    return f"{'|'.join(header)}|{extension}"


def _extension(told: Told) -> Iterator[tuple[str, str]]:
    yield "rt", str(round(told.time.timestamp() * 1000))
    yield "act", told.state or told.activity
    yield "outcome", told.verdict
    yield "cat", "compliance"
    yield "externalId", told.fingerprint
    yield "deviceExternalId", told.host.id[:MAX_ID]
    yield "dvchost", told.host.name[:100]
    yield "reason", told.reason[:MAX_REASON]
    if told.first_seen:
        yield "start", str(round(told.first_seen.timestamp() * 1000))
    if told.last_seen:
        yield "end", str(round(told.last_seen.timestamp() * 1000))
    custom = (
        ("instance", told.instance),
        ("actual", words(told.actual)),
        ("expected", words(told.expected)),
        ("source", told.source),
        ("clauses", ", ".join(clauses_of(told.maps))),
        ("fix", both(told.fix) if told.fix else ""),
    )
    for number, (label, text) in enumerate(custom, 1):
        if text:
            yield f"cs{number}Label", label
            yield f"cs{number}", text[:MAX_CUSTOM]


def _header(text: str) -> str:
    return text.replace("\\", "\\\\").replace("|", "\\|")


def _value(text: str) -> str:
    return text.replace("\\", "\\\\").replace("=", "\\=")
