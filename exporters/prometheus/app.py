"""The pages: /metrics, /probe, /findings, /-/healthy, /-/ready, /-/reload and the landing page.

Conventions: Prometheus's management API and content negotiation, node_exporter's `collect[]` and
`exclude[]`. Whatever asks the agent runs on a thread, scrapes and probes in pools of their own.
"""

from __future__ import annotations

import hashlib
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
from exporters.prometheus import negotiation, selfmetrics
from exporters.prometheus.backend import (
    Backend,
    NotYet,
    ProbeRefused,
    ReloadError,
    UnknownCollector,
)
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.pool import Busy, Pool
from exporters.prometheus.style import CSS

log = logging.getLogger(__name__)

SCRAPE_TIMEOUT = 30.0  # seconds; collectors have deadlines of their own, this is for bugs
PROBE_TIMEOUT = 130.0  # above the longest scrape timeout in use
PAGE_TIMEOUT = 30.0
HEADER_LIMIT = 512
CSP = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
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


class Application:
    """The ASGI application: Starlette's router, and what becomes of an error."""

    def __init__(self, backend: Backend, own: Own) -> None:
        self._backend, self._own = backend, own
        self._scrapes = Pool("scrape", 8, waiting=256)
        self._probes = Pool("probe", 64, waiting=256)
        self._pages = Pool("page", 4, waiting=64)
        self._encoder, self._probe_encoder = Encoder(), Encoder()
        self._reloading = threading.Lock()
        self._findings = _Tagged()
        self._version = selfmetrics.version()
        get = ["GET"]  # Starlette adds HEAD
        self._router = Router(
            [
                Route("/metrics", self.metrics, methods=get),
                Route("/probe", self.probe, methods=get),
                Route("/findings", self.findings, methods=get),
                Route("/-/healthy", self.healthy, methods=get),
                Route("/-/ready", self.ready, methods=get),
                Route("/-/reload", self.reload_page, methods=["POST", "PUT"]),
                Route("/style.css", self.style, methods=get),
                Route("/", self.landing, methods=get),
            ]
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._router(scope, receive, send)
        except Busy as error:
            await _text(503, f"too busy: {error}")(scope, receive, send)
        except Exception:  # an answer is written at once, so none has begun
            log.exception("%s failed", scope["path"])
            await _text(500, "internal error, see the agent's log")(scope, receive, send)

    def reload(self) -> None:
        """Reload the agent's configuration, one at a time; blocks; raises ReloadError."""
        with self._reloading:
            self._backend.reload()

    async def metrics(self, request: Request) -> Response:
        query = request.query_params
        include, exclude = (frozenset(query.getlist(key)) for key in ("collect[]", "exclude[]"))
        if include and exclude:
            return _text(400, "collect[] and exclude[] cannot be used together")
        own = () if include else self._own.families()

        def page() -> list[Family]:
            return [*self._backend.scrape(include, exclude), *own]

        try:
            return await self._exposition(request, self._scrapes, SCRAPE_TIMEOUT, page)
        except UnknownCollector as error:
            return _text(400, str(error))

    async def probe(self, request: Request) -> Response:
        query = {key: request.query_params.getlist(key)[0] for key in request.query_params}
        headers = dict(request.headers)

        def page() -> Sequence[Family] | str:
            return self._backend.probe(query, headers)

        try:
            return await self._exposition(request, self._probes, PROBE_TIMEOUT, page)
        except ProbeRefused as error:
            return _text(error.status, str(error))

    async def _exposition(
        self,
        request: Request,
        pool: Pool,
        timeout: float,
        page: Callable[[], Sequence[Family] | str],
    ) -> Response:
        """Families in the format and coding the client wants, made on one thread of the pool."""
        chosen = negotiation.page_format(_header(request, "accept"))
        gzip = negotiation.wants_gzip(_header(request, "accept-encoding"))
        encoder = self._encoder if pool is self._scrapes else self._probe_encoder

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

    async def findings(self, request: Request) -> Response:
        gzip = negotiation.wants_gzip(_header(request, "accept-encoding"))

        def work() -> tuple[bytes, str]:
            return self._findings.coded(self._backend.findings(), gzip)

        try:
            content, tag = await self._pages.run(work, PAGE_TIMEOUT)
        except NotYet as error:
            return _text(503, str(error))
        headers = {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        headers["x-jianwei-version"] = self._version
        if negotiation.matches(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        if gzip:
            headers["content-encoding"] = "gzip"
        return Response(content, media_type="application/json", headers=headers)

    async def healthy(self, request: Request) -> Response:
        return _text(200, "Healthy.")

    async def ready(self, request: Request) -> Response:
        why = await self._pages.run(self._backend.ready, PAGE_TIMEOUT)
        return _text(503, why) if why else _text(200, "Ready.")

    async def reload_page(self, request: Request) -> Response:
        origin = request.headers.get("origin")
        if origin and urlsplit(origin).netloc != request.headers.get("host"):
            return _text(403, "another site may not reload this agent")
        try:
            await self._pages.run(self.reload, PAGE_TIMEOUT)
        except ReloadError as error:
            return _text(500, f"not reloaded, the old configuration runs on: {error}")
        return _text(200, "Reloaded.")

    async def style(self, request: Request) -> Response:
        headers = {"cache-control": "max-age=3600"}
        return Response(CSS, media_type="text/css", headers=headers)

    async def landing(self, request: Request) -> Response:
        from exporters.prometheus import landing  # few agents are ever looked at

        language = negotiation.language(
            request.query_params.get("lang", ""), _header(request, "accept-language")
        )
        overview = await self._pages.run(self._backend.overview, PAGE_TIMEOUT)
        headers = {
            "content-security-policy": CSP,
            "content-language": language,
            "referrer-policy": "no-referrer",
            "vary": "accept-language",
            "cache-control": "no-store",
        }
        page = landing.page(overview, language, bool(self._own.insecure()))
        return Response(page, media_type="text/html", headers=headers)


class _Tagged:
    """The last findings with their entity tag, in both codings; each has a tag of its own."""

    def __init__(self) -> None:
        # one attribute, so that threads never see one content with the tags of another
        self._known: tuple[bytes, dict[bool, tuple[bytes, str]]] = b"", {}

    def coded(self, content: bytes, gzip: bool) -> tuple[bytes, str]:
        known = self._known
        if content is not known[0]:
            known = self._known = content, {}
        if gzip not in known[1]:
            tag = hashlib.sha256(content).hexdigest()[:32]
            known[1][gzip] = (
                (negotiation.gzipped(content), f'"{tag}-gzip"') if gzip else (content, f'"{tag}"')
            )
        return known[1][gzip]


def _header(request: Request, name: str) -> str:
    """A header, cut where nobody means more: what is made of it is kept."""
    return request.headers.get(name, "")[:HEADER_LIMIT]


def _text(status: int, text: str) -> Response:
    return Response(f"{text}\n", status, media_type="text/plain")
