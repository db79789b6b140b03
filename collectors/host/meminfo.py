"""Memory: /proc/meminfo, proc(5); `kB` there means KiB."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, ParseError, Sample, malformed

MEMINFO = File("/proc/meminfo")

HELP = {
    "MemTotal": "Memory the kernel manages.",
    "MemFree": "Memory used for nothing.",
    "MemAvailable": "Memory that new programs can get without swapping, as the kernel estimates.",
    "Buffers": "Memory that caches blocks of devices.",
    "Cached": "Memory that caches files, tmpfs included.",
    "SwapCached": "Memory that is in swap as well.",
    "SwapTotal": "Swap space.",
    "SwapFree": "Swap space used for nothing.",
    "Dirty": "File data in memory that waits to be written.",
    "Writeback": "File data in memory that is being written.",
    "AnonPages": "Memory of processes that no file backs.",
    "Mapped": "File data that processes have mapped.",
    "Shmem": "Shared memory and tmpfs.",
    "Slab": "Memory of the kernel's object caches.",
    "SReclaimable": "Part of the object caches that can be given back.",
    "SUnreclaim": "Part of the object caches that cannot be given back.",
    "KernelStack": "Memory of kernel stacks.",
    "PageTables": "Memory of page tables.",
    "CommitLimit": "Memory that may be promised to processes, where overcommit is strict.",
    "Committed_AS": "Memory promised to processes.",
    "HardwareCorrupted": "Memory taken out of use because it is faulty.",
    "HugePages_Total": "Huge pages in the pool.",
    "HugePages_Free": "Huge pages in the pool that nobody has.",
    "Hugepagesize": "Size of a huge page.",
}


class MeminfoCollector(Collector, frozen=True):
    """One gauge for each line of /proc/meminfo."""

    name: ClassVar[str] = "meminfo"

    def readings(self) -> tuple[File, ...]:
        return (MEMINFO,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        text = answers.text(MEMINFO)
        if not text.strip():
            raise ParseError("/proc/meminfo: empty")
        with malformed("/proc/meminfo"):
            for line in text.splitlines():
                label, number, *unit = line.split()
                name, help = _described(label, bool(unit))
                value = float(number) * 1024 if unit else float(number)
                yield Family(name, "gauge", help, (Sample((), value),))


@functools.lru_cache(256)
def _described(label: str, sized: bool) -> tuple[str, str]:
    """Name and help of the family of `label:`."""
    key = label[:-1]
    name = f"node_memory_{key.replace('(', '_').replace(')', '')}"
    return name + "_bytes" * sized, HELP.get(key) or f"{key} of /proc/meminfo."
