"""OCSF events for an HTTPS receiver: POST of NDJSON, as many receivers of events take it.

2xx is the receiver's word that it has the batch; anything else, a redirect too, is not. RFC 9110.
"""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from exporters.findings.delivery import SinkError, context, told
from exporters.findings.product import NAME, version
from exporters.findings.settings import HttpsSettings
from exporters.findings.text import cut, neutral

MAX_ANSWER: Final = 1 << 16  # bytes read of an answer
TOO_LARGE: Final = 413


class HttpsSink:
    """One request a batch, each on a connection of its own; no proxy, no redirect."""

    def __init__(self, settings: HttpsSettings) -> None:
        self._settings = settings
        self._connection: http.client.HTTPSConnection | None = None
        self._late = False
        self.batch = settings.batch

    def send(self, bodies: Sequence[bytes]) -> None:
        url = urlsplit(self._settings.url)
        where = f"https {url.hostname}"
        try:
            tls = context(self._settings)
        except ValueError as error:
            raise SinkError(f"{where}: {error}") from error
        seconds = float(self._settings.timeout)
        connection = http.client.HTTPSConnection(
            str(url.hostname), url.port, timeout=seconds, context=tls
        )
        self._connection, self._late = connection, False
        # a receiver that sends a byte now and then would hold us for ever
        watch = threading.Timer(seconds, self._too_late)
        watch.start()
        try:
            status, reason = self._posted(connection, b"".join(body + b"\n" for body in bodies))
        except (OSError, http.client.HTTPException) as error:
            why = told(error) if isinstance(error, OSError) else f"no HTTP: {error!r:.100}"
            raise SinkError(f"{where}: {'no answer in time' if self._late else why}") from error
        finally:
            watch.cancel()
            connection.close()
            self._connection = None
        if status == TOO_LARGE and len(bodies) > 1:
            half = len(bodies) // 2
            self.send(bodies[:half])
            self.send(bodies[half:])
        elif not 200 <= status < 300:
            raise SinkError(f"{where}: it answered {status} {cut(neutral(reason), 60)}".rstrip())

    def close(self) -> None:
        if (connection := self._connection) and (current := connection.sock):
            try:
                socket.socket.shutdown(current, socket.SHUT_RDWR)
            except OSError:
                return  # it is closed already

    def _too_late(self) -> None:
        self._late = True
        self.close()

    def _posted(self, connection: http.client.HTTPSConnection, content: bytes) -> tuple[int, str]:
        url = urlsplit(self._settings.url)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {"Content-Type": "application/x-ndjson", "User-Agent": f"{NAME}/{version()}"}
        headers |= {name: value.reveal() for name, value in self._settings.headers.items()}
        connection.request("POST", path, content, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        answer.read(MAX_ANSWER)
        return answer.status, answer.reason
