"""A parcel by POST (RFC 9110): what the report says in short as JSON, with its files or their hashes.

`X-Jianwei-Signature: t=UNIX,v1=HEX` is HMAC-SHA256 of `UNIX.BODY`; docs/report-delivery.md has all of it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from exporters.findings.delivery import context
from exporters.findings.product import NAME, version
from exporters.findings.settings import ClientTls
from exporters.findings.text import cut, neutral
from exporters.report.delivery.outcome import DeliveryError
from exporters.report.delivery.plan import Parcel
from exporters.report.delivery.settings import WebhookSettings
from rules.model import Text

if TYPE_CHECKING:
    import httpx

SIGNATURE: Final = "X-Jianwei-Signature"
KEY: Final = "Idempotency-Key"
LONGEST_WAIT: Final = 60.0  # seconds between two tries
_ANSWER: Final = 1 << 16  # bytes of an answer that are looked at
_AGAIN: Final = (408, 425, 429, 500, 502, 503, 504)


class Answered(NamedTuple):
    """`why` is the status in words, for where it is no success."""

    status: int
    why: str
    body: bytes

    @property
    def success(self) -> bool:
        return 200 <= self.status < 300

    @property
    def refused(self) -> bool:
        """Whether it is the receiver's word that it will not have this."""
        return 400 <= self.status < 500 and self.status not in _AGAIN


def told(parcel: Parcel) -> dict[str, Any]:
    """What is told, as JSON-like data."""
    document = parcel.edition.document
    scope = document.scope
    return {
        "version": 1,
        "event": "report",
        "id": parcel.id,
        "city": scope.city,
        "issuer": scope.issuer,
        "month": scope.month,
        "department": scope.department,
        "made": scope.made.isoformat(),
        "data_hash": scope.data_hash,
        "thresholds": scope.thresholds,
        "coverage": scope.coverage,
        "summary": msgspec.to_builtins(document.summary),
        "figures": msgspec.to_builtins(document.figures),
        "files": [
            {"name": it.name, "format": it.format, "bytes": len(it.content), "sha256": it.sha256}
            for it in parcel.files
        ],
    }


def signature(secret: str, at: int, body: bytes) -> str:
    signed = hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256)
    return f"t={at},v1={signed.hexdigest()}"


def post(
    parcel: Parcel, settings: WebhookSettings, sleep: Callable[[float], None] = time.sleep
) -> None:
    """Returns when it was taken, by 2xx; raises DeliveryError. Tried again where it may help, with the same key."""
    import httpx

    try:
        client = opened(settings, settings.url, float(settings.timeout))
    except ValueError as error:
        raise DeliveryError(_told(str(error))) from error
    with client:
        for tried in range(settings.retries + 1):
            last = tried == settings.retries
            wait = min(2.0**tried, LONGEST_WAIT)
            try:
                # its answer is not read: 2xx is all there is to know
                answer = client.send(_request(client, parcel, settings), stream=True)
                answer.close()
            except httpx.TransportError as error:
                if last or not _may_pass(error):
                    raise DeliveryError(_told(_why(error))) from error
            else:
                if answer.is_success:
                    return
                if last or answer.status_code not in _AGAIN:
                    raise DeliveryError(_told(_answered(answer)))
                wait = _asked_for(answer.headers.get("Retry-After", ""), wait)
            sleep(wait)


def opened(tls: ClientTls, url: str, seconds: float) -> httpx.Client:
    """A client for one receiver: verified, never led elsewhere. Raises ValueError for files that are not there."""
    import httpx

    verify = context(tls) if url.startswith("https:") else False
    return httpx.Client(verify=verify, timeout=seconds, follow_redirects=False, trust_env=False)


def once(
    client: httpx.Client, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> Answered:
    """One request and the beginning of its answer, whatever its status; raises DeliveryError where there is none
    in the client's time, the whole of it."""
    import httpx

    headers = {"User-Agent": f"{NAME}/{version()}", "Content-Type": "application/json", **headers}
    seconds = client.timeout.read or LONGEST_WAIT
    end = time.monotonic() + seconds
    content = bytearray()
    try:
        with client.stream(method, url, headers=headers, content=body) as answer:
            for part in answer.iter_bytes(_ANSWER):
                content += part
                if len(content) >= _ANSWER or time.monotonic() > end:
                    break
    except httpx.TransportError as error:
        raise DeliveryError(_told(_why(error))) from error
    except (httpx.DecodingError, httpx.InvalidURL) as error:
        raise DeliveryError(_told(str(error))) from error
    return Answered(answer.status_code, _answered(answer), bytes(content[:_ANSWER]))


def _request(client: httpx.Client, parcel: Parcel, settings: WebhookSettings) -> httpx.Request:
    summary = msgspec.json.encode(told(parcel))
    headers = {name: value.reveal() for name, value in settings.headers.items()}
    headers |= {"User-Agent": f"{NAME}/{version()}", KEY: parcel.id}
    if settings.files:
        parts: list[tuple[str, Any]] = [("report", ("report.json", summary, "application/json"))]
        parts += [("file", (it.name, it.content)) for it in parcel.files]
        request = client.build_request("POST", settings.url, files=parts, headers=headers)
    else:
        headers["Content-Type"] = "application/json"
        request = client.build_request("POST", settings.url, content=summary, headers=headers)
    if settings.secret:
        at = int(time.time())
        request.headers[SIGNATURE] = signature(settings.secret.reveal(), at, request.read())
    return request


def _may_pass(error: httpx.TransportError) -> bool:
    """Whether it may be over soon; a certificate that is not trusted will not be."""
    import httpx

    passing = (httpx.NetworkError, httpx.TimeoutException, httpx.RemoteProtocolError)
    return isinstance(error, passing) and "CERTIFICATE_VERIFY_FAILED" not in str(error)


def _asked_for(header: str, otherwise: float) -> float:
    return (
        min(float(header), LONGEST_WAIT) if header.isascii() and header.isdecimal() else otherwise
    )


def _answered(answer: httpx.Response) -> str:
    where = answer.headers.get("Location", "")
    if answer.is_redirect:
        return f"it points elsewhere, to {where:.200}: write that as url if it is right"
    return f"it answered {answer.status_code} {answer.reason_phrase}"


def _why(error: httpx.TransportError) -> str:
    import httpx

    if isinstance(error, httpx.TimeoutException):
        return "no answer in time"
    return str(error) or type(error).__name__


def _told(why: str) -> Text:
    line = cut(neutral(why), 300)
    return Text(line, line)
