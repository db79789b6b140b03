"""What is told of libvirt's domains by CPU, disk and interface.

Names and labels are those of libvirt-exporter (AlexZzz, once Tinkoff), and a label for the cloud, since
names of domains are unique within one host alone. What is not known has no sample.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from collectors.cloud.domains import KIB, NANO, Domain, guest_memory, members, number
from collectors.cloud.domainxml import Disk, Interface
from collectors.model import Family, Kind, Labels, Sample

# key of domstats, name, how many of its units make one of ours, kind, help
Column = tuple[str, str, float, Kind, str]

PER_KIB = 1 / KIB  # a power of two, so that nothing is rounded
VCPU: Sequence[Column] = (
    ("time", "time_seconds_total", NANO, "counter", "CPU time of a virtual CPU."),
    (
        *("delay", "delay_seconds_total", NANO, "counter"),
        "Time that a virtual CPU wanted to run and waited for a CPU: its guest sees it as steal.",
    ),
    ("wait", "wait_seconds_total", NANO, "counter", "Time that a virtual CPU waited for I/O."),
    ("state", "state", 1, "gauge", "State of a virtual CPU: 0 offline, 1 running, 2 blocked."),
)
INFO: Sequence[Column] = (
    ("balloon.maximum", "maximum_memory_bytes", PER_KIB, "gauge", "Memory that a domain may have."),
    ("balloon.current", "memory_usage_bytes", PER_KIB, "gauge", "Memory that a domain was given."),
    ("vcpu.current", "virtual_cpus", 1, "gauge", "Virtual CPUs of a domain."),
    ("cpu.time", "cpu_time_seconds_total", NANO, "counter", "CPU time of a domain."),
    (
        *("state.state", "vstate", 1, "gauge"),
        "State of a domain: 0 none, 1 running, 2 blocked, 3 paused, 4 in shutdown, 5 shut off,"
        " 6 crashed, 7 suspended.",
    ),
)
MEMORY: Sequence[Column] = (
    ("major_fault", "major_fault_total", 1, "counter", "Page faults of a guest that took I/O."),
    ("minor_fault", "minor_fault_total", 1, "counter", "Page faults of a guest without I/O."),
    ("unused", "unused_bytes", PER_KIB, "gauge", "Memory that a guest uses for nothing."),
    ("available", "available_bytes", PER_KIB, "gauge", "Memory that a guest sees."),
    (
        "current",
        "actual_balloon_bytes",
        PER_KIB,
        "gauge",
        "Size that the balloon leaves to a guest.",
    ),
    ("rss", "rss_bytes", PER_KIB, "gauge", "Resident memory of the process that is the domain."),
    ("usable", "usable_bytes", PER_KIB, "gauge", "Memory that a guest could use without swapping."),
    ("disk_caches", "disk_cache_bytes", PER_KIB, "gauge", "Caches of a guest that can be dropped."),
)
BLOCK: Sequence[Column] = (
    ("rd.bytes", "read_bytes_total", 1, "counter", "Bytes read from a disk."),
    ("rd.reqs", "read_requests_total", 1, "counter", "Reads from a disk."),
    ("rd.times", "read_time_seconds_total", NANO, "counter", "Time of reads from a disk."),
    ("wr.bytes", "write_bytes_total", 1, "counter", "Bytes written to a disk."),
    ("wr.reqs", "write_requests_total", 1, "counter", "Writes to a disk."),
    ("wr.times", "write_time_seconds_total", NANO, "counter", "Time of writes to a disk."),
    ("fl.reqs", "flush_requests_total", 1, "counter", "Flushes of a disk."),
    ("fl.times", "flush_time_seconds_total", NANO, "counter", "Time of flushes of a disk."),
    ("allocation", "allocation", 1, "gauge", "Highest byte written to the image of a disk."),
    ("capacity", "capacity_bytes", 1, "gauge", "Size of a disk as the guest sees it."),
    ("physical", "physicalsize_bytes", 1, "gauge", "Size of what holds the image of a disk."),
)
NET: Sequence[Column] = tuple(
    (f"{key}.{what}", f"{way}_{name}_total", 1, "counter", f"{described} {done} by an interface.")
    for key, way, done in (("rx", "receive", "received"), ("tx", "transmit", "sent"))
    for what, name, described in (
        ("bytes", "bytes", "Bytes"),
        ("pkts", "packets", "Packets"),
        ("errs", "errors", "Packets with errors"),
        ("drop", "drops", "Packets dropped"),
    )
)


class Families(dict[str, tuple[Kind, str, dict[Labels, float]]]):
    """Samples by family in the order of their names' first use; a series is told once."""

    def add(self, name: str, kind: Kind, help: str, value: float, labels: Labels) -> None:
        self.setdefault(name, (kind, help, {}))[2].setdefault(labels, value)

    def all(self) -> Iterator[Family]:
        for name, (kind, help, samples) in self.items():
            yield Family(name, kind, help, [Sample(*it) for it in samples.items()])


def families(cloud: str, domains: Iterable[Domain], up: bool) -> Iterator[Family]:
    made = Families()
    own = ("cloud", cloud)
    made.add("libvirt_up", "gauge", "Whether libvirt answered.", float(up), (own,))
    for domain in domains:
        labels = (own, ("domain", domain.name))
        made.add(
            "libvirt_domain_info_meta",
            "gauge",
            "What a domain is in the words of Nova.",
            1,
            (*labels, *_meta(domain)),
        )
        _figures(made, "info", INFO, domain, "", labels)
        if domain.active:
            _running(made, domain, labels)
    yield from made.all()


def _meta(domain: Domain) -> Labels:
    nova = domain.xml.nova if domain.xml else {}
    labels = {
        "uuid": domain.uuid,
        "instance_name": nova.get("name", ""),
        "flavor": nova.get("flavor", ""),
        "user_name": nova.get("user_name", ""),
        "user_uuid": nova.get("user_id", ""),
        "project_name": nova.get("project_name", ""),
        "project_uuid": nova.get("project_id", ""),
        "root_type": nova.get("root_type", ""),
        "root_uuid": nova.get("root_uuid", ""),
    }
    return tuple(labels.items())


def _running(made: Families, domain: Domain, labels: Labels) -> None:
    stats = domain.stats
    for n in members(stats, "vcpu"):
        _figures(made, "vcpu", VCPU, domain, f"vcpu.{n}.", (*labels, ("vcpu", str(n))))
    _figures(made, "memory_stats", MEMORY, domain, "balloon.", labels)
    total, usable = guest_memory(domain)
    if total and usable is not None:
        made.add(
            "libvirt_domain_memory_stats_used_percent",
            "gauge",
            "Share of its memory that a guest uses, by what its balloon driver said.",
            100 * (total - usable) / total,
            labels,
        )
    disks = {disk.target: disk for disk in (domain.xml.disks if domain.xml else ())}
    for n in members(stats, "block"):
        target = str(stats.get(f"block.{n}.name", n))
        device = (*labels, ("target_device", target))
        if disk := disks.get(target):
            source = str(stats.get(f"block.{n}.path", disk.source))
            made.add(
                "libvirt_domain_block_meta", "gauge", "A disk.", 1, (*device, *_disk(disk, source))
            )
        _figures(made, "block_stats", BLOCK, domain, f"block.{n}.", device)
    interfaces = {it.target: it for it in (domain.xml.interfaces if domain.xml else ())}
    for n in members(stats, "net"):
        target = str(stats.get(f"net.{n}.name", n))
        device = (*labels, ("target_device", target))
        if interface := interfaces.get(target):
            made.add(
                "libvirt_domain_interface_meta",
                "gauge",
                "An interface.",
                1,
                (*device, *_interface(interface)),
            )
        _figures(made, "interface_stats", NET, domain, f"net.{n}.", device)


def _disk(disk: Disk, source: str) -> Labels:
    return (
        ("source_file", source),
        ("serial", disk.serial),
        ("bus", disk.bus),
        ("disk_type", disk.kind),
        ("driver_type", disk.driver),
        ("cache", disk.cache),
        ("discard", disk.discard),
    )


def _interface(interface: Interface) -> Labels:
    return ("source_bridge", interface.bridge), ("virtual_interface", interface.port)


def _figures(
    made: Families, group: str, columns: Sequence[Column], domain: Domain, at: str, labels: Labels
) -> None:
    for key, name, units, kind, help in columns:
        value = number(domain.stats, f"{at}{key}")
        if value is not None:
            made.add(f"libvirt_domain_{group}_{name}", kind, help, value / units, labels)
