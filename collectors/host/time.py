"""The system's clock, its zone and the hardware that drives it: time(2), sysfs clocksource."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import (
    Answers,
    Collector,
    Family,
    Glob,
    Inventory,
    Reading,
    gauge,
    malformed,
    sample,
)
from collectors.rows import Clock

CLOCK = Inventory("clock")
AVAILABLE, CURRENT = "available_clocksource", "current_clocksource"
SOURCES = Glob(
    "/sys/devices/system/clocksource/clocksource[0-9]*",
    names=(AVAILABLE, CURRENT),
)


class TimeCollector(Collector, frozen=True):
    """Unix time, offset of the local zone, clock sources."""

    name: ClassVar[str] = "time"

    def readings(self) -> tuple[Reading, ...]:
        return (CLOCK, SOURCES)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("clock"):
            (clock,) = answers.rows(CLOCK, Clock)
        yield gauge("node_time_seconds", "The system's time, in Unix time.", sample(clock.seconds))
        yield gauge(
            "node_time_zone_offset_seconds",
            "Seconds by which local time is ahead of UTC.",
            sample(float(clock.offset), time_zone=clock.zone),
        )
        texts = answers.texts(SOURCES)
        for attribute, name, help in (
            (AVAILABLE, "node_time_clocksource_available_info", "Clock sources that can be used."),
            (CURRENT, "node_time_clocksource_current_info", "The clock source in use."),
        ):
            found = [
                sample(1.0, device=path.split("/")[-2].removeprefix("clocksource"), clocksource=it)
                for path, text in texts.items()
                if path.endswith(f"/{attribute}")
                for it in text.split()
            ]
            if found:
                yield gauge(name, help, *found)
