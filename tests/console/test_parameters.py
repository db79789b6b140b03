"""What no parameter may be: numbers that no column holds, text that no database keeps, endless text, nested cursors."""

from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from typing import Any, Final
from urllib.parse import quote

import pytest
from msgspec import inspect
from starlette.testclient import TestClient

from exporters.console.routes import OPERATIONS, PAGES
from exporters.console.web.asker import Permission, Role
from exporters.console.web.endpoints import PREFIX
from exporters.console.web.routing import Operation, Page
from tests.console.filling import values
from tests.consolelab import Console
from tests.consolesample import fill

NUL: Final = "a\x00b"
NUMBERS: Final = ("-1", str(1 << 31), "9" * 5000)
TEXTS: Final = (NUL, "x" * 10_000)
CURSORS: Final = ("[" * 990, urlsafe_b64encode(b"[" * 1400).decode(), "-1", f"{1 << 63}.{1 << 63}")
SERVED: Final[tuple[Page | Operation, ...]] = (*PAGES, *OPERATIONS)
ROLES: Final[dict[Permission, Role]] = {"administer": "administrator", "audit": "auditor"}


def kinds(kind: inspect.Type) -> Iterator[inspect.Type]:
    """Of it, and of all that it is made of."""
    yield kind
    inside: list[Any] = [*getattr(kind, "types", ()), *getattr(kind, "item_types", ())]
    inside += [getattr(kind, name, None) for name in ("item_type", "key_type", "value_type")]
    inside += [one.type for one in getattr(kind, "fields", ())]
    for one in inside:
        if one is not None:
            yield from kinds(one)


def test_every_number_that_comes_has_bounds() -> None:
    for served in SERVED:
        for one in kinds(inspect.type_info(served.takes)):
            if isinstance(one, inspect.IntType):
                assert None not in (one.ge, one.le), (served.path, served.takes)


def wrong(served: Page | Operation) -> Iterator[tuple[str, str]]:
    """A field, and what goes into it."""
    info = inspect.type_info(served.takes)
    assert isinstance(info, inspect.StructType)
    for one in info.fields:
        found = {type(kind) for kind in kinds(one.type)}
        tried: tuple[str, ...] = NUMBERS if inspect.IntType in found else ()
        if inspect.StrType in found:
            tried += TEXTS
        if one.encode_name in ("after", "cursor"):
            tried += CURSORS
        yield from ((one.encode_name, text) for text in tried)


def asked(client: TestClient, served: Page | Operation, name: str, text: str) -> Any:
    given = values(served.takes, "x")
    given[name] = [text] if isinstance(given[name], list) else text
    path = served.path
    for part in re.findall(r"{(\w+)}", path):
        path = re.sub(rf"{{{part}}}", quote(str(given.pop(part)), safe=""), path)
    if isinstance(served, Page):
        plain = {key: one for key, one in given.items() if not isinstance(one, dict)}
        how: dict[str, Any] = (
            {"data": plain} if served.method == "POST" else {"params": {name: text}}
        )
        return client.request(served.method, path, **how)
    inside = {name: text} if name in given else {}
    how = {"json": given} if served.method in ("POST", "PUT") else {"params": inside}
    return client.request(served.method, PREFIX + path, **how)


@pytest.mark.parametrize("part", range(5))
def test_none_breaks_the_console(each_console: Console, part: int) -> None:
    fill(each_console, 2)
    clients: dict[Role, TestClient] = {}
    for served in SERVED[part::5]:
        if served.path in ("/login", "/logout") or served.permission == "agent":
            continue
        role = ROLES.get(served.permission, "approver")
        for place, (name, text) in enumerate(wrong(served)):
            if role not in clients:
                clients[role] = each_console.client(
                    role, name=f"{role}.{part}{place}{len(served.path)}"
                )
            answer = asked(clients[role], served, name, text)
            where = (served.method, served.path, name, text[:20], answer.text[:300])
            assert answer.status_code < 500, where
            if text == NUL:
                assert answer.status_code == 422, where
            if answer.status_code == 401:  # guesses at a password lock
                del clients[role]
