"""Tickets: asked for twice, made once, their number written back; a body that no name can break; closed at the end."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from collectors.strictyaml import Secret
from exporters.console.notify import ticketbody
from exporters.console.notify.notifier import Notifier
from exporters.console.notify.settings import CloseSettings, ItsmSettings
from exporters.console.schema import hit, hit_event, log, message, user
from exporters.console.settings import ConsoleSettings
from tests import consolesample
from tests.console.notifysample import NOW, add_hits, became
from tests.consolelab import Console
from tests.exporters import hookserver

STEP = timedelta(seconds=130)
LATER = timedelta(days=3650)  # what pages put in is due by the real clock
BODY: dict[str, Any] = {
    "short_description": "[{severity}] {title}",
    "details": {"host": "{host}", "count": "{count}", "hosts": "{hosts}", "found": "{actual}"},
    "fixed": [1, True, "{url}"],
}


@pytest.fixture
def hook() -> Iterator[hookserver.HookServer]:
    with hookserver.serving(None) as server:
        server.body = b'{"result": {"number": "INC0012345"}}'
        yield server


def itsm(hook: hookserver.HookServer, **rest: Any) -> ItsmSettings:
    return ItsmSettings(
        url=hook.url,
        headers={"Authorization": Secret("Bearer TOKENTOKEN")},
        body=BODY,
        number="result.number",
        **rest,
    )


@pytest.fixture(params=["sqlite", "postgresql"])
def lab(
    request: pytest.FixtureRequest, tmp_path: Any, hook: hookserver.HookServer
) -> Iterator[Console]:
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/console.db"
    else:
        url = request.getfixturevalue("postgres").url()
    settings = ConsoleSettings(itsm=itsm(hook), public_url="https://console.example")
    made = Console(url, settings)
    yield made
    made.close()


def rows(console: Console, table: Any) -> list[Any]:
    with console.database.reading() as connection:
        return list(connection.execute(select(table)))


def test_a_second_click_makes_no_second_ticket(lab: Console, hook: hookserver.HookServer) -> None:
    [one] = add_hits(lab, 1)
    client = lab.client("analyst")
    for _ in range(2):
        answer = client.post(f"/hits/{one}/ticket")
        assert (answer.status_code, answer.headers["location"]) == (303, f"/hits/{one}")
    Notifier(lab.database, lab.services).deliver(NOW + LATER)
    assert client.post(f"/api/v1/hits/{one}/ticket").json() == {"asked": 0, "already": 1}
    Notifier(lab.database, lab.services).deliver(NOW + 2 * LATER)
    [made] = hook.hooks
    assert made.headers["authorization"] == "Bearer TOKENTOKEN"
    assert len(made.headers["idempotency-key"]) == 64
    body = msgspec.json.decode(made.body)
    assert body["short_description"] == "[critical] 禁止 root 远程登录"
    assert body["details"]["count"] == 1
    assert body["details"]["hosts"] == [body["details"]["host"]]
    assert body["fixed"] == [1, True, f"https://console.example/hits/{one}"]
    assert rows(lab, hit)[0].ticket == "INC0012345"
    events = [it for it in rows(lab, hit_event) if it.kind == "ticket"]
    assert [(it.actor, it.after) for it in events] == [("analyst", "INC0012345")]
    actions = [it.action for it in rows(lab, log)]
    assert actions.count("hits.ask_ticket") == 1
    assert actions.count("hits.ticket") == 1


def test_buttons_are_there_where_a_system_is(lab: Console) -> None:
    consolesample.fill(lab, 1)
    client = lab.client("analyst")
    one, two = sorted(it["id"] for it in client.get("/api/v1/hits?size=2").json()["hits"])
    assert f'action="/hits/{one}/ticket"' in client.get(f"/hits/{one}").text
    assert 'value="ticket">转工单' in client.get("/hits").text
    form = {"action": "ticket", "chosen": [f"{one}:1", f"{two}:1"], "query": "?severity=critical"}
    answer = client.post("/hits/bulk", data=form)
    assert (answer.status_code, answer.headers["location"]) == (303, "/hits?severity=critical")
    [asked] = rows(lab, message)
    assert sorted(asked.content["hits"]) == [one, two]
    assert client.post("/hits/bulk", data={"action": "ticket"}).status_code == 422
    assert client.post("/hits/bulk", data={**form, "everything": "true"}).status_code == 422
    assert "/ticket" not in lab.client("viewer").get(f"/hits/{one}").text
    client.put(f"/api/v1/hits/{one}/ticket", json={"version": 1, "ticket": "INC-1"})
    assert f'action="/hits/{one}/ticket"' not in client.get(f"/hits/{one}").text


def test_no_buttons_without_a_system(console: Console) -> None:
    consolesample.fill(console, 1)
    client = console.client("analyst")
    one = client.get("/api/v1/hits?size=1").json()["hits"][0]["id"]
    for path in ("/hits", f"/hits/{one}"):
        assert "转工单" not in client.get(path).text
    refused = client.post("/hits/bulk", data={"action": "ticket", "chosen": [f"{one}:1"]})
    assert "没有配置工单系统" in refused.text


def test_one_ticket_for_several(lab: Console, hook: hookserver.HookServer) -> None:
    ids = add_hits(lab, 3)
    client = lab.client("analyst")
    answer = client.post("/api/v1/tickets", json={"ids": ids})
    assert answer.json() == {"asked": 3, "already": 0}
    Notifier(lab.database, lab.services).deliver(NOW + LATER)
    [made] = hook.hooks
    assert "等 3 项" in msgspec.json.decode(made.body)["short_description"]
    assert {it.ticket for it in rows(lab, hit)} == {"INC0012345"}


def test_who_may_not_see_a_hit_makes_no_ticket_of_it(lab: Console) -> None:
    [one] = add_hits(lab, 1, of="市财政局")
    add_hits(lab, 1, of="市公安局")
    client = lab.client("analyst", ("市公安局",), "other")
    assert client.post(f"/api/v1/hits/{one}/ticket").status_code == 404
    assert lab.client("viewer").post(f"/hits/{one}/ticket").status_code == 403
    assert not rows(lab, message)
    assert rows(lab, user)


def test_a_failure_is_shown_and_tried_again(lab: Console, hook: hookserver.HookServer) -> None:
    [one] = add_hits(lab, 1)
    hook.answers = [(503, {})]
    lab.client("analyst").post(f"/hits/{one}/ticket")
    notifier = Notifier(lab.database, lab.services)
    notifier.deliver(NOW + LATER)
    admin = lab.client("administrator")
    page = admin.get("/notifications").text
    assert "503 Service Unavailable" in page
    assert "TOKENTOKEN" not in page
    [row] = rows(lab, message)
    assert admin.post(f"/notifications/{row.id}/retry").status_code == 303
    notifier.deliver(NOW + LATER)
    assert rows(lab, hit)[0].ticket == "INC0012345"
    first, second = hook.hooks
    assert first.headers["idempotency-key"] == second.headers["idempotency-key"]


def test_an_answer_without_a_number_is_not_asked_again(
    lab: Console, hook: hookserver.HookServer
) -> None:
    hook.body = b'{"result": {}}'
    [one] = add_hits(lab, 1)
    lab.client("analyst").post(f"/hits/{one}/ticket")
    for days in range(3):
        Notifier(lab.database, lab.services).deliver(NOW + LATER + timedelta(days=days))
    [row] = rows(lab, message)
    assert len(hook.hooks) == 1
    assert (row.state, row.problem) == ("given_up", "there is no result.number in its answer")


def test_tickets_by_themselves_and_their_end(console: Console, hook: hookserver.HookServer) -> None:
    close = CloseSettings(
        url=hook.url + "/{number}/close", method="POST", body={"state": "resolved", "n": "{number}"}
    )
    settings = msgspec.structs.replace(
        console.services.settings, itsm=itsm(hook, close=close, automatic="high")
    )
    services = dataclasses.replace(console.services, settings=settings)
    notifier = Notifier(console.database, services)
    notifier.run_once(NOW)
    hook.body = b'{"result": {"number": "INC/7"}}'
    ids = add_hits(console, 2, "critical") + add_hits(console, 1, "low")
    for step in range(1, 5):
        notifier.run_once(NOW + step * STEP)
    assert len(hook.hooks) == 1
    assert [it.ticket for it in rows(console, hit)] == ["INC/7", "INC/7", ""]
    became(console, ids[0], "fixed")
    for step in range(5, 8):
        notifier.run_once(NOW + step * STEP)
    assert len(hook.hooks) == 1  # the other one is open still
    became(console, ids[1], "fixed")
    for step in range(8, 11):
        notifier.run_once(NOW + step * STEP)
    closed = hook.hooks[1:]
    assert [it.path for it in closed] == ["/hook/INC%2F7/close"]
    assert msgspec.json.decode(closed[0].body) == {"state": "resolved", "n": "INC/7"}


@given(st.text(), st.text())
def test_no_value_breaks_out_of_its_place(title: str, host: str) -> None:
    values = {"title": title, "host": host, "severity": "critical"}
    made = ticketbody.filled({"a": "x {title} y", "{title}": ["{host}", "{title}{host}"]}, values)
    assert made == {"a": f"x {title} y", "{title}": [host, title + host]}


@pytest.mark.parametrize(
    ("body", "path", "number"),
    [
        (b'{"result":{"number":"INC1"}}', "result.number", "INC1"),
        (b'{"id":17}', "id", "17"),
        (b'[{"key":" A-1 "}]', "0.key", "A-1"),
        (b'{"id":"a\\u202eb\\n"}', "id", "a\\u202eb"),
    ],
)
def test_where_the_number_is(body: bytes, path: str, number: str) -> None:
    assert ticketbody.number_of(body, path) == number


@pytest.mark.parametrize("body", [b"", b"<html>", b"[" * 5000, b'{"id":null}', b'{"id":true}', b'{"id":""}', b"[]"])  # fmt: skip
def test_no_number(body: bytes) -> None:
    with pytest.raises(ticketbody.Refusal) as caught:
        ticketbody.number_of(body, "id")
    assert caught.value.hopeless
