"""One HTTP request and its answer, by a deadline in all: POST, PUT or GET of a few headers. RFC 9110.

Each on a connection of its own; no proxy, no redirect. The resident agent uses it: http.client costs it no memory that
it does not have anyway.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from email.message import Message
from typing import Final, NamedTuple
from urllib.parse import SplitResult, urlsplit

from exporters.findings.delivery import told
from exporters.findings.product import NAME, version

MAX_ANSWER: Final = 1 << 16  # bytes read of an answer


class PostError(Exception):
    """No answer. `str()` says why, without the address."""


class Said(NamedTuple):
    status: int
    reason: str
    body: bytes
    headers: Message

    @property
    def retry_after(self) -> str:
        """RFC 9110, 10.2.3; empty where it does not say."""
        return self.headers.get("Retry-After", "")


class Poster:
    """`trust` makes the context that an https address is verified by, and raises ValueError. `close` ends what is under
    way, from another thread."""

    def __init__(self, url: str, seconds: float, trust: Callable[[], ssl.SSLContext]) -> None:
        self._url, self._seconds, self._trust = urlsplit(url), seconds, trust
        self._connection: http.client.HTTPConnection | None = None
        self._late = False

    def ask(
        self,
        headers: Mapping[str, str],
        content: bytes = b"",
        path: str = "",
        method: str = "POST",
    ) -> Said:
        """`path` is added to that of the address. Raises PostError."""
        try:
            connection = _connection(self._url, self._seconds, self._trust)
        except ValueError as error:
            raise PostError(str(error)) from error
        self._connection, self._late = connection, False
        # a receiver that sends a byte now and then would hold us for ever
        watch = threading.Timer(self._seconds, self._too_late)
        watch.daemon = True
        watch.start()
        try:
            return self._answered(connection, method, self._path(path), content, headers)
        except (OSError, http.client.HTTPException) as error:
            why = told(error) if isinstance(error, OSError) else f"no HTTP: {error!r:.100}"
            raise PostError("no answer in time" if self._late else why) from error
        finally:
            watch.cancel()
            connection.close()
            self._connection = None

    def close(self) -> None:
        if (connection := self._connection) and (current := connection.sock):
            try:
                socket.socket.shutdown(current, socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already

    def _too_late(self) -> None:
        self._late = True
        self.close()

    def _path(self, more: str) -> str:
        path = (self._url.path.rstrip("/") + more) if more else (self._url.path or "/")
        return path + (f"?{self._url.query}" if self._url.query and not more else "")

    def _answered(
        self,
        connection: http.client.HTTPConnection,
        method: str,
        path: str,
        content: bytes,
        headers: Mapping[str, str],
    ) -> Said:
        sent = {"User-Agent": f"{NAME}/{version()}", **headers, "Connection": "close"}
        connection.request(method, path, content if method != "GET" else None, sent)
        answer = connection.getresponse()
        body = answer.read(MAX_ANSWER)
        return Said(answer.status, answer.reason, body, answer.headers)


def _connection(
    url: SplitResult, seconds: float, trust: Callable[[], ssl.SSLContext]
) -> http.client.HTTPConnection:
    host = str(url.hostname)
    if url.scheme == "https":
        return http.client.HTTPSConnection(host, url.port, timeout=seconds, context=trust())
    return http.client.HTTPConnection(host, url.port, timeout=seconds)
