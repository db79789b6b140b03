"""Agents themselves."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panels import (
    NONE_IS_GOOD,
    Dashboard,
    Row,
    estate_variables,
    instance,
)
from deploy.grafana.parts import alerts, graph, stat, table

BOARD: Final = Dashboard(
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
        graph("内存占用", "Resident memory, the largest 20.", 'topk(20, process_resident_memory_bytes{job="jianwei", $H})', "{{instance}}",
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
        graph("远程写入滞后", "Age of the oldest sample that waits for a receiver.",
              "topk(20, jianwei_remote_write_lag_seconds{$H})", "{{instance}} {{receiver}}", "s", sparse=True),
        graph("远程写入队列", "Bytes that wait on disk for a receiver.", "topk(20, jianwei_remote_write_queue_bytes{$H})",
              "{{instance}} {{receiver}}", "bytes", sparse=True),
        graph("远程写入吞吐", "Samples taken and lost.", (
            ("sum by (receiver) (rate(jianwei_remote_write_samples_total{$H}[$__rate_interval]))", "送达 {{receiver}}"),
            ("sum by (receiver, reason) (rate(jianwei_remote_write_dropped_total{$H}[$__rate_interval]))", "丢失 {{receiver}} {{reason}}"),
        ), sparse=True),
        graph("历史文件", "Size of the history of use.", "topk(20, jianwei_history_size_bytes{$H})", "{{instance}}", "bytes", sparse=True),
        alerts("agent"),
    ),
)  # fmt: skip
