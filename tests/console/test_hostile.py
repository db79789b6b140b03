"""Text that attackers write, through every field that reaches a page, and requests that another site sends."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from urllib.parse import urlsplit

import msgspec
import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from exporters.console.routes import OPERATIONS, PAGES
from exporters.console.schema import log, user
from exporters.console.web.asker import Role
from exporters.console.web.endpoints import PREFIX
from exporters.console.web.routing import Upload
from tests.console.filling import fields, values
from tests.consolelab import Console
from tests.consolesample import fill

PROBE = "xss-probe"
PAYLOADS = (
    f"<{PROBE} onload=alert(1)>",
    f"\"><{PROBE} onclick='alert(1)'>",
    f"'-->*/</script></style></title></textarea><{PROBE}>",
    f"{{{{7*7}}}}{{% raw %}}<{PROBE}>",
    f"javascript:alert('{PROBE}')",
    f"\u202e<{PROBE}>\u2066\x00\ud800"[:-1],
)
FOLLOWED = 250  # pages of a crawl
ROLES: tuple[Role, ...] = ("approver", "administrator", "auditor")
LEFT = ("/logout", "/login")  # who asks must stay logged in


class Page(HTMLParser):
    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.tags.append((tag, found))
        for name in ("href", "hx-get"):
            if value := found.get(name):
                self.links.append(value)


def harmless(text: str, where: str) -> Page:
    page = Page(text)
    for tag, attributes in page.tags:
        assert tag != PROBE, where
        for name, value in attributes.items():
            assert not name.startswith("on"), f"{where}: {tag} {name}"
            assert name != "style", f"{where}: {tag} style"
            if name in ("href", "src", "action", "formaction", "hx-get", "hx-post"):
                scheme = re.match(r"\s*([a-z][a-z0-9+.-]*):", value or "", re.IGNORECASE)
                assert not scheme or scheme.group(1).lower() in ("http", "https", "mailto"), where
        if tag == "script":
            assert attributes.get("src", "").startswith("/static/"), where  # type: ignore[union-attr]
    return page


def crawl(client: TestClient) -> Iterator[str]:
    """Every page that is linked from the first one, each path with one of its queries."""
    waiting, known = ["/"], {"/"}
    while waiting and len(known) < FOLLOWED:
        where = waiting.pop(0)
        answer = client.get(where)
        assert answer.status_code < 500, where
        yield where
        if not answer.headers.get("content-type", "").startswith("text/html"):
            continue
        for link in harmless(answer.text, where).links:
            split = urlsplit(link)
            if split.scheme or split.netloc or not split.path.startswith("/"):
                continue
            # of pages that are alike, one in some
            kind = (
                re.sub(r"\d+", "N", split.path)
                + "?"
                + ",".join(sorted(re.findall(r"(\w+)=", split.query)))
            )
            if kind not in known:
                known.add(kind)
                waiting.append(f"{split.path}?{split.query}" if split.query else split.path)


def test_what_people_write_is_text_wherever_it_is_shown(console: Console) -> None:
    fill(console)
    clients = {role: console.client(role) for role in ROLES}
    for page, payload in itertools.product(PAGES, PAYLOADS):
        if page.method != "POST" or page.path in LEFT:
            continue
        path = re.sub(r"{\w+(:\w+)?}", "1", page.path)
        for role, client in clients.items():
            answer = client.post(path, data=_form(page.takes, payload))
            assert answer.status_code < 500, (page.path, role)
            if answer.headers.get("content-type", "").startswith("text/html"):
                harmless(answer.text, page.path)
            if client.get("/api/v1/profile").status_code == 401:  # what was sent ended the session
                clients[role] = console.client(role, name=f"{role}-{len(page.path)}")
    seen = {where for client in clients.values() for where in crawl(client)}
    assert len(seen) > len(
        [page for page in PAGES if page.method == "GET" and "{" not in page.path]
    )


def test_parameters_of_pages_are_text(console: Console) -> None:
    fill(console, 3)
    client = console.client("approver")
    payloads = itertools.cycle(PAYLOADS)
    for page in PAGES:
        if page.method == "GET":
            path = re.sub(r"{\w+(:\w+)?}", "1", page.path)
            for name in fields(page.takes):
                answer = client.get(path, params={name: next(payloads)})
                assert answer.status_code < 500, (page.path, name)
                if answer.headers.get("content-type", "").startswith("text/html"):
                    harmless(answer.text, page.path)


def _form(takes: type[msgspec.Struct], text: str) -> dict[str, object]:
    return {name: one for name, one in values(takes, text).items() if not isinstance(one, dict)}


FORGED: tuple[dict[str, str], ...] = (
    {},
    {"X-CSRF-Token": "guessed"},
    {"X-CSRF-Token": "", "Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
)


@pytest.mark.parametrize("forged", FORGED)
def test_nothing_is_changed_for_another_site(console: Console, forged: dict[str, str]) -> None:
    fill(console, 3)
    clients = [console.client(role) for role in ("approver", "administrator")]
    other = console.client("approver", name="other").headers["X-CSRF-Token"]
    before = _logged(console)
    for client in clients:
        token = client.headers.pop("X-CSRF-Token")
        headers = dict(forged)
        if "X-CSRF-Token" not in forged and forged:
            headers["X-CSRF-Token"] = token  # even then
        for page in PAGES:
            if page.method == "POST" and page.permission != "open":
                path = re.sub(r"{\w+(:\w+)?}", "1", page.path)
                given = {
                    k: v for k, v in values(page.takes, "x").items() if not isinstance(v, dict)
                }
                answer = client.post(path, data=given, headers=headers)
                assert answer.status_code == 403, page.path
        for operation in OPERATIONS:
            if operation.method != "GET" and operation.permission not in ("open", "agent"):
                path = PREFIX + re.sub(r"{\w+(:\w+)?}", "1", operation.path)
                given = (
                    {}
                    if Upload in operation.takes.__annotations__.values()
                    else values(operation.takes, "x")
                )
                answer = client.request(operation.method, path, json=given, headers=headers)
                assert answer.status_code == 403, operation.name
        stolen = client.post("/logout", headers={"X-CSRF-Token": other})
        assert stolen.status_code == 403
    assert _logged(console) == before


def _logged(console: Console) -> tuple[int, int]:
    with console.database.reading() as connection:
        rows = connection.execute(select(func.count()).select_from(log)).scalar_one()
        users = connection.execute(select(func.count()).select_from(user)).scalar_one()
    return rows, users
