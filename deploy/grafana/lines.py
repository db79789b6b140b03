"""Lines of the extranet."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panels import (
    NONE_IS_GOOD,
    Dashboard,
    Row,
    Variable,
)
from deploy.grafana.parts import alerts, graph, stat, table

INFO: Final = 'jianwei_line_info{department=~"$department", region=~"$region", level=~"$level", carrier=~"$carrier", line=~"$line"}'
JOIN: Final = f"* on (instance, line) group_left (site, level, carrier, role) {INFO}"
TARGET: Final = 'target=~"$line(#[0-9]+|/.*)?"'

BOARD: Final = Dashboard(
    "jianwei-lines", "见微 · 线路", "Lines of the extranet: states, availability, quality, utilisation, ways.",
    [
        Variable("department", "部门 department", "label_values(jianwei_line_info, department)"),
        Variable("region", "区域 region", 'label_values(jianwei_line_info{department=~"$department"}, region)'),
        Variable("level", "层级 level", 'label_values(jianwei_line_info{department=~"$department", region=~"$region"}, level)'),
        Variable("carrier", "运营商 carrier", 'label_values(jianwei_line_info{department=~"$department", level=~"$level"}, carrier)'),
        Variable("instance", "探测代理 instance", 'label_values(jianwei_line_info{department=~"$department", level=~"$level"}, instance)'),
        Variable("line", "线路 line", 'label_values(jianwei_line_info{department=~"$department", level=~"$level", carrier=~"$carrier", instance=~"$instance"}, line)'),
    ],
    (
        stat("线路数", "Lines that are watched.", f"count(count by (line) ({INFO}))"),
        stat("正常", "Lines that are up.", f'count((jianwei_line_state{{state="up"}} == 1) {JOIN})', sparse=True),
        stat("下降", "Lines that are degraded.", f'count((jianwei_line_state{{state="degraded"}} == 1) {JOIN})',
             steps=((None, "green"), (1, "orange")), sparse=True),
        stat("中断", "Lines that are down.", f'count((jianwei_line_state{{state="down"}} == 1) {JOIN})', steps=NONE_IS_GOOD,
             sparse=True),
        stat("未知", "Lines of which nothing is known.", f'count((jianwei_line_state{{state="unknown"}} == 1) {JOIN})',
             steps=((None, "green"), (1, "purple")), sparse=True),
        stat("备用失效", "Backup lines that are down unnoticed.", 'sum(jianwei_line_backup_dead{line=~"$line"})',
             steps=NONE_IS_GOOD, sparse=True),
        table("不正常的线路", "Lines that are not up, with their site and reason.",
              f'(jianwei_line_state{{state!="up"}} == 1) {JOIN}', "是", width=14, sparse=True),
        table("原因", "Why lines are not up.", 'count by (line, reason) (jianwei_line_reason{line=~"$line"})', "数量", width=10,
              sparse=True),
        Row("可用率"),
        graph("各级可用率", "Availability of five minutes by level; unknown time is left out.",
              'level:jianwei_line_up:percent{level=~"$level"}', "{{level}}", "percent", most=100),
        graph("各运营商可用率", "Availability of five minutes by carrier.",
              'carrier:jianwei_line_up:percent{carrier=~"$carrier"}', "{{carrier}}", "percent", most=100),
        graph("接入率", "Connected units by all units of a level.", 'jianwei_level_access_ratio{level=~"$level"}', "{{level}}",
              "percentunit", sparse=True),
        graph("各级线路状态", "Lines by level and state.", 'level:jianwei_lines:count{level=~"$level"}', "{{level}} {{state}}",
              stacked=True, width=12),
        graph("各运营商线路状态", "Lines by carrier and state.", 'carrier:jianwei_lines:count{carrier=~"$carrier"}',
              "{{carrier}} {{state}}", stacked=True, width=12),
        Row("质量（最差 20 个）"),
        graph("丢包率", "Share of echoes not answered.",
              f'topk(20, jianwei_probe_loss_ratio{{instance=~"$instance", {TARGET}}})', "{{target}} {{family}}", "percentunit"),
        graph("往返时延 P95", "95th percentile of the round trip.",
              f'topk(20, jianwei_probe_rtt_seconds{{instance=~"$instance", stat="p95", {TARGET}}})', "{{target}} {{family}}", "s"),
        graph("抖动", "Jitter (RFC 3550).", f'topk(20, jianwei_probe_jitter_seconds{{instance=~"$instance", {TARGET}}})',
              "{{target}} {{family}}", "s"),
        Row("带宽、切换与路径"),
        graph("利用率 P95", "95th percentile of traffic by contracted bandwidth.",
              'topk(20, jianwei_line_utilisation_p95_ratio{line=~"$line"})', "{{line}} {{direction}}", "percentunit", sparse=True),
        graph("主备切换", "Failovers in an hour.", 'increase(jianwei_line_failovers_total{line=~"$line"}[1h]) > 0', "{{line}}",
              sparse=True),
        graph("路径变化", "Changes of the way in an hour.", f'increase(jianwei_path_changes_total{{{TARGET}}}[1h]) > 0',
              "{{target}} {{family}}", sparse=True),
        alerts("line", 'department=~"$department"'),
    ),
)  # fmt: skip
