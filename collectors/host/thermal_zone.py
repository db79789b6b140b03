"""Thermal zones and cooling devices: /sys/class/thermal (kernel Documentation/driver-api/thermal).

Temperatures are in thousandths of a degree Celsius. A zone that is not enabled has no temperature.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from collectors.model import Answers, Collector, Family, Glob, gauge, malformed, sample

ZONES = Glob("/sys/class/thermal/thermal_zone*", ("type", "temp"))
COOLERS = Glob("/sys/class/thermal/cooling_device*", ("type", "cur_state", "max_state"))


class ThermalZoneCollector(Collector, frozen=True):
    """Temperatures of thermal zones, and how hard cooling devices work."""

    name: ClassVar[str] = "thermal_zone"

    def readings(self) -> tuple[Glob, ...]:
        return ZONES, COOLERS

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("/sys/class/thermal"):
            yield gauge(
                "node_thermal_zone_temp",
                "Temperature of a thermal zone, degrees Celsius.",
                *(
                    sample(float(has["temp"]) / 1000, type=has.get("type", ""), zone=zone)
                    for zone, has in _numbered(answers, ZONES, "thermal_zone")
                    if "temp" in has
                ),
            )
            coolers = list(_numbered(answers, COOLERS, "cooling_device"))
            for state, help_ in (
                ("cur_state", "Step that a cooling device is at; 0 is off."),
                ("max_state", "Last step of a cooling device."),
            ):
                yield gauge(
                    f"node_cooling_device_{state}",
                    help_,
                    *(
                        sample(float(has[state]), name=name, type=has.get("type", ""))
                        for name, has in coolers
                        if state in has
                    ),
                )


def _numbered(answers: Answers, glob: Glob, prefix: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Number of each device and its attributes."""
    devices: dict[str, dict[str, str]] = {}
    for path, text in answers.texts(glob).items():
        device, attribute = path.split("/")[-2:]
        devices.setdefault(device, {})[attribute] = text
    yield from ((device.removeprefix(prefix), has) for device, has in devices.items())
