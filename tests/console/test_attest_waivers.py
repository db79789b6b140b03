"""Waivers in the console: two persons, expiry, scope, what becomes of the hits."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from exporters.console.codes import STATE
from exporters.console.schema import hit, host, log, rule
from tests import consolesample
from tests.consolelab import Console
from tests.consolesample import WAIVED

RULE = WAIVED  # fails on every host; waived for the second department by the sample
NEXT_YEAR = (datetime.now(UTC) + timedelta(days=200)).date().isoformat()


@pytest.fixture
def filled(each_console: Console) -> Console:
    consolesample.fill(each_console)
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
    wanted = {
        "rule": RULE,
        "hosts": ["vm-0000"],
        "reason": "等待厂商升级",
        "owner": "张伟",
        "expires": NEXT_YEAR,
    }
    answer = client.post("/api/v1/waivers", json=wanted | changed)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = client.get(f"/api/v1/waivers/{answer.json()['id']}").json()
    return told


def _decide(client: TestClient, verb: str, told: dict[str, Any], note: str = "同意") -> Any:
    form = {"version": told["version"], "note": note}
    return client.post(f"/api/v1/waivers/{told['id']}/{verb}", json=form)


def test_the_pages_lead_from_a_hit_to_a_waiver_in_force_and_back(filled: Console) -> None:
    analyst, approver = filled.client("analyst"), filled.client("approver")
    with filled.database.reading() as connection:
        ids = connection.execute(
            select(hit.c.id)
            .join(rule, rule.c.id == hit.c.rule_id)
            .join(host, host.c.id == hit.c.host_id)
            .where(rule.c.name == RULE, host.c.name.in_(["vm-0002", "vm-0003"]))
        ).scalars()
        chosen = [*ids]
    form = analyst.post("/waivers/new", data={"ids": chosen})
    assert form.status_code == 200
    assert "/waivers/of-hits" in form.text
    sent = {
        "ids": chosen,
        "reason": "改造中",
        "owner": "张伟",
        "expires": NEXT_YEAR,
        "bound": "true",
    }
    answer = analyst.post("/waivers/of-hits", data=sent)
    assert answer.status_code == 303, answer.text
    path = answer.headers["location"]
    code = re.search(r"W-\d{4}-\d{4}", analyst.get(path).text)
    assert code is not None
    assert _states(filled)["vm-0002"][0] == STATE["new"]
    page = approver.get(path).text
    version = re.search(r'name="version" value="(\d+)"', page)
    assert version is not None
    assert "批准" in page
    done = approver.post(f"{path}/approve", data={"version": version[1], "note": ""})
    assert done.status_code == 303
    assert _states(filled)["vm-0002"] == (STATE["waived"], code[0])
    assert _states(filled)["vm-0003"] == (STATE["waived"], code[0])
    assert _states(filled)["vm-0004"][0] == STATE["new"]
    assert code[0] in analyst.get("/waivers?state=approved").text
    # un-waive from the hits
    undo = analyst.post("/waivers/withdraw", data={"ids": chosen})
    box = re.search(r'name="waivers" value="([\d.]+)"', undo.text)
    assert box is not None
    assert code[0] in undo.text
    taken = analyst.post("/waivers/withdraw-all", data={"waivers": box[1], "note": "已整改"})
    assert taken.status_code == 303
    assert _states(filled)["vm-0002"] == (STATE["new"], "")
    with filled.database.reading() as connection:
        verbs = connection.execute(select(log.c.action).order_by(log.c.number)).scalars().all()
    assert [one for one in verbs if one.startswith("waivers.")] == [
        "waivers.request",
        "waivers.approve",
        "waivers.withdraw",
    ]


def test_the_preview_says_how_many_hits_on_how_many_hosts(filled: Console) -> None:
    analyst = filled.client("analyst")
    form = {"rule": RULE, "hosts": "vm-000?", "instance": ""}
    text = analyst.post("/waivers/new", data=form).text
    covered = analyst.post("/api/v1/waivers/preview", json={**form, "hosts": ["vm-000?"]}).json()
    states = [state for name, (state, _) in _states(filled).items() if name < "vm-0010"]
    expected = sum(state == STATE["new"] for state in states)
    assert expected
    assert covered["hits"] == covered["hosts"] == expected
    assert covered["waived"] == sum(state == STATE["waived"] for state in states)
    assert f"覆盖 {expected} 台主机上的 {expected} 个" in text
    exact = {"rule": RULE, "hosts": ["VM-000?", "[v]m-0000"], "instance": ""}
    assert analyst.post("/api/v1/waivers/preview", json=exact).json()["hits"] == 0
