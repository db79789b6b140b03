"""A server in a thread on free loopback ports, over a small backend that tests can steer."""

from __future__ import annotations

import http.client
import ssl
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import NamedTuple

from collectors.model import Family, gauge, sample
from exporters.prometheus.backend import NotYet, ProbeRefused, ReloadError, UnknownCollector
from exporters.prometheus.overview import Overview
from exporters.prometheus.server import WebServer
from exporters.prometheus.settings import WebSettings

MOMENT = datetime(2026, 11, 22, 3, 40, tzinfo=UTC)
LOOPBACK = ("127.0.0.1:0",)


class SmallBackend:
    """Two collectors, one probe. `hold` keeps a scrape until it is set."""

    def __init__(self) -> None:
        self.hold: threading.Event | None = None
        self.audit: bytes | None = b'{"findings":[]}'
        self.problem = ""
        self.reloads = 0
        self.shown = Overview("0.1.0", MOMENT, MOMENT)

    def scrape(self, include: frozenset[str], exclude: frozenset[str]) -> Sequence[Family]:
        valid = frozenset(("load", "memory"))
        for name in include | exclude:
            if name not in valid:
                raise UnknownCollector(name, list(valid))
        if self.hold:
            self.hold.wait(20)
        return [gauge(f"node_{n}", "A.", sample(1)) for n in sorted((include or valid) - exclude)]

    def probe(self, query: Mapping[str, str], headers: Mapping[str, str]) -> Sequence[Family] | str:
        if "target" not in query:
            raise ProbeRefused(400, "the parameter target is missing")
        if query["target"] == "bug":
            raise ZeroDivisionError("secret detail")
        if query.get("debug") == "true":
            return f"probing {query['target']}"
        timeout = float(headers.get("x-prometheus-scrape-timeout-seconds", "0"))
        return [gauge("probe_timeout_seconds", "A.", sample(timeout))]

    def findings(self) -> bytes:
        if self.audit is None:
            raise NotYet("the first audit has not ended yet")
        return self.audit

    def reload(self) -> None:
        self.reloads += 1
        if self.problem:
            raise ReloadError(self.problem)

    def ready(self) -> str:
        return self.problem

    def overview(self) -> Overview:
        return self.shown


class Answer(NamedTuple):
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


class Running(NamedTuple):
    """A server that runs; `ports` in the order of its listen addresses."""

    server: WebServer
    backend: SmallBackend
    ports: tuple[int, ...]

    @property
    def port(self) -> int:
        return self.ports[0]

    def connection(
        self, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
    ) -> http.client.HTTPConnection:
        if tls:
            return http.client.HTTPSConnection(host, self.port, context=tls, timeout=15)
        return http.client.HTTPConnection(host, self.port, timeout=15)

    def ask(
        self,
        path: str,
        method: str = "GET",
        headers: Mapping[str, str] | None = None,
        tls: ssl.SSLContext | None = None,
        body: bytes | None = None,
    ) -> Answer:
        """One request on a connection of its own."""
        connection = self.connection(tls)
        try:
            connection.request(method, path, body=body, headers=dict(headers or {}))
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()

    def metric(self, series: str, **how: object) -> float:
        """The value of one series of /metrics."""
        page = self.ask("/metrics", **how).text  # type: ignore[arg-type]  # passed on as given
        found = [line for line in page.splitlines() if line.startswith(f"{series} ")]
        assert len(found) == 1, f"{series} is there {len(found)} times"
        return float(found[0].split()[-1])


@contextmanager
def running(
    settings: WebSettings | None = None, backend: SmallBackend | None = None
) -> Iterator[Running]:
    """Serve until the block ends; fails if the server does not end then."""
    backend = backend or SmallBackend()
    server = WebServer(backend, settings or WebSettings(listen=LOOPBACK))
    urls = server.bind()
    thread = threading.Thread(target=server.run, name="server")
    thread.start()
    try:
        yield Running(server, backend, tuple(int(url.rpartition(":")[2]) for url in urls))
    finally:
        server.stop()
        thread.join(20)
    assert not thread.is_alive()
