"""Manual items: asked by department, answered by people with evidence, for a time."""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import func, select, update
from starlette.testclient import TestClient

from exporters.console.attest.answers import in_force, of_hosts
from exporters.console.codes import OUTCOME
from exporters.console.schema import (
    attachment,
    attestation,
    department,
    host,
    log,
    outcome_tally,
    rule,
    rule_clause,
)
from tests.consolelab import Console

TODAY = datetime.now(ZoneInfo("Asia/Shanghai")).date()
SOON = TODAY + timedelta(days=10)
LATER = TODAY + timedelta(days=200)
PNG = (
    b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00:~\x9bU"
    b"\x00\x00\x00\x00IEND\xaeB`\x82"
)


@pytest.fixture
def filled(each_console: Console) -> Console:
    """Two departments, two hosts each; rule 1 is manual on all of them, rule 2 in the first department, rule 3 is none."""
    manual, passed = OUTCOME["manual"], OUTCOME["pass"]
    with each_console.database.writing() as connection:
        for n, name in enumerate(("市财政局", "市公安局"), 1):
            connection.execute(department.insert().values(id=n, name=name))
        for n in range(1, 5):
            connection.execute(
                host.insert().values(
                    id=n, key=f"id{n}", name=f"vm-{n}", department_id=(n + 1) // 2, labels={},
                    source="pull", first_seen=datetime.now(UTC),
                )
            )  # fmt: skip
        for n in (1, 2, 3):
            connection.execute(
                rule.insert().values(
                    id=n, name=f"manual.rule-{n}", title_zh=f"标题{n}", title_en=f"title {n}",
                    severity=2, question_zh=f"机房门禁是否登记？{n}", question_en=f"Is it so? {n}",
                )
            )  # fmt: skip
        clause = {"rule_id": 1, "standard": "gb22239", "clause": "8.1.4.1.a"}
        connection.execute(rule_clause.insert().values(**clause))
        tallies = [
            (1, "mlps-l3", 1, manual, 2),
            (1, "other", 1, manual, 1),
            (2, "mlps-l3", 1, manual, 2),
            (1, "mlps-l3", 2, manual, 1),
            (2, "mlps-l3", 2, manual, 0),
            (1, "mlps-l3", 3, passed, 2),
        ]
        for values in tallies:
            connection.execute(outcome_tally.insert().values(values))
    return each_console


def _form(**changed: Any) -> dict[str, Any]:
    form = {"answer": "pass", "text": "现场查看，登记完整", "expires": LATER.isoformat()}
    return form | changed


def _items(client: TestClient, **query: str) -> list[tuple[int, int, str]]:
    told = client.get("/api/v1/manual", params=query).json()["items"]
    return [(it["rule_id"], it["department_id"], it["state"]) for it in told]


def _expired(console: Console) -> None:
    with console.database.writing() as connection:
        connection.execute(update(attestation).values(expires=TODAY - timedelta(days=1)))


def test_an_item_is_answered_with_evidence_and_opens_again(filled: Console) -> None:
    analyst, viewer = filled.client("analyst"), filled.client("viewer")
    assert _items(viewer) == [(1, 1, "open"), (1, 2, "open"), (2, 1, "open")]
    page = viewer.get("/manual").text
    assert "机房门禁是否登记？1" in page
    assert "8.1.4.1.a" in page
    assert "L3-CES1-01" in page
    item = viewer.get("/manual/1/1").text
    assert "2 台" in item
    assert "填写答复" not in item
    files = [("files", ("..\\..\\登记 <簿>.exe", PNG, "application/x-msdownload"))]
    assert viewer.post("/manual/1/1", data=_form(), files=files).status_code == 403
    done = analyst.post("/manual/1/1", data=_form(), files=files)
    assert done.status_code == 303, done.text
    assert _items(viewer) == [(1, 1, "answered"), (1, 2, "open"), (2, 1, "open")]
    told = viewer.get("/api/v1/manual/1/1").json()["answers"][0]
    kept = told["files"][0]
    assert kept["name"] == "登记 _簿_.exe.png"
    assert kept["sha256"] == hashlib.sha256(PNG).hexdigest()
    got = viewer.get(f"/manual/attachments/{kept['id']}")
    assert got.content == PNG
    assert got.headers["content-type"] == "image/png"
    assert got.headers["content-disposition"].startswith('attachment; filename="')
    assert got.headers["x-content-type-options"] == "nosniff"
    assert got.headers["content-security-policy"].startswith("sandbox")
    _expired(filled)
    assert _items(viewer, state="expired") == [(1, 1, "expired")]
    assert (1, 1, "expired") in _items(viewer, state="open")
    with filled.database.reading() as connection:
        assert in_force(connection, TODAY) == {}
        row = connection.execute(
            select(log).where(log.c.action == "manual.answer", log.c.subject == "manual.rule-1")
        ).one()
    assert hashlib.sha256(PNG).hexdigest() in row.detail


def test_filters(filled: Console) -> None:
    analyst = filled.client("analyst")
    analyst.post("/manual/1/1", data=_form(expires=SOON.isoformat()))
    analyst.post("/manual/1/2", data=_form())
    assert _items(analyst, state="expiring") == [(1, 1, "expiring")]
    assert _items(analyst, state="answered") == [(1, 1, "expiring"), (1, 2, "answered")]
    assert _items(analyst, state="open") == [(2, 1, "open")]
    assert _items(analyst, clause="8.1.4") == [(1, 1, "expiring"), (1, 2, "answered")]
    assert _items(analyst, clause="8%") == []
    assert _items(analyst, department="市公安局") == [(1, 2, "answered")]
    assert _items(analyst, text="rule-2") == [(2, 1, "open")]
    assert _items(analyst, after="1.1") == [(1, 2, "answered"), (2, 1, "open")]
    assert analyst.get("/manual?after=x").status_code == 422


def test_a_new_answer_takes_the_place_of_the_one_before_which_is_kept(filled: Console) -> None:
    analyst = filled.client("analyst")
    analyst.post("/manual/1/1", data=_form())
    first = analyst.get("/api/v1/manual/1/1").json()["item"]["standing"]["id"]
    # who saw no answer, or another one, is told
    assert analyst.post("/manual/1/1", data=_form(answer="fail")).status_code == 409
    assert analyst.post("/manual/1/1", data=_form(seen=first + 7)).status_code == 409
    done = analyst.post("/manual/1/1", data=_form(answer="fail", seen=first))
    assert done.status_code == 303
    told = analyst.get("/api/v1/manual/1/1").json()
    assert [(it["answer"]["answer"], it["standing"]) for it in told["answers"]] == [
        ("fail", True),
        ("pass", False),
    ]
    standing = told["item"]["standing"]
    path = f"/manual/answers/{standing['id']}/withdraw"
    assert analyst.post(path, data={"version": 9}).status_code == 409
    assert analyst.post(path, data={"version": standing["version"]}).status_code == 303
    assert analyst.post(path, data={"version": standing["version"] + 1}).status_code == 409
    assert (1, 1, "open") in _items(analyst)


def test_of_answers_at_once_one_is_kept_and_the_others_are_told(filled: Console) -> None:
    clients = [filled.client("analyst", name=f"analyst{n}") for n in range(4)]
    with ThreadPoolExecutor(4) as pool:
        codes = list(pool.map(lambda it: it.post("/manual/1/1", data=_form()).status_code, clients))
    assert sorted(codes) == [303, 409, 409, 409]
    with filled.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(attestation)).scalar() == 1


def test_what_other_rooms_read(filled: Console) -> None:
    analyst = filled.client("analyst")
    analyst.post("/manual/1/1", data=_form())
    analyst.post("/manual/1/2", data=_form(host="vm-3"))
    with filled.database.reading() as connection:
        assert {key: it.answer for key, it in in_force(connection, TODAY).items()} == {
            (1, 1): "pass"
        }
        assert in_force(connection, TODAY, {2}) == {}
        assert in_force(connection, LATER + timedelta(days=1)) == {}
    analyst.post("/manual/1/1", data=_form(host="id2", answer="fail"))
    with filled.database.reading() as connection:
        worst = in_force(connection, TODAY)[1, 1]
        assert (worst.answer, worst.host_id) == ("fail", 2)
        assert {key: it.answer for key, it in of_hosts(connection, TODAY).items()} == {
            (1, 2): "fail",
            (1, 3): "pass",
        }
    assert analyst.post("/manual/1/1", data=_form(host="vm-3")).status_code == 422


def test_a_scoped_user_sees_and_answers_for_their_departments(filled: Console) -> None:
    analyst = filled.client("analyst")
    analyst.post("/manual/1/2", data=_form(), files=[("files", ("a.png", PNG, ""))])
    own = filled.client("analyst", ("市财政局",), name="scoped")
    assert _items(own) == [(1, 1, "open"), (2, 1, "open")]
    assert own.get("/manual/1/2").status_code == 404
    assert own.post("/manual/1/2", data=_form()).status_code == 404
    with filled.database.reading() as connection:
        file = connection.execute(select(attachment.c.id)).scalar_one()
        answer = connection.execute(select(attestation.c.id)).scalar_one()
    assert own.get(f"/manual/attachments/{file}").status_code == 404
    assert own.post(f"/manual/answers/{answer}/withdraw", data={"version": 1}).status_code == 404
    assert "市公安局" not in own.get("/manual").text
    assert own.post("/manual/2/1", data=_form()).status_code == 303


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"text": " \n "}, "attest.blank"),
    ({"text": "a\x00b"}, "attest.control"),
    ({"expires": (TODAY - timedelta(days=1)).isoformat()}, "attest.day"),
    ({"expires": (TODAY + timedelta(days=367)).isoformat()}, "attest.day"),
    ({"expires": "never"}, "bad_parameter"),
    ({"answer": "unknown"}, "bad_parameter"),
    ({"host": "nowhere"}, "manual.no_host"),
    ({"files": [{"name": "a", "media_type": "", "content": "TVqQAAMAAAAE"}]}, "manual.wrong_file"),
    ({"files": [{"name": "a.txt", "media_type": "", "content": "aGk="}] * 11}, "manual.many_files"),
]


def test_what_is_wrong_is_told_and_nothing_is_kept(filled: Console) -> None:
    analyst = filled.client("analyst")
    for changed, code in WRONG:
        answer = analyst.post("/api/v1/manual/1/1", json=_form(**changed))
        assert answer.status_code == 422, changed
        assert answer.json()["error"]["code"] == code
    with filled.database.reading() as connection:
        assert connection.execute(select(func.count()).select_from(attestation)).scalar() == 0


def test_the_api_takes_files_as_base64(filled: Console) -> None:
    analyst = filled.client("analyst")
    file = {"name": "说明.txt", "media_type": "image/png", "content": "aGk="}
    told = analyst.post("/api/v1/manual/1/1", json=_form(files=[file])).json()
    kept = told["answers"][0]["files"][0]
    assert (kept["name"], kept["media_type"]) == ("说明.txt", "text/plain; charset=utf-8")
    assert analyst.get(f"/api/v1/manual/attachments/{kept['id']}").content == b"hi"
