"""IPv6: readiness, addresses, traffic, rogue routers."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panels import (
    GOOD_HIGH,
    NONE_IS_GOOD,
    Dashboard,
    Row,
    estate_variables,
    instance,
)
from deploy.grafana.parts import alerts, graph, stat, table

BOARD: Final = Dashboard(
    "jianwei-ipv6", "见微 · IPv6", "IPv6: readiness, addresses, traffic, reachability, rogue routers.",
    [*estate_variables(), instance()],
    (
        stat("有全球地址的主机", "Share of hosts with a global address that can be used.",
             "avg(instance:jianwei_ipv6_addresses:count{$H} > bool 0)", "percentunit", GOOD_HIGH, width=6),
        stat("平均就绪度", "Average readiness, 0 to 100; what was not tested counts as lost.",
             'avg(jianwei_ipv6_score{$H, layer="total"})', sparse=True, width=6),
        stat("未登记路由器", "Routers and DHCPv6 servers heard that are not expected.",
             "sum(jianwei_ipv6_rogue_advertisers{$H})", steps=NONE_IS_GOOD, sparse=True, width=6),
        stat("仅 IPv6 不通", "Targets that answer over IPv4 alone.",
             'count(jianwei_probe_success{$H, family="ipv6"} == 0 and ignoring (family) jianwei_probe_success{$H, family="ipv4"} == 1)',
             steps=NONE_IS_GOOD, sparse=True, width=6),
        table("就绪度", "Readiness by subject: the whole, and for clients without IPv4.", (
            ('max by (department, subject) (jianwei_ipv6_score{$H, layer="total"})', "总分"),
            ('max by (department, subject) (jianwei_ipv6_score{$H, layer="ipv6_only"})', "仅 IPv6"),
        ), sparse=True),
        table("未通过的检查", "Checks that failed, by how many subjects.",
              'count by (check) (jianwei_ipv6_check{$H, verdict="fail"})', "对象数", sparse=True),
        graph("各部门就绪度", "Average readiness by department.",
              'department:jianwei_ipv6_score:avg{department=~"$department", layer="total"}', "{{department}}", sparse=True, most=100),
        graph("未测的检查", "Checks that could not be done: they count as lost.",
              'count by (check) (jianwei_ipv6_check{$H, verdict="unknown"})', "{{check}}", sparse=True, stacked=True),
        graph("有地址的主机（按部门）", "Share of hosts with a global address.",
              'department:jianwei_ipv6_hosts:ratio{department=~"$department"}', "{{department}}", "percentunit"),
        Row("流量与连通"),
        graph("IPv6 流量占比", "Share of IPv6 in the traffic, loopback left out.",
              'department:jianwei_ipv6_traffic:ratio{department=~"$department"}', "{{department}}", "percentunit", sparse=True),
        graph("双栈探测", "Targets that answer, by family.", "sum by (family) (jianwei_probe_success{$H})", "{{family}}", sparse=True),
        graph("丢包率（按协议族）", "Average loss by family.", "avg by (family) (jianwei_probe_loss_ratio{$H})", "{{family}}",
              "percentunit", sparse=True),
        graph("默认路由", "IPv6 default routes; two more than expected may be a rogue.", "sum by (instance) (jianwei_ipv6_default_routes{$H})",
              "{{instance}}", sparse=True),
        graph("仅 IPv4 的端口", "Ports that listen on every IPv4 address and on no IPv6 one.",
              "topk(20, sum by (instance) (jianwei_listeners_ipv4_only{$H}))", "{{instance}}", sparse=True),
        graph("地址状态", "IPv6 addresses by state.", "sum by (state) (jianwei_ipv6_addresses{$H})", "{{state}}", sparse=True),
        alerts("ipv6"),
    ),
)  # fmt: skip
