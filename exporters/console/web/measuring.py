"""What this process counts of its requests and its database, since its start."""

from __future__ import annotations

import bisect
import threading
import time
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from collectors.model import Family, Sample, counter, sample

BOUNDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.4, 1.0, 2.5, 10.0)  # seconds
_PUSH: Final = "/api/v1/findings"
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE"})


class Measured:
    """What this process counts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, int], int] = {}
        self._buckets = [0] * (len(BOUNDS) + 1)
        self._seconds = 0.0
        self._refused_logins = 0
        self._pushed: dict[int, int] = {}
        self._errors = 0

    def answered(self, method: str, path: str, status: int, seconds: float) -> None:
        method = method if method in _METHODS else "other"
        with self._lock:
            self._requests[method, status] = self._requests.get((method, status), 0) + 1
            self._buckets[bisect.bisect_left(BOUNDS, seconds)] += 1
            self._seconds += seconds
            if path == "/login" and method == "POST" and status >= 400:
                self._refused_logins += 1
            if path == _PUSH and method == "POST":
                self._pushed[status] = self._pushed.get(status, 0) + 1

    def failed(self) -> None:
        with self._lock:
            self._errors += 1

    def families(self) -> list[Family]:
        with self._lock:
            requests, buckets = sorted(self._requests.items()), list(self._buckets)
            seconds, refused, errors = self._seconds, self._refused_logins, self._errors
            pushed = sorted(self._pushed.items())
        samples, total = [], 0
        for bound, count in zip((*map(str, BOUNDS), "+Inf"), buckets, strict=True):
            total += count
            samples.append(Sample((("le", bound),), total, "_bucket"))
        samples += [Sample((), seconds, "_sum"), Sample((), total, "_count")]
        return [
            counter(
                "jianwei_console_requests_total",
                "Requests answered by this process, by method and status.",
                *(sample(n, method=method, status=str(code)) for (method, code), n in requests),
            ),
            Family(
                "jianwei_console_request_duration_seconds",
                "histogram",
                "How long this process took to answer requests, to the end of the answer.",
                samples,
            ),
            counter(
                "jianwei_console_pushes_total",
                "Pushes of findings answered by this process, by status.",
                *(sample(n, status=str(code)) for code, n in pushed),
            ),
            counter(
                "jianwei_console_logins_refused_total",
                "Log-ins on the login page that this process refused.",
                sample(refused),
            ),
            counter(
                "jianwei_console_database_errors_total",
                "Statements that the database refused or failed at, in this process; lost races that are tried again"
                " are among them.",
                sample(errors),
            ),
        ]


class Measuring:
    """Counts every request."""

    def __init__(self, app: ASGIApp, measured: Measured) -> None:
        self._app, self._measured = app, measured

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.perf_counter(), 500

        async def noted(part: Message) -> None:
            nonlocal status
            if part["type"] == "http.response.start":
                status = part["status"]
            await send(part)

        try:
            await self._app(scope, receive, noted)
        finally:
            taken = time.perf_counter() - begun
            self._measured.answered(scope["method"], scope["path"], status, taken)
