"""Exports and pages of hits that carry what attackers wrote."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

from py_ocsf_models.events.findings.compliance_finding import ComplianceFinding

from exporters.console.schema import hit_event
from tests.console.test_review_changes import filled
from tests.consolelab import Console
from tests.consolesample import HOSTILE
from tests.consolesample import fill as sample
from tests.reviewlab import NOW, fill, places, told

EVIL = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_cells_are_no_formulas(console: Console) -> None:
    places(console.database)
    formulas = ("=1+1", "+1", "-1", "@x", "＝1")
    fill(console.database, [told(n, 1, instance=one) for n, one in enumerate(formulas, 1)])
    answer = console.client("viewer").get("/hits.csv", headers={"Accept-Language": "en"})
    assert answer.content.startswith(b"\xef\xbb\xbf")
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    assert [row["Instance"] for row in rows] == [f"'{one}" for one in formulas]


def test_events_are_of_the_schema(each_console: Console) -> None:
    sample(each_console, 4)
    client = each_console.client("viewer")
    lines = client.get("/hits.ocsf?state=all").content.splitlines()
    assert len(lines) == client.get("/api/v1/hits?state=all").json()["count"]["number"]
    for line in lines:
        ComplianceFinding.model_validate_json(line)
    fixed = [json.loads(line) for line in client.get("/hits.ocsf?state=fixed").content.splitlines()]
    assert {one["activity_name"] for one in fixed} == {"Close"}


def test_the_filter_holds_for_an_export(console: Console) -> None:
    filled(console)
    client = console.client("viewer")
    assert len(client.get("/hits.csv?host=machine-0003").content.splitlines()) == 2
    assert len(client.get("/api/v1/hits/export.csv?text=用户").content.splitlines()) == 8


def test_what_attackers_wrote_is_shown_as_text(console: Console) -> None:
    places(console.database)
    written: dict[str, Any] = {
        "instance": EVIL,
        "actual": json.dumps({EVIL: EVIL}),
        "expected": json.dumps([EVIL]),
        "source": EVIL,
        "ticket": EVIL,
        "note": EVIL,
        "waiver": EVIL,
    }
    fill(console.database, [told(1, 1, **written), told(2, 1, **written)])
    with console.database.writing() as connection:
        event = {
            "hit_id": 1,
            "time": NOW,
            "kind": EVIL,
            "text": EVIL,
            "before": EVIL,
            "after": EVIL,
        }
        connection.execute(hit_event.insert(), event)
    client = console.client("analyst")
    client.post("/hits/views", data={"action": "save", "name": EVIL[:60], "query": "?text=<b>"})
    pages = ["/hits", "/hits/1", f"/hits?text={EVIL}&ticket={EVIL}&host={EVIL}", "/hits?text=alert"]
    for path in pages:
        page = client.get(path)
        assert page.status_code == 200, page.text
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert "<b>" not in page.text


def test_pages_of_the_sample(each_console: Console) -> None:
    sample(each_console)
    client = each_console.client("analyst")
    count = 0
    for one in client.get("/api/v1/hits?state=all&size=200").json()["hits"][::9]:
        page = client.get(f"/hits/{one['id']}")
        assert page.status_code == 200
        assert not any(text in page.text for text in HOSTILE)
        count += 1
    assert count > 5
    sheet = client.get("/assessment/sheet?level=3").text
    assert "8.1.4.1.a" in sheet
    assert "未核查" in sheet
    items = client.get("/api/v1/assessment/sheet?level=2").json()["items"]
    assert all(item["clause"].startswith("7.1.") for item in items)
    verdicts = {item["verdict"] for item in items}
    assert {"fail", "not_assessed"} <= verdicts
