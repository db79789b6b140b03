"""The agent's pages: /probe, /findings and the landing page, beside those of management.

Whatever asks the agent runs on a thread, probes in a pool of their own.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from collectors.model import Family
from exporters.prometheus import negotiation, selfmetrics
from exporters.prometheus.backend import Backend, NotYet, ProbeRefused
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.management import GET, PAGE_TIMEOUT, Management, Own, header, text
from exporters.prometheus.pool import Pool
from exporters.prometheus.style import CSS

PROBE_TIMEOUT = 130.0  # above the longest scrape timeout in use
CSP = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"


class Application(Management):
    """The agent's pages beside those of every server."""

    def __init__(self, backend: Backend, own: Own) -> None:
        super().__init__(
            backend,
            own,
            (
                Route("/probe", self.probe, methods=GET),
                Route("/findings", self.findings, methods=GET),
                Route("/style.css", self.style, methods=GET),
                Route("/", self.landing, methods=GET),
            ),
        )
        self._backend = backend
        self._probes = Pool("probe", 64, waiting=256)
        self._probe_encoder = Encoder()
        self._findings = _Tagged()
        self._version = selfmetrics.version()

    async def probe(self, request: Request) -> Response:
        query = {key: request.query_params.getlist(key)[0] for key in request.query_params}
        headers = dict(request.headers)

        def page() -> Sequence[Family] | str:
            return self._backend.probe(query, headers)

        try:
            return await self._exposition(
                request, self._probes, PROBE_TIMEOUT, page, self._probe_encoder
            )
        except ProbeRefused as error:
            return text(error.status, str(error))

    async def findings(self, request: Request) -> Response:
        gzip = negotiation.wants_gzip(header(request, "accept-encoding"))

        def work() -> tuple[bytes, str]:
            return self._findings.coded(self._backend.findings(), gzip)

        try:
            content, tag = await self._pages.run(work, PAGE_TIMEOUT)
        except NotYet as error:
            return text(503, str(error))
        headers = {"etag": tag, "cache-control": "no-cache", "vary": "accept-encoding"}
        headers["x-jianwei-version"] = self._version
        if negotiation.matches(request.headers.get("if-none-match", ""), tag):
            return Response(status_code=304, headers=headers)
        if gzip:
            headers["content-encoding"] = "gzip"
        return Response(content, media_type="application/json", headers=headers)

    async def style(self, request: Request) -> Response:
        headers = {"cache-control": "max-age=3600"}
        return Response(CSS, media_type="text/css", headers=headers)

    async def landing(self, request: Request) -> Response:
        from exporters.prometheus import landing  # few agents are ever looked at

        language = negotiation.language(
            request.query_params.get("lang", ""), header(request, "accept-language")
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
