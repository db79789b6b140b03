"""Power supplies: /sys/class/power_supply (kernel Documentation/ABI/testing/sysfs-class-power)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, Glob, gauge, malformed, sample

ONLINE = Glob("/sys/class/power_supply/*/online")


class PowersupplyclassCollector(Collector, frozen=True):
    """Whether external power is there; what else a battery tells is not a server's."""

    name: ClassVar[str] = "powersupplyclass"

    def readings(self) -> tuple[Glob]:
        return (ONLINE,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("/sys/class/power_supply"):
            yield gauge(
                "node_power_supply_online",
                "Whether a supply gives power: 1 fixed, 2 programmable, 0 not.",
                *(
                    sample(float(text), power_supply=path.split("/")[-2])
                    for path, text in answers.texts(ONLINE).items()
                ),
            )
