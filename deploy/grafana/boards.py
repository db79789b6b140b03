"""The dashboards: estate, host, lines, IPv6, baseline, agent. Titles are Chinese, descriptions English."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from panels import (
    GOOD_HIGH,
    GOOD_LOW,
    HOST,
    NONE_IS_GOOD,
    PLAIN,
    Dashboard,
    Panel,
    Row,
    Steps,
    Variable,
    estate_variables,
    instance,
)

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
          height: int = 8, sparse: bool = False) -> Panel:  # fmt: skip
    asked = ((queries, legend),) if isinstance(queries, str) else queries
    return Panel("table", title, described, asked, unit, width, height, sparse=sparse)


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


FRESH: Final = ((None, "green"), (7200, "orange"), (86400, "red"))

ESTATE = Dashboard(
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
        ), width=24, height=9),
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
        ), width=24),
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

HOSTS = Dashboard(
    "jianwei-host", "见微 · 主机", "One host: CPU, memory, pressure, disks, network, clock.",
    [*estate_variables(), instance(one=True)],
    (
        stat("在线", "Whether the agent is scraped.", 'up{job="jianwei", instance=~"$instance"}',
             steps=((None, "red"), (1, "green"))),
        stat("运行时间", "Time since it booted.", 'time() - node_boot_time_seconds{instance=~"$instance"}', "s"),
        stat("CPU 利用率", "Neither idle, waiting for I/O nor taken by the hypervisor.",
             'instance:jianwei_cpu_used:ratio{instance=~"$instance"}', "percentunit", GOOD_LOW),
        stat("内存利用率", "Not available to new programs.", 'instance:jianwei_memory_used:ratio{instance=~"$instance"}',
             "percentunit", GOOD_LOW),
        stat("CPU 数", "CPUs.", 'instance:jianwei_cpus:count{instance=~"$instance"}'),
        stat("时钟偏差", "Against the clock of the Prometheus server.",
             'node_time_seconds{instance=~"$instance"} - timestamp(node_time_seconds{instance=~"$instance"})', "s"),
        graph("CPU（按状态）", "CPU time by mode, in CPUs.",
              'sum by (mode) (rate(node_cpu_seconds_total{instance=~"$instance", mode!="idle"}[$__rate_interval]))',
              "{{mode}}", stacked=True),
        graph("负载", "Load averages and the number of CPUs.", (
            ('node_load1{instance=~"$instance"}', "1 min"), ('node_load5{instance=~"$instance"}', "5 min"),
            ('node_load15{instance=~"$instance"}', "15 min"), ('instance:jianwei_cpus:count{instance=~"$instance"}', "CPUs"),
        )),
        graph("压力（PSI）", "Share of the time in which some task waited; kernel 4.20 and later.", (
            ('rate(node_pressure_cpu_waiting_seconds_total{instance=~"$instance"}[$__rate_interval])', "CPU"),
            ('rate(node_pressure_memory_waiting_seconds_total{instance=~"$instance"}[$__rate_interval])', "内存"),
            ('rate(node_pressure_io_waiting_seconds_total{instance=~"$instance"}[$__rate_interval])', "I/O"),
        ), unit="percentunit"),
        Row("内存"),
        graph("内存", "What memory is used for.", (
            ('node_memory_MemTotal_bytes{instance=~"$instance"} - node_memory_MemAvailable_bytes{instance=~"$instance"}', "已用"),
            ('node_memory_Cached_bytes{instance=~"$instance"} + node_memory_Buffers_bytes{instance=~"$instance"}', "缓存"),
            ('node_memory_MemTotal_bytes{instance=~"$instance"}', "总量"),
        ), unit="bytes"),
        graph("交换", "Swap in use, and pages moved.", (
            ('node_memory_SwapTotal_bytes{instance=~"$instance"} - node_memory_SwapFree_bytes{instance=~"$instance"}', "已用交换"),
        ), unit="bytes"),
        graph("因内存不足终止的进程", "Processes killed since memory ran out.",
              'increase(node_vmstat_oom_kill{instance=~"$instance"}[$__rate_interval])', "oom", sparse=True),
        Row("磁盘"),
        table("文件系统", "File systems: size, share that is left, inodes left.", (
            ('node_filesystem_size_bytes{instance=~"$instance"}', "大小"),
            ('100 * node_filesystem_avail_bytes{instance=~"$instance"} / node_filesystem_size_bytes{instance=~"$instance"}', "可用 %"),
            ('100 * node_filesystem_files_free{instance=~"$instance"} / (node_filesystem_files{instance=~"$instance"} > 0)', "inode 可用 %"),
        )),
        graph("文件系统可用", "Share left, by mount.",
              'node_filesystem_avail_bytes{instance=~"$instance"} / node_filesystem_size_bytes{instance=~"$instance"}',
              "{{mountpoint}}", "percentunit", width=12),
        graph("磁盘吞吐", "Bytes read and written.", (
            ('rate(node_disk_read_bytes_total{instance=~"$instance"}[$__rate_interval])', "读 {{device}}"),
            ('rate(node_disk_written_bytes_total{instance=~"$instance"}[$__rate_interval])', "写 {{device}}"),
        ), unit="Bps", sparse=True),
        graph("磁盘忙碌", "Share of the time with a request under way.",
              'rate(node_disk_io_time_seconds_total{instance=~"$instance"}[$__rate_interval])', "{{device}}", "percentunit",
              sparse=True),
        graph("磁盘时延", "Average time of a request.", (
            ('rate(node_disk_read_time_seconds_total{instance=~"$instance"}[$__rate_interval]) / rate(node_disk_reads_completed_total{instance=~"$instance"}[$__rate_interval])', "读 {{device}}"),
            ('rate(node_disk_write_time_seconds_total{instance=~"$instance"}[$__rate_interval]) / rate(node_disk_writes_completed_total{instance=~"$instance"}[$__rate_interval])', "写 {{device}}"),
        ), unit="s", sparse=True),
        Row("网络"),
        graph("网络流量", "Bytes received and sent.", (
            ('rate(node_network_receive_bytes_total{instance=~"$instance", device!="lo"}[$__rate_interval])', "收 {{device}}"),
            ('rate(node_network_transmit_bytes_total{instance=~"$instance", device!="lo"}[$__rate_interval])', "发 {{device}}"),
        ), unit="Bps", sparse=True),
        graph("网络错误与丢弃", "Packets with errors, and packets dropped.", (
            ('rate(node_network_receive_errs_total{instance=~"$instance"}[$__rate_interval]) + rate(node_network_transmit_errs_total{instance=~"$instance"}[$__rate_interval])', "错误 {{device}}"),
            ('rate(node_network_receive_drop_total{instance=~"$instance"}[$__rate_interval]) + rate(node_network_transmit_drop_total{instance=~"$instance"}[$__rate_interval])', "丢弃 {{device}}"),
        ), unit="pps"),
        graph("TCP", "Connections, and segments sent again.", (
            ('node_netstat_Tcp_CurrEstab{instance=~"$instance"}', "已建立"),
            ('rate(node_netstat_Tcp_RetransSegs{instance=~"$instance"}[$__rate_interval])', "重传/秒"),
        )),
        alerts("", 'instance=~"$instance"'),
    ),
)  # fmt: skip

INFO: Final = 'jianwei_line_info{department=~"$department", region=~"$region", level=~"$level", carrier=~"$carrier", line=~"$line"}'
JOIN: Final = f"* on (instance, line) group_left (site, level, carrier, role) {INFO}"
TARGET: Final = 'target=~"$line(#[0-9]+|/.*)?"'

LINES = Dashboard(
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

IPV6 = Dashboard(
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

OPEN: Final = 'state=~"new|acknowledged|regressed"'
BASELINE = Dashboard(
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

AGENT = Dashboard(
    "jianwei-agent", "见微 · 代理", "Agents: up, versions, cost, collectors, what they send and keep.",
    [*estate_variables(), instance()],
    (
        stat("代理数", "Agents in discovery.", 'count(up{job="jianwei", $H})'),
        stat("无法采集", "Agents that cannot be scraped.", 'count(up{job="jianwei", $H} == 0)', steps=NONE_IS_GOOD, sparse=True),
        stat("版本数", "Different versions that run.", "count(count by (version) (jianwei_build_info{$H}))",
             steps=((None, "green"), (3, "orange"))),
        stat("配置有误", "Agents whose configuration file is wrong.", "count(jianwei_config_last_reload_successful{$H} == 0)",
             steps=NONE_IS_GOOD, sparse=True),
        stat("未加密服务", "Agents served without TLS or authentication beyond loopback.", "sum(jianwei_web_insecure{$H})",
             steps=NONE_IS_GOOD),
        stat("最近到期证书", "Time until the first certificate that is probed expires.", "min(jianwei_probe_tls_expiry_seconds)", "s",
             ((None, "red"), (1209600, "green")), sparse=True),
        table("版本", "Agents by version.", "count by (version, python) (jianwei_build_info{$H})", "代理数", width=8),
        table("失败的采集器", "Collectors that fail, by reason; absent is not told.",
              'count by (collector, reason) (jianwei_collector_failure{$H, reason!="absent"})', "代理数", width=8, sparse=True),
        table("重启最多", "Agents that started most often in a day.",
              'topk(10, changes(process_start_time_seconds{job="jianwei", $H}[1d]) > 0)', "次数", width=8, sparse=True),
        Row("开销"),
        graph("内存", "Resident memory, the largest 20.", 'topk(20, process_resident_memory_bytes{job="jianwei", $H})', "{{instance}}",
              "bytes"),
        graph("CPU", "CPU time, the largest 20.", 'topk(20, rate(process_cpu_seconds_total{job="jianwei", $H}[$__rate_interval]))',
              "{{instance}}", "percentunit"),
        graph("采集耗时", "How long scrapes take, the slowest 20.", 'topk(20, scrape_duration_seconds{job="jianwei", $H})', "{{instance}}",
              "s"),
        graph("采集器耗时", "Time of collectors, the worst agent of each.",
              "topk(20, max by (collector) (node_scrape_collector_duration_seconds{$H}))", "{{collector}}", "s"),
        graph("样本数", "Series in a scrape, the largest 20.", 'topk(20, scrape_samples_scraped{job="jianwei", $H})', "{{instance}}"),
        graph("拒绝的请求", "Requests and connections that agents refused.",
              "sum by (reason) (rate(jianwei_web_refused_total{$H}[$__rate_interval])) > 0", "{{reason}}", sparse=True),
        Row("外送与留存"),
        graph("发往安全平台的队列", "Bytes that wait on disk.", "topk(20, jianwei_findings_queue_bytes{$H})", "{{instance}} {{sink}}", "bytes",
              sparse=True),
        graph("丢失的消息", "Messages lost or refused in an hour.", (
            ("sum by (sink) (increase(jianwei_findings_dropped_total{$H}[1h]))", "丢弃 {{sink}}"),
            ("sum by (sink) (increase(jianwei_findings_refused_total{$H}[1h]))", "拒收 {{sink}}"),
        ), sparse=True),
        graph("历史文件", "Size of the history of use.", "topk(20, jianwei_history_size_bytes{$H})", "{{instance}}", "bytes", sparse=True),
        alerts("agent"),
    ),
)  # fmt: skip

BOARDS: Final = (ESTATE, HOSTS, LINES, IPV6, BASELINE, AGENT)
