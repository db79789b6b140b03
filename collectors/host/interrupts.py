"""Interrupts by CPU, number and device: /proc/interrupts, proc(5). One series for each cell."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import (
    Answers,
    Collector,
    Family,
    File,
    ParseError,
    Sample,
    counter,
    malformed,
)

INTERRUPTS = File("/proc/interrupts")


class InterruptsCollector(Collector, frozen=True):
    """Off by default, since it has CPUs times interrupts series. `zeros: false` leaves out zeros."""

    name: ClassVar[str] = "interrupts"
    zeros: bool = True

    def readings(self) -> tuple[File, ...]:
        return (INTERRUPTS,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        samples: list[Sample] = []
        with malformed("/proc/interrupts"):
            header, *lines = answers.text(INTERRUPTS).splitlines()
            # the header names the CPUs that are online, which may have gaps
            cpus = [("cpu", name.removeprefix("CPU")) for name in header.split()]
            for line in lines:
                kind, _, rest = line.partition(":")
                fields = rest.split(None, len(cpus))
                if len(fields) <= len(cpus):
                    continue  # ERR and MIS are sums without a description
                kind = kind.strip()
                info, devices = " ".join(fields[-1].split()), ""
                if kind.isdecimal():
                    info, _, devices = info.partition(" ")
                described = (("type", kind), ("info", info), ("devices", devices))
                for cpu, field in zip(cpus, fields, strict=False):
                    value = float(field)
                    if value or self.zeros:
                        samples.append(Sample((cpu, *described), value))
        if not cpus:
            raise ParseError("/proc/interrupts: no CPU")
        yield counter("node_interrupts_total", "Interrupts served by each CPU.", *samples)
