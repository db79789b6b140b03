"""Bytes that wait in the queues of UDP sockets: /proc/net/udp and udp6, proc(5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, gauge, malformed, sample

UDP = {"v4": File("/proc/net/udp"), "v6": File("/proc/net/udp6")}


class UdpQueuesCollector(Collector, frozen=True):
    """Sums over all UDP sockets; a receive queue that stays full loses datagrams."""

    name: ClassVar[str] = "udp_queues"

    def readings(self) -> tuple[File, ...]:
        return tuple(UDP.values())

    def parse(self, answers: Answers) -> Iterable[Family]:
        samples = []
        for ip, file in UDP.items():
            # IPv6 may be off
            if (text := answers.text(file) if ip == "v4" else answers.maybe(file)) is None:
                continue
            transmit = receive = 0
            with malformed(file.path):
                _, *lines = text.splitlines()
                for line in lines:
                    queued = line.split()[4].split(":")
                    transmit += int(queued[0], 16)
                    receive += int(queued[1], 16)
                samples.append(sample(float(transmit), queue="tx", ip=ip))
                samples.append(sample(float(receive), queue="rx", ip=ip))
        yield gauge("node_udp_queues", "Bytes in the queues of UDP sockets.", *samples)
