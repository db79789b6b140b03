"""Where somebody gets on from an answer that has no address of its own: of a POST, or of a refusal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.routing import Match, Route

from exporters.console.web.asker import Asker
from exporters.console.web.routing import Page

_FIRST: Final = "/"


class PageRoute(Route):
    """A page's, which knows whose it is."""

    def __init__(self, page: Page, endpoint: Callable[..., Any]) -> None:
        super().__init__(page.path, endpoint, methods=[page.method])
        self.page = page


def here(request: Request, asker: Asker) -> str:
    """What was asked for, or the page that was sent from."""
    if request.method == "POST":
        return back(request, asker)
    return request.url.path + (f"?{request.url.query}" if request.url.query else "")


def back(request: Request, asker: Asker, status: int = 200) -> str:
    """The page that the browser came from, else the nearest one above that this asker may open; with a status that
    says that the same would be refused again, another one."""
    gone = status == 404 or (status == 403 and request.method != "POST")
    for path, query in _candidates(request):
        page = _at(request, path)
        if page is None or not asker.may(page.permission):
            continue
        if not gone or (path != request.url.path and "{" not in page.path):
            return path + query
    return _FIRST


def _at(request: Request, path: str) -> Page | None:
    """The page that is asked for by this path; none where it is a form's, which no GET is for."""
    scope = {"type": "http", "method": "GET", "path": unquote(path)}
    routes = [one for one in request.app.routes if isinstance(one, PageRoute)]
    exact = [one for one in routes if one.page.path == path]
    for route in exact or routes:  # /hits/bulk is no hit of /hits/{id}
        if route.matches(scope)[0] is Match.FULL:
            return route.page
    return None


def _candidates(request: Request) -> Iterator[tuple[str, str]]:
    """Paths with their queries: where the browser came from, if it was here, what was asked for, and what is above."""
    if request.method == "POST":
        came = urlsplit(request.headers.get("referer", ""))
        if came.netloc == request.headers.get("host"):
            yield came.path, f"?{came.query}" if came.query else ""
    path = request.url.path
    while path:
        yield path, ""
        path = path.rpartition("/")[0]
