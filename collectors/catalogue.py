"""The table of collectors: every one by name, and whether it is on by default.

`metrics` collectors are observed at each scrape. Those without are asked only when a rule needs
their facts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from collectors.firewall.parity import Ipv6FirewallCollector
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
from collectors.security.backups import BackupsCollector
from collectors.security.files import FilesCollector
from collectors.security.integrity import AideCollector
from collectors.security.journald import JournaldCollector
from collectors.security.listeners import ListeningCollector
from collectors.security.logindefs import LoginDefsCollector
from collectors.security.logs import LogsCollector
from collectors.security.mac import MacCollector
from collectors.security.osinfo import OsInfoCollector
from collectors.security.rsyslog import RsyslogCollector
from collectors.security.sshd import SshdCollector
from collectors.security.sysctl import SysctlCollector
from collectors.security.timesources import TimeSourcesCollector
from collectors.security.timesync import TimesyncCollector
from collectors.security.trustedboot import TrustedBootCollector


class Entry(NamedTuple):
    """One collector: its class, whether it is on by default, whether it has metrics at all."""

    cls: type[Collector]
    on: bool = True
    metrics: bool = True


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
    Entry(SysctlCollector, metrics=False),
    Entry(TimeSourcesCollector, metrics=False),
    Entry(TimesyncCollector, metrics=False),
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


def for_facts(names: set[str], settings: Any) -> list[Collector]:
    """The collectors that supply these facts."""
    return [
        getattr(settings, name)
        for name, entry in COLLECTORS.items()
        if names.intersection(entry.cls.facts)
    ]
