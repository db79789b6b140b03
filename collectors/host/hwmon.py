"""Sensors of the machine: /sys/class/hwmon (kernel Documentation/hwmon/sysfs-interface.rst).

A file is called TYPE, NUMBER and maybe `_PROPERTY` (temp1_input, fan2_min, pwm1). Values are whole
numbers in a unit that depends on the type. A file without a value (a disk that sleeps, a text) is
left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from typing import ClassVar, NamedTuple

from collectors.model import (
    Answer,
    Answers,
    Collector,
    Family,
    Glob,
    Kind,
    Reading,
    Sample,
    Stat,
    Unavailable,
)
from collectors.rows import FileStat

CLASS = Stat("/sys/class/hwmon")
DEVICES = Stat("/sys/class/hwmon/*/device")
CHIPS = Glob("/sys/class/hwmon/*", ("name", "beep_enable", "update_interval", "vrm"))
SENSORS = Glob("/sys/class/hwmon/*/*[0-9]*")

WORDS = {
    "beep_enable": "Beeping",
    "cpu": "Voltage of the processor",
    "curr": "Current",
    "energy": "Energy used",
    "fan": "Fan",
    "humidity": "Humidity",
    "in": "Voltage",
    "intrusion": "Opening of the case",
    "power": "Power used",
    "pwm": "Drive of a fan",
    "temp": "Temperature",
    "update_interval": "How often the chip measures",
    "vrm": "Voltage regulator version, times ten",
}
FILE = re.compile(rf"({'|'.join(WORDS)})([0-9]*)(?:_(.+))?")
MILLI, MICRO = 0.001, 0.000001


class Unit(NamedTuple):
    """How a figure of the kernel becomes one of ours, and what ends the name of the family."""

    factor: float = 1
    suffix: str = ""
    kind: Kind = "gauge"


PLAIN = Unit()
BY_PROPERTY = {"fault": PLAIN, "alarm": PLAIN, "beep": Unit(1, "_enabled")}
BY_FILE = {
    ("temp", "type"): PLAIN,
    ("power", "accuracy"): Unit(MICRO),
    ("power", "average_interval"): Unit(MILLI, "_seconds"),
    ("power", "average_interval_min"): Unit(MILLI, "_seconds"),
    ("power", "average_interval_max"): Unit(MILLI, "_seconds"),
    **{("fan", property): Unit(1, "_rpm") for property in ("input", "min", "max", "target")},
}
BY_TYPE = {
    "in": Unit(MILLI, "_volts"),
    "cpu": Unit(MILLI, "_volts"),
    "temp": Unit(MILLI, "_celsius"),
    "curr": Unit(MILLI, "_amps"),
    "energy": Unit(MICRO, "_joule_total", "counter"),
    "power": Unit(MICRO, "_watt"),
    "humidity": Unit(MICRO),
    "update_interval": Unit(MILLI),
}
NAMES = {
    "beep_enable": "beep_enabled",
    "update_interval": "update_interval_seconds",
    "vrm": "voltage_regulator_version",
}


class HwmonCollector(Collector, frozen=True):
    """Temperatures, fans, voltages, currents and power, with their limits and alarms."""

    name: ClassVar[str] = "hwmon"

    def readings(self) -> tuple[Reading, ...]:
        return CLASS, DEVICES, CHIPS, SENSORS

    def parse(self, answers: Answers) -> Iterable[Family]:
        if not answers.rows(CLASS, FileStat):
            raise Unavailable(CLASS, Answer("absent", reason="no such directory"))
        files = answers.texts(CHIPS)
        names = {
            path[: -len("/name")]: text for path, text in files.items() if path[-5:] == "/name"
        }
        sensors: dict[tuple[str, str, str], dict[str, str]] = {}
        for path, text in (*files.items(), *answers.texts(SENSORS).items()):
            folder, _, file = path.rpartition("/")
            if parts := _split(file):
                kind, number, property = parts
                sensors.setdefault((folder, kind, number), {})[property] = text
        folders = dict.fromkeys((*names, *(folder for folder, _, _ in sensors)))
        chips = _chips(folders, names, answers.rows(DEVICES, FileStat))
        chip_names = [
            Sample((("chip", chips[folder]), ("chip_name", _clean(name))), 1)
            for folder, name in names.items()
            if _clean(name)
        ]
        yield Family("node_hwmon_chip_names", "gauge", "Name of a chip; always 1.", chip_names)
        yield Family(
            "node_hwmon_sensor_label",
            "gauge",
            "What a sensor is called; always 1.",
            [
                Sample((("chip", chips[f]), ("label", has["label"]), ("sensor", kind + number)), 1)
                for (f, kind, number), has in sensors.items()
                if has.get("label")
            ],
        )
        yield from _figures(chips, sensors)


def _figures(
    chips: Mapping[str, str], sensors: Mapping[tuple[str, str, str], Mapping[str, str]]
) -> Iterator[Family]:
    families: dict[str, tuple[Kind, str, list[Sample]]] = {}
    for (folder, kind, number), has in sensors.items():
        labels = (("chip", chips[folder]), ("sensor", kind + number))
        for property, text in has.items():
            if property == "label" or not text.removeprefix("-").isdecimal():
                continue
            shown = "" if property == "input" and "" not in has else property
            name, unit = _family(kind, shown, property)
            help_ = f"{WORDS[kind]}, as sensors tell{f': {shown}' if shown else ''}."
            _, _, samples = families.setdefault(name, (unit.kind, help_, []))
            samples.append(Sample(labels, float(text) * unit.factor))
    for name, (family_kind, help_, samples) in families.items():
        yield Family(name, family_kind, help_, samples)


@lru_cache(maxsize=1024)
def _family(kind: str, shown: str, property: str) -> tuple[str, Unit]:
    unit = BY_PROPERTY.get(property) or BY_FILE.get((kind, property)) or BY_TYPE.get(kind, PLAIN)
    name = f"node_hwmon_{NAMES.get(kind, kind)}"
    return f"{name}_{_clean(shown)}{unit.suffix}" if shown else name + unit.suffix, unit


@lru_cache(maxsize=1024)
def _split(file: str) -> tuple[str, str, str] | None:
    """Type, number and property of a sensor's file."""
    match = FILE.fullmatch(file)
    return (match[1], str(int(match[2] or 0)), match[3] or "") if match else None


def _chips(
    folders: Iterable[str], names: Mapping[str, str], devices: Iterable[FileStat]
) -> dict[str, str]:
    """Label of the chip in each folder: its device with the bus, else its name, else hwmonN.

    hwmonN depends on the order in which drivers came; it is used to tell two apart at last.
    """
    labels: dict[str, str] = {}
    targets = {row.path.removesuffix("/device"): row.target for row in devices}
    for folder in folders:
        bus, device = [_clean(part) for part in f"/{targets.get(folder, '')}".split("/")[-2:]]
        label = "_".join(filter(None, (device and bus, device)))
        number = folder.rpartition("/")[2]
        label = label or _clean(names.get(folder, "")) or number
        labels[folder] = f"{label}_{number}" if label in labels.values() else label
    return labels


def _clean(text: str) -> str:
    return re.sub(r"[^a-z0-9:_]", "_", text.lower()).strip("_")
