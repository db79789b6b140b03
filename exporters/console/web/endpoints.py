"""Pages and operations as Starlette routes: who asks, whether they may, what they gave, and how it is answered.

Handlers run in threads, at most settings.threads at once; the session is looked up in the same thread. A POST of a page,
and an operation that changes something under a session's cookie, needs the session's CSRF token in the field `csrf`
or the header X-CSRF-Token; where a browser says where a request comes from (Origin, Sec-Fetch-Site) it must be here.

A body is read after it is known who sends it: strangers have 64 KiB, and few larger ones are in memory at once.
"""

from __future__ import annotations

import functools
import hmac
import logging
from collections.abc import Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from exporters.console.database import Database, unavailable
from exporters.console.people import sessions
from exporters.console.services import Services
from exporters.console.web import answers, binding
from exporters.console.web.asker import Asker
from exporters.console.web.bodies import SMALL, Bodies, Given
from exporters.console.web.refusals import (
    Broken,
    Forbidden,
    Invalid,
    Later,
    Refused,
    Unknown,
)
from exporters.console.web.routing import (
    Operation,
    Page,
    Reply,
)

log = logging.getLogger(__name__)

T = TypeVar("T")
_Call = Callable[[Request, Page | Operation, Asker], T]

PREFIX: Final = "/api/v1"
_SAFE: Final = ("GET", "HEAD")
_FORM_BYTES: Final = 1 << 20  # of the fields of a form without its files
_PATIENCE: Final = 5.0  # seconds that an answer waits for another writer of the database
_AGAIN: Final = 5  # seconds until a request is worth trying again


class Endpoints:
    """Makes routes. One for each console."""

    def __init__(self, database: Database, services: Services) -> None:
        self._database, self._services = database.waiting(_PATIENCE), services
        self._zone = ZoneInfo(services.settings.zone)
        self._limiters: dict[bool, anyio.CapacityLimiter] = {}  # a loop must run to make one
        self._bodies = Bodies(services.settings.upload_bytes)

    def page(self, page: Page) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._answered(request, page)

        return Route(page.path, endpoint, methods=[page.method])

    def operation(self, operation: Operation) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._answered(request, operation)

        return Route(PREFIX + operation.path, endpoint, methods=[operation.method])

    async def _answered(self, request: Request, served: Page | Operation) -> Response:
        async with AsyncExitStack() as held:
            limit: int | Response = 0
            if _has_body(served):
                limit = await self._thread(request, served, self._allowed)
            if isinstance(limit, Response):
                return limit
            try:
                given = await self._bodies.given(request, served, limit, held)
            except ClientDisconnect:
                return Response(status_code=400)  # nobody reads it
            except Refused as error:
                refused = error
                return await anyio.to_thread.run_sync(
                    lambda: answers.refused(request, served, None, refused)
                )
            return await self._thread(request, served, functools.partial(self._handled, given))

    async def _thread(
        self, request: Request, served: Page | Operation, call: _Call[T]
    ) -> T | Response:
        """Agents have threads of their own: however many call, people are answered."""
        agents = served.permission == "agent"
        limiter = self._limiters.get(agents)
        if limiter is None:
            threads = max(1, self._services.settings.threads // (1 + agents))
            limiter = self._limiters[agents] = anyio.CapacityLimiter(threads)
        guarded = functools.partial(self._guarded, request, served, call)
        return await anyio.to_thread.run_sync(guarded, limiter=limiter)

    # --- in a thread

    def _asker(self, request: Request, served: Page | Operation) -> Asker:
        now = datetime.now(UTC)
        bearer = ""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            bearer = credentials.strip()
        found = sessions.resolve(
            self._database,
            self._services.settings,
            request.cookies.get(sessions.cookie_name(answers.secure(request)), ""),
            bearer,
            now,
            renew=not (isinstance(served, Page) and served.polled),
        )
        return Asker(
            database=self._database,
            services=self._services,
            now=now,
            zone=self._zone,
            language=answers.language_of(request, found.language),
            person=found.person,
            scope=found.scope,
            address=request.client.host if request.client else "",
            session=found.session,
            csrf=found.csrf,
            stage=found.stage,
            token=bearer,
            cookies=request.cookies,
        )

    def _guarded(self, request: Request, served: Page | Operation, call: _Call[T]) -> T | Response:
        """What the call gives for who asks, if they may; else the refusal."""
        asker: Asker | None = None
        try:
            asker = self._asker(request, served)
            if request.method not in _SAFE:
                _here(request)
            if not asker.may(served.permission):
                if asker.person is None or asker.stage != "full":
                    raise Unknown("log_in_first")
                raise Forbidden("forbidden")
            return call(request, served, asker)
        except Refused as refused:
            return answers.refused(request, served, asker, refused)
        except Exception as error:
            if unavailable(error):
                problem = getattr(error, "orig", error)
                log.error("%s %s: the database: %s", request.method, request.url.path, problem)
                return answers.refused(request, served, asker, Later("unavailable", _AGAIN))
            log.exception("%s %s failed", request.method, request.url.path)
            return answers.refused(request, served, asker, Broken("broken"))

    def _allowed(self, _: Request, served: Page | Operation, asker: Asker) -> int:
        """How long a body of theirs may be."""
        if isinstance(served, Page):
            limit = self._services.settings.upload_bytes + _FORM_BYTES
        else:
            limit = served.body_limit
            if served.admits:
                served.admits(asker)
                return limit
        return limit if asker.stage == "full" else min(limit, SMALL)

    def _handled(
        self, given: Given, request: Request, served: Page | Operation, asker: Asker
    ) -> Response:
        if (
            request.method not in _SAFE
            and asker.session
            and not hmac.compare_digest(given.csrf.encode(), asker.csrf.encode())
        ):
            raise Forbidden("csrf")
        if isinstance(served, Operation):
            return self._performed(served, asker, given)
        parameters = binding.bound(served.takes, given.pairs)
        return answers.shown(request, asker, served.view(asker, parameters))

    def _performed(self, operation: Operation, asker: Asker, given: Given) -> Response:
        if operation.raw:
            pairs = [*given.pairs, (operation.raw, given.body)]
            parameters = binding.bound(operation.takes, pairs)
        elif operation.method in ("GET", "DELETE"):
            parameters = binding.bound(operation.takes, given.pairs)
        else:
            parameters = binding.converted(operation.takes, _document(given), strict=False)
        answer = operation.handle(asker, parameters)
        if isinstance(answer, Reply):
            return answers.reply(answer)
        return Response(msgspec.json.encode(answer), media_type="application/json")


def _has_body(served: Page | Operation) -> bool:
    return served.method not in _SAFE and not (
        isinstance(served, Operation) and served.method == "DELETE"
    )


def _here(request: Request) -> None:
    """Raises Forbidden where the browser says that another site sends this."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("csrf")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("csrf")


def _document(given: Given) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(given.body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("bad_body", problem=str(error)) from error
    if not isinstance(document, dict):
        raise Invalid("bad_body", problem="not an object")
    return {**document, **dict(given.pairs)}
