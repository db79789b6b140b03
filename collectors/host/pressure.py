"""Time lost to waiting for CPU, memory, I/O and interrupts: /proc/pressure.

Format: Documentation/accounting/psi.rst of the kernel; times in microseconds. The line `full` of
cpu means nothing for a whole system and is left out.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, counter, malformed, sample

CPU, IO, MEMORY, IRQ = (File(f"/proc/pressure/{it}") for it in ("cpu", "io", "memory", "irq"))

FAMILIES = {
    (CPU, "some"): ("cpu_waiting", "Seconds in which some task waited for a CPU."),
    (IO, "some"): ("io_waiting", "Seconds in which some task waited for I/O."),
    (IO, "full"): ("io_stalled", "Seconds in which every task that could run waited for I/O."),
    (MEMORY, "some"): ("memory_waiting", "Seconds in which some task waited for memory."),
    (MEMORY, "full"): (
        "memory_stalled",
        "Seconds in which every task that could run waited for memory.",
    ),
    (IRQ, "full"): ("irq_stalled", "Seconds in which tasks waited for interrupts to be handled."),
}


class PressureCollector(Collector, frozen=True):
    """Pressure stall information; absent where the kernel was built or booted without it."""

    name: ClassVar[str] = "pressure"

    def readings(self) -> tuple[File, ...]:
        return (CPU, IO, MEMORY, IRQ)

    def parse(self, answers: Answers) -> Iterable[Family]:
        for file in (CPU, IO, MEMORY, IRQ):
            # irq needs a newer kernel that accounts for interrupt time
            text = answers.text(file) if file is not IRQ else answers.maybe(file)
            with malformed(file.path):
                for line in (text or "").splitlines():
                    kind, _, rest = line.partition(" ")
                    if family := FAMILIES.get((file, kind)):
                        total = float(rest.rpartition("total=")[2]) / 1e6
                        yield counter(
                            f"node_pressure_{family[0]}_seconds_total", family[1], sample(total)
                        )
