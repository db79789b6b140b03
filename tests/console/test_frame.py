"""Every page's frame: headers, who may, CSRF, the language."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from exporters.console.web.answers import attached
from exporters.console.web.asker import Role
from exporters.console.web.headers import FIXED
from tests.consolelab import Console


def test_a_stranger_is_led_to_the_login(each_console: Console) -> None:
    answer = each_console.client(None).get("/?x=1")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2F%3Fx%3D1"
    for name, value in FIXED.items():
        assert answer.headers[name] == value


def test_who_logs_in_sees_the_overview_in_their_language(each_console: Console) -> None:
    client = each_console.client("viewer")
    assert "总览" in client.get("/", headers={"Accept-Language": "zh-CN"}).text
    assert "Overview" in client.get("/", headers={"Accept-Language": "en"}).text
    client.post("/language", data={"language": "en", "next": "/hits"})
    assert "Overview" in client.get("/", headers={"Accept-Language": "zh-CN"}).text


def test_a_post_without_the_token_of_the_session_changes_nothing(each_console: Console) -> None:
    client = each_console.client("viewer")
    del client.headers["X-CSRF-Token"]
    assert client.post("/logout").status_code == 403
    assert client.get("/").status_code == 200


def test_a_post_from_another_site_is_refused(each_console: Console) -> None:
    client = each_console.client("viewer")
    answer = client.post("/logout", headers={"Origin": "https://evil.example"})
    assert answer.status_code == 403


@pytest.mark.parametrize("role", [None, "viewer"])
def test_what_is_not_there_is_said_in_the_frame(role: Role | None, console: Console) -> None:
    client = console.client(role)
    for method, path, status in (
        ("GET", "/nothing", 404),
        ("GET", "/static/nothing.css", 404),
        ("PUT", "/login", 405),
    ):
        for language, words in (("zh-CN", "未能完成"), ("en", "Not done")):
            answer = client.request(method, path, headers={"Accept-Language": language})
            assert answer.status_code == status
            assert f"<h1>{words}</h1>" in answer.text
    assert answer.headers["allow"]
    absent = client.get("/api/v1/nothing")
    assert (absent.status_code, absent.json()["error"]["code"]) == (404, "not_found")
    other = client.put("/api/v1/hits")
    assert (other.status_code, other.json()["error"]["code"]) == (405, "bad_method")
    assert "GET" in other.headers["allow"]


@pytest.mark.parametrize(
    ("name", "plain"), [("证据.pdf", "__.pdf"), ('a"b\r\nc.txt', "a_b__c.txt")]
)
def test_a_file_has_a_name_for_every_program(name: str, plain: str) -> None:
    assert attached(name) == f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
