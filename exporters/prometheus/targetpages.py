"""/targets: an HTTP SD endpoint, https://prometheus.io/docs/prometheus/latest/http_sd/.

The whole list at each request, `[]` where there is none. `?department=…&group=…` are the targets that have those;
a key that is repeated is any of its values.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporters.prometheus import negotiation
from exporters.prometheus.backend import Managed
from exporters.prometheus.management import GET, PAGE_TIMEOUT, Management, Own, header, text


class Discovered(Managed, Protocol):
    """Who knows the targets."""

    def answer(self, query: Mapping[str, Sequence[str]]) -> bytes:
        """Targets as JSON. Raises ValueError for a key that is none."""
        ...


class TargetPages(Management):
    """The pages of `fleet serve-sd`."""

    def __init__(self, backend: Discovered, own: Own) -> None:
        super().__init__(backend, own, (Route("/targets", self.targets, methods=GET),))
        self._backend = backend

    async def targets(self, request: Request) -> Response:
        query = {key: request.query_params.getlist(key) for key in request.query_params}
        gzip = negotiation.wants_gzip(header(request, "accept-encoding"))

        def work() -> bytes:
            content = self._backend.answer(query)
            return negotiation.gzipped(content) if gzip else content

        try:
            content = await self._pages.run(work, PAGE_TIMEOUT)
        except ValueError as error:
            return text(400, str(error))
        headers = {"vary": "accept-encoding", "cache-control": "no-cache"}
        if gzip:
            headers["content-encoding"] = "gzip"
        return Response(content, media_type="application/json", headers=headers)
