"""Panels by kind, in a line or two each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from deploy.grafana.panels import PLAIN, Panel, Steps

Queries = str | Sequence[tuple[str, str]]


def stat(title: str, described: str, expr: str, unit: str = "short", steps: Steps = PLAIN, *, sparse: bool = False,
         width: int = 4) -> Panel:  # fmt: skip
    return Panel("stat", title, described, ((expr, ""),), unit, width, 4, steps, sparse=sparse)


def graph(title: str, described: str, queries: Queries, legend: str = "", unit: str = "short", *, width: int = 8,
          stacked: bool = False, sparse: bool = False, most: float | None = None) -> Panel:  # fmt: skip
    asked = ((queries, legend),) if isinstance(queries, str) else queries
    return Panel(
        "timeseries",
        title,
        described,
        asked,
        unit,
        width,
        stacked=stacked,
        sparse=sparse,
        most=most,
    )


def table(title: str, described: str, queries: Queries, legend: str = "", unit: str = "short", *, width: int = 12,
          height: int = 8, sparse: bool = False, columns: Mapping[str, str] | None = None) -> Panel:  # fmt: skip
    asked = ((queries, legend),) if isinstance(queries, str) else queries
    return Panel(
        "table", title, described, asked, unit, width, height, sparse=sparse, columns=columns or {}
    )


def alerts(area: str, matchers: str = "$F", width: int = 24) -> Panel:
    areas = f'area="{area}", ' if area else ""
    return table(
        "正在发生的告警",
        "Alerts that fire now; what to do is in docs/runbooks.",
        f'count by (alertname, severity, area, department, instance, line, subject) (ALERTS{{alertstate="firing", '
        f'alertname=~"Jianwei.+", severity!="none", {areas}{matchers}}})',
        "数量",
        width=width,
        sparse=True,
    )
