"""Whether the clock is kept true and by whom: adjtimex(2), the list of processes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Fact, Inventory, malformed
from collectors.rows import Process, Timex

TIMEX = Inventory("timex")
PROCESSES = Inventory("processes")

TIME_ERROR = 5
STA_UNSYNC = 0x40

# As the kernel has them: 15 characters.
DAEMONS = {
    "chronyd": "chrony",
    "ntpd": "ntpd",
    "openntpd": "openntpd",
    "ptp4l": "ptp4l",
    "systemd-timesyn": "systemd-timesyncd",
    "ntimed-client": "ntimed",
}


class TimesyncCollector(Collector, frozen=True):
    """`timesync`: synchronised (says the kernel), maxerror (seconds), daemons that run."""

    name: ClassVar[str] = "timesync"
    facts: ClassVar[tuple[str, ...]] = ("timesync",)

    def readings(self) -> tuple[Inventory, ...]:
        return (TIMEX, PROCESSES)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        with malformed("timex"):
            (timex,) = answers.rows(TIMEX, Timex)
            maxerror = timex.maxerror / 1e6
        names = {process.name[:15] for process in answers.rows(PROCESSES, Process)}
        yield Fact(
            "timesync",
            {
                "synchronised": timex.state != TIME_ERROR and not timex.status & STA_UNSYNC,
                "maxerror": maxerror,
                "daemons": sorted(DAEMONS[name] for name in names if name in DAEMONS),
            },
            {"synchronised": "adjtimex", "maxerror": "adjtimex", "daemons": "processes"},
        )
