"""The console as an ASGI application: pages, the API under /api/v1, /static, /-/healthy and /metrics."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from exporters.console import metrics
from exporters.console.database import Database
from exporters.console.routes import OPERATIONS, PAGES
from exporters.console.services import Services
from exporters.console.web.endpoints import PREFIX, Endpoints
from exporters.console.web.headers import SecurityHeaders
from exporters.console.web.measuring import Measured, Measuring
from exporters.console.web.openapi import document


def application(database: Database, services: Services, insecure: bool = False) -> Starlette:
    """`insecure`: strangers can reach it, and without TLS. Raises DocumentError for web_config."""
    endpoints = Endpoints(database, services)
    measured = Measured()
    routes: list[BaseRoute] = [
        Route("/-/healthy", _healthy),
        *metrics.routes(database, services, measured, insecure),
        Route(f"{PREFIX}/openapi.json", _described),
        Mount("/static", StaticFiles(packages=[("exporters.console", "static")])),
        *map(endpoints.page, PAGES),
        *map(endpoints.operation, OPERATIONS),
    ]
    middleware = [Middleware(Measuring, measured), Middleware(SecurityHeaders)]
    if proxies := services.settings.proxies:
        # whose word on the client's address and scheme is believed; first, since the others look at the scheme
        trusted = list(proxies)
        middleware.insert(0, Middleware(ProxyHeadersMiddleware, trusted_hosts=trusted))
    unserved = {404: endpoints.unserved, 405: endpoints.unserved}
    return Starlette(routes=routes, middleware=middleware, exception_handlers=unserved)


async def _described(_: Request) -> Response:
    return JSONResponse(document(OPERATIONS))


async def _healthy(_: Request) -> Response:
    return PlainTextResponse("Jianwei console is healthy.\n")
