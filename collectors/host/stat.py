"""Interrupts, context switches, forks, boot time, processes that run or are blocked: /proc/stat.

Format: proc(5). Tasks that hung: /proc/sys/kernel/hung_task_detect_count (newer kernels).
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
    Sample,
    malformed,
    sample,
    untyped,
)

STAT = File("/proc/stat")
HUNG = File("/proc/sys/kernel/hung_task_detect_count")

FAMILIES: dict[str, tuple[str, Kind, str]] = {
    "intr": ("node_intr_total", "counter", "Interrupts served."),
    "ctxt": ("node_context_switches_total", "counter", "Switches from one task to another."),
    "processes": ("node_forks_total", "counter", "Processes and threads created."),
    "btime": ("node_boot_time_seconds", "gauge", "When the system booted, in Unix time."),
    "procs_running": ("node_procs_running", "gauge", "Tasks that run or could run now."),
    "procs_blocked": ("node_procs_blocked", "gauge", "Tasks that wait for I/O to complete."),
}


class StatCollector(Collector, frozen=True):
    """What the kernel counts since boot."""

    name: ClassVar[str] = "stat"

    def readings(self) -> tuple[File, ...]:
        return (STAT, HUNG)

    def parse(self, answers: Answers) -> Iterable[Family]:
        values: dict[str, float] = {}
        with malformed("/proc/stat"):
            for line in answers.text(STAT).splitlines():
                key, _, rest = line.partition(" ")
                if key in FAMILIES:
                    # `intr` goes on with one number for each interrupt
                    values[key] = float(rest.partition(" ")[0])
            for key, (name, kind, help) in FAMILIES.items():
                yield Family(name, kind, help, (Sample((), values[key]),))
        if (hung := answers.maybe(HUNG)) is not None:
            with malformed(HUNG.path):
                # untyped: dashboards know this counter by a name without `_total`
                yield untyped(
                    "node_kernel_hung_tasks",
                    "Tasks found hung (blocked for minutes) since boot.",
                    sample(float(hung)),
                )
