"""One HTTP/1.1 request and its answer on a stream: RFC 9112 by h11, everything bounded."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable
from typing import NamedTuple

import msgspec

from collectors.link.connect import Failure, Stream
from collectors.link.httpsettings import Compression

MAX_HEAD = 65536  # bytes of an answer's head, and of a chunked body's trailer
MAX_INTERIM = 20  # answers like 103 before the real one
PIECE = 65536


class Request(NamedTuple):
    """`target` is path and query; headers without those that frame the body."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""


class Response(msgspec.Struct):
    """`length` is the Content-Length, −1 where it is not told. `size` counts the body after
    decompression, `arrived` before it; `failure` is what came in its way."""

    status: int
    version: str
    headers: tuple[tuple[str, str], ...]
    length: int
    body: bytes = b""
    size: int = 0
    arrived: int = 0
    failure: Failure | None = None

    def values(self, name: str) -> list[str]:
        """The values of a header."""
        return [value for key, value in self.headers if key == name.lower()]


class Times(NamedTuple):
    """Seconds until the answer began, and from there until it ended."""

    processing: float
    transfer: float


class Limits(NamedTuple):
    """How much of a body is read, whether it is kept, and how it is coded; `as_told`: as the answer's
    Content-Encoding says. What is kept of a body that is too large is its first `size` bytes."""

    size: int
    keep: bool = False
    compression: Compression = "identity"
    as_told: bool = False


def exchange(
    stream: Stream,
    request: Request,
    limits: Limits,
    reads: Callable[[Response], bool],
    note: Callable[[Times], None],
) -> Response:
    """The answer to one request, its body only if `reads` says so. A body that fails is a failure
    in the answer; `note` gets the times, also of one that breaks off. Raises Failure."""
    return _Exchange(stream, request, limits).run(reads, note)


class _Exchange:
    def __init__(self, stream: Stream, request: Request, limits: Limits) -> None:
        import h11

        self._h11 = h11
        self._stream, self._request, self._limits = stream, request, limits
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD)
        self._first = 0.0

    def run(self, reads: Callable[[Response], bool], note: Callable[[Times], None]) -> Response:
        start = time.perf_counter()
        try:
            self._send()
            response = self._head()
            if reads(response):
                self._body(response)
        finally:
            end = time.perf_counter()
            if self._first:
                note(Times(self._first - start, end - self._first))
        return response

    def _send(self) -> None:
        h11, request = self._h11, self._request
        headers = [(name, value.encode()) for name, value in request.headers]
        headers.append(("Connection", b"close"))
        if request.body or request.method in ("POST", "PUT", "PATCH"):
            headers.append(("Content-Length", b"%d" % len(request.body)))
        try:
            events = [
                h11.Request(method=request.method, target=request.target, headers=headers),
                *([h11.Data(data=request.body)] if request.body else []),
                h11.EndOfMessage(),
            ]
            sent = b"".join(self._connection.send(event) or b"" for event in events)
        except h11.LocalProtocolError as error:
            raise Failure("error", f"cannot be asked like this: {error}") from error
        try:
            self._stream.send(sent)
        except Failure as failure:
            # a server may answer, and close, before it has read a long body
            if failure.reason != "connect_reset" or not request.body:
                raise

    def _head(self) -> Response:
        h11 = self._h11
        interim = 0
        while True:
            event = self._next()
            if isinstance(event, h11.Response):
                headers = tuple(
                    (name.decode("ascii"), value.decode("utf-8", "replace"))
                    for name, value in event.headers
                )
                version = event.http_version.decode("ascii")
                response = Response(event.status_code, version, headers, 0)
                response.length = _length(response)
                return response
            interim += isinstance(event, h11.InformationalResponse)
            if interim > MAX_INTERIM or not isinstance(event, h11.InformationalResponse):
                raise Failure("http_protocol", "no answer but interim ones, or another protocol")

    def _body(self, response: Response) -> None:
        """Read the body into the response; what fails is kept there, the head being good."""
        h11, limits = self._h11, self._limits
        bodiless = self._request.method == "HEAD"
        sink = _Sink(limits.size, limits.keep, "identity" if bodiless else limits.compression)
        try:
            if limits.as_told and not bodiless:
                sink.decode(_coding(response))
            while True:
                event = self._next()
                if isinstance(event, h11.Data):
                    sink.add(bytes(event.data))
                elif isinstance(event, h11.EndOfMessage):
                    sink.end()
                    break
                else:
                    raise Failure("http_protocol", "the body has no end")
        except Failure as failure:
            response.failure = failure
        response.body, response.size = b"".join(sink.kept), sink.size
        response.arrived = sink.arrived

    def _next(self) -> object:
        """The next event of the answer."""
        h11 = self._h11
        try:
            while (event := self._connection.next_event()) is h11.NEED_DATA:
                data = self._stream.receive()
                if not data and not self._first:
                    raise Failure("http_protocol", "closed without an answer")
                self._first = self._first or time.perf_counter()
                self._connection.receive_data(data)
        except h11.RemoteProtocolError as error:
            raise Failure("http_protocol", f"no HTTP/1: {error}") from error
        return event


class _Sink:
    """Where a body goes, piece by piece: decompressed and counted, and kept if it shall be."""

    def __init__(self, limit: int, keep: bool, compression: Compression) -> None:
        self._limit, self._keep = limit, keep
        self._inflate: zlib._Decompress | None = None
        self.kept: list[bytes] = []
        self.size = self.arrived = 0
        self.decode(compression)

    def decode(self, compression: Compression) -> None:
        """How what comes is coded."""
        self._coded = compression in ("gzip", "deflate")
        self._gzip = compression == "gzip"

    def add(self, data: bytes) -> None:
        self.arrived += len(data)
        if not self._coded:
            self._take(data)
            return
        if self.arrived > self._limit:
            raise self._too_large()
        try:
            self._decompress(data)
        except zlib.error as error:
            kind = "gzip" if self._gzip else "deflate"
            raise Failure("http_protocol", f"the body is no {kind}: {error}") from error

    def end(self) -> None:
        if self._coded and (self._inflate is None or not self._inflate.eof):
            raise Failure("http_protocol", "the compressed body is cut off")

    def _decompress(self, data: bytes) -> None:
        more = False  # output that waits for room
        while data or more:
            if self._inflate is None or self._inflate.eof:  # gzip may have several members
                if self._inflate and not self._gzip:
                    return
                self._inflate = zlib.decompressobj(self._window(data))
            made = self._inflate.decompress(data, PIECE)
            self._take(made)
            data = self._inflate.unconsumed_tail or self._inflate.unused_data
            more = len(made) == PIECE and not self._inflate.eof

    def _window(self, data: bytes) -> int:
        """`deflate` is raw in practice and zlib's format by the RFC; both are understood."""
        if self._gzip:
            return 16 + zlib.MAX_WBITS
        zlibs = data[0] & 0x0F == 8 and int.from_bytes(data[:2]) % 31 == 0
        return zlib.MAX_WBITS if zlibs else -zlib.MAX_WBITS

    def _take(self, data: bytes) -> None:
        room = self._limit - self.size
        self.size += len(data)
        if self._keep:
            self.kept.append(data[:room] if room < len(data) else data)
        if self.size > self._limit:
            raise self._too_large()

    def _too_large(self) -> Failure:
        return Failure("body_too_large", f"the body is longer than {self._limit} bytes")


def _coding(response: Response) -> Compression:
    """The Content-Encoding, one of those that can be read (RFC 9110, 8.4); raises Failure."""
    told = ",".join(response.values("content-encoding")).strip().lower()
    if told in ("", "identity"):
        return "identity"
    if told in ("gzip", "x-gzip"):
        return "gzip"
    if told == "deflate":
        return "deflate"
    raise Failure("http_protocol", f"a Content-Encoding that was not asked for: {told:.40}")


def _length(response: Response) -> int:
    """The Content-Length as Go's ContentLength: −1 where the body tells its own end."""
    if response.values("transfer-encoding"):
        return -1
    told = response.values("content-length")
    if told:
        return int(told[0])
    return 0 if response.status in (204, 304) else -1
