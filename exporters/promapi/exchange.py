"""One request to a server and its whole answer, by a moment and in so many bytes, whatever the server does.

A connection of its own for each, so that a timer can end it: a server that sends a byte now and then would hold us
for ever otherwise. No redirect is followed, no proxy asked. RFC 9110; gzip as in RFC 1952.
"""

from __future__ import annotations

import socket
import ssl
import threading
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

import httpx

from exporters.findings.delivery import told
from exporters.promapi.errors import Again, TooMuch
from exporters.usage.source import SourceError

MAX_CONNECT: Final = 10.0  # seconds


class Answer(NamedTuple):
    status: int
    headers: Mapping[str, str]
    body: bytes


class _Watch:
    """Ends an exchange at its deadline, by its socket."""

    def __init__(self, seconds: float) -> None:
        self.late = False
        self._socket: socket.socket | None = None
        self._timer = threading.Timer(seconds, self._end)
        self._timer.daemon = True

    def trace(self, event: str, info: Mapping[str, Any]) -> None:
        if event in ("connection.connect_tcp.complete", "connection.start_tls.complete"):
            self._socket = info["return_value"].get_extra_info("socket")
            if self.late:
                self._end()

    def __enter__(self) -> _Watch:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _end(self) -> None:
        self.late = True
        if current := self._socket:
            try:
                socket.socket.shutdown(current, socket.SHUT_RDWR)
            except OSError:
                return  # it is closed, or TLS begins on it, which has a time of its own


def exchange(
    client: httpx.Client, request: httpx.Request, seconds: float, max_bytes: int
) -> Answer:
    """Raises Again where another try may do, else SourceError; neither names the address."""
    with _Watch(seconds) as watch:
        request.extensions |= {
            "trace": watch.trace,
            "timeout": httpx.Timeout(seconds, connect=min(seconds, MAX_CONNECT)).as_dict(),
        }
        with _told(watch, seconds):
            answer = client.send(request, stream=True)
            try:
                body = _body(answer, max_bytes)
            finally:
                answer.close()
            if watch.late:  # an end that the watch made is none of the server's
                raise httpx.ReadTimeout("late")
            return Answer(answer.status_code, answer.headers, body)


@contextmanager
def _told(watch: _Watch, seconds: float) -> Iterator[None]:
    late = f"no whole answer in {seconds:g} s"
    try:
        yield
    except UnicodeError as error:
        raise SourceError("its host is no name that can be looked up; see the address") from error
    except (httpx.TimeoutException, httpx.TransportError, zlib.error) as error:
        if watch.late or isinstance(error, httpx.TimeoutException):
            connecting = isinstance(error, httpx.ConnectTimeout) and not watch.late
            raise Again("no connection in time" if connecting else late) from error
        reason = _reason(error)
        if isinstance(reason, ssl.SSLError) and not isinstance(reason, ssl.SSLEOFError):
            raise SourceError(f"{told(reason)}; {_tls_remedy(reason)}") from error
        if reason is not None:
            raise Again(told(reason)) from error
        raise Again("the answer broke off") from error


def _tls_remedy(reason: ssl.SSLError) -> str:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return "give the authority that signed it as ca_file, and the name that is in it as url"
    return "does it speak TLS at this port, or should the address begin with http://?"


def _reason(error: BaseException) -> OSError | None:
    """What the system said, below the libraries' own errors."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError):
            return seen
        seen = seen.__cause__ or seen.__context__
    return None


def _body(answer: httpx.Response, max_bytes: int) -> bytes:
    """The body, unpacked here so that no more is unpacked than may be."""
    coding = answer.headers.get("content-encoding", "identity").lower()
    if coding not in ("identity", "gzip"):
        raise SourceError(f"its answer is packed as {coding!r:.40}, which was not asked for")
    unpacker = zlib.decompressobj(wbits=31) if coding == "gzip" else None
    parts: list[bytes] = []
    size = raw = 0
    for chunk in answer.iter_raw():
        raw += len(chunk)
        part = unpacker.decompress(chunk, max_bytes + 1 - size) if unpacker else chunk
        size += len(part)
        parts.append(part)
        if size > max_bytes or raw > max_bytes:
            raise TooMuch(
                f"its answer is longer than {max_bytes} bytes; ask for less, or raise max_bytes"
            )
    if unpacker and raw and not unpacker.eof:
        raise Again("the answer broke off")
    return b"".join(parts)
