"""Packets that each CPU took from network cards: /proc/net/softnet_stat.

Format: softnet_seq_show() in net/core/net-procfs.c of the kernel: hexadecimal columns, one line for
each CPU that is online. Later kernels append columns; since 5.10 the 13th is the CPU's number.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import (
    Answers,
    Collector,
    Family,
    File,
    Kind,
    ParseError,
    Sample,
    malformed,
)

SOFTNET = File("/proc/net/softnet_stat")

CPU_COLUMN = 12
FAMILIES: dict[int, tuple[str, Kind, str]] = {
    0: ("node_softnet_processed_total", "counter", "Packets processed."),
    1: ("node_softnet_dropped_total", "counter", "Packets dropped because the queue was full."),
    2: (
        "node_softnet_times_squeezed_total",
        "counter",
        "Times the budget ended before the work did.",
    ),
    8: ("node_softnet_cpu_collision_total", "counter", "Times a sender found the device locked."),
    9: ("node_softnet_received_rps_total", "counter", "Times another CPU woke this one (RPS)."),
    10: ("node_softnet_flow_limit_count_total", "counter", "Packets dropped by the flow limit."),
    11: ("node_softnet_backlog_len", "gauge", "Packets that wait to be processed."),
}


class SoftnetCollector(Collector, frozen=True):
    """What each CPU did with packets that arrived."""

    name: ClassVar[str] = "softnet"

    def readings(self) -> tuple[File, ...]:
        return (SOFTNET,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        samples: dict[int, list[Sample]] = {}
        with malformed("/proc/net/softnet_stat"):
            for number, line in enumerate(answers.text(SOFTNET).splitlines()):
                columns = line.split()
                if len(columns) > CPU_COLUMN:
                    number = int(columns[CPU_COLUMN], 16)
                elif len(columns) < 9:
                    raise ParseError(f"/proc/net/softnet_stat: {len(columns)} columns")
                labels = (("cpu", str(number)),)
                for column in FAMILIES:
                    if column < len(columns):
                        value = float(int(columns[column], 16))
                        samples.setdefault(column, []).append(Sample(labels, value))
        if not samples:
            raise ParseError("/proc/net/softnet_stat: empty")
        for column, found in samples.items():
            name, kind, help = FAMILIES[column]
            yield Family(name, kind, help, found)
