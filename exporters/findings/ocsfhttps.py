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
TO_BLAME: Final = (400, TOO_LARGE, 422)  # may be about one message alone


class HttpsSink:
    """One request a batch, each on a connection of its own; no proxy, no redirect."""

    def __init__(self, settings: HttpsSettings) -> None:
        self._settings = settings
        self._connection: http.client.HTTPSConnection | None = None
        self._late = False
        self._where = f"https {urlsplit(settings.url).hostname}"
        self.batch = settings.batch

    def send(self, bodies: Sequence[bytes]) -> None:
        done, size = 0, len(bodies)
        while done < len(bodies):
            part = bodies[done : done + size]
            try:
                status, reason = self._asked(part)
            except SinkError as error:
                raise SinkError(str(error), done) from error
            if 200 <= status < 300:
                done += len(part)
            elif status in TO_BLAME and len(part) > 1:
                size = len(part) // 2
            else:
                why = f"{self._where}: it answered {status} {cut(neutral(reason), 60)}".rstrip()
                raise SinkError(why, done, self._only_this(status, bodies, done))

    def _only_this(self, status: int, bodies: Sequence[bytes], done: int) -> bool:
        """Whether it is the message and not the receiver: others are taken. One of them may come twice."""
        if status not in TO_BLAME:
            return False
        if status == TOO_LARGE or done:
            return True
        return len(bodies) > 1 and 200 <= self._asked(bodies[1:2])[0] < 300

    def _asked(self, bodies: Sequence[bytes]) -> tuple[int, str]:
        """The answer to one request; raises SinkError without one."""
        url = urlsplit(self._settings.url)
        try:
            tls = context(self._settings)
        except ValueError as error:
            raise SinkError(f"{self._where}: {error}") from error
        seconds = float(self._settings.timeout)
        connection = http.client.HTTPSConnection(
            str(url.hostname), url.port, timeout=seconds, context=tls
        )
        self._connection, self._late = connection, False
        # a receiver that sends a byte now and then would hold us for ever
        watch = threading.Timer(seconds, self._too_late)
        watch.start()
        try:
            return self._posted(connection, b"".join(body + b"\n" for body in bodies))
        except (OSError, http.client.HTTPException) as error:
            why = told(error) if isinstance(error, OSError) else f"no HTTP: {error!r:.100}"
            why = "no answer in time" if self._late else why
            raise SinkError(f"{self._where}: {why}") from error
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

    def _posted(self, connection: http.client.HTTPSConnection, content: bytes) -> tuple[int, str]:
        url = urlsplit(self._settings.url)
        path = (url.path or "/") + (f"?{url.query}" if url.query else "")
        headers = {"Content-Type": "application/x-ndjson", "User-Agent": f"{NAME}/{version()}"}
        headers |= {name: value.reveal() for name, value in self._settings.headers.items()}
        connection.request("POST", path, content, {**headers, "Connection": "close"})
        answer = connection.getresponse()
        answer.read(MAX_ANSWER)
        return answer.status, answer.reason
