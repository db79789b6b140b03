"""The example configuration, rules and dashboards on a real Prometheus that scrapes a real agent: every query of a dashboard is
taken, and answered where there is something to tell; labels that an agent tells of others win over those of its host."""

from __future__ import annotations

import contextlib
import json
import re
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest
import yaml

from tests import promlab
from tests.agentlab import agent, eventually
from tests.deployfiles import RULE_FILES, RULES, boards, documented, panels, plain
from tests.promql import uses

pytestmark = [promlab.needs_prometheus, promlab.needs_alertmanager]
# The last to come: recorded of an audit that was scraped, of rates, and of states of lines.
LAST = (
    "department:jianwei_pack_score:min",
    "department:jianwei_ipv6_traffic:ratio",
    "level:jianwei_line_up:percent",
    "department:jianwei_cpu_used:ratio",
)
RECEIVER = "route: {receiver: nobody}\nreceivers: [{name: nobody}]\n"
HOST = {"department": "财政局", "system": "预算", "region": "东区", "level": "city"}
LINES = "name,level,carrier,site,targets\n城关-主,county,电信,城关县局,127.0.0.1\n"
# A cloud's resources, as another agent than that of their department tells them.
RESOURCES = """# TYPE jianwei_resource_info gauge
jianwei_resource_info{resource="vm-1",department="民政局",system="低保",region="西区"} 1
jianwei_resource_info{resource="vm-2"} 1
"""


class Live(NamedTuple):
    """URLs of the servers."""

    prometheus: str
    alertmanager: str


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    folder = tmp_path_factory.mktemp("live")
    (folder / "lines.csv").write_text(LINES)
    config = (
        f"state_dir: {folder}\nprobes: {{lines_file: lines.csv, interval: 1s}}\n"
        "paths: {enabled: false}\n"
    )
    prom = folder / "prometheus"
    prom.mkdir()
    with (
        agent(folder, config) as running,
        clouds() as other,
        promlab.alertmanager(folder, RECEIVER) as alerts,
    ):
        addresses = [url.removeprefix("http://") for url in (running.url, other, alerts)]
        config = configured(prom, *addresses)
        with promlab.prometheus(prom, (), "--rules.alert.resend-delay=1s", config=config) as url:
            for name in LAST:
                eventually(lambda name=name: answer(url, name), 60)  # type: ignore[misc]
            yield Live(url, alerts)


@pytest.fixture
def database(live: Live) -> str:
    return live.prometheus


class Clouds(BaseHTTPRequestHandler):
    """The page of an agent that looks at clouds."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.end_headers()
        self.wfile.write(RESOURCES.encode())

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def clouds() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Clouds) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def configured(folder: Path, address: str, other: str, alerts: str) -> str:
    """The example with two agents as its targets, everything every second; the job of pings asks the first."""
    (folder / "targets").mkdir()
    targets = [{"targets": [address, other], "labels": HOST}]
    (folder / "targets/agents.json").write_text(json.dumps(targets))
    for path in RULE_FILES:
        text = re.sub(r"^ +interval: \w+\n", "", path.read_text(), flags=re.MULTILINE)
        (folder / path.name).write_text(text)
    text = (RULES / "prometheus.yml").read_text().replace("127.0.0.1:9808", address)
    text = text.replace("127.0.0.1:9093", alerts)
    example: dict[str, Any] = yaml.safe_load(text)
    often = ("scrape_interval", "scrape_timeout", "evaluation_interval")
    example["global"] |= dict.fromkeys(often, "1s")
    for job in example["scrape_configs"]:
        job.pop("http_sd_configs", None)
        job.pop("scrape_interval", None)
    return yaml.safe_dump(example, allow_unicode=True)


def answer(url: str, expr: str) -> list[dict[str, Any]]:
    query = urllib.parse.urlencode({"query": expr})
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?{query}", timeout=20) as reply:
            told = json.load(reply)
    except urllib.error.HTTPError as error:
        raise AssertionError(f"{expr}: {error.read().decode()}") from error
    assert not told.get("warnings")
    found: list[dict[str, Any]] = told["data"]["result"]
    return found


def test_what_an_agent_tells_of_others_keeps_its_labels(database: str) -> None:
    found = {
        one["metric"]["resource"]: one["metric"]
        for one in answer(database, "jianwei_resource_info")
    }
    owners = {
        resource: {name: labels.get(name, "") for name in HOST}
        for resource, labels in found.items()
    }
    nobody = dict.fromkeys(HOST, "")
    theirs = {"department": "民政局", "system": "低保", "region": "西区", "level": ""}
    assert owners == {"vm-1": theirs, "vm-2": nobody}
    (line,) = answer(database, "jianwei_line_info")
    assert line["metric"]["level"] == "county"
    assert line["metric"]["department"] == "财政局"
    up = answer(database, 'up{job="jianwei"}')
    assert len(up) == 2
    assert all(HOST.items() <= one["metric"].items() for one in up)
    assert not answer(database, '{exported_department!=""} or {exported_level!=""}')


def test_families_with_labels_of_targets_are_all_named_in_the_example() -> None:
    """Whoever adds a family with such a label adds it there."""
    example = yaml.safe_load((RULES / "prometheus.yml").read_text())
    steps = example["scrape_configs"][0]["metric_relabel_configs"]
    by_label = {step["target_label"]: step["regex"] for step in steps if "target_label" in step}
    text = (RULES.parents[1] / "docs/metrics.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| \w+ \| ([\w, ]*) \|", text, re.MULTILINE)
    assert len(rows) > 400
    for name, labels in rows:
        for label in set(labels.split(", ")) & set(HOST):
            assert re.fullmatch(by_label[label], f"{name};x"), (
                f"{name} has a label {label} of its own"
            )


def test_pings_have_the_instance_of_their_agent(database: str) -> None:
    joined = answer(
        database, 'up{job="jianwei"} and on (instance) probe_success{job="jianwei-ping"} == 1'
    )
    assert len(joined) == 2


def test_every_rule_is_evaluated(database: str) -> None:
    with urllib.request.urlopen(f"{database}/api/v1/rules", timeout=20) as reply:
        groups = json.load(reply)["data"]["groups"]
    wrong = [rule for group in groups for rule in group["rules"] if rule["health"] == "err"]
    assert not wrong
    firing = {one["metric"]["alertname"] for one in answer(database, 'ALERTS{alertstate="firing"}')}
    assert "JianweiWatchdog" in firing
    assert not firing & {
        "JianweiHostDown",
        "JianweiAgentDown",
        "JianweiLineDown",
        "JianweiAgentNone",
    }


def test_alerts_come_to_alertmanager_with_their_runbook(live: Live) -> None:
    def sent() -> list[dict[str, Any]]:
        with urllib.request.urlopen(f"{live.alertmanager}/api/v2/alerts", timeout=20) as reply:
            told: list[dict[str, Any]] = json.load(reply)
        return [one for one in told if one["labels"]["alertname"] == "JianweiWatchdog"]

    (watchdog,) = eventually(sent)
    assert watchdog["labels"].keys() == {"alertname", "severity", "area", "site"}
    books = "https://ops.example.gov.cn/jianwei/docs/runbooks"
    assert watchdog["annotations"]["runbook_url"] == f"{books}/JianweiWatchdog.md"


def test_every_query_of_a_dashboard_is_answered(database: str) -> None:
    with urllib.request.urlopen(f"{database}/api/v1/label/__name__/values", timeout=20) as reply:
        there = set(json.load(reply)["data"])
    silent, skipped, asked = [], [], 0
    for name, board in boards().items():
        for panel in panels(board):
            may_be_empty = "noValue" in panel.get("fieldConfig", {}).get("defaults", {})
            for target in panel.get("targets", ()):
                expr = plain(target["expr"])
                found = answer(database, expr)
                wanted = {metric for metric, _ in uses(expr).metrics}
                assert wanted <= documented().keys() | there
                if not wanted <= there:
                    skipped.append(f"{name} {panel['title']}")
                elif not may_be_empty:
                    asked += 1
                    silent += [] if found else [f"{name} {panel['title']}: {expr}"]
    assert not silent
    assert asked > 60, skipped
