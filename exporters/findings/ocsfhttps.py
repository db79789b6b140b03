"""OCSF events for an HTTPS receiver: POST of NDJSON, as many receivers of events take it.

2xx is the receiver's word that it has the batch; anything else, a redirect too, is not. RFC 9110.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from exporters.findings.delivery import SinkError, context
from exporters.findings.posting import Poster, PostError
from exporters.findings.settings import HttpsSettings
from exporters.findings.text import cut, neutral

TOO_LARGE: Final = 413
TO_BLAME: Final = (400, TOO_LARGE, 422)  # may be about one message alone


class HttpsSink:
    """One request a batch, each on a connection of its own; no proxy, no redirect."""

    def __init__(self, settings: HttpsSettings) -> None:
        self._settings = settings
        # certificates are read anew with each batch: they are renewed while we run
        self._poster = Poster(settings.url, float(settings.timeout), lambda: context(settings))
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
        headers = {"Content-Type": "application/x-ndjson"}
        headers |= {name: value.reveal() for name, value in self._settings.headers.items()}
        try:
            said = self._poster.ask(headers, b"".join(body + b"\n" for body in bodies))
        except PostError as error:
            raise SinkError(f"{self._where}: {error}") from error
        return said.status, said.reason

    def close(self) -> None:
        self._poster.close()
