"""What this machine uses, as a cloud tells it of a server: counters of its CPUs, network and disks, and memory.

Formats: proc(5) for /proc/stat, meminfo, net/dev and net/route; kernel Documentation/admin-guide/iostats.rst.
Of the network count the devices that have hardware (or a hypervisor) behind them, since what crosses
bridges, VLANs, bonds, tunnels and containers crosses one of those as well; a device below another such
(the virtual function that Azure bonds to its synthetic device) is counted there. In a container
nothing has, and the device of the default route counts. Of disks count those with hardware too: not
partitions, nor what md, dm, loop and zram make of disks.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, NamedTuple, TypeVar

from collectors.cloud.model import Size, Use
from collectors.filters import OwnRegex
from collectors.host.cpu import STAT, USER_HZ
from collectors.host.diskstats import DISKSTATS, SECTOR
from collectors.host.meminfo import MEMINFO
from collectors.host.netdev import DEV
from collectors.model import (
    Answers,
    File,
    Glob,
    MountUsage,
    ParseError,
    Reading,
    Stat,
    Unavailable,
    malformed,
)
from collectors.rows import FileStat, Mount

READINGS: Final[tuple[Reading, ...]] = (STAT, MEMINFO, DEV, DISKSTATS)

BACKED_NET = Stat("/sys/class/net/*/device")
BELOW_BACKED = Stat("/sys/class/net/*/master/device")
BACKED_DISKS = Stat("/sys/block/*/device")
DISK_SIZES = Glob("/sys/block/*", ("size",))
ROUTE = File("/proc/net/route")
DEVICES: Final[tuple[Reading, ...]] = (BACKED_NET, BELOW_BACKED, BACKED_DISKS, DISK_SIZES, ROUTE)

# File systems on block devices of this machine. Datasets of zfs share the space of their pool, so that no
# sum of them is right; and nothing that another machine serves is asked.
MOUNTS = MountUsage(
    OwnRegex(
        "^(?!(bfs|btrfs|exfat|ext[234]|f2fs|hfsplus|jfs|msdos|nilfs2|ntfs3|reiserfs|vfat|xfs)$)"
    )
)

_Part = TypeVar("_Part")
Pair = tuple[float, float]
Pairs = Mapping[str, Pair]


class Counters(NamedTuple):
    """One look; a part that could not be seen is None, with the reason in `problems`. Devices have bytes in
    and out, disks bytes read and written, by name."""

    cpu: tuple[float, float, int] | None  # busy and stolen seconds, and how many CPUs
    memory: Pair | None  # used and total
    net: Pairs | None
    disks: Pairs | None
    problems: tuple[str, ...] = ()


class Devices(NamedTuple):
    """Which of them count, and what the disks hold in bytes; None where that could not be seen."""

    net: frozenset[str] | None
    disks: frozenset[str] | None
    disk_bytes: int | None


def counters(answers: Answers) -> Counters:
    """What READINGS say."""
    problems: list[str] = []

    def part(parse: Callable[[Answers], _Part]) -> _Part | None:
        try:
            return parse(answers)
        except (Unavailable, ParseError) as error:
            problems.append(str(error))
            return None

    seen = part(_cpu), part(_memory), part(_net), part(_disks)
    return Counters(*seen, tuple(problems))


def devices(answers: Answers) -> Devices:
    """What DEVICES say."""
    try:
        net = _names(answers, BACKED_NET) - _names(answers, BELOW_BACKED) or _default(answers)
    except (Unavailable, ParseError):
        net = frozenset()
    try:
        disks = _names(answers, BACKED_DISKS)
        sizes = answers.texts(DISK_SIZES)
        with malformed(DISK_SIZES.pattern):
            size = sum(int(sizes[f"/sys/block/{name}/size"]) * SECTOR for name in disks)
    except (Unavailable, ParseError):
        disks, size = frozenset(), 0
    return Devices(net or None, disks or None, size or None)


def space(answers: Answers) -> Pair | None:
    """Bytes used and in all of the local file systems, each once; None where one did not answer."""
    try:
        rows = answers.rows(MOUNTS, Mount)
    except (Unavailable, ParseError):
        return None
    by_device = {row.device: row for row in rows if row.device.startswith("/dev/")}
    if not by_device or any(row.error for row in by_device.values()):
        return None
    total = sum(row.size for row in by_device.values())
    return (total - sum(row.free for row in by_device.values()), total) if total else None


class Tally:
    """Sums of what devices carried since the first look: one that comes with counters, goes, or begins anew
    must not show as traffic."""

    def __init__(self) -> None:
        self._last: tuple[Pairs, Pairs] = ({}, {})
        self._sums: list[list[float]] = [[0.0, 0.0], [0.0, 0.0]]

    def use(self, resource: str, at: float, seen: Counters, count: Devices) -> Use:
        """One look as a cloud would tell it."""
        net = self._summed(0, seen.net, count.net)
        disks = self._summed(1, seen.disks, count.disks)
        busy, stolen, cpus = seen.cpu or (None, None, None)
        used, total = seen.memory or (None, None)
        return Use(resource, at, busy, stolen, cpus, *net, *disks, used, total)

    def _summed(
        self, kind: int, pairs: Pairs | None, count: frozenset[str] | None
    ) -> tuple[float | None, float | None]:
        if pairs is None or count is None:
            return None, None
        now = {name: pair for name, pair in pairs.items() if name in count}
        last, sums = self._last[kind], self._sums[kind]
        self._last = (now, self._last[1]) if kind == 0 else (self._last[0], now)
        for name, pair in now.items():
            before = last.get(name, pair)
            if pair[0] < before[0] or pair[1] < before[1]:
                return None, None  # it began anew: what all carried meanwhile is not known
            sums[0] += pair[0] - before[0]
            sums[1] += pair[1] - before[1]
        return sums[0], sums[1]


def size_of(seen: Counters, count: Devices) -> Size:
    """What the machine has."""
    return Size(
        vcpus=seen.cpu and float(seen.cpu[2]),
        memory=seen.memory and int(seen.memory[1]),
        disk=count.disk_bytes,
    )


def _cpu(answers: Answers) -> tuple[float, float, int]:
    # the counts of interrupts that follow are long
    lines = answers.content(STAT).partition(b"\nintr ")[0].split(b"\n")
    with malformed(STAT.path):
        user, nice, system, _, _, irq, softirq, *more = map(int, lines[0].split()[1:])
        steal = more[0] if more else 0
        cpus = sum(line.startswith(b"cpu") for line in lines) - 1
        if lines[0][:4] != b"cpu " or cpus < 1:
            raise ParseError(f"{STAT.path}: no line of a CPU")
        # idle time and that of waiting for disks can go back, so use is not what they leave
        return (user + nice + system + irq + softirq) / USER_HZ, steal / USER_HZ, cpus


def _memory(answers: Answers) -> Pair:
    with malformed(MEMINFO.path):
        words = answers.content(MEMINFO).split(maxsplit=9)
        found = dict(zip(words[0:9:3], words[1:9:3], strict=True))
        total, available = (int(found[name]) << 10 for name in (b"MemTotal:", b"MemAvailable:"))
        return total - available, total


def _net(answers: Answers) -> Pairs:
    found: dict[str, Pair] = {}
    with malformed(DEV.path):
        for line in answers.text(DEV).splitlines()[2:]:
            name, _, rest = line.rpartition(":")  # old aliases have a colon in their names
            figures = rest.split(None, 9)
            found[name.strip()] = int(figures[0]), int(figures[8])
    return found


def _disks(answers: Answers) -> Pairs:
    found: dict[str, Pair] = {}
    with malformed(DISKSTATS.path):
        for line in answers.text(DISKSTATS).splitlines():
            fields = line.split(None, 10)
            found[fields[2]] = int(fields[5]) * SECTOR, int(fields[9]) * SECTOR
    return found


def _names(answers: Answers, reading: Stat) -> frozenset[str]:
    """Those of the devices that a path was found of."""
    depth = reading.pattern.split("/").index("*")
    return frozenset(row.path.split("/")[depth] for row in answers.rows(reading, FileStat))


def _default(answers: Answers) -> frozenset[str]:
    """The devices of default routes over IPv4."""
    with malformed(ROUTE.path):
        rows = [line.split() for line in answers.text(ROUTE).splitlines()[1:]]
        return frozenset(row[0] for row in rows if row[1] == row[7] == "0" * 8)
