"""Literal cases for the tricky parts of the collectors that read the kernel's own files."""

from __future__ import annotations

import struct
from collections.abc import Mapping

import msgspec
import pytest

from collectors.host.arp import ARP, ArpCollector
from collectors.host.conntrack import COUNT, LIMIT, STATS, ConntrackCollector
from collectors.host.cpu import CPUINFO, ISOLATED, ONLINE, PRESENT, STAT, THROTTLES, CpuCollector
from collectors.host.cpufreq import CPUFREQ, CpufreqCollector
from collectors.host.interrupts import INTERRUPTS, InterruptsCollector
from collectors.host.meminfo import MEMINFO, MeminfoCollector
from collectors.host.netstat import NETSTAT, SNMP, SNMP6, NetstatCollector
from collectors.host.os import ETC, USR, OsCollector
from collectors.host.pressure import CPU, IO, IRQ, MEMORY, PressureCollector
from collectors.host.schedstat import SCHEDSTAT, SchedstatCollector
from collectors.host.selinux import CONFIG, ENFORCE, SelinuxCollector
from collectors.host.sockstat import AUXV, V4, V6, SockstatCollector
from collectors.host.softnet import SOFTNET, SoftnetCollector
from collectors.host.stat import HUNG, StatCollector
from collectors.host.tcpstat import TCP, TCP6, TcpstatCollector
from collectors.host.timex import TIMEX, TimexCollector
from collectors.host.udp_queues import UDP, UdpQueuesCollector
from collectors.host.vmstat import VMSTAT, VmstatCollector
from collectors.model import (
    Answer,
    Answers,
    Collector,
    Family,
    Glob,
    Labels,
    ParseError,
    Reading,
    Timex,
    Unavailable,
)

Text = str | bytes | dict[str, str]  # the latter: files of a glob
Values = dict[tuple[str, Labels], float]


def values(collector: Collector, texts: Mapping[Reading, Text]) -> Values:
    """What a collector makes of these texts; readings without one are absent."""

    def answer(reading: Reading) -> Answer:
        given = texts.get(reading)
        if isinstance(given, dict):
            children = tuple((p, Answer("content", t.encode())) for p, t in given.items())
            return Answer("content", children=children)
        if given is None:
            return Answer("content") if isinstance(reading, Glob) else Answer("absent")
        return Answer("content", given if isinstance(given, bytes) else given.encode())

    made = collector.parse(Answers({reading: answer(reading) for reading in collector.readings()}))
    return {
        (family.name, tuple(sorted(it.labels))): it.value
        for family in made
        if isinstance(family, Family)
        for it in family.samples
    }


def of(found: Values, name: str) -> dict[Labels, float]:
    return {labels: value for (family, labels), value in found.items() if family == name}


def plain(found: Values) -> dict[str, float]:
    """Values of the families without labels."""
    return {name: value for (name, labels), value in found.items() if not labels}


STAT_TEXT = """\
cpu  300 20 100 9000 40 2 6 8 30 4
cpu0 200 10 50 4500 40 1 3 4 30 4
cpu12 100 10 50 4500 0 1 3 4 0 0
intr 500 9 0 1 2
ctxt 700
btime 1766629800
processes 42
procs_running 3
procs_blocked 1
softirq 9 1 2 3
"""


def test_cpu_times_are_hundredths_and_the_sum_is_left_out() -> None:
    found = values(CpuCollector(), {STAT: STAT_TEXT})
    seconds = of(found, "node_cpu_seconds_total")
    assert {cpu for ((_, cpu), _) in seconds} == {"0", "12"}
    assert {mode: value for ((_, cpu), (_, mode)), value in seconds.items() if cpu == "0"} == {
        "user": 2.0,
        "nice": 0.1,
        "system": 0.5,
        "idle": 45.0,
        "iowait": 0.4,
        "irq": 0.01,
        "softirq": 0.03,
        "steal": 0.04,
    }
    guest = of(found, "node_cpu_guest_seconds_total")
    assert guest[("cpu", "0"), ("mode", "user")] == 0.3
    assert guest[("cpu", "0"), ("mode", "nice")] == 0.04


def test_a_kernel_without_guest_columns_has_no_guest_seconds() -> None:
    found = values(CpuCollector(), {STAT: "cpu  1 2 3 4\ncpu0 100 200 300 400\nintr 1\n"})
    assert len(of(found, "node_cpu_seconds_total")) == 4
    assert of(found, "node_cpu_guest_seconds_total") == {}


def test_a_stat_without_cpus_is_no_stat() -> None:
    with pytest.raises(ParseError, match="no line of a CPU"):
        values(CpuCollector(), {STAT: "intr 1\n"})


X86 = """processor\t: {n}
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: 158
model name\t: Intel(R) Xeon(R): 3.40GHz
stepping\t: 10
microcode\t: 0xf8
cache size\t: 8192 KB
physical id\t: 1
core id\t\t: {core}
flags\t\t: fpu vme
power management:

"""
ARM = """processor\t: 0
BogoMIPS\t: 200.00
Features\t: fp asimd
CPU implementer\t: 0x48
CPU architecture: 8
CPU variant\t: 0x1
CPU part\t: 0xd01
CPU revision\t: 0

"""


def test_cpu_model_on_x86_and_arm() -> None:
    (labels,) = of(
        values(CpuCollector(), {STAT: STAT_TEXT, CPUINFO: X86.format(n=0, core=2)}),
        "node_cpu_info",
    )
    assert dict(labels) == {
        "package": "1",
        "core": "2",
        "cpu": "0",
        "vendor": "GenuineIntel",
        "family": "6",
        "model": "158",
        "model_name": "Intel(R) Xeon(R): 3.40GHz",
        "microcode": "0xf8",
        "stepping": "10",
        "cachesize": "8192 KB",
    }
    (labels,) = of(values(CpuCollector(), {STAT: STAT_TEXT, CPUINFO: ARM}), "node_cpu_info")
    assert (dict(labels)["vendor"], dict(labels)["model"]) == ("0x48", "0xd01")
    assert dict(labels)["package"] == ""


def test_throttles_count_once_for_threads_of_one_core() -> None:
    directory = "/sys/devices/system/cpu/cpu{}/thermal_throttle/"
    counts = {
        directory.format(n) + name: count
        for n, core in ((0, "7"), (1, "7"), (2, "9"))
        for name, count in (("core_throttle_count", core), ("package_throttle_count", "20"))
    }
    info = "".join(X86.format(n=n, core=core) for n, core in ((0, 0), (1, 0), (2, 1)))
    found = values(CpuCollector(), {STAT: STAT_TEXT, CPUINFO: info, THROTTLES: counts})
    assert of(found, "node_cpu_core_throttles_total") == {
        (("core", "0"), ("package", "1")): 7,
        (("core", "1"), ("package", "1")): 9,
    }
    assert of(found, "node_cpu_package_throttles_total") == {(("package", "1"),): 20}


def test_cpus_online_and_isolated() -> None:
    texts: dict[Reading, Text] = {
        STAT: STAT_TEXT,
        PRESENT: "0-3\n",
        ONLINE: "0,2-3\n",
        ISOLATED: "\n",
    }
    found = values(CpuCollector(info=False), texts)
    assert [v for _, v in sorted(of(found, "node_cpu_online").items())] == [1, 0, 1, 1]
    assert of(found, "node_cpu_isolated") == {}
    found = values(CpuCollector(), {**texts, ISOLATED: "2-3\n"})
    assert set(of(found, "node_cpu_isolated")) == {(("cpu", "2"),), (("cpu", "3"),)}


def test_frequencies_are_hertz_and_an_unknown_one_is_left_out() -> None:
    base = "/sys/devices/system/cpu/cpu{}/cpufreq/"
    found = values(
        CpufreqCollector(),
        {
            CPUFREQ: {
                base.format(0) + "scaling_cur_freq": "3400000\n",
                base.format(0) + "scaling_governor": "powersave\n",
                base.format(0) + "scaling_available_governors": "performance powersave\n",
                base.format(11) + "scaling_cur_freq": "<unknown>\n",
            }
        },
    )
    assert of(found, "node_cpu_scaling_frequency_hertz") == {(("cpu", "0"),): 3.4e9}
    assert of(found, "node_cpu_scaling_governor") == {
        (("cpu", "0"), ("governor", "performance")): 0,
        (("cpu", "0"), ("governor", "powersave")): 1,
    }


def test_stat_takes_the_sum_of_interrupts_and_leaves_out_hung_tasks_of_old_kernels() -> None:
    expected = {
        "node_intr_total": 500,
        "node_context_switches_total": 700,
        "node_forks_total": 42,
        "node_boot_time_seconds": 1766629800,
        "node_procs_running": 3,
        "node_procs_blocked": 1,
    }
    assert plain(values(StatCollector(), {STAT: STAT_TEXT})) == expected
    found = values(StatCollector(), {STAT: STAT_TEXT, HUNG: "2\n"})
    assert plain(found) == {**expected, "node_kernel_hung_tasks": 2}


def test_meminfo_parentheses_and_units() -> None:
    text = "MemTotal:       2 kB\nActive(anon):    3 kB\nHugePages_Total:       4\n"
    assert plain(values(MeminfoCollector(), {MEMINFO: text})) == {
        "node_memory_MemTotal_bytes": 2048,
        "node_memory_Active_anon_bytes": 3072,
        "node_memory_HugePages_Total": 4,
    }


def test_vmstat_takes_what_is_watched_and_what_is_asked_for() -> None:
    text = "nr_free_pages 5\npgpgin 1\npgfault 3\nnr_unstable 0\noom_kill 7\n"
    watched = {"node_vmstat_pgpgin": 1, "node_vmstat_pgfault": 3, "node_vmstat_oom_kill": 7}
    assert plain(values(VmstatCollector(), {VMSTAT: text})) == watched
    found = plain(values(VmstatCollector(also=("nr_free_pages",)), {VMSTAT: text}))
    assert found == {**watched, "node_vmstat_nr_free_pages": 5}


PSI = "some avg10=0.14 avg60=0.89 avg300=0.49 total=9925733\nfull avg10=0.00 total=2000000\n"


def test_pressure_full_is_stalled_some_is_waiting() -> None:
    files: dict[Reading, Text] = {CPU: PSI, IO: PSI, MEMORY: PSI}
    expected = {
        "node_pressure_cpu_waiting_seconds_total": 9.925733,
        "node_pressure_io_waiting_seconds_total": 9.925733,
        "node_pressure_io_stalled_seconds_total": 2,
        "node_pressure_memory_waiting_seconds_total": 9.925733,
        "node_pressure_memory_stalled_seconds_total": 2,
    }
    assert plain(values(PressureCollector(), files)) == expected
    found = plain(values(PressureCollector(), {**files, IRQ: "full avg10=0.00 total=500000\n"}))
    assert found == {**expected, "node_pressure_irq_stalled_seconds_total": 0.5}


def test_pressure_that_is_off_is_absent() -> None:
    with pytest.raises(Unavailable) as error:
        values(PressureCollector(), {})
    assert error.value.state == "absent"


def test_schedstat_takes_the_last_three_of_nine() -> None:
    text = "version 15\ntimestamp 4295\ncpu3 0 0 0 0 0 0 2500000000 500000000 77\ndomain0 f 1 2\n"
    cpu = (("cpu", "3"),)
    assert values(SchedstatCollector(), {SCHEDSTAT: text}) == {
        ("node_schedstat_running_seconds_total", cpu): 2.5,
        ("node_schedstat_waiting_seconds_total", cpu): 0.5,
        ("node_schedstat_timeslices_total", cpu): 77,
    }


SOCKSTAT = "sockets: used 17\nTCP: inuse 3 orphan 0 tw 2 alloc 3 mem 5\nFRAG: inuse 0 memory 9\n"


@pytest.mark.parametrize("page", [4096, 65536])
def test_socket_memory_counts_pages_of_the_machine_that_was_read(page: int) -> None:
    auxv = struct.pack("<6Q", 33, 0x7FFD00000000, 6, page, 0, 0)
    found = plain(values(SockstatCollector(), {V4: SOCKSTAT, AUXV: auxv}))
    assert found["node_sockstat_TCP_mem"] == 5
    assert found["node_sockstat_TCP_mem_bytes"] == 5 * page
    assert found["node_sockstat_FRAG_memory"] == 9
    assert found["node_sockstat_sockets_used"] == 17


def test_sockstat_of_ipv6_and_without_it() -> None:
    found = plain(values(SockstatCollector(), {V4: SOCKSTAT, V6: "TCP6: inuse 6\n"}))
    assert found["node_sockstat_TCP6_inuse"] == 6
    assert found["node_sockstat_TCP_mem_bytes"] == 5 * 4096
    assert "node_sockstat_TCP6_inuse" not in plain(values(SockstatCollector(), {V4: SOCKSTAT}))


@pytest.mark.parametrize(
    ("line", "cpu", "names"),
    [
        pytest.param("10 2 3 0 0 0 0 0 4", "0", 4, id="2.6.23"),
        pytest.param("10 2 3 0 0 0 0 0 4 5 6", "0", 6, id="4.17"),
        pytest.param("10 2 3 0 0 0 0 0 4 5 6 7 a", "10", 7, id="5.10"),
        pytest.param("10 2 3 0 0 0 0 0 4 5 6 7 a 8 9", "10", 7, id="6.6"),
    ],
)
def test_softnet_columns_by_kernel_version(line: str, cpu: str, names: int) -> None:
    found = values(SoftnetCollector(), {SOFTNET: line + "\n"})
    by_name = {name.removeprefix("node_softnet_"): value for (name, _), value in found.items()}
    assert {labels for _, labels in found} == {(("cpu", cpu),)}
    expected = {
        "processed_total": 16,
        "dropped_total": 2,
        "times_squeezed_total": 3,
        "cpu_collision_total": 4,
        "received_rps_total": 5,
        "flow_limit_count_total": 6,
        "backlog_len": 7,
    }
    assert by_name == dict(list(expected.items())[:names])


def test_softnet_with_too_few_columns_is_not_softnet() -> None:
    with pytest.raises(ParseError, match="8 columns"):
        values(SoftnetCollector(), {SOFTNET: "1 2 3 4 5 6 7 8\n"})


NETSTAT_TEXT = """TcpExt: SyncookiesSent EmbryonicRsts ListenDrops TCPOFOQueue
TcpExt: 1 2 3 4
IpExt: InNoRoutes InOctets OutOctets
IpExt: 5 6 7
"""
SNMP_TEXT = """Ip: Forwarding DefaultTTL
Ip: 2 64
Tcp: MaxConn CurrEstab
Tcp: -1 8
Udp: InDatagrams InErrors
Udp: 9 10
UdpLite: InDatagrams InErrors
UdpLite: 11 12
"""
SNMP6_TEXT = """Ip6InReceives                   \t1
Ip6InOctets                     \t128
Icmp6InErrors                   \t2
Udp6NoPorts                     \t3
UdpLite6InErrors                \t4
UdpLite6InDatagrams             \t5
Icmp6OutType135                 \t6
"""


def test_netstat_takes_what_is_watched_and_what_is_asked_for() -> None:
    ipv4 = {
        "TcpExt_SyncookiesSent": 1,
        "TcpExt_ListenDrops": 3,
        "TcpExt_TCPOFOQueue": 4,
        "IpExt_InOctets": 6,
        "IpExt_OutOctets": 7,
        "Ip_Forwarding": 2,
        "Tcp_MaxConn": -1,
        "Tcp_CurrEstab": 8,
        "Udp_InDatagrams": 9,
        "Udp_InErrors": 10,
        "UdpLite_InErrors": 12,
    }
    ipv6 = {"Ip6_InOctets": 128, "Icmp6_InErrors": 2, "Udp6_NoPorts": 3, "UdpLite6_InErrors": 4}

    def found(collector: NetstatCollector, texts: Mapping[Reading, str]) -> dict[str, float]:
        made = plain(values(collector, texts))
        return {name.removeprefix("node_netstat_"): value for name, value in made.items()}

    files: dict[Reading, str] = {NETSTAT: NETSTAT_TEXT, SNMP: SNMP_TEXT}
    assert found(NetstatCollector(), files) == ipv4
    files[SNMP6] = SNMP6_TEXT
    assert found(NetstatCollector(), files) == ipv4 | ipv6
    more = NetstatCollector(also=("TcpExt_EmbryonicRsts", "Icmp6_OutType135"))
    extra = {"TcpExt_EmbryonicRsts": 2, "Icmp6_OutType135": 6}
    assert found(more, files) == ipv4 | ipv6 | extra


def test_netstat_with_a_number_missing_is_malformed() -> None:
    with pytest.raises(ParseError, match="/proc/net/snmp"):
        values(
            NetstatCollector(),
            {NETSTAT: NETSTAT_TEXT, SNMP: "Tcp: ActiveOpens CurrEstab\nTcp: 1\n"},
        )


@pytest.mark.parametrize("deleted", ["", "delete delete_list ", "delete chainlength "])
def test_conntrack_sums_hexadecimal_columns_of_all_cpus(deleted: str) -> None:
    width = len(deleted.split())
    stats = f"entries  searched found new invalid ignore {deleted}insert insert_failed\n" + "".join(
        f"00000005  00000000 {found} 00000000 00000001 00000010 {'00000099 ' * width}{insert} 00000000\n"
        for found, insert in (("0000000a", "00000001"), ("00000010", "000000ff"))
    )
    found = values(ConntrackCollector(), {COUNT: "5\n", LIMIT: "262144\n", STATS: stats})
    assert plain(found) == {
        "node_nf_conntrack_entries": 5,
        "node_nf_conntrack_entries_limit": 262144,
        "node_nf_conntrack_stat_found": 26,
        "node_nf_conntrack_stat_invalid": 2,
        "node_nf_conntrack_stat_ignore": 32,
        "node_nf_conntrack_stat_insert": 256,
        "node_nf_conntrack_stat_insert_failed": 0,
    }


def test_arp_counts_by_interface() -> None:
    header = "IP address       HW type     Flags       HW address            Mask     Device\n"
    lines = "".join(
        f"10.20.1.{n}       0x1         0x2         52:54:00:20:01:01     *        {device}\n"
        for n, device in ((1, "eth0"), (2, "eth0"), (3, "eth1"))
    )
    found = values(ArpCollector(), {ARP: header + lines})
    name = "node_arp_entries"
    assert of(found, name) == {(("device", "eth0"),): 2, (("device", "eth1"),): 1}
    assert values(ArpCollector(), {ARP: header}) == {}


def test_udp_queues_are_hexadecimal_and_ipv6_may_be_off() -> None:
    v4 = """   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid
  331: 00000000:0044 00000000:0000 07 00000240:00000D00 00:00000000 00000000     0
  332: 00000000:0045 00000000:0000 07 00000001:0000000A 00:00000000 00000000     0
"""
    expected = {
        (("ip", "v4"), ("queue", "tx")): 0x241,
        (("ip", "v4"), ("queue", "rx")): 0xD0A,
    }
    found = values(UdpQueuesCollector(), {UDP["v4"]: v4})
    assert of(found, "node_udp_queues") == expected
    found = values(UdpQueuesCollector(), {UDP["v4"]: v4, UDP["v6"]: "header\n"})
    nothing = {(("ip", "v6"), ("queue", queue)): 0.0 for queue in ("tx", "rx")}
    assert of(found, "node_udp_queues") == expected | nothing


def test_tcp_states_of_both_families_and_queues() -> None:
    line = "   0: 00000000:0016 00000000:0000 {} 00000010:00000003 00:00000000 00000000 0 0 1\n"
    v4 = "header\n" + line.format("0A") + line.format("01")
    found = values(TcpstatCollector(), {TCP: v4, TCP6: "header\n" + line.format("01")})
    states = {dict(labels)["state"]: value for (_, labels), value in found.items()}
    assert states == {"listen": 1, "established": 2, "tx_queued_bytes": 48, "rx_queued_bytes": 9}


INTERRUPT_TEXT = """           CPU0       CPU2
 16:          9          0  IR-IO-APIC   16-fasteoi   i801_smbus, ehci_hcd:usb1
LOC:         30         40   Local timer interrupts
ERR:          0
"""


def test_interrupts_name_their_cpu_by_the_header() -> None:
    assert of(
        values(InterruptsCollector(), {INTERRUPTS: INTERRUPT_TEXT}), "node_interrupts_total"
    ) == {
        (("cpu", cpu), ("devices", devices), ("info", info), ("type", kind)): value
        for cpu, kind, info, devices, value in (
            ("0", "16", "IR-IO-APIC", "16-fasteoi i801_smbus, ehci_hcd:usb1", 9),
            ("2", "16", "IR-IO-APIC", "16-fasteoi i801_smbus, ehci_hcd:usb1", 0),
            ("0", "LOC", "Local timer interrupts", "", 30),
            ("2", "LOC", "Local timer interrupts", "", 40),
        )
    }
    found = values(InterruptsCollector(zeros=False), {INTERRUPTS: INTERRUPT_TEXT})
    assert len(found) == 3


RAW = Timex(
    **dict.fromkeys(Timex.__struct_fields__, 0) | {"freq": -1212416, "tick": 10000, "jitter": 7}
)


def timex(**fields: int) -> dict[str, float]:
    row = msgspec.json.encode([msgspec.structs.replace(RAW, **fields)])
    found = plain(values(TimexCollector(), {TIMEX: row}))
    return {name.removeprefix("node_timex_"): value for name, value in found.items()}


def test_timex_offset_is_nanoseconds_only_with_sta_nano() -> None:
    assert timex(offset=-183220)["offset_seconds"] == pytest.approx(-0.18322)
    assert timex(offset=-183220, status=0x2001)["offset_seconds"] == pytest.approx(-0.00018322)
    assert timex(status=0x2001)["pps_jitter_seconds"] == pytest.approx(7e-9)
    assert timex()["frequency_adjustment_ratio"] == pytest.approx(1 - 18.5e-6)
    assert timex()["tick_seconds"] == 0.01


def test_a_clock_that_nothing_disciplines_is_not_synchronised() -> None:
    assert timex(state=0)["sync_status"] == 1
    assert timex(state=1)["sync_status"] == 1  # a leap second is due
    assert timex(state=5)["sync_status"] == 0


def test_os_release_quotes_fallback_and_version() -> None:
    text = """# a comment
NAME='Kylin "V10"'
VERSION_ID="10.1.2 (Lance)"
PRETTY_NAME="Costs \\$5"
ID=kylin
SUPPORT_END=2026-12-31
"""
    found = values(OsCollector(), {USR: text})
    ((labels, _),) = of(found, "node_os_info").items()
    assert dict(labels)["name"] == 'Kylin "V10"'
    assert dict(labels)["pretty_name"] == "Costs $5"
    assert list(of(found, "node_os_version").values()) == [10.1]
    assert plain(found)["node_os_support_end_timestamp_seconds"] == 1798675200
    rolling = values(OsCollector(), {ETC: "ID=debian\nPRETTY_NAME=sid\n"})
    assert of(rolling, "node_os_version") == {}


def test_selinux_modes() -> None:
    assert plain(values(SelinuxCollector(), {})) == {"node_selinux_enabled": 0}
    found = values(
        SelinuxCollector(), {ENFORCE: "0", CONFIG: "# SELINUX=disabled\nSELINUX=enforcing\n"}
    )
    assert plain(found) == {
        "node_selinux_enabled": 1,
        "node_selinux_current_mode": 0,
        "node_selinux_config_mode": 1,
    }
