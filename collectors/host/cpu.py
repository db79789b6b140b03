"""CPU time by mode, model, state and throttling: /proc/stat, /proc/cpuinfo (proc(5)), sysfs.

Times in the kernel are in USER_HZ (100 a second on every Linux architecture we serve). Those of idle
and iowait can go back a little, which `rate()` takes for a reset; a collector has no memory by which
to hide it.
Sysfs: Documentation/ABI/testing/sysfs-devices-system-cpu of the kernel.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar

from collectors.host.cpuinfo import CPUINFO, processors
from collectors.model import (
    Answers,
    Collector,
    Family,
    File,
    Glob,
    ParseError,
    Reading,
    Sample,
    counter,
    gauge,
    malformed,
    sample,
)

STAT = File("/proc/stat")
PRESENT = File("/sys/devices/system/cpu/present")
ONLINE = File("/sys/devices/system/cpu/online")
ISOLATED = File("/sys/devices/system/cpu/isolated")
# x86 only; one directory for each logical CPU, the counts shared within a core or package
THROTTLES = Glob(
    "/sys/devices/system/cpu/cpu[0-9]*/thermal_throttle",
    names=("core_throttle_count", "package_throttle_count"),
)

USER_HZ = 100
MAX_CPUS = 8192  # the kernel's own limit
MODES = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
GUEST_MODES = ("user", "nice")


class CpuCollector(Collector, frozen=True):
    """Seconds that each CPU spent in each mode, and what kind of CPU it is.

    `info: false` saves reading /proc/cpuinfo, which is long on machines with many CPUs; the
    throttle counts need it as well.
    """

    name: ClassVar[str] = "cpu"
    info: bool = True

    def readings(self) -> tuple[Reading, ...]:
        described: tuple[Reading, ...] = (CPUINFO, THROTTLES) if self.info else ()
        return (STAT, PRESENT, ONLINE, ISOLATED, *described)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("/proc/stat"):
            yield from _times(answers.text(STAT))
        yield from _states(answers)
        if self.info:
            cpus = list(processors(answers.maybe(CPUINFO) or ""))
            yield gauge(
                "node_cpu_info",
                "Always 1; labels tell model and place of each CPU (/proc/cpuinfo).",
                *(Sample(tuple(cpu.items()), 1.0) for cpu in cpus),
            )
            yield from _throttles(answers.texts(THROTTLES), cpus)


def _times(text: str) -> Iterator[Family]:
    spent: list[Sample] = []
    guest: list[Sample] = []
    for line in text.splitlines():
        key, *fields = line.split(" ", 11)
        if key == "cpu":
            continue  # the sum of all
        if key[:3] != "cpu":
            break
        cpu = ("cpu", key[3:])
        seconds = [float(field) / USER_HZ for field in fields]
        for mode, value in zip(MODES, seconds, strict=False):  # old kernels have fewer columns
            spent.append(Sample((cpu, ("mode", mode)), value))
        for mode, value in zip(GUEST_MODES, seconds[8:], strict=False):
            guest.append(Sample((cpu, ("mode", mode)), value))
    if not spent:
        raise ParseError("/proc/stat: no line of a CPU")
    yield counter("node_cpu_seconds_total", "Seconds each CPU spent in each mode.", *spent)
    yield counter(
        "node_cpu_guest_seconds_total",
        "Seconds each CPU ran virtual machines; part of the modes user and nice as well.",
        *guest,
    )


def _states(answers: Answers) -> Iterator[Family]:
    present, online = answers.maybe(PRESENT), answers.maybe(ONLINE)
    if present is not None and online is not None:
        with malformed("/sys/devices/system/cpu/online"):
            running = set(_cpu_list(online))
            states = [sample(float(cpu in running), cpu=str(cpu)) for cpu in _cpu_list(present)]
        yield gauge(
            "node_cpu_online", "Whether a CPU that is present is in use (1) or not (0).", *states
        )
    if isolated := answers.maybe(ISOLATED):
        with malformed("/sys/devices/system/cpu/isolated"):
            cpus = [sample(1.0, cpu=str(cpu)) for cpu in _cpu_list(isolated)]
        yield gauge("node_cpu_isolated", "1 for each CPU kept out of general scheduling.", *cpus)


def _cpu_list(text: str) -> Iterator[int]:
    """`0-2,5` as 0, 1, 2, 5."""
    for part in text.strip().split(",") if text.strip() else ():
        first, _, last = part.partition("-")
        numbers = range(int(first), int(last or first) + 1)
        if len(numbers) > MAX_CPUS:
            raise ParseError(f"{len(numbers)} CPUs in {part!r}")
        yield from numbers


def _throttles(counts: dict[str, str], cpus: list[dict[str, str]]) -> Iterator[Family]:
    cores: dict[tuple[tuple[str, str], ...], float] = {}
    packages: dict[tuple[tuple[str, str], ...], float] = {}
    with malformed("thermal_throttle"):
        for cpu in cpus:
            directory = f"/sys/devices/system/cpu/cpu{cpu['cpu']}/thermal_throttle/"
            package = ("package", cpu["package"])
            if count := counts.get(directory + "core_throttle_count"):
                cores.setdefault((package, ("core", cpu["core"])), float(count))
            if count := counts.get(directory + "package_throttle_count"):
                packages.setdefault((package,), float(count))
    for name, help, found in (
        ("node_cpu_core_throttles_total", "Times a core was slowed because it was too hot.", cores),
        (
            "node_cpu_package_throttles_total",
            "Times a package was slowed because it was too hot.",
            packages,
        ),
    ):
        if found:
            yield counter(name, help, *(Sample(labels, value) for labels, value in found.items()))
