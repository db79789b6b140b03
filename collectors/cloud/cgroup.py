"""Containers, services and slices: CPU, memory, disk, tasks and pressure of cgroups of version 2.

Format: Documentation/admin-guide/cgroup-v2.rst of the kernel; times in microseconds. Names of metrics
are cAdvisor's, where `id` is the path and `name` the identifier of a container. cAdvisor learns
more of a container from its engine, which is not asked here. A cgroup counts for those below it as
well: what has a `kind` of container, pod and slice must not be summed up together.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, ClassVar

import msgspec

from collectors.cloud.cgroupnames import identify
from collectors.model import (
    Answer,
    Answers,
    Collector,
    Family,
    File,
    Glob,
    Kind,
    Labels,
    NeedMore,
    Reading,
    Sample,
    Unavailable,
    gauge,
    malformed,
)

ROOT = "/sys/fs/cgroup"
CONTROLLERS = File(f"{ROOT}/cgroup.controllers")
DISKSTATS = File("/proc/diskstats")
NOT_UNIFIED = (
    "this host has cgroups of version 1 or of both (systemd.unified_cgroup_hierarchy=1 on the"
    " kernel's command line makes them version 2)"
)
FIRST = "cpu.stat"  # which every cgroup but the root has
FILES = (
    *(FIRST, "cpu.max", "cpu.pressure", "memory.current", "memory.max", "memory.peak"),
    *("memory.swap.current", "memory.stat", "memory.events", "memory.pressure"),
    *("io.stat", "io.pressure", "pids.current", "pids.max"),
)
LONGEST = 512  # characters of a path that is shown
# of whom there may be too many first
PATTERNS = (
    "system.slice/docker-*.scope",
    "docker/*",
    "system.slice/nerdctl-*.scope",
    "machine.slice/*.scope",
    "user.slice/user-*.slice/user@*.service/user.slice/libpod-*.scope",
    "kubepods.slice/*.slice/*.slice/*.scope",
    "kubepods.slice/*.slice/*.scope",
    "kubepods.slice/*.slice/*.slice",
    "kubepods.slice/*.slice",
    "kubepods/*/*/*",
    "kubepods/*/*",
    "kubepods/*",
    "*.slice",
    "system.slice/*.service",
    "user.slice/user-*.slice",
)

MICRO = 1e6
# name, what one of ours is in the kernel's unit, kind, help
Column = tuple[str, float, Kind, str]
FLAT: Mapping[tuple[str, str], Column] = {
    (FIRST, "usage_usec"): ("cpu_usage_seconds_total", MICRO, "counter", "CPU time."),
    (FIRST, "user_usec"): ("cpu_user_seconds_total", MICRO, "counter", "CPU time of programs."),
    (FIRST, "system_usec"): (
        *("cpu_system_seconds_total", MICRO, "counter"),
        "CPU time of the kernel.",
    ),
    (FIRST, "nr_periods"): (
        *("cpu_cfs_periods_total", 1, "counter"),
        "Periods in which it could run, where its CPU time is limited.",
    ),
    (FIRST, "nr_throttled"): (
        *("cpu_cfs_throttled_periods_total", 1, "counter"),
        "Periods in which it had used up its limit.",
    ),
    (FIRST, "throttled_usec"): (
        *("cpu_cfs_throttled_seconds_total", MICRO, "counter"),
        "Time for which it was held at its limit.",
    ),
    ("memory.stat", "anon"): ("memory_rss", 1, "gauge", "Anonymous memory."),
    ("memory.stat", "file"): ("memory_cache", 1, "gauge", "Page cache."),
    ("memory.stat", "file_mapped"): ("memory_mapped_file", 1, "gauge", "Mapped files."),
    ("memory.events", "max"): (
        *("memory_failcnt", 1, "counter"),
        "Times that its memory was at its limit.",
    ),
    ("memory.events", "oom_kill"): (
        *("oom_events_total", 1, "counter"),
        "Processes killed since its memory was at its limit.",
    ),
}
SINGLE: Mapping[str, Column] = {
    "memory.current": ("memory_usage_bytes", 1, "gauge", "Memory in use, page cache with it."),
    "memory.peak": ("memory_max_usage_bytes", 1, "gauge", "Most memory ever in use."),
    "memory.max": (
        *("spec_memory_limit_bytes", 1, "gauge"),
        "Limit of its memory, where it has one.",
    ),
    "memory.swap.current": ("memory_swap", 1, "gauge", "Swap in use."),
    "pids.current": ("threads", 1, "gauge", "Threads."),
    "pids.max": ("threads_max", 1, "gauge", "Limit of its threads, where it has one."),
}
WORKING_SET = "Memory in use without page cache that has not been used for a while."
FAILURES = "Page faults, by whether they took I/O (pgmajfault are among pgfault)."
IO: Mapping[str, Column] = {
    "rbytes": ("fs_reads_bytes_total", 1, "counter", "Bytes read from a device."),
    "rios": ("fs_reads_total", 1, "counter", "Reads from a device."),
    "wbytes": ("fs_writes_bytes_total", 1, "counter", "Bytes written to a device."),
    "wios": ("fs_writes_total", 1, "counter", "Writes to a device."),
}
PRESSURE = {
    "some": ("waiting", "Time in which some of it waited for {}."),
    "full": ("stalled", "Time in which all of it waited for {}."),
}
WAITED_FOR = {"cpu": "a CPU", "memory": "memory", "io": "I/O"}


class CgroupCollector(Collector, frozen=True):
    """Off by default: some 25 series for each cgroup. `patterns` are paths below /sys/fs/cgroup, where
    `*` stands for anything within a name; the first `most` cgroups in their order are shown."""

    name: ClassVar[str] = "cgroup"
    patterns: tuple[str, ...] = PATTERNS
    most: Annotated[int, msgspec.Meta(ge=1, le=5000)] = 500

    def __post_init__(self) -> None:
        for pattern in self.patterns:
            parts = pattern.split("/")
            if "" in parts or ".." in parts or "**" in pattern:
                raise ValueError(
                    f"pattern {pattern!r}: a path below {ROOT}, such as system.slice/*.service"
                )

    def readings(self) -> tuple[Reading, ...]:
        return (CONTROLLERS, DISKSTATS, *map(_listing, self.patterns))

    def parse(self, answers: Answers) -> Iterable[Family]:
        if answers.answer(CONTROLLERS).state == "absent":
            raise Unavailable(CONTROLLERS, Answer("absent", reason=NOT_UNIFIED))
        answers.content(CONTROLLERS)
        found = list(dict.fromkeys(self._found(answers)))
        able = [path for path in found if len(path) <= LONGEST and not set("*?[\ufffd") & set(path)]
        chosen = {path: Glob(path, FILES) for path in able[: self.most]}
        if more := [reading for reading in chosen.values() if not answers.asked(reading)]:
            raise NeedMore(*more)
        families = _Families()
        devices = _devices(answers.maybe(DISKSTATS) or "")
        for path, reading in chosen.items():
            base = len(path) + 1
            texts = {it[base:]: text for it, text in answers.texts(reading).items()}
            with malformed(path):
                _cgroup(families, path.removeprefix(ROOT), texts, devices)
        yield from families.all()
        yield gauge(
            "jianwei_cgroups_left_out",
            "Cgroups that match and are more than are shown, or whose name cannot be shown.",
            Sample((), len(found) - len(chosen)),
        )

    def _found(self, answers: Answers) -> Iterator[str]:
        for pattern in self.patterns:
            for path, answer in answers.children(_listing(pattern)).items():
                if answer.state == "content":
                    yield path.rpartition("/")[0]


def _listing(pattern: str) -> Glob:
    return Glob(f"{ROOT}/{pattern}", names=(FIRST,))


class _Families:
    def __init__(self) -> None:
        self._made: dict[str, tuple[Kind, str, list[Sample]]] = {}

    def add(self, column: Column, number: str, labels: Labels) -> None:
        """A number as the kernel writes it; where that is no number (`max`) there is no limit."""
        name, units, kind, help = column
        if number != "max":
            samples = self._made.setdefault(f"container_{name}", (kind, help, []))[2]
            samples.append(Sample(labels, int(number) / units))

    def info(self, labels: Labels) -> None:
        help = "What a cgroup is, and which engine's; a pod's UID."
        self._made.setdefault("jianwei_cgroup_info", ("gauge", help, []))[2].append(
            Sample(labels, 1)
        )

    def all(self) -> Iterator[Family]:
        for name, (kind, help, samples) in self._made.items():
            yield Family(name, kind, help, samples)


def _cgroup(
    families: _Families, path: str, texts: Mapping[str, str], devices: Mapping[str, str]
) -> None:
    who = identify(path)
    container = who.name if who.kind == "container" else ""
    labels: Labels = (("id", path), ("name", container))
    families.info(
        (
            *(("id", path), ("kind", who.kind), ("name", who.name)),
            *(("engine", who.engine), ("pod_uid", who.pod)),
        )
    )
    flat = {file: _flat(text) for file, text in texts.items() if file in _FLAT_FILES}
    for (file, key), column in FLAT.items():
        if number := flat.get(file, {}).get(key):
            # cAdvisor tells it of single CPUs as well, where the kernel does
            total = (("cpu", "total"),) if key == "usage_usec" else ()
            families.add(column, number, (*labels, *total))
    for file, column in SINGLE.items():
        if number := texts.get(file):
            families.add(column, number, labels)
    memory = flat.get("memory.stat", {})
    if (current := texts.get("memory.current")) and (idle := memory.get("inactive_file")):
        working = str(max(0, int(current) - int(idle)))
        families.add(("memory_working_set_bytes", 1, "gauge", WORKING_SET), working, labels)
    for kind in ("pgfault", "pgmajfault"):
        if number := memory.get(kind):
            failure = (*labels, ("failure_type", kind), ("scope", "container"))
            families.add(("memory_failures_total", 1, "counter", FAILURES), number, failure)
    if limit := texts.get("cpu.max"):
        quota, period = limit.split()
        families.add(("spec_cpu_quota", 1, "gauge", "CPU time in a period, in µs."), quota, labels)
        families.add(("spec_cpu_period", 1, "gauge", "Length of a period, in µs."), period, labels)
    for line in texts.get("io.stat", "").splitlines():
        device, *pairs = line.split()
        on = (*labels, ("device", devices.get(device, device)))
        for key, _, number in (pair.partition("=") for pair in pairs):
            if key in IO:
                families.add(IO[key], number, on)
    for what, words in WAITED_FOR.items():
        for line in texts.get(f"{what}.pressure", "").splitlines():
            kind, _, rest = line.partition(" ")
            if kind in PRESSURE:
                done, help = PRESSURE[kind]
                name = f"pressure_{what}_{done}_seconds_total"
                families.add(
                    (name, MICRO, "counter", help.format(words)),
                    rest.rpartition("total=")[2],
                    labels,
                )


_FLAT_FILES = {file for file, _ in FLAT}


def _flat(text: str) -> dict[str, str]:
    pairs = (line.split() for line in text.splitlines())
    return {pair[0]: pair[1] for pair in pairs if len(pair) == 2}


def _devices(diskstats: str) -> dict[str, str]:
    """Names of devices by their numbers, as cAdvisor has them."""
    rows = (line.split(None, 3) for line in diskstats.splitlines())
    return {f"{row[0]}:{row[1]}": f"/dev/{row[2]}" for row in rows if len(row) == 4}
