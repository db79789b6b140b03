"""Rules and alerts that are shipped: right for promtool, each with its cases, its words and its runbook."""

from __future__ import annotations

import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deployfiles import CASE_FILES, CASES, RULE_FILES, RULES, RUNBOOKS, cases, rules

needs_promtool = pytest.mark.skipif(
    not shutil.which("promtool"), reason="Debian package prometheus is missing"
)
AREAS = {"host", "line", "ipv6", "baseline", "agent"}
SEVERITIES = {"critical", "warning", "info"}
HEADS = ("**What it means.** ", "**How to see it.** ", "**What to do.** ", "**False alarm.** ")
BOOKS = "https://ops.example/books"
CHINESE = re.compile(r"[\u4e00-\u9fff]")


def promtool(*arguments: str | Path) -> tuple[int, str]:
    ran = subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, timeout=100, check=False
    )
    return ran.returncode, ran.stdout + ran.stderr


@needs_promtool
def test_rules_are_right() -> None:
    status, told = promtool("check", "rules", *RULE_FILES)
    assert status == 0, told
    assert "duplicate" not in told


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What promtool says of each file of cases, to which was added that no alert fires at all: so it
    shows every alert as it is sent. Without runbooks of one's own where the file is of agents."""
    folder = tmp_path_factory.mktemp("cases")
    made = []
    for path in CASE_FILES:
        document = yaml.safe_load(path.read_text())
        document["rule_files"] = [str((CASES / name).resolve()) for name in document["rule_files"]]
        for one in document["tests"]:
            last = one["promql_expr_test"][-1]
            if path.stem != "agent-alerts":
                one["external_labels"] = {"runbooks": BOOKS}
            if "ALERTS" in last["expr"]:
                wanted = {
                    "eval_time": last["eval_time"],
                    "alertname": one["name"],
                    "exp_alerts": [],
                }
                one["alert_rule_test"] = [wanted]
        made.append(folder / path.name)
        made[-1].write_text(yaml.safe_dump(document, allow_unicode=True))
    with ThreadPoolExecutor(2) as pool:
        ran = pool.map(lambda path: promtool("test", "rules", path)[1], made)
    return {path.stem: said for path, said in zip(made, ran, strict=True)}


@needs_promtool
@pytest.mark.parametrize("name", [path.stem for path in CASE_FILES])
def test_the_cases(told: dict[str, str], name: str) -> None:
    failed = re.findall(r"^\s*expr: .*(?:\n(?!\s*$).*){0,8}", told[name], re.MULTILINE)
    assert not failed, "\n".join(failed)
    assert not re.search(r"^\s*err(or)?\b", told[name], re.MULTILINE), told[name]


ALERTS = rules("alert")


@needs_promtool
@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_an_alert_is_told_in_both_languages_with_its_runbook(
    told: dict[str, str], alert: Any
) -> None:
    sent = "\n".join(told.values())
    found = re.search(
        rf"alertname: ?{alert.name}, time: .*?\n(.*?)(?=alertname:|\Z)", sent, re.DOTALL
    )
    assert found, f"no case in which {alert.name} fires"
    annotations = dict(re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', found[1]))
    assert "<no value>" not in found[1]
    assert "error expanding" not in found[1]
    for key in ("summary", "description"):
        assert CHINESE.search(annotations[key])
        assert annotations[f"{key}_en"].strip()
        assert "{{" not in annotations[key] + annotations[f"{key}_en"]
    base = "docs/runbooks" if alert.raw["labels"]["area"] == "agent" else BOOKS
    assert annotations["runbook_url"] == f"{base}/{alert.name}.md"


def test_every_alert_has_a_case_where_it_fires_and_one_where_it_does_not() -> None:
    fires: set[str] = set()
    quiet: set[str] = set()
    for _, one in cases():
        for asked in one["promql_expr_test"]:
            for name in re.findall(r'alertname="(\w+)"', asked["expr"]):
                assert one.get("name") == name
                (fires if asked["exp_samples"] else quiet).add(name)
        # others than those which fire are in the same case: well, or of which nothing is known
        series = {line["series"] for line in one["input_series"]}
        if len(series) > len(one["promql_expr_test"][-1]["exp_samples"]):
            quiet.add(one.get("name", ""))
    names = {alert.name for alert in ALERTS}
    assert fires == names
    assert names - quiet == {"JianweiWatchdog"} - quiet


def test_every_recording_rule_has_a_case() -> None:
    asked = " ".join(str(test["expr"]) for _, one in cases() for test in one["promql_expr_test"])
    missing = [rule.name for rule in rules("record") if not re.search(rf"{rule.name}\b", asked)]
    assert not missing


def test_names_are_used_once() -> None:
    for kind in ("alert", "record"):
        names = [rule.name for rule in rules(kind)]
        assert len(names) == len(set(names))


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_the_labels_of_an_alert(alert: Any) -> None:
    labels = alert.raw["labels"]
    assert labels.keys() == {"severity", "area"}
    assert labels["area"] in AREAS
    assert alert.file.name == f"jianwei-{labels['area']}-alerts.yml"
    assert labels["severity"] in SEVERITIES or alert.name == "JianweiWatchdog"
    assert "keep_firing_for" not in alert.raw  # not in 2.42


def test_each_alert_has_its_runbook_and_each_runbook_its_alert() -> None:
    assert {path.stem for path in RUNBOOKS.glob("*.md")} == {alert.name for alert in ALERTS}


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_a_runbook(alert: Any) -> None:
    text = (RUNBOOKS / f"{alert.name}.md").read_text()
    title, meta, *_ = text.splitlines()
    assert title.startswith(f"# {alert.name}: ")
    severity = alert.raw["labels"]["severity"]
    wait = f", after {alert.raw['for']}" if "for" in alert.raw else ""
    assert meta == f"{severity}{wait} · deploy/prometheus/{alert.file.name}"
    for head in HEADS:
        assert re.search(rf"^{re.escape(head)}\S", text, re.MULTILINE)
    for other in re.findall(r"Jianwei[A-Z]\w+", text):
        assert other in {one.name for one in ALERTS}


@pytest.mark.skipif(
    not shutil.which("vmalert"), reason="Debian package victoria-metrics is missing"
)
def test_vmalert_takes_the_same_files() -> None:
    argv = ["vmalert", "-dryRun", *(f"-rule={path}" for path in RULE_FILES)]
    ran = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
    assert ran.returncode == 0, ran.stderr


@needs_promtool
def test_the_example_configuration() -> None:
    status, told = promtool("check", "config", RULES / "prometheus.yml")
    assert status == 0, told
    files = yaml.safe_load((RULES / "prometheus.yml").read_text())["rule_files"]
    assert sorted(path for name in files for path in RULES.glob(name)) == RULE_FILES
