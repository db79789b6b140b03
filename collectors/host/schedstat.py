"""Time tasks ran and waited on each CPU: /proc/schedstat.

Format: Documentation/scheduler/sched-stats.rst of the kernel, the same in versions 15 to 17: the
last three of nine numbers are nanoseconds of running, of waiting, and the count of time slices.
"""

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

SCHEDSTAT = File("/proc/schedstat")


class SchedstatCollector(Collector, frozen=True):
    """Running, waiting and time slices by CPU; absent without CONFIG_SCHEDSTATS."""

    name: ClassVar[str] = "schedstat"

    def readings(self) -> tuple[File, ...]:
        return (SCHEDSTAT,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        running: list[Sample] = []
        waiting: list[Sample] = []
        slices: list[Sample] = []
        with malformed("/proc/schedstat"):
            for line in answers.text(SCHEDSTAT).splitlines():
                if not line.startswith("cpu"):  # domains are many and say nothing here
                    continue
                fields = line.split()
                labels = (("cpu", fields[0][3:]),)
                running.append(Sample(labels, float(fields[7]) / 1e9))
                waiting.append(Sample(labels, float(fields[8]) / 1e9))
                slices.append(Sample(labels, float(fields[9])))
        if not running:
            raise ParseError("/proc/schedstat: no line of a CPU")
        yield counter("node_schedstat_running_seconds_total", "Seconds tasks ran.", *running)
        yield counter(
            "node_schedstat_waiting_seconds_total", "Seconds tasks waited for the CPU.", *waiting
        )
        yield counter("node_schedstat_timeslices_total", "Time slices given to tasks.", *slices)
