"""Every page's frame: headers, who may, CSRF, the language."""

from __future__ import annotations

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
