"""Every route with every role, from one table: docs/console-roles.md, which `make golden` writes and people review."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
from starlette.testclient import TestClient

from exporters.console.routes import OPERATIONS, PAGES
from exporters.console.web.asker import ALLOWED, ROLES, Permission, Role
from exporters.console.web.endpoints import PREFIX
from exporters.console.web.routing import Operation, Page
from tests.consolelab import Console

TABLE = Path(__file__).parents[2] / "docs" / "console-roles.md"
OPEN: tuple[Permission, ...] = ("open", "agent")


class Route(NamedTuple):
    method: str
    path: str
    permission: Permission
    page: bool

    def may(self, role: Role) -> bool:
        if self.permission in OPEN or self.permission == "entering":
            return True
        return self.permission in ALLOWED[role]


def routes() -> Iterator[Route]:
    served: tuple[Page | Operation, ...] = (*PAGES, *OPERATIONS)
    for one in served:
        page = isinstance(one, Page)
        yield Route(one.method, one.path if page else PREFIX + one.path, one.permission, page)


@pytest.mark.golden
def test_the_table_is_that_of_the_routes(golden: Callable[[Path, str], None]) -> None:
    lines = [
        "# What each role may do in the console",
        "",
        "Made of the routes by `make golden`; every row is tried with every role by tests/console/test_roles.py. An",
        "agent's token is no user's; `nobody` is who has not logged in.",
        "",
        f"| route | nobody | {' | '.join(ROLES)} |",
        f"|---|---|{'---|' * len(ROLES)}",
    ]
    for route in sorted(routes(), key=lambda one: (not one.page, one.path, one.method)):
        cells = ["yes" if route.permission in OPEN else ""]
        cells += ["yes" if route.may(role) else "" for role in ROLES]
        if route.permission == "agent":
            cells = ["agent"] * (1 + len(ROLES))
        lines.append(f"| {route.method} {route.path} | {' | '.join(cells)} |")
    golden(TABLE, "\n".join(lines) + "\n")


def test_no_route_is_there_twice() -> None:
    known = [(route.method, route.path) for route in routes()]
    assert len(known) == len(set(known))


def asked(client: TestClient, route: Route) -> tuple[int, str]:
    """Status and code; what it would be asked for is not there, so that nothing changes."""
    path = re.sub(r"{\w+(:\w+)?}", "999999", route.path)
    answer = client.request(route.method, path)
    if route.page:
        return answer.status_code, answer.headers.get("location", "")
    if answer.headers.get("content-type", "") != "application/json" or not answer.is_error:
        return answer.status_code, ""
    return answer.status_code, str(answer.json()["error"]["code"])


@pytest.mark.parametrize("role", ROLES)
def test_each_role(console: Console, role: Role) -> None:
    client = console.client(role)
    for route in routes():
        if route.path in ("/logout", "/language") or route.permission == "agent":
            continue
        status, code = asked(client, route)
        assert status < 500, route
        if route.may(role):
            assert (status, code) != (403, "forbidden"), route
            assert status != 401, route
        else:
            assert status == 403, route


def test_nobody(console: Console) -> None:
    client = console.client(None)
    for route in routes():
        status, where = asked(client, route)
        if route.permission in OPEN:
            assert status < 500, route
        elif route.page and route.method == "GET":
            assert (status, where.partition("?")[0]) == (303, "/login"), route
        else:
            assert status == 401, route
    for route in routes():
        if route.permission == "agent":
            assert asked(client, route)[0] in (401, 403, 413, 422), route
