"""An HTTP answer: whether it is as a module wants it, and what is told of it."""

from __future__ import annotations

import email.utils
import time
from collections.abc import Sequence
from datetime import UTC
from typing import Final

from collectors.link.connect import Failure
from collectors.link.httpexchange import Response
from collectors.link.httpsettings import HeaderMatch, HttpModule
from collectors.link.tcp import compile_regex
from collectors.link.tls import Seen
from collectors.model import Family, gauge, sample

_REDIRECTS: Final = (301, 302, 303, 307, 308)


def families(
    response: Response | None = None,
    phases: dict[str, float] | None = None,
    redirects: int = 0,
    secured: bool = False,
    mismatch: bool = False,
    seen: Seen | None = None,
) -> tuple[Family, ...]:
    """What is told of one probe; without arguments of one that found no address."""
    durations = phases or {"resolve": 0.0}
    told = [
        gauge(
            "probe_http_duration_seconds",
            "Time by phase over all redirects: resolve, connect, tls, processing, transfer.",
            *(sample(seconds, phase=phase) for phase, seconds in durations.items()),
        ),
        _one(
            "probe_http_status_code",
            "Status of the last answer, 0 without one.",
            response.status if response else 0,
        ),
        _one(
            "probe_http_version",
            "HTTP version of the last answer.",
            float(response.version) if response else 0,
        ),
        _one(
            "probe_http_content_length",
            "Content-Length of the last answer, -1 where it is not told.",
            response.length if response else 0,
        ),
        _one(
            "probe_http_uncompressed_body_length",
            "Bytes of the last answer's body, after decompression where a module has it.",
            response.size if response else 0,
        ),
        _one("probe_http_redirects", "Redirects that were met.", redirects),
        _one(
            "probe_http_ssl", "Whether the last answer came over TLS.", secured and bool(response)
        ),
        _one(
            "probe_failed_due_to_regex",
            "Whether headers or body are not as their regular expressions ask.",
            mismatch,
        ),
    ]
    modified = response.values("last-modified") if response else []
    if modified and (moment := _moment(modified[0])) is not None:
        told.append(
            _one(
                "probe_http_last_modified_timestamp_seconds",
                "Last-Modified of the last answer as Unix time.",
                moment,
            )
        )
    return (*told, *(seen.families(time.time()) if seen else ()))


def check_headers(response: Response, settings: HttpModule) -> None:
    """Raises Failure where a header has what it must not have, or has not what it must have."""
    for match in settings.fail_if_header_matches:
        if _found(response, match):
            raise Failure("header_mismatch", f"{match.header} matches {match.regexp!r}")
    for match in settings.fail_if_header_not_matches:
        if _found(response, match) is False:
            raise Failure("header_mismatch", f"{match.header} does not match {match.regexp!r}")


def check_body(body: bytes, settings: HttpModule) -> None:
    """Raises Failure where the body matches what it must not, or does not what it must."""
    forbidden, wanted = (
        settings.fail_if_body_matches_regexp,
        settings.fail_if_body_not_matches_regexp,
    )
    text = body.decode("utf-8", "replace") if forbidden or wanted else ""
    for pattern in forbidden:
        if compile_regex(pattern).search(text):
            raise Failure("body_mismatch", f"the body matches {pattern!r}")
    for pattern in wanted:
        if not compile_regex(pattern).search(text):
            raise Failure("body_mismatch", f"the body does not match {pattern!r}")


def _found(response: Response, match: HeaderMatch) -> bool | None:
    """Whether one of the header's values matches; None where it may be missing and is."""
    values: Sequence[str] = response.values(match.header)
    if not values:
        if match.allow_missing:
            return None
        raise Failure("header_mismatch", f"{match.header} is missing")
    compiled = compile_regex(match.regexp)
    return any(compiled.search(value) for value in values)


def leads_to(response: Response) -> str:
    """Where an answer leads to, empty if nowhere."""
    location = response.values("location") if response.status in _REDIRECTS else []
    return location[0] if location else ""


def _one(name: str, help: str, value: float) -> Family:
    return gauge(name, help, sample(float(value)))


def _moment(text: str) -> float | None:
    try:
        moment = email.utils.parsedate_to_datetime(text)
        return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()
    except (ValueError, OverflowError):
        return None
