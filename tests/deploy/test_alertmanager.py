"""Alertmanager's example: right for amtool, each alert at its department, quiet ones held back by a real Alertmanager, mail in
both languages."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests import promlab
from tests.agentlab import eventually
from tests.deployfiles import ALERTMANAGER, rules

pytestmark = promlab.needs_alertmanager


def amtool(*arguments: str) -> str:
    ran = subprocess.run(["amtool", *arguments], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def test_it_is_right() -> None:
    assert "1 templates" in amtool("check-config", str(ALERTMANAGER))


@pytest.mark.parametrize(
    ("labels", "receivers"),
    [
        ("department=财政局 severity=critical", "operations-critical,finance"),
        ("department=财政局 severity=warning", "finance"),
        ("department=民政局 severity=critical", "operations-critical,civil-affairs"),
        ("department=民政局 severity=warning", "civil-affairs"),
        ("department=民政局 severity=info", "record"),
        ("department=教育局 severity=warning", "operations"),
        ("department=教育局 severity=critical", "operations-critical,record"),
        ("severity=warning", "operations"),
        ("alertname=JianweiWatchdog severity=none", "watchdog"),
    ],
)
def test_routes(labels: str, receivers: str) -> None:
    told = amtool("config", "routes", "test", "--config.file", str(ALERTMANAGER), *labels.split())
    assert told.strip() == receivers


def test_rules_of_inhibition_name_alerts_that_there_are() -> None:
    there = {alert.name for alert in rules("alert")}
    document = yaml.safe_load(ALERTMANAGER.read_text())
    text = json.dumps(document["inhibit_rules"])
    for name in ("HostDown", "AgentDown", "LineDown", "LineSiteUnreachable", "ConsoleDown"):
        assert f"Jianwei{name}" in there
        assert f"Jianwei{name}" in text
    quiet = ("Degraded", "Unknown", "Busy", "PathChanged", "FailedOver")
    lines = {f"JianweiLine{name}" for name in quiet}
    assert lines <= there


BAD = {"instance": "h1:9808", "department": "财政局"}
LINE = {"instance": "h2:9808", "line": "城关-主", "site": "城关县局"}
SENT = [
    ({"alertname": "JianweiHostDown", "severity": "critical", **BAD}, False),
    ({"alertname": "JianweiHostDiskFull", "severity": "critical", **BAD}, True),
    ({"alertname": "JianweiHostDiskFull", "severity": "critical", **BAD, "instance": "h3:9808"}, False),
    ({"alertname": "JianweiLineDown", "severity": "critical", **LINE}, False),
    ({"alertname": "JianweiLineDegraded", "severity": "warning", **LINE}, True),
    ({"alertname": "JianweiLinePathChanged", "severity": "info", **LINE}, True),
    ({"alertname": "JianweiLineDegraded", "severity": "warning", **LINE, "line": "城关-备"}, False),
    ({"alertname": "JianweiLineSiteUnreachable", "severity": "critical", **LINE, "line": "", "site": "乙"}, False),
    ({"alertname": "JianweiLineDown", "severity": "critical", **LINE, "line": "乙-主", "site": "乙"}, True),
    ({"alertname": "JianweiLineNotWatched", "severity": "warning", "line": "丙"}, False),
]  # fmt: skip


@pytest.fixture(scope="module")
def alertmanager(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    document: dict[str, Any] = yaml.safe_load(ALERTMANAGER.read_text())
    document["receivers"] = [{"name": one["name"]} for one in document["receivers"]]
    document["templates"] = []
    config = yaml.safe_dump(document, allow_unicode=True)
    with promlab.alertmanager(tmp_path_factory.mktemp("alertmanager"), config) as url:
        yield url


def test_what_follows_from_another_is_held_back(alertmanager: str) -> None:
    now = datetime.fromtimestamp(time.time(), UTC).isoformat()
    sent = [{"labels": labels, "startsAt": now} for labels, _ in SENT]
    body = json.dumps(sent).encode()
    head = {"Content-Type": "application/json"}
    with urllib.request.urlopen(
        urllib.request.Request(f"{alertmanager}/api/v2/alerts", body, head), timeout=10
    ):
        pass

    bare = [({k: v for k, v in labels.items() if v}, quiet) for labels, quiet in SENT]
    by_labels = {str(sorted(labels.items())): quiet for labels, quiet in bare}

    def right() -> bool:
        with urllib.request.urlopen(f"{alertmanager}/api/v2/alerts", timeout=10) as reply:
            told = json.load(reply)
        return by_labels == {
            str(sorted(one["labels"].items())): bool(one["status"]["inhibitedBy"]) for one in told
        }

    assert eventually(right)


@pytest.mark.parametrize(
    ("language", "subject", "words"),
    [
        ("zh", "[告警 1] 财政局 主机 h1 无响应 等 2 项", ("【严重】主机 h1 无响应", "【恢复】", "处置：https://ops/x.md")),
        ("en", "[firing 1] 财政局 host h1 does not answer and 2 in all", ("[critical] host h1", "[resolved]", "what to do: https://ops/x.md")),
    ],
)  # fmt: skip
def test_mail(tmp_path: Path, language: str, subject: str, words: tuple[str, ...]) -> None:
    alert = {
        "status": "firing",
        "labels": {"alertname": "JianweiHostDown", "severity": "critical", **BAD},
        "annotations": {
            "summary": "主机 h1 无响应", "summary_en": "host h1 does not answer",
            "description": "<b>", "description_en": "<b>", "runbook_url": "https://ops/x.md",
        },
        "startsAt": "2026-11-01T00:00:00Z", "endsAt": "2026-11-01T01:00:00Z",
    }  # fmt: skip
    data = {
        "status": "firing", "receiver": "finance", "groupLabels": {"department": "财政局"},
        "alerts": [alert, {**alert, "status": "resolved"}],
    }  # fmt: skip
    (tmp_path / "data.json").write_text(json.dumps(data))

    def rendered(name: str, kind: str) -> str:
        return amtool(
            "template", "render", f"--template.glob={ALERTMANAGER.parent}/templates/*.tmpl",
            f'--template.text={{{{ template "jianwei.{language}.{name}" . }}}}', f"--template.type={kind}",
            f"--template.data={tmp_path}/data.json",
        )  # fmt: skip

    assert rendered("subject", "text").strip() == subject
    text, html = rendered("text", "text"), rendered("html", "html")
    assert all(word in text for word in words)
    assert html.count("<tr") == 3
    assert "<b><b>" not in html  # what alerts say is escaped
    assert "&lt;b&gt;" in html
