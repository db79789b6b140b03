"""How a request is answered: a page, a redirect, a file, or why it is refused; in the language of who asks."""

from __future__ import annotations

from urllib.parse import quote

import msgspec
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response, StreamingResponse

from exporters.console.people import sessions
from exporters.console.web import notices, templating
from exporters.console.web.asker import LANGUAGE, Asker
from exporters.console.web.refusals import Refused
from exporters.console.web.routing import Answer, Cookie, Operation, Page, Redirect, Reply
from exporters.console.words import say


def shown(request: Request, asker: Asker, answer: Answer) -> Response:
    if isinstance(answer, Reply):
        return reply(answer)
    if isinstance(answer, Redirect):
        response: Response = RedirectResponse(_path(answer.path), status_code=303)
        if answer.notice:
            notices.put(response, say(answer.notice, asker.language, **answer.values))
        for cookie in answer.cookies:
            set_cookie(response, cookie, over_tls=secure(request))
        return response
    notice = notices.taken(request)
    html = templating.page(answer.template, asker, request.url.path, notice, answer.context)
    response = Response(html, answer.status, dict(answer.headers), "text/html")
    for cookie in answer.cookies:
        set_cookie(response, cookie, over_tls=secure(request))
    if notice:
        notices.clear(response)
    return response


def refused(
    request: Request, served: Page | Operation, asker: Asker | None, why: Refused
) -> Response:
    language = asker.language if asker else language_of(request)
    words = say(why.key, language, **why.values)
    headers = {"Retry-After": str(why.seconds)} if why.seconds else {}
    if isinstance(served, Operation):
        error = {"code": why.key, "message": words, "field": why.field}
        content = msgspec.json.encode({"error": error})
        return Response(content, why.status, headers, "application/json")
    if why.status == 401 and request.method in ("GET", "HEAD"):
        if "hx-request" in request.headers:  # htmx would put the page into the one it is on
            return Response(status_code=401, headers={"HX-Redirect": "/login"})
        if asker and asker.person:
            return RedirectResponse(sessions.ENTER[asker.stage], status_code=303)
        here = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        return RedirectResponse(f"/login?next={quote(here, safe='')}", status_code=303)
    if asker is None:
        return Response(words, why.status, headers, "text/plain")
    context = {"words": words, "status": why.status}
    html = templating.page("refused.html.j2", asker, request.url.path, "", context)
    return Response(html, why.status, headers, "text/html")


def set_cookie(response: Response, cookie: Cookie, *, over_tls: bool) -> None:
    name = sessions.cookie_name(over_tls) if cookie.name == sessions.COOKIE else cookie.name
    response.set_cookie(
        name, cookie.value, max_age=cookie.max_age, httponly=True, samesite="lax", secure=over_tls
    )  # fmt: skip


def language_of(request: Request, preferred: str = "") -> str:
    chosen = request.cookies.get(LANGUAGE) or preferred
    if chosen in ("zh", "en"):
        return chosen
    header = request.headers.get("accept-language", "zh").lower()
    return "en" if header.startswith("en") else "zh"


def secure(request: Request) -> bool:
    return request.url.scheme == "https"


def reply(given: Reply) -> Response:
    headers = dict(given.headers)
    if given.name:
        headers["Content-Disposition"] = (
            f"attachment; filename*=UTF-8''{quote(given.name, safe='')}"
        )
    if isinstance(given.content, bytes):
        return Response(given.content, given.status, headers, given.media_type)
    return StreamingResponse(given.content, given.status, headers, given.media_type)


def _path(path: str) -> str:
    """A path of this console and nobody else's: `//host` would lead away."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) else "/"
