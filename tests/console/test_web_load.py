"""What strangers and a busy or absent database may cost: memory, threads, the writer, time."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import httpx
import pytest
from sqlalchemy import Connection, Table, select, update
from starlette.testclient import TestClient

from exporters.console.app import application
from exporters.console.database import Database
from exporters.console.people import sessions
from exporters.console.schema import agent_token, api_token, session
from exporters.console.web import bodies, endpoints
from tests.console.pullfleet import audit
from tests.console.test_pull_push import agent_with, code, enrolled, one_time
from tests.consolelab import Console

WORDS: Final = {"zh": "数据库暂时不可用", "en": "The database cannot be reached or is busy"}


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for as long as in earnest."""
    monkeypatch.setattr(endpoints, "_PATIENCE", 0.1)
    monkeypatch.setattr(bodies, "TURN", 0.1)


def renewed(console: Console) -> bool:
    with console.database.reading() as connection:
        seen = connection.execute(select(session.c.seen)).scalar_one()
    return bool(datetime.now(UTC) - seen < timedelta(seconds=60))


def grow_old(console: Console) -> None:
    with console.database.writing() as connection:
        connection.execute(update(session).values(seen=datetime.now(UTC) - timedelta(seconds=120)))


def hold(console: Console, connection: Connection, table: Table) -> None:
    """So that nobody else writes it; on SQLite nobody writes anything."""
    if not console.database.sqlite:
        connection.exec_driver_sql(f"LOCK TABLE {table.name} IN SHARE MODE")


@contextlib.contextmanager
def begun(url: str, path: str, length: int, sent: int, *headers: str) -> Iterator[socket.socket]:
    """A request whose body is not finished."""
    host, port = url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=20) as one:
        lines = [f"POST {path} HTTP/1.1", "Host: x", f"Content-Length: {length}", *headers]
        with contextlib.suppress(ConnectionError):
            one.sendall("\r\n".join([*lines, "", ""]).encode() + b"x" * sent)
        yield one


def status_of(one: socket.socket) -> str:
    return one.recv(12).decode().rpartition(" ")[2]


@pytest.mark.parametrize("bearer", ["", "made-up", sessions.TOKEN_PREFIX + "made-up"])
def test_a_stranger_is_refused_before_a_body_is_read(console: Console, bearer: str) -> None:
    headers = [f"Authorization: Bearer {bearer}"] if bearer else []
    with (
        console.served() as url,
        begun(url, "/api/v1/findings", 30 << 20, 9, *headers) as push,
        begun(url, "/api/v1/hits/bulk", 1 << 20, 9, *headers) as operation,
        begun(url, "/waivers/new", 10 << 20, 9) as page,
        begun(url, "/login", 10 << 20, bodies.SMALL + 1) as login,
    ):
        assert [status_of(one) for one in (push, operation, page, login)] == [
            *("401", "401", "401", "413")
        ]


def test_few_large_bodies_are_in_memory_at_once(hurried: None, console: Console) -> None:
    own = enrolled(console, one_time(console)).json()["token"]
    headers = ("/api/v1/findings", 1 << 20, bodies.SMALL * 2, f"Authorization: Bearer {own}")
    with console.served() as url:
        agent = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {own}"})
        large = b" " * (1 << 20) + audit()
        with contextlib.ExitStack() as stack:
            for _ in range(bodies.AT_ONCE):
                stack.enter_context(begun(url, *headers))
            time.sleep(0.3)  # they are read
            last = stack.enter_context(begun(url, *headers))
            assert status_of(last) == "429"
            answer = agent.post("/api/v1/findings", content=large)
            assert (answer.status_code, answer.headers["retry-after"]) == (429, "5")
            assert agent.post("/api/v1/alive", json={}).status_code == 200
        answer = agent.post("/api/v1/findings", content=large)
        assert answer.status_code == 200, answer.text  # those who went away gave their places back
        agent.close()


def test_strangers_do_not_wait_for_the_writer(console: Console) -> None:
    client = console.client(None)
    with console.database.writing():
        for path in ("/api/v1/alive", "/api/v1/findings"):
            headers = {"Authorization": "Bearer x"}
            answer = client.post(path, json={}, headers=headers)
            assert code(answer) == (401, "fleet.token_unknown")
        answer = enrolled(console, "made-up")
        assert code(answer) == (403, "fleet.enrol_unknown")


def test_agents_that_wait_keep_no_page_waiting(console: Console) -> None:
    own = enrolled(console, one_time(console)).json()["token"]
    with console.served() as url:
        calls = [
            threading.Thread(
                target=lambda: httpx.post(
                    f"{url}/api/v1/alive", json={}, headers={"Authorization": f"Bearer {own}"}
                )
            )
            for _ in range(2 * console.settings.threads)
        ]
        with console.database.writing():
            for one in calls:
                one.start()
            assert httpx.get(f"{url}/login", timeout=4).status_code == 200
        for one in calls:
            one.join()


def test_who_reads_does_not_wait_for_the_writer(each_console: Console) -> None:
    client = each_console.client("viewer")
    token = client.post("/api/v1/tokens", json={"name": "x", "days": 1}).json()["token"]
    grow_old(each_console)
    with each_console.database.writing() as connection:
        for table in (session, api_token):
            hold(each_console, connection, table)
        assert client.get("/").status_code == 200
        assert agent_with(each_console, token).get("/api/v1/hits").status_code == 200
    assert not renewed(each_console)
    assert client.get("/").status_code == 200
    assert renewed(each_console)


@pytest.mark.parametrize(("language", "words"), list(WORDS.items()))
def test_a_writer_that_cannot_be_had_is_503(
    hurried: None, each_console: Console, language: str, words: str
) -> None:
    own = enrolled(each_console, one_time(each_console)).json()["token"]
    agent, people = agent_with(each_console, own), each_console.client("viewer")
    header = {"Accept-Language": language}
    with each_console.database.writing() as connection:
        for table in (session, agent_token):
            hold(each_console, connection, table)
        pushed = agent.post("/api/v1/alive", json={}, headers=header)
        page = people.post("/logout", headers=header)
    assert code(pushed) == (503, "unavailable")
    assert words in pushed.json()["error"]["message"]
    assert page.status_code == 503
    assert words in page.text
    assert "<h1>" in page.text
    assert pushed.headers["retry-after"] == page.headers["retry-after"] == "5"
    assert agent.post("/api/v1/alive", json={}).status_code == 200


@pytest.mark.parametrize(("language", "words"), list(WORDS.items()))
def test_a_postgresql_that_is_gone_is_503(console: Console, language: str, words: str) -> None:
    gone = Database("postgresql://jianwei:secret@127.0.0.1:1/jianwei")
    client = TestClient(application(gone, console.services), base_url="http://localhost")
    client.headers["Accept-Language"] = language
    page = client.get("/", headers={"Cookie": f"{sessions.COOKIE}=x"})
    asked = client.get(
        "/api/v1/hits", headers={"Authorization": f"Bearer {sessions.TOKEN_PREFIX}x"}
    )
    assert code(asked) == (503, "unavailable")
    assert words in asked.json()["error"]["message"]
    assert (page.status_code, page.headers["retry-after"]) == (503, "5")
    assert words in page.text
    gone.close()


def test_a_page_that_asks_by_itself_does_not_keep_a_session(console: Console) -> None:
    client = console.client("administrator")
    made: Any = client.post("/api/v1/enrolments", json={}).json()
    state = f"/fleet/enrol/{made['id']}/state"
    grow_old(console)
    assert client.get(state).status_code == 200
    assert not renewed(console)
    assert client.get(f"/fleet/enrol/{made['id']}").status_code == 200
    assert renewed(console)
    with console.database.writing() as connection:
        connection.execute(update(session).values(seen=datetime.now(UTC) - timedelta(hours=1)))
    answer = client.get(state, headers={"HX-Request": "true"})
    assert (answer.status_code, answer.headers["hx-redirect"]) == (401, "/login")
    assert answer.text == ""
