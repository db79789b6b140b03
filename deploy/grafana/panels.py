"""Panels and dashboards, short as people write them, and as Grafana reads them.

The classic dashboard model of Grafana (9.5 and later read schemaVersion 38):
https://grafana.com/docs/grafana/latest/dashboards/build-dashboards/view-dashboard-json-model/
Panels flow from left to right in 24 columns, in the order of the list. In an expression `$F` stands for the variables
of an estate, `$H` for those and the instance.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

SOURCE: Final = {"type": "prometheus", "uid": "${datasource}"}
ESTATE: Final = 'department=~"$department", system=~"$system", region=~"$region", level=~"$level"'
HOST: Final = f'{ESTATE}, instance=~"$instance"'
# What a rate, a share or a state is good or bad at: the value from which each colour holds.
GOOD_HIGH: Final = ((None, "red"), (0.9, "orange"), (0.99, "green"))
GOOD_LOW: Final = ((None, "green"), (0.7, "orange"), (0.9, "red"))
NONE_IS_GOOD: Final = ((None, "green"), (1, "red"))
PLAIN: Final = ((None, "blue"),)
Steps = Sequence[tuple[float | None, str]]


@dataclass(frozen=True)
class Panel:
    """One panel: `queries` are (expression, legend); `sparse` panels show 无 where nothing is to be told."""

    kind: Literal["stat", "timeseries", "table"]
    title: str
    described: str
    queries: Sequence[tuple[str, str]]
    unit: str = "short"
    width: int = 8
    height: int = 7
    steps: Steps = PLAIN
    stacked: bool = False
    sparse: bool = False
    most: float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)  # units of a table's columns


@dataclass(frozen=True)
class Row:
    title: str


@dataclass(frozen=True)
class Variable:
    """Asked of Prometheus: label_values(metric, label). `one`: a single value, and not all."""

    name: str
    label: str
    query: str
    one: bool = False


@dataclass(frozen=True)
class Dashboard:
    uid: str
    title: str
    described: str
    variables: Sequence[Variable]
    parts: Sequence[Panel | Row]


def estate_variables(metric: str = 'up{job="jianwei"}') -> list[Variable]:
    """Department, system, region and level, each among what those before it leave."""
    found: list[Variable] = []
    bare, _, inside = metric.rstrip("}").partition("{")
    for name, label in (
        ("department", "部门 department"),
        ("system", "系统 system"),
        ("region", "区域 region"),
        ("level", "层级 level"),
    ):
        chosen = "".join(f', {one.name}=~"${one.name}"' for one in found)
        matchers = (inside + chosen).removeprefix(", ")
        query = (
            f"label_values({bare}{{{matchers}}}, {name})"
            if matchers
            else f"label_values({bare}, {name})"
        )
        found.append(Variable(name, label, query))
    return found


def instance(one: bool = False) -> Variable:
    return Variable(
        "instance", "主机 instance", f'label_values(up{{job="jianwei", {ESTATE}}}, instance)', one
    )


def model(board: Dashboard) -> dict[str, Any]:
    """The dashboard as Grafana reads it."""
    return {
        "id": None,
        "uid": board.uid,
        "title": board.title,
        "description": board.described,
        "tags": ["jianwei"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "timezone": "browser",
        "refresh": "1m",
        "time": {"from": "now-6h", "to": "now"},
        "links": [
            {"type": "dashboards", "title": "见微", "tags": ["jianwei"], "asDropdown": True,
             "includeVars": True, "keepTime": True}
        ],
        "annotations": {"list": []},
        "templating": {"list": [_source(), *(_variable(one) for one in board.variables)]},
        "panels": list(_panels(board.parts)),
    }  # fmt: skip


def _source() -> dict[str, Any]:
    return {"name": "datasource", "type": "datasource", "query": "prometheus", "label": "数据源 data source",
            "refresh": 1, "hide": 0, "includeAll": False, "multi": False, "options": [], "current": {}}  # fmt: skip


def _variable(one: Variable) -> dict[str, Any]:
    everything = {} if one.one else {"allValue": ".*"}
    return {
        "name": one.name,
        "label": one.label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": one.query, "refId": one.name},
        "definition": one.query,
        "refresh": 2,
        "sort": 1,
        "hide": 0,
        "multi": not one.one,
        "includeAll": not one.one,
        **everything,
        "options": [],
        "current": {} if one.one else {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def _panels(parts: Sequence[Panel | Row]) -> Iterator[dict[str, Any]]:
    x = y = tallest = 0
    for id, part in enumerate(parts, 1):
        width = 24 if isinstance(part, Row) else part.width
        if x + width > 24:
            x, y, tallest = 0, y + tallest, 0
        height = 1 if isinstance(part, Row) else part.height
        place = {"x": x, "y": y, "w": width, "h": height}
        x, tallest = x + width, max(tallest, height)
        if isinstance(part, Row):
            yield {
                "id": id,
                "type": "row",
                "title": part.title,
                "gridPos": place,
                "collapsed": False,
                "panels": [],
            }
        else:
            yield _panel(id, part, place)


def _panel(id: int, panel: Panel, place: Mapping[str, int]) -> dict[str, Any]:
    at_once = panel.kind != "timeseries"
    defaults: dict[str, Any] = {
        "unit": panel.unit,
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": value, "color": color} for value, color in panel.steps],
        },
    }
    if panel.unit == "percentunit":
        defaults |= {"min": 0, "max": 1}
    if panel.most is not None:
        defaults |= {"min": 0, "max": panel.most}
    if panel.sparse:
        defaults["noValue"] = "无"
    if panel.kind == "timeseries":
        defaults["custom"] = {
            "fillOpacity": 30 if panel.stacked else 8,
            "lineWidth": 1,
            "showPoints": "never",
            "spanNulls": False,
            "stacking": {"mode": "normal" if panel.stacked else "none", "group": "A"},
        }
    drawn: dict[str, Any] = {
        "id": id,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.described,
        "gridPos": dict(place),
        "datasource": SOURCE,
        "fieldConfig": {
            "defaults": defaults,
            "overrides": [
                {
                    "matcher": {"id": "byName", "options": name},
                    "properties": [{"id": "unit", "value": unit}],
                }
                for name, unit in panel.columns.items()
            ],
        },
        "options": _options(panel.kind),
        "targets": [
            {
                "refId": chr(ord("A") + n),
                "datasource": SOURCE,
                "expr": expr.replace("$H", HOST).replace("$F", ESTATE),
                "legendFormat": legend,
                "instant": at_once,
                "range": not at_once,
                **({"format": "table"} if panel.kind == "table" else {}),
            }
            for n, (expr, legend) in enumerate(panel.queries)
        ],
    }
    if panel.kind == "table":
        drawn["transformations"] = _joined(panel)
    return drawn


def _joined(panel: Panel) -> list[dict[str, Any]]:
    """Rows of several queries become one by their labels; columns of values have the legends as names."""
    names = {"Value": panel.queries[0][1]} if len(panel.queries) == 1 else {
        f"Value #{chr(ord('A') + n)}": legend for n, (_, legend) in enumerate(panel.queries)
    }  # fmt: skip
    hidden = {"Time": True, "__name__": True, "job": True, "alertstate": True}
    return [
        {"id": "merge", "options": {}},
        {"id": "organize", "options": {"excludeByName": hidden, "renameByName": names, "indexByName": {}}},
    ]  # fmt: skip


def _options(kind: str) -> dict[str, Any]:
    last = {"calcs": ["lastNotNull"], "fields": "", "values": False}
    options: dict[str, dict[str, Any]] = {
        "stat": {"reduceOptions": last, "colorMode": "value", "graphMode": "none", "textMode": "auto"},
        "timeseries": {
            "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
            "tooltip": {"mode": "multi", "sort": "desc"},
        },
        "table": {"showHeader": True, "cellHeight": "sm"},
    }  # fmt: skip
    return options[kind]
