"""One host."""

from __future__ import annotations

from typing import Final

from deploy.grafana.panels import (
    GOOD_LOW,
    Dashboard,
    Row,
    estate_variables,
    instance,
)
from deploy.grafana.parts import alerts, graph, stat, table

BOARD: Final = Dashboard(
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
        graph("内存用途", "What memory is used for.", (
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
        ), columns={"大小": "bytes", "可用 %": "percent", "inode 可用 %": "percent"}),
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
