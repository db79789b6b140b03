"""The table of collectors: every one by name, and whether it is on by default.

Those with metrics are observed at each scrape. The others are asked only when a rule needs their facts: their
code is imported then, so that the resident agent does not carry it. A slow one is not even asked by an
audit: what it last saw is kept (agents/inventories.py).
"""

from __future__ import annotations

import functools
import importlib
from collections.abc import Collection
from typing import Any, ClassVar, NamedTuple

import msgspec

from collectors.cloud.cgroup import CgroupCollector
from collectors.host.arp import ArpCollector
from collectors.host.conntrack import ConntrackCollector
from collectors.host.cpu import CpuCollector
from collectors.host.cpufreq import CpufreqCollector
from collectors.host.diskstats import DiskstatsCollector
from collectors.host.dmi import DmiCollector
from collectors.host.entropy import EntropyCollector
from collectors.host.filefd import FilefdCollector
from collectors.host.filesystem import FilesystemCollector
from collectors.host.hwmon import HwmonCollector
from collectors.host.interrupts import InterruptsCollector
from collectors.host.loadavg import LoadavgCollector
from collectors.host.meminfo import MeminfoCollector
from collectors.host.mountstats import MountstatsCollector
from collectors.host.netclass import NetclassCollector
from collectors.host.netdev import NetdevCollector
from collectors.host.netstat import NetstatCollector
from collectors.host.os import OsCollector
from collectors.host.powersupplyclass import PowersupplyclassCollector
from collectors.host.pressure import PressureCollector
from collectors.host.processes import ProcessesCollector
from collectors.host.schedstat import SchedstatCollector
from collectors.host.selinux import SelinuxCollector
from collectors.host.sockstat import SockstatCollector
from collectors.host.softnet import SoftnetCollector
from collectors.host.stat import StatCollector
from collectors.host.systemd import SystemdCollector
from collectors.host.tcpstat import TcpstatCollector
from collectors.host.textfile import TextfileCollector
from collectors.host.thermal_zone import ThermalZoneCollector
from collectors.host.time import TimeCollector
from collectors.host.timex import TimexCollector
from collectors.host.udp_queues import UdpQueuesCollector
from collectors.host.uname import UnameCollector
from collectors.host.vmstat import VmstatCollector
from collectors.ipv6.addresses import Ipv6AddressesCollector
from collectors.ipv6.listeners import ListenersCollector
from collectors.ipv6.routes import Ipv6RoutesCollector
from collectors.ipv6.traffic import Ipv6TrafficCollector
from collectors.model import Collector
from collectors.strictyaml import decode


class Entry(NamedTuple):
    """One collector: what it is called, the facts it supplies, where its class is (`module:Class`), whether it
    is on by default, whether it has metrics at all, whether it takes long."""

    name: str
    facts: tuple[str, ...]
    where: str
    on: bool = True
    metrics: bool = True
    slow: bool = False

    @property
    def cls(self) -> type[Collector]:
        return _class(self.where)


@functools.cache
def _class(where: str) -> type[Collector]:
    module, _, name = where.partition(":")
    found: type[Collector] = getattr(importlib.import_module(module), name)
    return found


def _scraped(cls: type[Collector], on: bool = True) -> Entry:
    return Entry(cls.name, cls.facts, f"{cls.__module__}:{cls.__name__}", on)


def _asked(name: str, where: str, *facts: str, slow: bool = False) -> Entry:
    return Entry(name, facts, where, metrics=False, slow=slow)


_ENTRIES = (
    _scraped(ArpCollector),
    _scraped(CgroupCollector, on=False),
    _scraped(ConntrackCollector),
    _scraped(CpuCollector),
    _scraped(CpufreqCollector),
    _scraped(DiskstatsCollector),
    _scraped(DmiCollector),
    _scraped(EntropyCollector),
    _scraped(FilefdCollector),
    _scraped(FilesystemCollector),
    _scraped(HwmonCollector),
    _scraped(InterruptsCollector, on=False),
    _scraped(LoadavgCollector),
    _scraped(MeminfoCollector),
    _scraped(MountstatsCollector, on=False),
    _scraped(NetclassCollector),
    _scraped(NetdevCollector),
    _scraped(NetstatCollector),
    _scraped(OsCollector),
    _scraped(PowersupplyclassCollector),
    _scraped(PressureCollector),
    _scraped(ProcessesCollector, on=False),
    _scraped(SchedstatCollector),
    _scraped(SelinuxCollector),
    _scraped(SockstatCollector),
    _scraped(SoftnetCollector),
    _scraped(StatCollector),
    _scraped(SystemdCollector, on=False),
    _scraped(TcpstatCollector, on=False),
    _scraped(TextfileCollector),
    _scraped(ThermalZoneCollector),
    _scraped(TimeCollector),
    _scraped(TimexCollector),
    _scraped(UdpQueuesCollector),
    _scraped(UnameCollector),
    _scraped(VmstatCollector),
    _scraped(Ipv6AddressesCollector),
    _scraped(Ipv6RoutesCollector),
    _scraped(Ipv6TrafficCollector),
    _scraped(ListenersCollector),
    _asked(
        "accounts",
        "collectors.security.identity.accounts:AccountsCollector",
        "accounts",
        "odd_accounts",
        "passwords",
    ),
    _asked("aide", "collectors.security.protection.integrity:AideCollector", "aide"),
    _asked(
        "antimalware",
        "collectors.security.protection.antimalware:AntimalwareCollector",
        "antimalware",
        "hids",
    ),
    _asked(
        "auditd",
        "collectors.security.logging.auditd:AuditdCollector",
        "auditd",
        "audit_rules",
        "audit_loaded",
        "audit_coverage",
        "auditd_conf",
    ),
    _asked(
        "authorized_keys",
        "collectors.security.identity.authorizedkeys:AuthorizedKeysCollector",
        "authorized_keys",
    ),
    _asked("backups", "collectors.security.protection.backups:BackupsCollector", "backups"),
    _asked(
        "boot",
        "collectors.security.system.boot:BootCollector",
        "boot_parameters",
        "cpu_vulnerabilities",
        "kdump",
    ),
    _asked(
        "boot_loader", "collectors.security.system.bootloader:BootLoaderCollector", "boot_loader"
    ),
    _asked(
        "certificates",
        "collectors.crypto.certificates:CertificatesCollector",
        "certificates",
        "key_files",
    ),
    _asked(
        "container_engines",
        "collectors.containers.engines:EnginesCollector",
        "container_engines",
        "container_files",
        "containerd",
        "podman",
        "kubelet",
    ),
    _asked("core_dumps", "collectors.security.system.coredumps:CoreDumpsCollector", "core_dumps"),
    _asked(
        "crypto_policy", "collectors.crypto.cryptopolicy:CryptoPolicyCollector", "crypto_policy"
    ),
    _asked(
        "disk_encryption",
        "collectors.crypto.diskencryption:DiskEncryptionCollector",
        "disk_encryption",
    ),
    _asked("docker", "collectors.containers.docker:DockerCollector", "docker"),
    _asked(
        "docker_containers",
        "collectors.containers.dockercontainers:DockerContainersCollector",
        "docker_containers",
    ),
    _asked("files", "collectors.security.system.files:FilesCollector", "files", "private_files"),
    _asked(
        "filescan",
        "collectors.security.software.filescan:FileScanCollector",
        "file_scan",
        slow=True,
    ),
    _asked("firewall", "collectors.firewall.baseline:FirewallCollector", "firewall"),
    _asked(
        "firewall_services",
        "collectors.firewall.persistent:FirewallServicesCollector",
        "firewall_services",
        "ip_families",
    ),
    _asked(
        "groups", "collectors.security.identity.groups:GroupsCollector", "groups", "nis_entries"
    ),
    _asked("homes", "collectors.security.identity.homes:HomesCollector", "homes", "home_files"),
    _asked(
        "interfaces",
        "collectors.security.system.interfaces:InterfacesCollector",
        "interfaces",
        "bonds",
        "default_routes",
    ),
    _asked(
        "ipv6_advertisers", "collectors.ipv6.wire.facts:AdvertisersCollector", "ipv6_advertisers"
    ),
    _asked(
        "ipv6_counters",
        "collectors.ipv6.traffic:Ipv6CountersCollector",
        "ipv6_counters",
        "ipv6_traffic",
    ),
    _asked("ipv6_firewall", "collectors.firewall.parity:Ipv6FirewallCollector", "ipv6_firewall"),
    _asked("ipv6_listeners", "collectors.ipv6.listeners:Ipv6ListenersCollector", "ipv6_listeners"),
    _asked(
        "ipv6_neighbours", "collectors.ipv6.neighbours:Ipv6NeighboursCollector", "ipv6_neighbours"
    ),
    _asked("ipv6_resolvers", "collectors.ipv6.resolvers:Ipv6ResolversCollector", "ipv6_resolvers"),
    _asked("ipv6_sysctl", "collectors.ipv6.sysctl:Ipv6SysctlCollector", "ipv6_sysctl"),
    _asked("ipv6_tunnels", "collectors.ipv6.tunnels:Ipv6TunnelsCollector", "ipv6_tunnels"),
    _asked("journald", "collectors.security.logging.journald:JournaldCollector", "journald"),
    _asked(
        "kernel_modules",
        "collectors.security.system.modules:ModulesCollector",
        "kernel_modules",
        "module_loading",
    ),
    _asked(
        "last_logins", "collectors.security.identity.lastlogins:LastLoginsCollector", "last_logins"
    ),
    _asked("lines", "collectors.link.linefacts:LinesCollector", "lines"),
    _asked("listening", "collectors.security.software.listeners:ListeningCollector", "listeners"),
    _asked("login_defs", "collectors.security.identity.logindefs:LoginDefsCollector", "login_defs"),
    _asked(
        "logs",
        "collectors.security.logging.logs:LogsCollector",
        "log_files",
        "audit_log_files",
        "log_retention",
        "audit_retention",
    ),
    _asked("mac", "collectors.security.protection.mac:MacCollector", "mac"),
    _asked("mounts", "collectors.security.system.mounts:MountsCollector", "mounts"),
    _asked(
        "national_crypto", "collectors.crypto.national:NationalCryptoCollector", "national_crypto"
    ),
    _asked(
        "netservices",
        "collectors.security.software.netservices:NetservicesCollector",
        "ftp",
        "snmp",
        "tcp_wrappers",
    ),
    _asked("osinfo", "collectors.security.system.osinfo:OsInfoCollector", "os", "host"),
    _asked("packages", "collectors.security.software.packages:PackagesCollector", "packages"),
    _asked(
        "pam",
        "collectors.security.identity.pam:PamCollector",
        "pam",
        "password_quality",
        "password_history",
        "password_hash",
        "lockout",
        "second_factor",
        "su",
        "elevation",
    ),
    _asked("reboot", "collectors.security.software.reboot:RebootCollector", "reboot"),
    _asked(
        "repositories",
        "collectors.security.software.repositories:RepositoriesCollector",
        "repositories",
    ),
    _asked(
        "residual",
        "collectors.crypto.residual:ResidualCollector",
        "shell_history",
        "temporary_folders",
    ),
    _asked("rsyslog", "collectors.security.logging.rsyslog:RsyslogCollector", "rsyslog"),
    _asked(
        "services", "collectors.security.software.services:ServicesCollector", "services", "boot"
    ),
    _asked("shares", "collectors.security.software.shares:SharesCollector", "shares"),
    _asked("shells", "collectors.security.identity.shells:ShellsCollector", "shell_timeout"),
    _asked("ssh_client", "collectors.crypto.sshclient:SshClientCollector", "ssh_client"),
    _asked("sshd", "collectors.security.sshserver.sshd:SshdCollector", "sshd"),
    _asked(
        "sshd_effective",
        "collectors.security.sshserver.sshdtest:SshdEffectiveCollector",
        "sshd_effective",
    ),
    _asked("sudo", "collectors.security.identity.sudoers:SudoersCollector", "sudo", "sudo_rules"),
    _asked(
        "sysctl", "collectors.security.system.sysctl:SysctlCollector", "sysctl", "kernel_interfaces"
    ),
    _asked(
        "sysctl_configured",
        "collectors.security.system.sysctlconfig:SysctlConfigCollector",
        "sysctl_configured",
    ),
    _asked(
        "time_sources",
        "collectors.security.logging.timesources:TimeSourcesCollector",
        "time_sources",
    ),
    _asked("timesync", "collectors.security.logging.timesync:TimesyncCollector", "timesync"),
    _asked(
        "tlslisteners",
        "collectors.crypto.tlslisteners:TlsListenersCollector",
        "tls_listeners",
        slow=True,
    ),
    _asked(
        "trusted_boot",
        "collectors.security.protection.trustedboot:TrustedBootCollector",
        "trusted_boot",
    ),
    _asked("umask", "collectors.security.identity.umask:UmaskCollector", "umask"),
    _asked(
        "updates", "collectors.security.software.updates:UpdatesCollector", "updates", slow=True
    ),
    _asked("usage", "collectors.cloud.usagefacts:UsageCollector", "usage"),
    _asked("web_servers", "collectors.crypto.webservers:WebServersCollector", "web_servers"),
)

COLLECTORS: dict[str, Entry] = {entry.name: entry for entry in _ENTRIES}


class Deferred:
    """The settings of a collector that is imported when they are written, or when it is asked for."""

    named: ClassVar[str]
    __slots__ = ("collector",)

    def __init__(self, collector: Collector | None = None) -> None:
        self.collector = collector

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.collector == self.collector

    def __hash__(self) -> int:
        return hash((type(self), self.collector))

    @classmethod
    def parse(cls, value: Any) -> Deferred:
        return cls(msgspec.convert(value, COLLECTORS[cls.named].cls, dec_hook=decode))


def _setting(entry: Entry) -> type:
    if entry.metrics:
        return entry.cls
    return type(entry.name, (Deferred,), {"named": entry.name, "__slots__": ()})


# One optional key a collector, its value that collector's own settings.
Settings: Any = msgspec.defstruct(
    "Settings",
    [
        (name, kind, msgspec.field(default_factory=kind))
        for name, kind in ((name, _setting(entry)) for name, entry in COLLECTORS.items())
    ],
    frozen=True,
    forbid_unknown_fields=True,
    rename=None,
)


def collector(settings: Any, name: str) -> Collector:
    """One collector with its settings; KeyError if there is none of that name."""
    entry = COLLECTORS[name]
    found = getattr(settings, name)
    if isinstance(found, Deferred):
        return found.collector or entry.cls()
    made: Collector = found
    return made


def for_facts(names: set[str], settings: Any, slow: bool = False) -> list[Collector]:
    """The collectors that supply these facts: those that are asked at once, or the slow ones."""
    return [
        collector(settings, name)
        for name, entry in COLLECTORS.items()
        if entry.slow == slow and names.intersection(entry.facts)
    ]


def slow(facts: Collection[str] | None = None) -> list[str]:
    """Names of the slow collectors, of those that supply one of these facts if any are given."""
    return [
        name
        for name, entry in COLLECTORS.items()
        if entry.slow and (facts is None or not set(entry.facts).isdisjoint(facts))
    ]
