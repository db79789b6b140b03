"""Where somebody gets on from an answer that has no address of its own: of a POST, or of a refusal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final
from urllib.parse import unquote, urlsplit

from starlette.requests import Request
from starlette.routing import Match, Route

from exporters.console.web.asker import Asker
from exporters.console.web.routing import Page

_FIRST: Final = "/"


class WayBack:
    """Knows the pages that can be asked for. One for each console."""

    def __init__(self) -> None:
        self._pages: list[tuple[Page, Route]] = []
        self._sent: set[str] = set()  # paths of forms

    def know(self, page: Page, route: Route) -> None:
        if page.method == "GET":
            self._pages.append((page, route))
        else:
            self._sent.add(page.path)

    def here(self, request: Request, asker: Asker) -> str:
        """What was asked for, or the page that was sent from."""
        if request.method == "POST":
            return self.back(request, asker)
        return request.url.path + (f"?{request.url.query}" if request.url.query else "")

    def back(self, request: Request, asker: Asker, status: int = 200) -> str:
        """The page that the browser came from, else the nearest one above that this asker may open; with a status that
        says that the same would be refused again, another one."""
        gone = status == 404 or (status == 403 and request.method != "POST")
        for path, query in _candidates(request):
            page = self._at(path)
            if page is None or not asker.may(page.permission):
                continue
            if not gone or (path != request.url.path and "{" not in page.path):
                return path + query
        return _FIRST

    def _at(self, path: str) -> Page | None:
        scope = {"type": "http", "method": "GET", "path": unquote(path)}
        for page, route in self._pages:
            # /hits/bulk is a form's, and no hit of /hits/{id}
            alike = path == page.path or path not in self._sent
            if alike and route.matches(scope)[0] is Match.FULL:
                return page
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
