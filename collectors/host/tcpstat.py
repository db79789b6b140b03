"""TCP connections by state, IPv4 and IPv6 together: /proc/net/tcp and tcp6, proc(5).

The files have one line for each connection, hence off by default.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from collectors.model import (
    MEBIBYTE,
    Answers,
    Collector,
    Family,
    File,
    gauge,
    malformed,
    sample,
)

LIMIT = 64 * MEBIBYTE  # about 400,000 connections
TCP = File("/proc/net/tcp", LIMIT)
TCP6 = File("/proc/net/tcp6", LIMIT)

# include/net/tcp_states.h
STATES = {
    "01": "established",
    "02": "syn_sent",
    "03": "syn_recv",
    "04": "fin_wait1",
    "05": "fin_wait2",
    "06": "time_wait",
    "07": "close",
    "08": "close_wait",
    "09": "last_ack",
    "0A": "listen",
    "0B": "closing",
}


class TcpstatCollector(Collector, frozen=True):
    """Connections in each state, and the bytes in their queues as two further `states`."""

    name: ClassVar[str] = "tcpstat"

    def readings(self) -> tuple[File, ...]:
        return (TCP, TCP6)

    def parse(self, answers: Answers) -> Iterable[Family]:
        states: Counter[str] = Counter()
        for file in (TCP, TCP6):
            # IPv6 may be off
            if (text := answers.text(TCP) if file is TCP else answers.maybe(file)) is None:
                continue
            with malformed(file.path):
                _, *lines = text.splitlines()
                for line in lines:
                    fields = line.split(None, 5)
                    states[STATES.get(fields[3], "unknown")] += 1
                    transmit, _, receive = fields[4].partition(":")
                    states["tx_queued_bytes"] += int(transmit, 16)
                    states["rx_queued_bytes"] += int(receive, 16)
        with malformed("/proc/net/tcp"):
            samples = [sample(float(count), state=state) for state, count in states.items()]
        yield gauge(
            "node_tcp_connection_states",
            "TCP connections in each state, and bytes queued.",
            *samples,
        )
