"""Tracked connections: nf_conntrack_count and _max (sysctl), /proc/net/stat/nf_conntrack.

Format of the latter: ct_cpu_seq_show() in net/netfilter/nf_conntrack_standalone.c of the kernel: a
header, then one line of hexadecimal columns for each CPU.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, gauge, malformed, sample

COUNT = File("/proc/sys/net/netfilter/nf_conntrack_count")
LIMIT = File("/proc/sys/net/netfilter/nf_conntrack_max")
STATS = File("/proc/net/stat/nf_conntrack")

HELP = {
    "found": "Look-ups that found a connection.",
    "invalid": "Packets that could not be tracked.",
    "ignore": "Packets that were not to be tracked.",
    "insert": "Connections entered.",
    "insert_failed": "Connections that could not be entered.",
    "drop": "Packets dropped because they could not be tracked.",
    "early_drop": "Connections forgotten early to make room for new ones.",
    "search_restart": "Look-ups begun again because the table changed.",
}


class ConntrackCollector(Collector, frozen=True):
    """Connections tracked by the firewall; absent where nothing needs tracking."""

    name: ClassVar[str] = "conntrack"

    def readings(self) -> tuple[File, ...]:
        return (COUNT, LIMIT, STATS)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("nf_conntrack"):
            count, limit = float(answers.text(COUNT)), float(answers.text(LIMIT))
        yield gauge("node_nf_conntrack_entries", "Connections tracked now.", sample(count))
        yield gauge(
            "node_nf_conntrack_entries_limit",
            "Connections that can be tracked at most.",
            sample(limit),
        )
        if stats := answers.maybe(STATS):
            with malformed(STATS.path):
                yield from _statistics(stats)


def _statistics(text: str) -> Iterator[Family]:
    header, *lines = text.splitlines()
    rows = [line.split() for line in lines]
    for column, field in enumerate(header.split()):
        if field in HELP:
            total = sum(int(row[column], 16) for row in rows)
            yield gauge(f"node_nf_conntrack_stat_{field}", HELP[field], sample(float(total)))
