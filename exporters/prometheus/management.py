"""The pages that every server of ours has: /metrics, /-/healthy, /-/ready and /-/reload.

Conventions: Prometheus's management API and content negotiation, node_exporter's `collect[]` and
`exclude[]`. Whatever asks what is served runs on a thread, scrapes in a pool of their own.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Protocol
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import Receive, Scope, Send

from collectors.model import Family
from exporters.prometheus import negotiation
from exporters.prometheus.backend import Managed, ReloadError, UnknownCollector
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.pool import Busy, Pool

log = logging.getLogger(__name__)

SCRAPE_TIMEOUT = 30.0  # seconds; collectors have deadlines of their own, this is for bugs
PAGE_TIMEOUT = 30.0
HEADER_LIMIT = 512
GET = ("GET",)  # Starlette adds HEAD
_PLAIN = "text/plain; charset=utf-8"
_VARY = "accept, accept-encoding"


class Own(Protocol):
    """What the pages tell of the server itself."""

    def families(self) -> Sequence[Family]:
        """Its metrics, added to `/metrics`."""
        ...

    def insecure(self) -> str:
        """What is missing where strangers can connect; empty if nothing is."""
        ...


class Management:
    """The ASGI application: Starlette's router, and what becomes of an error. `pages` are those of its own."""

    def __init__(self, backend: Managed, own: Own, pages: Sequence[Route]) -> None:
        self._managed, self._own = backend, own
        self._scrapes = Pool("scrape", 8, waiting=256)
        self._pages = Pool("page", 4, waiting=64)
        self._encoder = Encoder()
        self._reloading = threading.Lock()
        self._router = Router(
            [
                Route("/metrics", self.metrics, methods=GET),
                Route("/-/healthy", self.healthy, methods=GET),
                Route("/-/ready", self.ready, methods=GET),
                Route("/-/reload", self.reload_page, methods=("POST", "PUT")),
                *pages,
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._router(scope, receive, send)
        except Busy as error:
            await text(503, f"too busy: {error}")(scope, receive, send)
        except Exception:  # an answer is written at once, so none has begun
            log.exception("%s failed", scope["path"])
            await text(500, "internal error, see the log")(scope, receive, send)

    def reload(self) -> None:
        """Read again what is served, one at a time; blocks; raises ReloadError."""
        with self._reloading:
            self._managed.reload()

    async def metrics(self, request: Request) -> Response:
        query = request.query_params
        include, exclude = (frozenset(query.getlist(key)) for key in ("collect[]", "exclude[]"))
        if include and exclude:
            return text(400, "collect[] and exclude[] cannot be used together")
        own = () if include else self._own.families()

        def page() -> list[Family]:
            return [*self._managed.scrape(include, exclude), *own]

        try:
            return await self._exposition(
                request, self._scrapes, SCRAPE_TIMEOUT, page, self._encoder
            )
        except UnknownCollector as error:
            return text(400, str(error))

    async def _exposition(
        self,
        request: Request,
        pool: Pool,
        timeout: float,
        page: Callable[[], Sequence[Family] | str],
        encoder: Encoder,
    ) -> Response:
        """Families in the format and coding the client wants, made on one thread of the pool."""
        chosen = negotiation.page_format(header(request, "accept"))
        gzip = negotiation.wants_gzip(header(request, "accept-encoding"))

        def work() -> tuple[bytes, str]:
            made = page()
            if isinstance(made, str):
                content = made.encode()
                return (negotiation.gzipped(content) if gzip else content), _PLAIN
            if not gzip:
                return encoder.encode(made, chosen.openmetrics), chosen.content_type
            # part by part, so that a page of many megabytes is never in memory as a whole
            compressed = negotiation.Gzip()
            encoder.write(made, compressed.write, chosen.openmetrics)
            return compressed.end(), chosen.content_type

        content, kind = await pool.run(work, timeout)
        headers = {"content-type": kind, "vary": _VARY}
        if gzip:
            headers["content-encoding"] = "gzip"
        return Response(content, headers=headers)

    async def healthy(self, request: Request) -> Response:
        return text(200, "Healthy.")

    async def ready(self, request: Request) -> Response:
        why = await self._pages.run(self._managed.ready, PAGE_TIMEOUT)
        return text(503, why) if why else text(200, "Ready.")

    async def reload_page(self, request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin and urlsplit(origin).netloc != request.headers.get("host"):
            return text(403, "another site may not reload this")
        try:
            await self._pages.run(self.reload, PAGE_TIMEOUT)
        except ReloadError as error:
            return text(500, f"not reloaded, the old configuration runs on: {error}")
        return text(200, "Reloaded.")


def header(request: Request, name: str) -> str:
    """A header, cut where nobody means more: what is made of it is kept."""
    return request.headers.get(name, "")[:HEADER_LIMIT]


def text(status: int, content: str) -> Response:
    return Response(f"{content}\n", status, media_type="text/plain")
