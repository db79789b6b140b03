"""IPv4 neighbours by interface: /proc/net/arp, proc(5)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, gauge, malformed, sample

ARP = File("/proc/net/arp")


class ArpCollector(Collector, frozen=True):
    """Entries of the ARP table, incomplete ones included."""

    name: ClassVar[str] = "arp"

    def readings(self) -> tuple[File, ...]:
        return (ARP,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("/proc/net/arp"):
            _, *entries = answers.text(ARP).splitlines()
            devices = Counter(entry.split()[5] for entry in entries)
        yield gauge(
            "node_arp_entries",
            "Entries of the ARP table.",
            *(sample(float(count), device=device) for device, count in devices.items()),
        )
