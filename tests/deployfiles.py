"""What deploy/prometheus, deploy/grafana and docs/runbooks have in them, for their tests."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests import metricdocs

ROOT = Path(__file__).parents[1]
RULES = ROOT / "deploy/prometheus"
CASES = RULES / "tests"
BOARDS = ROOT / "deploy/grafana/dashboards"
RUNBOOKS = ROOT / "docs/runbooks"
ALERTMANAGER = ROOT / "deploy/alertmanager/alertmanager.yml"

RULE_FILES = sorted([*RULES.glob("*-rules.yml"), *RULES.glob("*-alerts.yml")])
CASE_FILES = sorted(CASES.glob("*.yml"))
# Labels that every series has from its target: Prometheus's own, and those of the inventory.
OF_TARGETS = {"job", "instance", "department", "system", "region", "level"}
# What Prometheus makes itself, and of the page /probe (docs/probes.md).
OWN = {
    "up": OF_TARGETS,
    "scrape_duration_seconds": OF_TARGETS,
    "scrape_samples_scraped": OF_TARGETS,
    "probe_success": OF_TARGETS,
    "ALERTS": OF_TARGETS | {"alertname", "alertstate", "severity", "area", "line", "subject"},
}
# Families that the machines which docs/metrics.md was made on have no sample of.
WITHOUT_SAMPLES = {"jianwei_line_reason": {"line", "reason"}}


class Rule(NamedTuple):
    """A rule with its file; `raw` is what the file says."""

    file: Path
    group: str
    name: str
    expr: str
    raw: dict[str, Any]


def rules(kind: str) -> list[Rule]:
    """All rules that `record` or `alert`."""
    return [
        Rule(path, group["name"], rule[kind], str(rule["expr"]), rule)
        for path in RULE_FILES
        for group in yaml.safe_load(path.read_text())["groups"]
        for rule in group["rules"]
        if kind in rule
    ]


def cases() -> Iterator[tuple[Path, dict[str, Any]]]:
    for path in CASE_FILES:
        for one in yaml.safe_load(path.read_text())["tests"]:
            yield path, one


def boards() -> dict[str, dict[str, Any]]:
    return {path.name: json.loads(path.read_text()) for path in sorted(BOARDS.glob("*.json"))}


def panels(board: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in board["panels"]:
        yield panel
        yield from panel.get("panels", ())


def plain(expr: str) -> str:
    """An expression of a dashboard with everything chosen in all of its variables."""
    return re.sub(r"\$\w+", ".*", expr.replace("$__rate_interval", "5m"))


@cache
def documented() -> dict[str, frozenset[str]]:
    """Labels by name of a series, as docs/metrics.md, docs/probes.md and the recording rules have them."""
    found: dict[str, set[str]] = {name: set(labels) for name, labels in OWN.items()}
    for row in metricdocs.read((ROOT / "docs/metrics.md").read_text()):
        names = [row.name]
        if row.kind == "histogram":
            names = [f"{row.name}_{end}" for end in ("bucket", "sum", "count")]
        for name in names:
            labels = found.setdefault(name, set(OF_TARGETS))
            labels |= {*row.labels, *WITHOUT_SAMPLES.get(name, ())}
            labels |= {"le"} if name.endswith("_bucket") else set()
    for name, braces in re.findall(
        r"^\| `(jianwei_probe_\w+)(?:\{([\w,]+)\})?`",
        (ROOT / "docs/probes.md").read_text(),
        re.MULTILINE,
    ):
        found.setdefault(name, set(OF_TARGETS)).update(filter(None, braces.split(",")))
    return {name: frozenset(labels) for name, labels in found.items()}
