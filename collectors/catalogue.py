"""The table of collectors: every one by name, and whether it is on by default.

`metrics` collectors are observed at each scrape. Those without are asked only when a rule needs
their facts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from collectors.containers.docker import DockerCollector
from collectors.containers.dockercontainers import DockerContainersCollector
from collectors.containers.engines import EnginesCollector
from collectors.crypto.certificates import CertificatesCollector
from collectors.crypto.cryptopolicy import CryptoPolicyCollector
from collectors.crypto.diskencryption import DiskEncryptionCollector
from collectors.crypto.national import NationalCryptoCollector
from collectors.crypto.residual import ResidualCollector
from collectors.crypto.sshclient import SshClientCollector
from collectors.crypto.tlslisteners import TlsListenersCollector
from collectors.crypto.webservers import WebServersCollector
from collectors.firewall.baseline import FirewallCollector
from collectors.firewall.parity import Ipv6FirewallCollector
from collectors.firewall.persistent import FirewallServicesCollector
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
from collectors.ipv6.listeners import Ipv6ListenersCollector, ListenersCollector
from collectors.ipv6.neighbours import Ipv6NeighboursCollector
from collectors.ipv6.resolvers import Ipv6ResolversCollector
from collectors.ipv6.routes import Ipv6RoutesCollector
from collectors.ipv6.sysctl import Ipv6SysctlCollector
from collectors.ipv6.traffic import Ipv6CountersCollector, Ipv6TrafficCollector
from collectors.ipv6.tunnels import Ipv6TunnelsCollector
from collectors.ipv6.wire.facts import AdvertisersCollector
from collectors.link.linefacts import LinesCollector
from collectors.model import Collector
from collectors.security.accounts import AccountsCollector
from collectors.security.antimalware import AntimalwareCollector
from collectors.security.auditd import AuditdCollector
from collectors.security.authorizedkeys import AuthorizedKeysCollector
from collectors.security.backups import BackupsCollector
from collectors.security.boot import BootCollector
from collectors.security.bootloader import BootLoaderCollector
from collectors.security.coredumps import CoreDumpsCollector
from collectors.security.files import FilesCollector
from collectors.security.filescan import FileScanCollector
from collectors.security.groups import GroupsCollector
from collectors.security.homes import HomesCollector
from collectors.security.integrity import AideCollector
from collectors.security.interfaces import InterfacesCollector
from collectors.security.journald import JournaldCollector
from collectors.security.lastlogins import LastLoginsCollector
from collectors.security.listeners import ListeningCollector
from collectors.security.logindefs import LoginDefsCollector
from collectors.security.logs import LogsCollector
from collectors.security.mac import MacCollector
from collectors.security.modules import ModulesCollector
from collectors.security.mounts import MountsCollector
from collectors.security.netservices import NetservicesCollector
from collectors.security.osinfo import OsInfoCollector
from collectors.security.packages import PackagesCollector
from collectors.security.pam import PamCollector
from collectors.security.reboot import RebootCollector
from collectors.security.repositories import RepositoriesCollector
from collectors.security.rsyslog import RsyslogCollector
from collectors.security.services import ServicesCollector
from collectors.security.shares import SharesCollector
from collectors.security.shells import ShellsCollector
from collectors.security.sshd import SshdCollector
from collectors.security.sshdtest import SshdEffectiveCollector
from collectors.security.sudoers import SudoersCollector
from collectors.security.sysctl import SysctlCollector
from collectors.security.sysctlconfig import SysctlConfigCollector
from collectors.security.timesources import TimeSourcesCollector
from collectors.security.timesync import TimesyncCollector
from collectors.security.trustedboot import TrustedBootCollector
from collectors.security.umask import UmaskCollector
from collectors.security.updates import UpdatesCollector


class Entry(NamedTuple):
    """One collector: its class, whether it is on by default, whether it has metrics at all.

    A `slow` one is no part of an audit: what it has seen is kept, and refreshed on a schedule.
    """

    cls: type[Collector]
    on: bool = True
    metrics: bool = True
    slow: bool = False


_ENTRIES = (
    Entry(ArpCollector),
    Entry(ConntrackCollector),
    Entry(CpuCollector),
    Entry(CpufreqCollector),
    Entry(DiskstatsCollector),
    Entry(DmiCollector),
    Entry(EntropyCollector),
    Entry(FilefdCollector),
    Entry(FilesystemCollector),
    Entry(HwmonCollector),
    Entry(InterruptsCollector, on=False),
    Entry(LoadavgCollector),
    Entry(MeminfoCollector),
    Entry(MountstatsCollector, on=False),
    Entry(NetclassCollector),
    Entry(NetdevCollector),
    Entry(NetstatCollector),
    Entry(OsCollector),
    Entry(PowersupplyclassCollector),
    Entry(PressureCollector),
    Entry(ProcessesCollector, on=False),
    Entry(SchedstatCollector),
    Entry(SelinuxCollector),
    Entry(SockstatCollector),
    Entry(SoftnetCollector),
    Entry(StatCollector),
    Entry(SystemdCollector, on=False),
    Entry(TcpstatCollector, on=False),
    Entry(TextfileCollector),
    Entry(ThermalZoneCollector),
    Entry(TimeCollector),
    Entry(TimexCollector),
    Entry(UdpQueuesCollector),
    Entry(UnameCollector),
    Entry(VmstatCollector),
    Entry(Ipv6AddressesCollector),
    Entry(Ipv6CountersCollector, metrics=False),
    Entry(Ipv6FirewallCollector, metrics=False),
    Entry(AdvertisersCollector, metrics=False),
    Entry(Ipv6ListenersCollector, metrics=False),
    Entry(Ipv6NeighboursCollector, metrics=False),
    Entry(Ipv6ResolversCollector, metrics=False),
    Entry(Ipv6RoutesCollector),
    Entry(Ipv6SysctlCollector, metrics=False),
    Entry(Ipv6TrafficCollector),
    Entry(Ipv6TunnelsCollector, metrics=False),
    Entry(ListenersCollector),
    Entry(AccountsCollector, metrics=False),
    Entry(BootLoaderCollector, metrics=False),
    Entry(CertificatesCollector, metrics=False),
    Entry(CryptoPolicyCollector, metrics=False),
    Entry(DiskEncryptionCollector, metrics=False),
    Entry(FilesCollector, metrics=False),
    Entry(FileScanCollector, metrics=False, slow=True),
    Entry(AuthorizedKeysCollector, metrics=False),
    Entry(FilesCollector, metrics=False),
    Entry(GroupsCollector, metrics=False),
    Entry(HomesCollector, metrics=False),
    Entry(LastLoginsCollector, metrics=False),
    Entry(LinesCollector, metrics=False),
    Entry(ListeningCollector, metrics=False),
    Entry(LoginDefsCollector, metrics=False),
    Entry(NetservicesCollector, metrics=False),
    Entry(BootCollector, metrics=False),
    Entry(CoreDumpsCollector, metrics=False),
    Entry(FilesCollector, metrics=False),
    Entry(DockerCollector, metrics=False),
    Entry(DockerContainersCollector, metrics=False),
    Entry(EnginesCollector, metrics=False),
    Entry(FirewallCollector, metrics=False),
    Entry(FirewallServicesCollector, metrics=False),
    Entry(InterfacesCollector, metrics=False),
    Entry(LinesCollector, metrics=False),
    Entry(ListeningCollector, metrics=False),
    Entry(LoginDefsCollector, metrics=False),
    Entry(ModulesCollector, metrics=False),
    Entry(MountsCollector, metrics=False),
    Entry(OsInfoCollector, metrics=False),
    Entry(PamCollector, metrics=False),
    Entry(ShellsCollector, metrics=False),
    Entry(PackagesCollector, metrics=False),
    Entry(RebootCollector, metrics=False),
    Entry(RepositoriesCollector, metrics=False),
    Entry(ServicesCollector, metrics=False),
    Entry(SharesCollector, metrics=False),
    Entry(NationalCryptoCollector, metrics=False),
    Entry(OsInfoCollector, metrics=False),
    Entry(ResidualCollector, metrics=False),
    Entry(SshClientCollector, metrics=False),
    Entry(AideCollector, metrics=False),
    Entry(AntimalwareCollector, metrics=False),
    Entry(AuditdCollector, metrics=False),
    Entry(BackupsCollector, metrics=False),
    Entry(FilesCollector, metrics=False),
    Entry(JournaldCollector, metrics=False),
    Entry(LinesCollector, metrics=False),
    Entry(ListeningCollector, metrics=False),
    Entry(LoginDefsCollector, metrics=False),
    Entry(LogsCollector, metrics=False),
    Entry(MacCollector, metrics=False),
    Entry(OsInfoCollector, metrics=False),
    Entry(RsyslogCollector, metrics=False),
    Entry(SshdCollector, metrics=False),
    Entry(SshdEffectiveCollector, metrics=False),
    Entry(SudoersCollector, metrics=False),
    Entry(SysctlCollector, metrics=False),
    Entry(SysctlConfigCollector, metrics=False),
    Entry(TimesyncCollector, metrics=False),
    Entry(UpdatesCollector, metrics=False, slow=True),
    Entry(WebServersCollector, metrics=False),
    Entry(UmaskCollector, metrics=False),
    Entry(TimeSourcesCollector, metrics=False),
    Entry(TimesyncCollector, metrics=False),
    Entry(TlsListenersCollector, metrics=False, slow=True),
    Entry(TrustedBootCollector, metrics=False),
)

COLLECTORS: dict[str, Entry] = {entry.cls.name: entry for entry in _ENTRIES}

# One optional key a collector, its value that collector's own settings.
Settings: Any = msgspec.defstruct(
    "Settings",
    [
        (name, entry.cls, msgspec.field(default_factory=entry.cls))
        for name, entry in COLLECTORS.items()
    ],
    frozen=True,
    forbid_unknown_fields=True,
    rename=None,
)


def for_facts(names: set[str], settings: Any, slow: bool = False) -> list[Collector]:
    """The collectors that supply these facts: those that are asked at once, or the slow ones."""
    return [
        getattr(settings, name)
        for name, entry in COLLECTORS.items()
        if entry.slow == slow and names.intersection(entry.cls.facts)
    ]


def slow() -> list[str]:
    """Names of the slow collectors."""
    return [name for name, entry in COLLECTORS.items() if entry.slow]
