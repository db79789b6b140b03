"""The estate: every department at a glance."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panels import (
    GOOD_HIGH,
    GOOD_LOW,
    NONE_IS_GOOD,
    Dashboard,
    Row,
    estate_variables,
)
from deploy.grafana.parts import alerts, graph, stat, table

BOARD: Final = Dashboard(
    "jianwei-estate", "见微 · 全域总览", "Estate: every department at a glance, from recorded series.",
    estate_variables(),
    (
        stat("主机总数", "Hosts in discovery.", "sum(system:jianwei_hosts:count{$F})"),
        stat("在线率", "Share of hosts whose agents are scraped.",
             "sum(system:jianwei_hosts_up:sum{$F}) / sum(system:jianwei_hosts:count{$F})", "percentunit", GOOD_HIGH),
        stat("失联主机", "Hosts whose agents cannot be scraped.",
             "sum(system:jianwei_hosts:count{$F}) - sum(system:jianwei_hosts_up:sum{$F})", steps=NONE_IS_GOOD),
        stat("严重告警", "Critical alerts that fire now.",
             'count(ALERTS{alertstate="firing", severity="critical", alertname=~"Jianwei.+", $F})', steps=NONE_IS_GOOD,
             sparse=True),
        stat("CPU 利用率", "Of all hosts that are known.",
             "sum(system:jianwei_cpus_used:sum{$F}) / sum(system:jianwei_cpus:sum{$F})", "percentunit", GOOD_LOW),
        stat("内存利用率", "Of all hosts that are known.",
             "sum(system:jianwei_memory_used_bytes:sum{$F}) / sum(system:jianwei_memory_bytes:sum{$F})", "percentunit",
             GOOD_LOW),
        table("各部门", "Departments: hosts, share that is up, use, worst baseline score, IPv6 readiness.", (
            ('sum by (department) (system:jianwei_hosts:count{$F})', "主机"),
            ('department:jianwei_hosts_up:ratio{department=~"$department"}', "在线率"),
            ('department:jianwei_cpu_used:ratio{department=~"$department"}', "CPU"),
            ('department:jianwei_memory_used:ratio{department=~"$department"}', "内存"),
            ('department:jianwei_disk_used:ratio{department=~"$department"}', "磁盘"),
            ('min by (department) (department:jianwei_pack_score:avg{department=~"$department"})', "基线得分"),
            ('max by (department) (department:jianwei_ipv6_score:avg{department=~"$department", layer="total"})',
             "IPv6 得分"),
        ), width=24, height=9, columns=dict.fromkeys(("在线率", "CPU", "内存", "磁盘", "基线得分"), "percentunit")),
        alerts(""),
        Row("使用"),
        graph("各部门 CPU 利用率", "CPU used, by department.",
              'department:jianwei_cpu_used:ratio{department=~"$department"}', "{{department}}", "percentunit"),
        graph("各部门内存利用率", "Memory used, by department.",
              'department:jianwei_memory_used:ratio{department=~"$department"}', "{{department}}", "percentunit"),
        graph("各部门磁盘利用率", "Own disks used, by department.",
              'department:jianwei_disk_used:ratio{department=~"$department"}', "{{department}}", "percentunit"),
        table("各系统", "Systems: hosts, CPUs and memory used.", (
            ("sum by (department, system) (system:jianwei_hosts:count{$F})", "主机"),
            ("sum by (department, system) (system:jianwei_cpus_used:sum{$F}) / sum by (department, system) (system:jianwei_cpus:sum{$F})", "CPU"),
            ("sum by (department, system) (system:jianwei_memory_used_bytes:sum{$F}) / sum by (department, system) (system:jianwei_memory_bytes:sum{$F})", "内存"),
        ), width=24, columns=dict.fromkeys(("CPU", "内存"), "percentunit")),
        graph("接收流量最大的主机", "Bytes received, the largest 10 hosts.", "topk(10, instance:jianwei_receive_bytes:rate5m{$F})",
              "{{instance}}", "Bps"),
        graph("发送流量最大的主机", "Bytes sent, the largest 10 hosts.", "topk(10, instance:jianwei_transmit_bytes:rate5m{$F})",
              "{{instance}}", "Bps"),
        graph("磁盘最忙的主机", "Share of the time with a request under way, the busiest disk of 10 hosts.",
              "topk(10, instance:jianwei_disk_io:max_ratio{$F})", "{{instance}}", "percentunit", sparse=True),
        Row("线路与合规"),
        graph("线路状态", "Lines of the extranet by state; unknown is not up.", "sum by (state) (level:jianwei_lines:count)",
              "{{state}}", stacked=True),
        graph("未处置命中", "Open hits by severity.",
              'sum by (severity) (department:jianwei_hits:sum{state=~"new|acknowledged|regressed", department=~"$department"})',
              "{{severity}}", stacked=True),
        graph("失联主机（按区域）", "Hosts whose agents cannot be scraped, by region.",
              "sum by (region) (system:jianwei_hosts:count{$F} - system:jianwei_hosts_up:sum{$F})", "{{region}}"),
    ),
)  # fmt: skip
