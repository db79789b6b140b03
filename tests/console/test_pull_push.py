"""Push and enrolment: what a token may do, and what is refused; the pages of both."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import html
import re
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import update
from starlette.testclient import TestClient

from exporters.console.pull import pushing
from exporters.console.pull.puller import Puller
from exporters.console.pull.settings import PullSettings
from exporters.console.schema import agent_token, enrolment, host, log
from exporters.console.services import AT_ONCE, LARGE
from exporters.console.settings import ConsoleSettings
from tests.console.pullfleet import (
    NOW,
    agent_of,
    audit,
    hits,
    hosts,
    later,
    pulling,
    rows,
    write_targets,
)
from tests.consolelab import Console
from tests.exporters.certificates import Authority
from tests.exporters.httpserver import running

LABELS = {"department": "卫健委", "system": "公卫", "region": "碑林", "level": "二级"}


def one_time(console: Console, **more: Any) -> str:
    administrator = console.client("administrator")
    answer = administrator.post("/api/v1/enrolments", json={**LABELS, **more})
    assert answer.status_code == 200, answer.text
    return str(re.findall(r"JIANWEI_ENROL_TOKEN=(\S+) jianwei enrol ", answer.json()["line"])[0])


def enrolled(console: Console, token: str, key: str = "host-1") -> Any:
    client = console.client(None)
    return client.post(
        "/api/v1/enrol",
        json={"host": {"id": key, "name": key.title()}, "version": "1"},
        headers={"Authorization": f"Bearer {token}"},
    )


def agent_with(console: Console, token: str) -> TestClient:
    client = console.client(None)
    client.headers["Authorization"] = f"Bearer {token}"
    return client


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def test_an_agent_enrols_once_and_pushes_its_own_host(each_console: Console) -> None:
    token = one_time(each_console)
    own = enrolled(each_console, token).json()["token"]
    assert code(enrolled(each_console, token)) == (403, "fleet.enrol_used")
    assert code(enrolled(each_console, "made-up")) == (403, "fleet.enrol_unknown")
    agent = agent_with(each_console, own)
    content = audit()
    digest = hashlib.sha256(content).hexdigest()
    assert agent.post("/api/v1/alive", json={"digest": digest}).json() == {"wanted": True}
    answer = agent.post("/api/v1/findings?version=1.2.3", content=gzip.compress(content))
    assert answer.status_code == 200, answer.text
    assert answer.json()["outcome"] == "taken"
    assert agent.post("/api/v1/findings", content=content).json()["outcome"] == "same"
    assert agent.post("/api/v1/alive", json={"digest": digest}).json() == {"wanted": False}
    (one,) = hosts(each_console)
    assert (one.source, one.system, one.version, one.name) == ("push", "公卫", "1.2.3", "Host-1")
    assert one.heard is not None
    assert len(hits(each_console)) == 1
    assert rows(each_console, agent_token)[0].token_hash != own
    assert [it.action for it in rows(each_console, log) if it.action.startswith("fleet.")] == [
        "fleet.enrol",
        "fleet.enrolled",
    ]
    # another host's audit, or none at all
    assert code(agent.post("/api/v1/findings", content=audit("host-2"))) == (
        403,
        "fleet.other_host",
    )
    assert code(agent.post("/api/v1/findings", content=b'{"x": 1}')) == (422, "fleet.bad_audit")
    assert code(agent.post("/api/v1/findings", content=b"")) == (422, "fleet.bad_audit")
    assert code(agent.post("/api/v1/findings", content=gzip.compress(content)[:-9])) == (
        422,
        "fleet.bad_gzip",
    )
    bomb = gzip.compress(bytes(40 << 20))
    assert code(agent.post("/api/v1/findings", content=bomb)) == (413, "too_large")
    assert len(hosts(each_console)) == 1


def test_tokens_that_are_worth_nothing(each_console: Console) -> None:
    nobody = each_console.client(None)
    assert code(nobody.post("/api/v1/findings", content=audit())) == (401, "fleet.token_missing")
    stranger = agent_with(each_console, "made-up")
    assert code(stranger.post("/api/v1/findings", content=audit())) == (401, "fleet.token_unknown")
    assert code(stranger.post("/api/v1/alive", json={})) == (401, "fleet.token_unknown")
    token = one_time(each_console)
    with each_console.database.writing() as connection:
        connection.execute(update(enrolment).values(expires=later(-1)))
    assert code(enrolled(each_console, token)) == (403, "fleet.enrol_expired")
    own = enrolled(each_console, one_time(each_console)).json()["token"]
    # an agent's token is no user's
    assert agent_with(each_console, own).get("/api/v1/fleet").status_code == 401
    administrator = each_console.client("administrator")
    number = rows(each_console, agent_token)[0].id
    path = f"/api/v1/fleet/tokens/{number}/revoke"
    assert each_console.client("analyst").post(path, json={}).status_code == 403
    assert administrator.post(path, json={}).json() == {"revoked": True}
    assert administrator.post(path, json={}).json() == {"revoked": False}
    answer = agent_with(each_console, own).post("/api/v1/findings", content=audit())
    assert code(answer) == (403, "fleet.token_revoked")
    assert hosts(each_console) == []


def test_a_known_host_is_replaced_only_where_the_administrator_allowed_it(
    each_console: Console,
) -> None:
    first = enrolled(each_console, one_time(each_console)).json()["token"]
    agent_with(each_console, first).post("/api/v1/findings", content=audit())
    assert code(enrolled(each_console, one_time(each_console))) == (409, "fleet.enrol_known")
    second = enrolled(each_console, one_time(each_console, replaces=True)).json()["token"]
    answer = agent_with(each_console, first).post("/api/v1/findings", content=audit(minutes=1))
    assert code(answer) == (403, "fleet.token_revoked")
    answer = agent_with(each_console, second).post("/api/v1/findings", content=audit(minutes=1))
    assert answer.json()["outcome"] == "taken"


def test_a_token_is_used_so_often_an_hour(tmp_path: Path) -> None:
    settings = ConsoleSettings(pull=PullSettings(push_rate=60))
    console = Console(f"sqlite:///{tmp_path}/console.db", settings)
    agent = agent_with(console, enrolled(console, one_time(console)).json()["token"])
    said = [agent.post("/api/v1/alive", json={}) for _ in range(14)]
    assert [it.status_code for it in said].count(200) == 11
    assert said[-1].status_code == 429
    assert 0 < int(said[-1].headers["retry-after"]) <= 180
    console.close()


def test_so_many_audits_are_taken_in_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushing, "PATIENCE", 0.01)
    console = Console(f"sqlite:///{tmp_path}/console.db")
    agent = agent_with(console, enrolled(console, one_time(console)).json()["token"])
    with contextlib.ExitStack() as others:
        for _ in range(AT_ONCE):
            others.enter_context(console.services.taking)
        answer = agent.post("/api/v1/findings", content=audit())
        assert code(answer) == (429, "too_many")
        assert int(answer.headers["retry-after"]) == pushing.BUSY
        assert hosts(console) == []
    for content in (b"no audit", audit(), b" " * LARGE + audit(minutes=1)):
        agent.post("/api/v1/findings", content=content)  # each gives its turn back
    assert len(hits(console)) == 1
    large = b" " * (LARGE + 1)
    with console.services.turn(large):
        assert console.services.turn(large).locked()  # type: ignore[attr-defined]
        with console.services.turn(large[1:]):  # a small one does not wait for it
            assert console.services.taking.acquire(blocking=False)
    console.close()


def test_who_is_pulled_is_not_pushed_and_the_other_way_round(tmp_path: Path) -> None:
    path = tmp_path / "targets.json"
    console = Console(f"sqlite:///{tmp_path}/console.db", pulling(path))
    pulled, pushed = agent_of(audit("pulled")), agent_of(audit("pushed", 5, ()))
    with running(backend=pulled) as one, running(backend=pushed) as two:
        agent = agent_with(console, enrolled(console, one_time(console), "pushed").json()["token"])
        assert agent.post("/api/v1/findings", content=audit("pushed")).status_code == 200
        late = agent_with(console, enrolled(console, one_time(console), "pulled").json()["token"])
        write_targets(path, ([f"127.0.0.1:{it.port}" for it in (one, two)], {}))
        puller = Puller(console.database, console.services)
        puller.run_once(NOW)
        puller.run_once(later(31))
        puller.close()
        answer = late.post("/api/v1/findings", content=audit("pulled", 9, ()))
        assert code(answer) == (409, "fleet.pulled_too")
    assert sorted((it.key, it.source, it.hits) for it in hosts(console)) == [
        ("pulled", "pull", 1),
        ("pushed", "push", 1),
    ]
    console.close()


def test_the_page_of_the_line_waits_for_the_host(each_console: Console) -> None:
    administrator = each_console.client("administrator")
    assert each_console.client("analyst").get("/fleet/enrol").status_code == 403
    assert "登记新代理" in administrator.get("/fleet/enrol").text
    given = {**LABELS, "hours": "2"}
    page = administrator.post("/fleet/enrol", data=given).text
    token = re.findall(r"JIANWEI_ENROL_TOKEN=(\S+) jianwei enrol http://", html.unescape(page))[0]
    where = re.findall(r'hx-get="(/fleet/enrol/\d+)/state" hx-trigger="every 2s"', page)[0]
    assert "等待主机接入" in page
    again = administrator.get(where).text
    assert "等待主机接入" in again
    assert token not in again
    own = enrolled(each_console, token).json()["token"]
    assert "等待第一次核查结果" in administrator.get(f"{where}/state").text
    agent_with(each_console, own).post("/api/v1/findings", content=audit())
    part = administrator.get(f"{where}/state").text
    assert "主机已接入" in part
    assert "hx-get" not in part
    (one,) = hosts(each_console)
    assert f'<a href="/fleet/{one.id}">Host-1</a>' in part
    assert "<html" not in part
    assert token not in str(
        [tuple(it) for table in (enrolment, log) for it in rows(each_console, table)]
    )


def test_an_administrator_of_departments_enrols_for_these(each_console: Console) -> None:
    mine = each_console.client("administrator", ("卫健委",), name="wei")
    assert mine.post("/api/v1/enrolments", json=LABELS).status_code == 200
    answer = mine.post("/api/v1/enrolments", json={"department": "财政局"})
    assert code(answer) == (403, "fleet.other_department")
    whole = each_console.client("administrator")
    number = whole.post("/api/v1/enrolments", json={"department": "财政局"}).json()["id"]
    assert mine.get(f"/api/v1/enrolments/{number}").status_code == 404
    assert mine.get(f"/fleet/enrol/{number}").status_code == 404


def test_a_private_authority_is_given_with_its_fingerprint(tmp_path: Path) -> None:
    pem = Authority().pem
    (tmp_path / "ca.pem").write_bytes(pem)
    settings = ConsoleSettings(
        public_url="https://console.example/",
        pull=PullSettings(authority=str(tmp_path / "ca.pem")),
    )
    console = Console(f"sqlite:///{tmp_path}/console.db", settings)
    made = console.client("administrator").post("/api/v1/enrolments", json={}).json()
    assert made["line"].endswith(
        f"jianwei enrol https://console.example --ca-sha256 {hashlib.sha256(pem).hexdigest()}"
    )
    assert console.client(None).get("/api/v1/authority").json() == {"pem": pem.decode()}
    console.close()


def fleet(console: Console) -> None:
    for n in range(7):
        labels = {**LABELS, "department": "卫健委" if n % 2 else "财政局"}
        key = f"host-{n}"
        token = one_time(console, department=labels["department"])
        own = enrolled(console, token, key).json()["token"]
        version = "?version=1.0" if n else ""
        agent_with(console, own).post(f"/api/v1/findings{version}", content=audit(key))
    with console.database.writing() as connection:
        connection.execute(
            update(host)
            .where(host.c.key == "host-3")
            .values(silent_since=NOW, problem="<script>alert(1)</script>")
        )


def test_fleet_pages(each_console: Console) -> None:
    fleet(each_console)
    viewer = each_console.client("viewer")
    page = viewer.get("/api/v1/fleet", params={"limit": 3}).json()
    names = [it["name"] for it in page["agents"]]
    while page["next"]:
        page = viewer.get("/api/v1/fleet", params={"limit": 3, "after": page["next"]}).json()
        names += [it["name"] for it in page["agents"]]
    assert names == [f"Host-{n}" for n in range(7)]
    summary = viewer.get("/api/v1/fleet/summary").json()
    assert (summary["agents"], summary["silent"], summary["problems"]) == (7, 1, 1)
    shown = viewer.get("/fleet", params={"state": "silent"}).text
    assert "Host-3" in shown
    assert "Host-2" not in shown
    assert "<script>alert" not in shown
    assert "静默" in shown
    assert "登记新代理" not in shown
    assert "未知" in viewer.get("/fleet", params={"q": "host-0"}).text
    found = viewer.get("/api/v1/fleet", params={"q": "%"}).json()["agents"]
    assert found == []
    assert viewer.get("/fleet", params={"q": "\x00"}).status_code == 422
    more = viewer.get("/fleet", params={"limit": 2, "department": "卫健委"}).text
    assert re.search(r'href="/fleet\?department=[^"]+after=\d+&amp;limit=2"', more)
    scoped = each_console.client("viewer", ("卫健委",), name="wei")
    assert len(scoped.get("/api/v1/fleet").json()["agents"]) == 3
    other = hosts(each_console)[0]
    assert scoped.get(f"/fleet/{other.id}").status_code == 404
    assert scoped.get(f"/api/v1/fleet/{other.id}").status_code == 404
    view = viewer.get(f"/api/v1/fleet/{other.id}").json()
    assert view["agent"]["packs"] == ["mlps-l3"]
    assert len(view["tokens"]) == 1
    assert "吊销" not in viewer.get(f"/fleet/{other.id}").text
    administrator = each_console.client("administrator")
    silent = next(it for it in hosts(each_console) if it.silent_since)
    page = administrator.get(f"/fleet/{silent.id}").text
    assert "不视为已整改" in page
    number = re.findall(r'name="token" value="(\d+)"', page)[0]
    answer = administrator.post(f"/fleet/{silent.id}/revoke", data={"token": number})
    assert answer.headers["location"] == f"/fleet/{silent.id}"
    assert "已于" in administrator.get(f"/fleet/{silent.id}").text
    assert (
        "revoked"
        in administrator.get(f"/fleet/{silent.id}", headers={"Accept-Language": "en"}).text
    )


@pytest.mark.parametrize("text", ["", "x", "{}", '{"host": null}'])
def test_enrolling_with_anything(console: Console, text: str) -> None:
    answer = console.client(None).post(
        "/api/v1/enrol", content=text, headers={"Authorization": "Bearer x"}
    )
    assert answer.status_code == 422
    assert msgspec.json.decode(answer.content)["error"]["code"] in ("bad_body", "bad_parameter")
