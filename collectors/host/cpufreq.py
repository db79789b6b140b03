"""CPU frequencies and governors: sysfs cpufreq, in kHz.

Format: Documentation/admin-guide/pm/cpufreq.rst of the kernel. `cpuinfo_cur_freq` is not read: it
asks the hardware of every CPU by an interrupt, and only root may.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import (
    Answers,
    Collector,
    Family,
    Glob,
    Sample,
    gauge,
    malformed,
)

GOVERNOR, GOVERNORS = "scaling_governor", "scaling_available_governors"

FREQUENCIES = {
    "scaling_cur_freq": ("node_cpu_scaling_frequency_hertz", "Frequency a CPU runs at."),
    "scaling_min_freq": (
        "node_cpu_scaling_frequency_min_hertz",
        "Lowest frequency the governor may choose.",
    ),
    "scaling_max_freq": (
        "node_cpu_scaling_frequency_max_hertz",
        "Highest frequency the governor may choose.",
    ),
    "cpuinfo_min_freq": (
        "node_cpu_frequency_min_hertz",
        "Lowest frequency the hardware can run at.",
    ),
    "cpuinfo_max_freq": (
        "node_cpu_frequency_max_hertz",
        "Highest frequency the hardware can run at.",
    ),
}
CPUFREQ = Glob(
    "/sys/devices/system/cpu/cpu[0-9]*/cpufreq", names=(*FREQUENCIES, GOVERNOR, GOVERNORS)
)


class CpufreqCollector(Collector, frozen=True):
    """How fast each CPU runs and may run; nothing on virtual machines, which do not know it."""

    name: ClassVar[str] = "cpufreq"

    def readings(self) -> tuple[Glob, ...]:
        return (CPUFREQ,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        found: dict[str, list[Sample]] = {}
        governors: list[Sample] = []
        texts = answers.texts(CPUFREQ)
        with malformed("cpufreq"):
            for path, text in texts.items():
                directory, _, name = path.rpartition("/")
                cpu = ("cpu", directory.split("/")[-2].removeprefix("cpu"))
                if name in FREQUENCIES:
                    if text.isdecimal():  # `<unknown>` where the driver does not know it
                        found.setdefault(name, []).append(Sample((cpu,), float(text) * 1000))
                elif name == GOVERNORS:
                    active = texts.get(f"{directory}/{GOVERNOR}")
                    governors += (
                        Sample((cpu, ("governor", governor)), float(governor == active))
                        for governor in text.split()
                    )
        for name, samples in found.items():
            yield gauge(*FREQUENCIES[name], *samples)
        if governors:
            yield gauge(
                "node_cpu_scaling_governor",
                "1 for the governor that chooses the CPU's frequency, 0 for the others.",
                *governors,
            )
