"""What the landing page shows of a host, and how usage is read off the families of a scrape.

Names and labels of the families are node_exporter's. What was not observed is None, never 0.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime

import msgspec

from collectors.model import Family, ProbeResult
from collectors.observe import Observation

CPU, RECEIVED, SENT = (
    "node_cpu_seconds_total",
    "node_network_receive_bytes_total",
    "node_network_transmit_bytes_total",
)
RATED = frozenset((CPU, RECEIVED, SENT))
ROWS = 16  # disks and interfaces shown at most

_VOLATILE = frozenset(("tmpfs", "devtmpfs", "ramfs", "squashfs", "efivarfs", "fuse.lxcfs"))
Key = str | tuple[str, ...]


class PackScore(msgspec.Struct, frozen=True):
    """One rule pack's result; `title` by language; `score` 0 to 1, None where nothing counted."""

    name: str
    title: Mapping[str, str]
    score: float | None
    passed: int = 0
    failed: int = 0
    unknown: int = 0
    manual: int = 0
    not_applicable: int = 0


class Ipv6State(msgspec.Struct, frozen=True):
    """IPv6 of the host: global addresses, routers, listening sockets; None where unknown."""

    addresses: tuple[str, ...] | None = None
    gateways: tuple[str, ...] | None = None
    listeners: int | None = None


class Overview(msgspec.Struct, frozen=True):
    """This host at a glance. Moments carry the site's zone.

    `observations`: the last one of each enabled collector; `earlier`: the ones before, made
    `apart` seconds before; without them CPU use is the mean since boot, and there are no rates.
    `audit_problem`: why there is no audit, or no newer one; empty if all is well.
    """

    version: str
    now: datetime
    started: datetime
    observations: Sequence[Observation] = ()
    earlier: Sequence[Observation] = ()
    apart: float = 0.0
    disabled: Sequence[str] = ()
    probes: Sequence[ProbeResult] = ()
    ipv6: Ipv6State = Ipv6State()
    packs: Sequence[PackScore] = ()
    audited: datetime | None = None
    audit_problem: str = ""


class Disk(msgspec.Struct, frozen=True):
    """A mounted file system; sizes in bytes, `used` 0 to 1 as df(1) counts it, `error` a flag."""

    mountpoint: str
    fstype: str
    size: float
    available: float
    used: float
    readonly: bool
    error: bool


class Interface(msgspec.Struct, frozen=True):
    """A network interface; rates in bytes a second."""

    device: str
    up: bool | None
    receive: float | None
    transmit: float | None


class Usage(msgspec.Struct, frozen=True):
    """Cloud-resource usage of this host. Ratios 0 to 1, sizes in bytes, `uptime` in seconds."""

    hostname: str = ""
    system: str = ""
    kernel: str = ""
    uptime: float | None = None
    cpus: int = 0
    cpu: float | None = None
    cpu_since_boot: bool = True
    load: tuple[float, ...] = ()
    memory_total: float | None = None
    memory_available: float | None = None
    swap_total: float | None = None
    swap_free: float | None = None
    disks: tuple[Disk, ...] = ()
    interfaces: tuple[Interface, ...] = ()


class _Values:
    """Values of families by name and labels."""

    def __init__(self, observations: Iterable[Observation]) -> None:
        self._families = {f.name: f for o in observations for f in o.families}

    def rows(self, name: str) -> Iterator[tuple[dict[str, str], float]]:
        family: Family | None = self._families.get(name)
        for sample in family.samples if family else ():
            yield dict(sample.labels), sample.value

    def one(self, name: str) -> float | None:
        return next((value for _, value in self.rows(name)), None)

    def label(self, name: str, label: str) -> str:
        return next((labels.get(label, "") for labels, _ in self.rows(name)), "")

    def by(self, name: str, *labels: str) -> dict[tuple[str, ...], float]:
        return {tuple(row.get(key, "") for key in labels): v for row, v in self.rows(name)}


def rated(observations: Iterable[Observation]) -> list[Observation]:
    """As much of observations as later ones are compared with."""
    found = []
    for it in observations:
        if families := tuple(family for family in it.families if family.name in RATED):
            found.append(Observation(it.collector, it.seconds, families))
    return found


def usage(overview: Overview) -> Usage:
    """Usage as far as the observations tell."""
    now, before = _Values(overview.observations), _Values(overview.earlier)
    times = now.by(CPU, "cpu", "mode")
    earlier = before.by(CPU, "cpu", "mode")
    boot, clock = now.one("node_boot_time_seconds"), now.one("node_time_seconds")
    load = [now.one(f"node_load{minutes}") for minutes in (1, 5, 15)]
    return Usage(
        hostname=now.label("node_uname_info", "nodename"),
        system=now.label("node_os_info", "pretty_name"),
        kernel=now.label("node_uname_info", "release"),
        uptime=clock - boot if boot and clock else None,
        cpus=len({cpu for cpu, _ in times}),
        cpu=_busy(times, earlier),
        cpu_since_boot=not earlier,
        load=tuple(value for value in load if value is not None),
        memory_total=now.one("node_memory_MemTotal_bytes"),
        memory_available=now.one("node_memory_MemAvailable_bytes"),
        swap_total=now.one("node_memory_SwapTotal_bytes"),
        swap_free=now.one("node_memory_SwapFree_bytes"),
        disks=tuple(_disks(now)),
        interfaces=tuple(_interfaces(now, before, overview.apart)),
    )


def _busy(
    now: Mapping[tuple[str, ...], float], before: Mapping[tuple[str, ...], float]
) -> float | None:
    """Share of CPU time that was neither idle nor waiting for a disk."""
    total = idle = 0.0
    for key, value in now.items():
        spent = max(value - before.get(key, 0.0), 0.0)
        total += spent
        if key[1] in ("idle", "iowait"):
            idle += spent
    return 1 - idle / total if total else None


def _disks(now: _Values) -> Iterator[Disk]:
    labels = ("device", "mountpoint", "fstype")
    names = ("size_bytes", "free_bytes", "avail_bytes", "readonly", "device_error")
    size, free, available, readonly, error = (
        now.by(f"node_filesystem_{name}", *labels) for name in names
    )
    seen: set[str] = set()
    found: list[Disk] = []
    for key in sorted(size.keys() | error.keys(), key=lambda key: (len(key[1]), key)):
        device, mountpoint, fstype = key
        total, failed = size.get(key, 0.0), bool(error.get(key))
        # a device mounted in many places (containers) is one disk
        if fstype in _VOLATILE or device in seen or not (total or failed):
            continue
        seen.add(device)
        used = total - free.get(key, 0.0)
        usable = used + available.get(key, 0.0)
        share = used / usable if usable else 0.0
        flags = bool(readonly.get(key)), failed
        found.append(Disk(mountpoint, fstype, total, available.get(key, 0.0), share, *flags))
    found.sort(key=lambda disk: (not disk.error, -disk.used, disk.mountpoint))
    yield from found[:ROWS]


def _interfaces(now: _Values, before: _Values, apart: float) -> Iterator[Interface]:
    def rates(name: str) -> dict[str, float]:
        earlier = before.by(name, "device")
        return {
            key[0]: max(value - earlier[key], 0.0) / apart
            for key, value in now.by(name, "device").items()
            if apart > 0 and key in earlier
        }

    receive = rates(RECEIVED)
    transmit = rates(SENT)
    up = {key[0]: value == 1 for key, value in now.by("node_network_up", "device").items()}
    devices = {key[0] for key in now.by(RECEIVED, "device")}
    found = [
        Interface(device, up.get(device), receive.get(device), transmit.get(device))
        for device in devices | up.keys()
        if device != "lo"
    ]
    found.sort(key=lambda i: (not i.up, -(i.receive or 0) - (i.transmit or 0), i.device))
    yield from found[:ROWS]
