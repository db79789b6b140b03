"""Waivers in the console: whose they are to see, the file for agents, what is wrong, lists."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.testclient import TestClient

from exporters.console.codes import STATE
from exporters.console.schema import department, hit, host, rule, waiver
from rules import waivers as agents
from tests import consolesample
from tests.consolelab import Console
from tests.consolesample import DEPARTMENTS, WAIVED

RULE = WAIVED  # fails on every host; waived for the second department by the sample
NEXT_YEAR = (datetime.now(UTC) + timedelta(days=200)).date().isoformat()


@pytest.fixture
def filled(each_console: Console) -> Console:
    consolesample.fill(each_console, 8)
    return each_console


def _states(console: Console, name: str = RULE) -> dict[str, tuple[int, str]]:
    """Of the hits of a rule by host: the state and the waiver."""
    statement = (
        select(host.c.name, hit.c.state, hit.c.waiver)
        .select_from(hit.join(host, host.c.id == hit.c.host_id))
        .join(rule, rule.c.id == hit.c.rule_id)
        .where(rule.c.name == name)
    )
    with console.database.reading() as connection:
        return {row.name: (row.state, row.waiver) for row in connection.execute(statement)}


def _ask(client: TestClient, **changed: Any) -> dict[str, Any]:
    wanted = {**_wanted(), "hosts": ["vm-0000"]}
    answer = client.post("/api/v1/waivers", json=wanted | changed)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = client.get(f"/api/v1/waivers/{answer.json()['id']}").json()
    return told


def _decide(client: TestClient, verb: str, told: dict[str, Any], note: str = "同意") -> Any:
    form = {"version": told["version"], "note": note}
    return client.post(f"/api/v1/waivers/{told['id']}/{verb}", json=form)


def test_a_scoped_user_waives_and_sees_what_is_of_their_departments(filled: Console) -> None:
    theirs = (DEPARTMENTS[0],)
    own = filled.client("analyst", theirs, name="scoped")
    approver = filled.client("approver", theirs, name="scoped-approver")
    whole, anybody = filled.client("approver"), filled.client("analyst")
    told = _ask(own, hosts=["*"])
    assert told["departments"] == [DEPARTMENTS[0]]
    refused = own.post("/api/v1/waivers", json={**_wanted(), "departments": [DEPARTMENTS[1]]})
    assert refused.json()["error"]["code"] == "attest.department"
    assert _decide(approver, "approve", told).json()["state"] == "approved"
    waived = {name for name, (_, code) in _states(filled).items() if code == told["code"]}
    with filled.database.reading() as connection:
        statement = select(host.c.name).join(department, department.c.id == host.c.department_id)
        mine = connection.execute(statement.where(department.c.name == DEPARTMENTS[0])).scalars()
        assert waived == set(mine)
    # what touches them is seen, what is wider is for others to decide
    seen = {
        name: _ask(anybody, **scope)
        for name, scope in {
            "all": {"hosts": ["*"]},
            "mine": {"hosts": ["vm-0005"]},
            "other": {"hosts": ["vm-0001"]},
            "other_department": {"hosts": ["*"], "departments": [DEPARTMENTS[1]]},
        }.items()
    }
    listed = {it["code"] for it in own.get("/api/v1/waivers").json()["waivers"]}
    assert listed == {told["code"], seen["all"]["code"], seen["mine"]["code"]}
    assert own.get(f"/waivers/{seen['other']['id']}").status_code == 404
    refused = _decide(approver, "approve", seen["all"])
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "waivers.wider")
    assert _decide(approver, "approve", seen["other"]).status_code == 404
    _decide(whole, "approve", seen["all"])
    preview = own.post("/api/v1/waivers/preview", json={"rule": RULE, "hosts": ["*"]}).json()
    assert preview["waived"] == len(waived)
    # bulk: hits of others are left out
    with filled.database.reading() as connection:
        ids = connection.execute(
            select(hit.c.id)
            .join(host, host.c.id == hit.c.host_id)
            .where(host.c.name == "vm-0001", hit.c.state != STATE["fixed"])
        ).scalars()
        sent = {"ids": [*ids], "reason": "改造", "owner": "张伟", "expires": NEXT_YEAR}
    assert own.post("/api/v1/waivers/of-hits", json=sent).status_code == 422
    text = own.post("/waivers/withdraw", data={"ids": sent["ids"]}).text
    assert "W-2026-0001" not in text


def _wanted() -> dict[str, Any]:
    return {
        "rule": RULE,
        "hosts": ["*"],
        "reason": "等待厂商升级",
        "owner": "张伟",
        "expires": NEXT_YEAR,
    }


def test_agents_read_the_file(filled: Console, tmp_path: Path) -> None:
    analyst, approver = filled.client("analyst"), filled.client("approver")
    hosts = ["vm-*", "[x]?"]
    reason = "第一行: 有冒号\n- 第二行 # 不是注释"
    told = _ask(analyst, hosts=hosts, reason=reason, instance="")
    narrow = _ask(analyst, hosts=["*"], departments=[DEPARTMENTS[2]])
    for asked in (told, narrow):
        assert _decide(approver, "approve", asked).status_code == 200
    _ask(analyst)
    path = tmp_path / "waivers.yaml"
    path.write_bytes(analyst.get("/waivers.yaml").content)
    read = {it.id: it for it in agents.load(str(path))}
    assert set(read) == {told["code"], narrow["code"], consolesample.WAIVER}
    one = read[told["code"]]
    assert (one.hosts, one.reason, one.instance) == (tuple(hosts), reason, "*")
    assert (one.owner, one.approver, one.expires.isoformat()) == ("张伟", "approver", NEXT_YEAR)
    of_department = set(read[narrow["code"]].hosts)
    assert of_department == {consolesample.key(n) for n in (2, 7)}
    own = filled.client("viewer", (DEPARTMENTS[2],), name="scoped")
    path.write_bytes(own.get("/waivers.yaml").content)
    for it in agents.load(str(path)):
        assert set(it.hosts) <= of_department
    assert analyst.get("/api/v1/waivers.yaml").status_code == 200


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"reason": " "}, "attest.blank"),
    ({"owner": ""}, "attest.blank"),
    ({"hosts": [" ; "]}, "waivers.no_host"),
    ({"hosts": [f"h{n}" for n in range(201)]}, "attest.many"),
    ({"rule": "no.such-rule"}, "waivers.no_rule"),
    ({"expires": "2020-01-01"}, "attest.day"),
    ({"expires": "2999-01-01"}, "attest.day"),
    ({"expires": ""}, "bad_parameter"),
    ({"departments": ["没有"]}, "attest.department"),
    ({"evidence": "<x>"}, "waivers.evidence_wrong"),
    ({"reason": "\ud800"}, "bad_body"),
]


def test_what_is_wrong_is_told(each_console: Console) -> None:
    analyst = each_console.client("analyst")
    for changed, code in WRONG:
        content = json.dumps({**_wanted(), **changed}).encode()
        answer = analyst.post("/api/v1/waivers", content=content)
        assert answer.status_code == 422, changed
        assert answer.json()["error"]["code"] == code
    with each_console.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(waiver)).scalar() == 0


def test_lists_page_in_their_order(console: Console) -> None:
    analyst, approver = console.client("analyst"), console.client("approver")
    today = datetime.now(UTC)
    for n in range(60):
        day = (today + timedelta(days=2 + n % 7)).date().isoformat()
        told = _ask(analyst, expires=day, reason=f"理由{n}", owner="张伟" if n % 2 else "王芳")
        if n % 3 == 0:
            _decide(approver, "approve", told)

    def all_of(**query: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        after = None
        while after != "":
            page = analyst.get("/api/v1/waivers", params={**query, "after": after or ""}).json()
            found += page["waivers"]
            after = page["after"]
        return found

    codes = [it["code"] for it in all_of()]
    assert codes == sorted(codes, reverse=True)
    assert len(codes) == 60
    soon = [(it["expires"], it["id"]) for it in all_of(within=30)]
    assert soon == sorted(soon)
    assert len(soon) == 20
    assert len(all_of(owner="张伟", state="requested")) == 20
    assert [it["reason"] for it in all_of(text="理由59")] == ["理由59"]
    assert all_of(text="%") == []
    assert "下一页" in analyst.get("/waivers").text
    assert analyst.get("/waivers?after=x").status_code == 422
    assert analyst.get("/waivers?text=%00").status_code == 422
