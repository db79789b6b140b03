"""Load averages: /proc/loadavg, proc(5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, gauge, malformed, sample

LOADAVG = File("/proc/loadavg")


class LoadavgCollector(Collector, frozen=True):
    """Processes that run or wait to run, averaged over 1, 5 and 15 minutes."""

    name: ClassVar[str] = "loadavg"

    def readings(self) -> tuple[File, ...]:
        return (LOADAVG,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("/proc/loadavg"):
            fields = answers.text(LOADAVG).split()
            for minutes, field in zip(("1", "5", "15"), fields[:3], strict=True):
                yield gauge(
                    f"node_load{minutes}", f"Load average over {minutes} min.", sample(float(field))
                )
