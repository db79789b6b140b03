"""Pages and operations as Starlette routes: who asks, whether they may, what they gave, and how it is answered.

Handlers run in threads, at most settings.threads at once; the session is looked up in the same thread. A POST of a page,
and an operation that changes something under a session's cookie, needs the session's CSRF token in the field `csrf`
or the header X-CSRF-Token; where a browser says where a request comes from (Origin, Sec-Fetch-Site) it must be here.
"""

from __future__ import annotations

import hmac
import logging
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo

import anyio
import anyio.to_thread
import msgspec
from starlette.datastructures import UploadFile
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from exporters.console.database import Database
from exporters.console.people import sessions
from exporters.console.services import Services
from exporters.console.web import binding, notices, templating
from exporters.console.web.asker import LANGUAGE, Asker
from exporters.console.web.refusals import (
    BadMethod,
    Broken,
    Forbidden,
    Invalid,
    NotFound,
    Refused,
    TooLarge,
    TooMany,
    Unknown,
)
from exporters.console.web.replies import replied, set_cookie
from exporters.console.web.routing import (
    Answer,
    Operation,
    Page,
    Redirect,
    Reply,
    Upload,
)
from exporters.console.words import say

log = logging.getLogger(__name__)

PREFIX: Final = "/api/v1"
_SAFE: Final = ("GET", "HEAD")
_FORM_BYTES: Final = 1 << 20  # of the fields of a form without its files


class _Given(NamedTuple):
    """What came with a request, read before a thread is taken for it."""

    pairs: list[tuple[str, Any]]
    body: bytes
    csrf: str


class Endpoints:
    """Makes routes. One for each console."""

    def __init__(self, database: Database, services: Services) -> None:
        self._database, self._services = database, services
        self._zone = ZoneInfo(services.settings.zone)
        self._limiter: anyio.CapacityLimiter | None = None

    def page(self, page: Page) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._answered(request, page)

        return Route(page.path, endpoint, methods=[page.method])

    def operation(self, operation: Operation) -> Route:
        async def endpoint(request: Request) -> Response:
            return await self._answered(request, operation)

        return Route(PREFIX + operation.path, endpoint, methods=[operation.method])

    async def unserved(self, request: Request, error: Exception) -> Response:
        """No page and no operation is there, or it has another method."""
        status, headers = 404, {}
        if isinstance(error, HTTPException):
            status, headers = error.status_code, dict(error.headers or {})
        refused = BadMethod("bad_method") if status == 405 else NotFound("not_found")
        answer = await self._thread(lambda: self._unserved(request, refused))
        answer.headers.update(headers)
        return answer

    async def _answered(self, request: Request, served: Page | Operation) -> Response:
        try:
            given = await self._given(request, served)
        except Refused as error:
            refused = error
            return await self._thread(lambda: self._refused(request, None, refused))
        return await self._thread(lambda: self._handled(request, served, given))

    async def _thread(self, call: Callable[[], Response]) -> Response:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(self._services.settings.threads)
        return await anyio.to_thread.run_sync(call, limiter=self._limiter)

    # --- what came

    async def _given(self, request: Request, served: Page | Operation) -> _Given:
        pairs: list[tuple[str, Any]] = [*request.query_params.multi_items()]
        pairs += request.path_params.items()
        header = request.headers.get("x-csrf-token", "")
        if served.method in _SAFE or (isinstance(served, Operation) and served.method == "DELETE"):
            return _Given(pairs, b"", header)
        if isinstance(served, Operation):
            return _Given(pairs, await self._body(request, served.body_limit), header)
        limit = self._services.settings.upload_bytes
        whole = await self._body(request, limit + _FORM_BYTES)
        form = await binding.form(request, whole)
        for name, value in form.multi_items():
            if name == "csrf" and isinstance(value, str):
                header = header or value
            elif isinstance(value, UploadFile):
                content = await value.read()
                if len(content) > limit:
                    raise TooLarge("too_large", name, limit=limit)
                if value.filename:
                    upload = Upload(value.filename, value.content_type or "", content)
                    pairs.append((name, upload))
            else:
                pairs.append((name, value))
        return _Given(pairs, b"", header)

    async def _body(self, request: Request, limit: int) -> bytes:
        parts, length = [], 0
        async for part in request.stream():
            length += len(part)
            if length > limit:
                raise TooLarge("too_large", limit=limit)
            parts.append(part)
        return b"".join(parts)

    # --- in a thread

    def _asker(self, request: Request) -> Asker:
        now = datetime.now(UTC)
        bearer = ""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer":
            bearer = credentials.strip()
        found = sessions.resolve(
            self._database,
            self._services.settings,
            request.cookies.get(sessions.cookie_name(_secure(request)), ""),
            bearer,
            now,
        )
        chosen = request.cookies.get(LANGUAGE) or found.language
        if chosen not in ("zh", "en"):
            header = request.headers.get("accept-language", "zh").lower()
            chosen = "en" if header.startswith("en") else "zh"
        return Asker(
            database=self._database,
            services=self._services,
            now=now,
            zone=self._zone,
            language=chosen,
            person=found.person,
            scope=found.scope,
            address=request.client.host if request.client else "",
            session=found.session,
            csrf=found.csrf,
            stage=found.stage,
            token=bearer,
            cookies=request.cookies,
        )

    def _handled(self, request: Request, served: Page | Operation, given: _Given) -> Response:
        asker: Asker | None = None
        try:
            asker = self._asker(request)
            self._check(request, served, asker, given)
            if isinstance(served, Operation):
                return self._performed(served, asker, given)
            parameters = binding.bound(served.takes, given.pairs)
            return self._shown(request, asker, served.view(asker, parameters))
        except Refused as refused:
            return self._refused(request, asker, refused)
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            return self._refused(request, asker, Broken("broken"))

    def _unserved(self, request: Request, refused: Refused) -> Response:
        try:
            return self._refused(request, self._asker(request), refused)
        except Exception:
            log.exception("%s %s failed", request.method, request.url.path)
            return self._refused(request, None, Broken("broken"))

    def _check(
        self, request: Request, served: Page | Operation, asker: Asker, given: _Given
    ) -> None:
        if request.method not in _SAFE:
            _here(request)
            if asker.session and not hmac.compare_digest(given.csrf.encode(), asker.csrf.encode()):
                raise Forbidden("csrf")
        if not asker.may(served.permission):
            if asker.person is None or asker.stage != "full":
                raise Unknown("log_in_first")
            raise Forbidden("forbidden")

    def _performed(self, operation: Operation, asker: Asker, given: _Given) -> Response:
        if operation.raw:
            pairs = [*given.pairs, (operation.raw, given.body)]
            parameters = binding.bound(operation.takes, pairs)
        elif operation.method in ("GET", "DELETE"):
            parameters = binding.bound(operation.takes, given.pairs)
        else:
            parameters = binding.converted(operation.takes, _document(given), strict=False)
        answer = operation.handle(asker, parameters)
        if isinstance(answer, Reply):
            return replied(answer)
        return Response(msgspec.json.encode(answer), media_type="application/json")

    # --- how it is answered

    def _shown(self, request: Request, asker: Asker, answer: Answer) -> Response:
        if isinstance(answer, Reply):
            return replied(answer)
        if isinstance(answer, Redirect):
            response: Response = RedirectResponse(_path(answer.path), status_code=303)
            if answer.notice:
                notices.put(response, say(answer.notice, asker.language, **answer.values))
            for cookie in answer.cookies:
                set_cookie(response, cookie, secure=_secure(request))
            return response
        notice = notices.taken(request)
        html = templating.page(answer.template, asker, request.url.path, notice, answer.context)
        response = Response(html, answer.status, dict(answer.headers), "text/html")
        for cookie in answer.cookies:
            set_cookie(response, cookie, secure=_secure(request))
        if notice:
            notices.clear(response)
        return response

    def _refused(self, request: Request, asker: Asker | None, refused: Refused) -> Response:
        language = asker.language if asker else "zh"
        words = say(refused.key, language, **refused.values)
        headers = {"Retry-After": str(refused.seconds)} if isinstance(refused, TooMany) else {}
        if request.url.path.startswith(f"{PREFIX}/"):
            error = {"code": refused.key, "message": words, "field": refused.field}
            content = msgspec.json.encode({"error": error})
            return Response(content, refused.status, headers, "application/json")
        if refused.status == 401 and request.method in _SAFE:
            here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            if asker and asker.person:
                return RedirectResponse(sessions.ENTER[asker.stage], status_code=303)
            return RedirectResponse(f"/login?next={quote(here, safe='')}", status_code=303)
        if asker is None:
            return Response(words, refused.status, headers, "text/plain")
        context = {"words": words, "status": refused.status}
        html = templating.page("refused.html.j2", asker, request.url.path, "", context)
        return Response(html, refused.status, headers, "text/html")


def _secure(request: Request) -> bool:
    return request.url.scheme == "https"


def _path(path: str) -> str:
    """A path of this console and nobody else's: `//host` would lead away."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"


def _here(request: Request) -> None:
    """Raises Forbidden where the browser says that another site sends this."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise Forbidden("csrf")
    origin = request.headers.get("origin")
    if origin is not None and urlsplit(origin).netloc != request.headers.get("host"):
        raise Forbidden("csrf")


def _document(given: _Given) -> dict[str, Any]:
    try:
        document = msgspec.json.decode(given.body or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid("bad_body", problem=str(error)) from error
    if not isinstance(document, dict):
        raise Invalid("bad_body", problem="not an object")
    return {**document, **dict(given.pairs)}
