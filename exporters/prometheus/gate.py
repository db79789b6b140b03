"""What stands before every page: limits, rate, password; and the headers of every answer.

Pure ASGI around the application. Where exporter-toolkit's behaviour is known, it is the same: the
rate limit comes before the password, both apply to every path, 429 and 401 with `WWW-Authenticate`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from email.utils import formatdate
from http import HTTPStatus
from typing import Literal

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collectors.model import Family, Sample, counter
from exporters.prometheus.liveconfig import LiveWebConfig
from exporters.prometheus.passwords import Passwords, credentials
from exporters.prometheus.pool import Busy
from exporters.prometheus.settings import WebSettings

Reason = Literal["connections", "handshake", "slow", "size", "rate", "password"]
REASONS: tuple[Reason, ...] = ("connections", "handshake", "slow", "size", "rate", "password")


class Refusals:
    """How many requests and connections were refused, by reason, since start."""

    def __init__(self) -> None:
        self.by_reason: dict[Reason, int] = dict.fromkeys(REASONS, 0)

    def count(self, reason: Reason) -> None:
        self.by_reason[reason] += 1

    def family(self) -> Family:
        return counter(
            "jianwei_web_refused_total",
            "Requests and connections refused: too many, handshake failed, too slow, too large, "
            "over the rate limit, wrong password or none.",
            *(Sample((("reason", reason),), n) for reason, n in self.by_reason.items()),
        )


class Bucket:
    """A token bucket: `burst` requests at once, then one each `interval` seconds."""

    def __init__(self, interval: float, burst: int) -> None:
        self.interval, self.burst = interval, burst
        self._tokens, self._at = float(burst), time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        earned = (now - self._at) / self.interval if self.interval else self.burst
        self._tokens, self._at = min(self._tokens + earned, self.burst), now
        if self.interval and self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Gate:
    """The application as strangers see it. `on_change` is called when TLS has been reloaded."""

    def __init__(
        self,
        app: ASGIApp,
        live: LiveWebConfig,
        settings: WebSettings,
        refusals: Refusals,
        on_change: Callable[[], None],
    ) -> None:
        self._app, self._live, self._settings = app, live, settings
        self._refusals, self._on_change = refusals, on_change
        self._passwords = Passwords()
        self._bucket = Bucket(0, 0)
        self._date = (0, b"")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self._live.refresh():
            self._on_change()
        config = self._live.config

        async def dress(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = message["headers"] = list(message.get("headers", ()))
                present = {name for name, _ in headers}
                headers.append((b"date", self._now()))
                if b"x-content-type-options" not in present:
                    headers.append((b"x-content-type-options", b"nosniff"))
                headers += (h for h in config.headers if h[0] not in present)
            await send(message)

        headers = dict(scope["headers"])
        if scope["state"].get("over"):
            self._refusals.count("connections")
            await _refuse(dress, HTTPStatus.SERVICE_UNAVAILABLE, b"connection", b"close")
        elif status := self._too_large(scope, headers):
            self._refusals.count("size")
            await _refuse(dress, status, b"connection", b"close")
        elif config.interval and not self._allowed(config.interval, config.burst):
            self._refusals.count("rate")
            await _refuse(dress, HTTPStatus.TOO_MANY_REQUESTS)
        elif config.users and (status := await self._check(headers, config.users)):
            self._refusals.count("password")
            await _refuse(dress, status, b"www-authenticate", b'Basic realm="jianwei"')
        else:
            await self._app(scope, receive, dress)

    def _too_large(self, scope: Scope, headers: dict[bytes, bytes]) -> HTTPStatus | None:
        size = sum(len(name) + len(value) for name, value in scope["headers"])
        if size + len(scope["raw_path"]) + len(scope["query_string"]) > (
            self._settings.max_header_bytes
        ):
            return HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE
        if b"transfer-encoding" in headers:  # nothing here takes a body of unknown length
            return HTTPStatus.LENGTH_REQUIRED
        if int(headers.get(b"content-length", b"0")) > self._settings.max_body_bytes:
            return HTTPStatus.REQUEST_ENTITY_TOO_LARGE
        return None

    def _allowed(self, interval: float, burst: int) -> bool:
        if (self._bucket.interval, self._bucket.burst) != (interval, burst):
            self._bucket = Bucket(interval, burst)
        return self._bucket.take()

    async def _check(
        self, headers: dict[bytes, bytes], users: Mapping[str, bytes]
    ) -> HTTPStatus | None:
        given = credentials(headers.get(b"authorization", b"").decode("latin-1"))
        try:
            if given and await self._passwords.correct(given, users):
                return None
        except Busy:
            return HTTPStatus.SERVICE_UNAVAILABLE
        return HTTPStatus.UNAUTHORIZED

    def _now(self) -> bytes:
        """The time as a Date header, made once a second."""
        second = int(time.time())
        if self._date[0] != second:
            self._date = (second, formatdate(second, usegmt=True).encode())
        return self._date[1]


async def _refuse(send: Send, status: HTTPStatus, name: bytes = b"", value: bytes = b"") -> None:
    body = f"{status.phrase}\n".encode()
    headers = [
        (b"content-type", b"text/plain; charset=utf-8"),
        (b"content-length", str(len(body)).encode()),
    ]
    if name:
        headers.append((name, value))
    await send({"type": "http.response.start", "status": status.value, "headers": headers})
    await send({"type": "http.response.body", "body": body})
