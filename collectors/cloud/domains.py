"""What is known of one libvirt domain, and what it means: a resource, and its use.

The statistics are in the words of `virsh domstats` (virConnectGetAllDomainStats), whichever call
they came by: times in nanoseconds, memory in KiB.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from collectors.cloud.domainxml import DomainXml
from collectors.cloud.model import Resource, ResourceKind, Size, State, Use

Stats = Mapping[str, int | str]

NANO = 1e9
KIB = 1024
# virDomainState: our word, libvirt's
STATES: Mapping[int, tuple[State, str]] = {
    0: ("unknown", "no state"),
    1: ("active", "running"),
    2: ("active", "blocked"),
    3: ("paused", "paused"),
    4: ("active", "in shutdown"),
    5: ("stopped", "shut off"),
    6: ("error", "crashed"),
    7: ("paused", "pmsuspended"),
}
NOT_KNOWN: tuple[State, str] = ("unknown", "")


class Domain(msgspec.Struct, frozen=True):
    """One domain as it was seen; `xml` is None where its XML could not be read, `at` is the time of
    `stats`."""

    uuid: str
    name: str
    stats: Stats = {}
    at: float = 0.0
    xml: DomainXml | None = None

    @property
    def state(self) -> tuple[State, str]:
        code = number(self.stats, "state.state")
        return NOT_KNOWN if code is None else STATES.get(code, NOT_KNOWN)

    @property
    def active(self) -> bool:
        """Whether it has a process: only then it has counters."""
        return number(self.stats, "state.state") in (1, 2, 3, 4, 7)


def number(stats: Stats, key: str) -> int | None:
    value = stats.get(key)
    return value if isinstance(value, int) else None


def members(stats: Stats, group: str) -> Iterator[int]:
    """The numbers of the disks (`block`), interfaces (`net`) or virtual CPUs (`vcpu`) told of."""
    found = {key.split(".", 2)[1] for key in stats if key.startswith(f"{group}.")}
    yield from sorted(int(it) for it in found if it.isascii() and it.isdecimal())


def resource(domain: Domain, host: str, kind: ResourceKind = "server") -> Resource:
    xml = domain.xml or DomainXml()
    state, raw = domain.state
    return Resource(
        id=domain.uuid,
        kind=kind,
        name=xml.nova.get("name") or domain.name,
        state=state,
        size=Size(xml.vcpus, xml.memory, _capacity(domain.stats, xml)),
        raw_state=raw,
        project=xml.nova.get("project_id", ""),
        created=xml.created,
        flavor=xml.nova.get("flavor", ""),
        host=host,
        metadata=xml.owner,
        nova=xml.nova,
        partial=domain.xml is None,
    )


def use(domain: Domain) -> Use | None:
    """What it used since it was started; None for one that does not run."""
    if not domain.active or not domain.stats:
        return None
    stats, xml = domain.stats, domain.xml or DomainXml()
    cpu, vcpus = number(stats, "cpu.time"), number(stats, "vcpu.current")
    steal = _steal(stats, vcpus)
    total, usable = guest_memory(domain)
    lacking = _may_lack(stats, xml)
    return Use(
        resource=domain.uuid,
        at=domain.at,
        cpu=None if cpu is None else cpu / NANO,
        steal=None if steal is None else steal / NANO,
        vcpus=None if vcpus is None else float(vcpus),
        net_rx=_sum(stats, "net", "rx.bytes"),
        net_tx=_sum(stats, "net", "tx.bytes"),
        disk_read=_sum(stats, "block", "rd.bytes", lacking),
        disk_write=_sum(stats, "block", "wr.bytes", lacking),
        memory_used=None if total is None or usable is None else float(total - usable),
        memory_total=None if total is None else float(total),
    )


def guest_memory(domain: Domain) -> tuple[int | None, int | None]:
    """What the guest has and could still use, in bytes, as its balloon driver said; None where it
    has no such driver or has not said so yet."""
    stats = domain.stats
    if (domain.xml and not domain.xml.balloon) or number(stats, "balloon.last-update") == 0:
        return None, None
    total, usable = number(stats, "balloon.available"), number(stats, "balloon.usable")
    if total is None or total <= 0 or usable is None or not 0 <= usable <= total:
        return None if not total or total < 0 else total * KIB, None
    return total * KIB, usable * KIB


def incomplete(domain: Domain) -> str:
    """Why figures of a running domain are missing that its driver has elsewhere, or nothing."""
    stats = domain.stats
    if not domain.active or not domain.xml or not domain.xml.disks:
        return ""
    told = [n for n in members(stats, "block") if f"block.{n}.rd.bytes" in stats]
    if told or not number(stats, "block.count"):
        return ""
    return "it is busy with another job or does not answer: its disks were not counted"


def _steal(stats: Stats, vcpus: int | None) -> int | None:
    """Of all virtual CPUs; not known where it is not known of one."""
    delays = [number(stats, f"vcpu.{n}.delay") for n in members(stats, "vcpu")]
    known = [delay for delay in delays if delay is not None]
    return sum(known) if known and len(known) == len(delays) == vcpus else None


def _sum(stats: Stats, group: str, key: str, may_lack: Iterable[int] = ()) -> float | None:
    """Over all members; not known where it is not known of one, since the rest would look idle."""
    count = number(stats, f"{group}.count")
    if count is None:
        return None
    values = {n: number(stats, f"{group}.{n}.{key}") for n in range(count)}
    for n in may_lack:
        if values.get(n) is None:
            values.pop(n, None)
    known = [value for value in values.values() if value is not None]
    return float(sum(known)) if len(known) == len(values) else None


def _may_lack(stats: Stats, xml: DomainXml) -> list[int]:
    """Drives without a medium."""
    removable = {disk.target for disk in xml.disks if disk.removable}
    return [n for n in members(stats, "block") if stats.get(f"block.{n}.name") in removable]


def _capacity(stats: Stats, xml: DomainXml) -> int | None:
    """Bytes of its disks; of a drive without a medium there are none."""
    targets = {disk.target for disk in xml.disks if not disk.removable}
    sizes = {
        stats[f"block.{n}.name"]: number(stats, f"block.{n}.capacity")
        for n in members(stats, "block")
        if f"block.{n}.name" in stats
    }
    known = [sizes.get(target) for target in targets]
    whole = [size for size in known if size is not None]
    return sum(whole) if targets and len(whole) == len(known) else None
