"""The page of notifications and its operations: who is told, what waits; a test message; nothing secret."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from collectors.strictyaml import Secret
from exporters.console.notify import outbox
from exporters.console.notify.notifier import Notifier
from exporters.console.notify.settings import NotifyRule, NotifySettings, Receiver
from exporters.console.settings import ConsoleSettings
from tests.console.notifysample import NOW
from tests.consolelab import Console
from tests.exporters import hookserver


@pytest.fixture
def hook() -> Iterator[hookserver.HookServer]:
    with hookserver.serving(None) as server:
        server.body = b'{"errcode":0}'
        yield server


@pytest.fixture
def lab(tmp_path: Path, hook: hookserver.HookServer) -> Iterator[Console]:
    receiver = Receiver(format="wecom", url=Secret(hook.url + "?key=KEYKEYKEY"))
    rules = (NotifyRule(("值班群",), ("new",), "high", ("市财政局",)),)
    notify = NotifySettings(receivers={"值班群": receiver}, rules=rules)
    made = Console(f"sqlite:///{tmp_path}/console.db", ConsoleSettings(notify=notify))
    yield made
    made.close()


def test_a_test_message_arrives(lab: Console, hook: hookserver.HookServer) -> None:
    client = lab.client("administrator")
    answer = client.post("/notifications/test", data={"receiver": "值班群"})
    assert (answer.status_code, answer.headers["location"]) == (303, "/notifications")
    Notifier(lab.database, lab.services).deliver(NOW + timedelta(days=3650))
    assert "测试消息" in hook.hooks[0].body.decode()
    page = client.get("/notifications").text
    assert "已送达" in page
    assert "企业微信" in page
    assert "KEYKEYKEY" not in page
    english = client.get("/notifications", headers={"Accept-Language": "en"}).text
    assert "delivered" in english
    assert client.post("/notifications/test", data={"receiver": "x"}).status_code == 422


def test_no_receiver_can_be_made_up(lab: Console) -> None:
    client = lab.client("administrator")
    for name in ("https://evil.example/", "itsm", ""):
        answer = client.post("/api/v1/notifications/test", json={"receiver": name})
        assert answer.status_code == 422


def test_a_page_at_a_time(lab: Console) -> None:
    with lab.database.writing() as connection:
        for number in range(120):
            outbox.put(
                connection,
                lab.database,
                key=str(number),
                receiver="值班群",
                content={"kind": "test", "time": NOW},
                now=NOW,
                due=NOW if number % 2 else None,
            )
    client = lab.client("administrator")
    seen: list[int] = []
    before = 0
    for _ in range(3):
        found = client.get(f"/api/v1/notifications?before={before}").json()
        seen += [one["id"] for one in found["messages"]]
        before = found["before"]
    assert len(set(seen)) == 120
    assert before == 0
    assert found["counts"] == {"waiting": 60, "suppressed": 60}
    waiting = client.get("/api/v1/notifications?state=suppressed").json()["messages"]
    assert {one["state"] for one in waiting} == {"suppressed"}
    assert "before=" in client.get("/notifications").text
    # what was kept back is not sent by a click
    assert client.post(f"/notifications/{waiting[0]['id']}/retry").status_code == 422


def test_who_does_not_administer_sees_nothing_of_it(lab: Console) -> None:
    for role in ("viewer", "analyst", "approver", "auditor"):
        client = lab.client(role)
        assert client.get("/notifications").status_code == 403
        assert 'href="/notifications"' not in client.get("/").text
