"""Answers of web servers made by hand, and one probe of such a server."""

from __future__ import annotations

import time

from collectors.link import http
from collectors.link.httpsettings import HttpModule
from collectors.model import ProbeResult
from tests.collectors.servers import Care, serving, web_target


def answer(body: bytes = b"", status: str = "200 OK", **headers: str) -> bytes:
    told = [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    told.append(f"Content-Length: {len(body)}")
    return "\r\n".join([f"HTTP/1.1 {status}", *told, "", ""]).encode() + body


def asked(
    care: Care, settings: HttpModule | None = None, path: str = "/", timeout: float = 5
) -> ProbeResult:
    """One probe of a server that does `care`; it ends in time, whatever that is."""
    with serving(care) as port:
        start = time.monotonic()
        result = http.probe(web_target(port, path), settings or HttpModule(), timeout)
        assert time.monotonic() - start < timeout + 5
    return result


def values(result: ProbeResult) -> dict[str, float]:
    """The series that have no labels."""
    return {
        f.name.removeprefix("probe_"): s.value
        for f in result.families
        for s in f.samples
        if not s.labels
    }
