"""The security baseline, and the review console."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panels import (
    HOST,
    NONE_IS_GOOD,
    Dashboard,
    Row,
    Variable,
    estate_variables,
    instance,
)
from deploy.grafana.parts import alerts, graph, stat, table

FRESH: Final = ((None, "green"), (7200, "orange"), (86400, "red"))
OPEN: Final = 'state=~"new|acknowledged|regressed"'
BOARD: Final = Dashboard(
    "jianwei-baseline", "见微 · 基线", "Security baseline: scores, unknown rules, hits, audits, the review console.",
    [*estate_variables(), instance(), Variable("pack", "规则包 pack", f"label_values(jianwei_pack_score_ratio{{{HOST}}}, pack)")],
    (
        stat("平均得分", "Average score of hosts; unknown lowers it.", 'avg(jianwei_pack_score_ratio{$H, pack=~"$pack"})',
             "percentunit", ((None, "red"), (0.6, "orange"), (0.9, "green"))),
        stat("未知规则占比", "Share of rules that could not be looked at.",
             'sum(jianwei_pack_verdicts{$H, pack=~"$pack", verdict="unknown"}) / sum(jianwei_pack_verdicts{$H, pack=~"$pack", verdict!="not_applicable"})',
             "percentunit", ((None, "green"), (0.1, "orange"), (0.3, "red")), sparse=True),
        stat("未处置命中", "Open hits.", f"sum(jianwei_hits{{$H, {OPEN}}})", steps=NONE_IS_GOOD, sparse=True),
        stat("严重未处置", "Open hits that are critical.", f'sum(jianwei_hits{{$H, {OPEN}, severity="critical"}})',
             steps=NONE_IS_GOOD, sparse=True),
        stat("最久未检查", "Age of the oldest last audit.", "max(time() - jianwei_audit_timestamp_seconds{$H})", "s", FRESH),
        stat("失联代理", "Hosts that the console hears nothing of.", "sum(jianwei_console_silent_hosts)", steps=NONE_IS_GOOD,
             sparse=True),
        graph("各部门得分", "Average score by department and pack.",
              'department:jianwei_pack_score:avg{department=~"$department", pack=~"$pack"}', "{{department}} {{pack}}", "percentunit"),
        graph("结果分布", "Rules by verdict.",
              'sum by (verdict) (department:jianwei_pack_verdicts:sum{department=~"$department", pack=~"$pack"})', "{{verdict}}",
              stacked=True),
        graph("命中（按级别）", "Open hits by severity.",
              f'sum by (severity) (department:jianwei_hits:sum{{department=~"$department", {OPEN}}})', "{{severity}}", stacked=True,
              sparse=True),
        table("得分最低的主机", "The twenty hosts with the lowest scores.",
              'bottomk(20, min by (department, instance, pack) (jianwei_pack_score_ratio{$H, pack=~"$pack"}))', "得分", "percentunit"),
        table("最常见的不合规规则", "Rules that fail on most hosts.",
              'topk(20, count by (rule, severity) (jianwei_rule_verdict{$H, pack=~"$pack", verdict="fail"}))', "主机数", sparse=True),
        graph("最久未处置", "Age of the oldest open hit.", "max by (department) (jianwei_hit_oldest_open_seconds{$H})", "{{department}}",
              "s", sparse=True),
        graph("部门最低得分", "Lowest score of a host, by department.",
              'department:jianwei_pack_score:min{department=~"$department", pack=~"$pack"}', "{{department}} {{pack}}", "percentunit"),
        graph("部门最久未检查", "Age of the oldest last audit, by department.",
              'department:jianwei_audit_age_seconds:max{department=~"$department"}', "{{department}}", "s"),
        Row("评审台"),
        graph("评审台命中", "Hits in the console's database by state.", "sum by (state) (jianwei_console_hits)", "{{state}}",
              stacked=True, sparse=True),
        graph("评审台主机", "Hosts by how their audits come, and what is wrong.", (
            ("sum by (source) (jianwei_console_hosts)", "{{source}}"),
            ("sum(jianwei_console_silent_hosts)", "失联"), ("sum(jianwei_console_failing_hosts)", "失败"),
        ), sparse=True),
        graph("评审台响应 P95", "95th percentile of the time of a request.",
              "histogram_quantile(0.95, sum by (le) (rate(jianwei_console_request_duration_seconds_bucket[$__rate_interval])))", "p95", "s",
              sparse=True),
        alerts("baseline"),
    ),
)  # fmt: skip
