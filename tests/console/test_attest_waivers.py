"""Waivers in the console: two persons, expiry, what becomes of the hits."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from typing import Any

import msgspec
import pytest
from sqlalchemy import select
from starlette.testclient import TestClient

from exporters.console.codes import STATE
from exporters.console.intake.housekeeping import Housekeeping
from exporters.console.intake.take import take
from exporters.console.schema import hit, host, log, rule, waiver
from rules.model import AuditResult
from tests import consolesample
from tests.consolelab import Console
from tests.consolesample import WAIVED
from tests.peoplelab import set_user

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


def _wanted() -> dict[str, Any]:
    return {
        "rule": RULE,
        "hosts": ["*"],
        "reason": "等待厂商升级",
        "owner": "张伟",
        "expires": NEXT_YEAR,
    }


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


def test_nobody_approves_what_they_asked_for_or_own(each_console: Console) -> None:
    each_console.person("lìmǐn", "approver")
    first = each_console.client("approver", name="LiMin")
    second = each_console.client("approver", name="approver2")
    analyst = each_console.client("analyst")
    own = _ask(first)
    refused = _decide(first, "approve", own)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "waivers.own_request")
    assert _decide(first, "refuse", own).status_code == 403
    assert _decide(analyst, "approve", own).status_code == 403
    # a name is that of the same person however it is written
    owned = _ask(analyst, owner="ＬＩ min")
    refused = _decide(first, "approve", owned)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "waivers.own")
    assert "责任人不能审批" in first.get(f"/waivers/{owned['id']}").text
    assert _decide(second, "approve", owned).json()["state"] == "approved"
    # a refusal says why
    assert _decide(second, "refuse", own, " ").json()["error"]["code"] == "attest.blank"
    told = _decide(second, "refuse", own, "没有补偿措施").json()
    assert (told["state"], told["note"], told["approver"]) == (
        "refused",
        "没有补偿措施",
        "approver2",
    )
    assert _decide(second, "approve", told).status_code == 409
    # who neither asked for it nor approved it takes nothing back
    stranger = each_console.client("analyst", name="stranger")
    now = analyst.get(f"/api/v1/waivers/{owned['id']}").json()
    assert _decide(stranger, "withdraw", now).json()["error"]["code"] == "waivers.not_yours"
    assert _decide(analyst, "withdraw", {**now, "version": 1}).status_code == 409
    assert _decide(analyst, "withdraw", now).json()["state"] == "withdrawn"


@pytest.mark.parametrize("column", ["full_name", "mail"])
def test_nobody_approves_by_another_account(filled: Console, column: str) -> None:
    first = filled.client("approver", name="wang")
    second = filled.client("approver", name="wang.wei")
    told = _ask(first)
    for name, value in (("wang", "王 Wei@x.cn"), ("wang.wei", "王ｗｅｉ@x.cn")):
        set_user(filled, name, **{column: value})
    refused = _decide(second, "approve", told)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "waivers.own_request")
    listed = second.get("/api/v1/waivers").json()["waivers"]
    assert {one["decide"] for one in listed if one["id"] == told["id"]} == {"waivers.own_request"}
    set_user(filled, "wang.wei", **{column: "other"})
    assert _decide(second, "approve", told).status_code == 200


def test_of_two_approvers_at_once_one_is_told(filled: Console) -> None:
    told = _ask(filled.client("analyst"), hosts=["vm-*"])
    both = [filled.client("approver", name=f"approver{n}") for n in (1, 2)]
    with ThreadPoolExecutor(2) as pool:
        done = list(pool.map(lambda it: _decide(*it), [(both[0], "approve", told), (both[1], "refuse", told)]))  # fmt: skip
    assert sorted(it.status_code for it in done) == [200, 409]
    conflict = next(it for it in done if it.status_code == 409)
    assert conflict.json()["error"]["code"] == "conflict"
    with filled.database.reading() as connection:
        verbs = connection.execute(select(log.c.action)).scalars().all()
        row = connection.execute(select(waiver).where(waiver.c.id == told["id"])).one()
    assert sum(one in ("waivers.approve", "waivers.refuse") for one in verbs) == 1
    assert (row.version, row.state) in ((2, "approved"), (2, "refused"))
    waived = {state for name, (state, code) in _states(filled).items() if code == told["code"]}
    assert waived == ({STATE["waived"]} if row.state == "approved" else set())


def test_codes_are_given_once(each_console: Console) -> None:
    clients = [each_console.client("analyst", name=f"analyst{n}") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda n: _ask(clients[n % 4])["code"], range(16)))
    year = datetime.now(UTC).astimezone().year
    assert sorted(codes) == [f"W-{year}-{n:04}" for n in range(1, 17)]
    with each_console.database.writing() as connection:
        last = {"code": f"W-{year}-9999", "version": 9}
        connection.execute(waiver.update().where(waiver.c.code == codes[0]).values(**last))
    assert [_ask(clients[0])["code"] for _ in range(2)] == [f"W-{year}-10000", f"W-{year}-10001"]


def test_a_waiver_ends_with_its_last_day(filled: Console) -> None:
    analyst, approver = filled.client("analyst"), filled.client("approver")
    told = _decide(approver, "approve", _ask(analyst)).json()
    assert _states(filled)["vm-0000"] == (STATE["waived"], told["code"])
    expires = date.fromisoformat(told["expires"])
    noon = datetime(expires.year, expires.month, expires.day, 4, tzinfo=UTC)
    keeping = Housekeeping(filled.database, filled.services)
    keeping.run_once(noon)
    assert _states(filled)["vm-0000"][0] == STATE["waived"]
    keeping.run_once(noon + timedelta(hours=12, minutes=1))  # the day after, in Shanghai
    assert _states(filled)["vm-0000"] == (STATE["new"], "")
    analyst, approver = filled.client("analyst"), filled.client("approver")  # sessions ended
    with filled.database.writing() as connection:
        yesterday = datetime.now(UTC).date() - timedelta(days=2)
        connection.execute(
            waiver.update().where(waiver.c.id == told["id"]).values(expires=yesterday)
        )
    assert "已到期" in analyst.get(f"/waivers/{told['id']}").text
    expired = analyst.get("/api/v1/waivers", params={"state": "expired"}).json()["waivers"]
    assert [it["code"] for it in expired] == [told["code"]]
    approved = analyst.get("/api/v1/waivers", params={"state": "approved"}).json()["waivers"]
    assert told["code"] not in [it["code"] for it in approved]
    assert told["code"] not in analyst.get("/waivers.yaml").text
    # what was asked for too late is not approved
    late = _ask(analyst)
    with filled.database.writing() as connection:
        connection.execute(
            waiver.update().where(waiver.c.id == late["id"]).values(expires=yesterday)
        )
    assert _decide(approver, "approve", late).json()["error"]["code"] == "waivers.over"


def test_a_waiver_lapses_where_the_evidence_changes(filled: Console) -> None:
    analyst, approver = filled.client("analyst"), filled.client("approver")
    with filled.database.reading() as connection:
        chosen = connection.execute(
            select(hit.c.id, hit.c.evidence)
            .join(rule, rule.c.id == hit.c.rule_id)
            .join(host, host.c.id == hit.c.host_id)
            .where(rule.c.name == RULE, host.c.name == "vm-0002")
        ).one()
    sent = {"ids": [chosen.id], "reason": "改造", "owner": "张伟", "expires": NEXT_YEAR}
    (made,) = analyst.post("/api/v1/waivers/of-hits", json=sent).json()
    told = analyst.get(f"/api/v1/waivers/{made['id']}").json()
    assert (told["evidence"], told["hosts"]) == (chosen.evidence, [consolesample.key(2)])
    _decide(approver, "approve", told)
    assert _states(filled)["vm-0002"] == (STATE["waived"], made["code"])
    result = _changed(consolesample.sample(filled, 2, 2))
    take(filled.database, filled.services, consolesample.arrived(2), result, result.time)
    assert _states(filled)["vm-0002"] == (STATE["new"], "")


def _changed(result: AuditResult) -> AuditResult:
    """An hour later; the hit of RULE shows something else."""
    packs = tuple(
        msgspec.structs.replace(
            pack,
            verdicts=tuple(
                msgspec.structs.replace(it, evidence="other") if it.rule == RULE else it
                for it in pack.verdicts
            ),
        )
        for pack in result.packs
    )
    return msgspec.structs.replace(result, packs=packs, time=result.time + timedelta(hours=1))
