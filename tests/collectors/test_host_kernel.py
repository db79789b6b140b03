"""Literal cases of CPUs, memory, pressure, clock and system, as the kernel writes them."""

from __future__ import annotations

import msgspec
import pytest

from collectors.host.cpu import ISOLATED, ONLINE, PRESENT, STAT, THROTTLES, CpuCollector
from collectors.host.cpufreq import CPUFREQ, CpufreqCollector
from collectors.host.cpuinfo import CPUINFO
from collectors.host.interrupts import INTERRUPTS, InterruptsCollector
from collectors.host.meminfo import MEMINFO, MeminfoCollector
from collectors.host.os import ETC, USR, OsCollector
from collectors.host.pressure import CPU, IO, IRQ, MEMORY, PressureCollector
from collectors.host.schedstat import SCHEDSTAT, SchedstatCollector
from collectors.host.selinux import CONFIG, ENFORCE, SelinuxCollector
from collectors.host.stat import HUNG, StatCollector
from collectors.host.timex import TIMEX, TimexCollector
from collectors.host.vmstat import VMSTAT, VmstatCollector
from collectors.model import ParseError, Reading, Unavailable
from collectors.rows import Timex
from tests.collectors.literal import Said
from tests.collectors.series import of, plain, series

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
"""


def test_cpu_times_are_hundredths_and_the_sum_is_left_out() -> None:
    found = series(CpuCollector(), {STAT: STAT_TEXT})
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
    found = series(CpuCollector(), {STAT: "cpu  1 2 3 4\ncpu0 100 200 300 400\nintr 1\n"})
    assert len(of(found, "node_cpu_seconds_total")) == 4
    assert of(found, "node_cpu_guest_seconds_total") == {}


def test_a_stat_without_cpus_is_no_stat() -> None:
    with pytest.raises(ParseError, match="no line of a CPU"):
        series(CpuCollector(), {STAT: "intr 1\n"})


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

"""
ARM = """processor\t: 0
Features\t: fp asimd
CPU implementer\t: 0x48
CPU architecture: 8
CPU part\t: 0xd01
CPU revision\t: 0

"""


def test_cpu_model_on_x86_and_arm() -> None:
    (labels,) = of(
        series(CpuCollector(), {STAT: STAT_TEXT, CPUINFO: X86.format(n=0, core=2)}),
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
    (labels,) = of(series(CpuCollector(), {STAT: STAT_TEXT, CPUINFO: ARM}), "node_cpu_info")
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
    found = series(CpuCollector(), {STAT: STAT_TEXT, CPUINFO: info, THROTTLES: counts})
    assert of(found, "node_cpu_core_throttles_total") == {
        (("core", "0"), ("package", "1")): 7,
        (("core", "1"), ("package", "1")): 9,
    }
    assert of(found, "node_cpu_package_throttles_total") == {(("package", "1"),): 20}


def test_cpus_online_and_isolated() -> None:
    texts: dict[Reading, Said] = {
        STAT: STAT_TEXT,
        PRESENT: "0-3\n",
        ONLINE: "0,2-3\n",
        ISOLATED: "\n",
    }
    found = series(CpuCollector(info=False), texts)
    assert [v for _, v in sorted(of(found, "node_cpu_online").items())] == [1, 0, 1, 1]
    assert of(found, "node_cpu_isolated") == {}
    found = series(CpuCollector(), {**texts, ISOLATED: "2-3\n"})
    assert set(of(found, "node_cpu_isolated")) == {(("cpu", "2"),), (("cpu", "3"),)}


def test_frequencies_are_hertz_and_an_unknown_one_is_left_out() -> None:
    base = "/sys/devices/system/cpu/cpu{}/cpufreq/"
    found = series(
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
    assert plain(series(StatCollector(), {STAT: STAT_TEXT})) == expected
    found = series(StatCollector(), {STAT: STAT_TEXT, HUNG: "2\n"})
    assert plain(found) == {**expected, "node_kernel_hung_tasks": 2}


def test_meminfo_parentheses_and_units() -> None:
    text = "MemTotal:       2 kB\nActive(anon):    3 kB\nHugePages_Total:       4\n"
    assert plain(series(MeminfoCollector(), {MEMINFO: text})) == {
        "node_memory_MemTotal_bytes": 2048,
        "node_memory_Active_anon_bytes": 3072,
        "node_memory_HugePages_Total": 4,
    }


def test_vmstat_takes_what_is_watched_and_what_is_asked_for() -> None:
    text = "nr_free_pages 5\npgpgin 1\npgfault 3\nnr_unstable 0\noom_kill 7\n"
    watched = {"node_vmstat_pgpgin": 1, "node_vmstat_pgfault": 3, "node_vmstat_oom_kill": 7}
    assert plain(series(VmstatCollector(), {VMSTAT: text})) == watched
    found = plain(series(VmstatCollector(also=("nr_free_pages",)), {VMSTAT: text}))
    assert found == {**watched, "node_vmstat_nr_free_pages": 5}


PSI = "some avg10=0.14 avg60=0.89 avg300=0.49 total=9925733\nfull avg10=0.00 total=2000000\n"


def test_pressure_full_is_stalled_some_is_waiting() -> None:
    files: dict[Reading, Said] = {CPU: PSI, IO: PSI, MEMORY: PSI}
    expected = {
        "node_pressure_cpu_waiting_seconds_total": 9.925733,
        "node_pressure_io_waiting_seconds_total": 9.925733,
        "node_pressure_io_stalled_seconds_total": 2,
        "node_pressure_memory_waiting_seconds_total": 9.925733,
        "node_pressure_memory_stalled_seconds_total": 2,
    }
    assert plain(series(PressureCollector(), files)) == expected
    found = plain(series(PressureCollector(), {**files, IRQ: "full avg10=0.00 total=500000\n"}))
    assert found == {**expected, "node_pressure_irq_stalled_seconds_total": 0.5}


def test_pressure_that_is_off_is_absent() -> None:
    with pytest.raises(Unavailable) as error:
        series(PressureCollector(), {})
    assert error.value.state == "absent"


def test_schedstat_takes_the_last_three_of_nine() -> None:
    text = "version 15\ntimestamp 4295\ncpu3 0 0 0 0 0 0 2500000000 500000000 77\ndomain0 f 1 2\n"
    cpu = (("cpu", "3"),)
    assert series(SchedstatCollector(), {SCHEDSTAT: text}) == {
        ("node_schedstat_running_seconds_total", cpu): 2.5,
        ("node_schedstat_waiting_seconds_total", cpu): 0.5,
        ("node_schedstat_timeslices_total", cpu): 77,
    }


INTERRUPT_TEXT = """           CPU0       CPU2
 16:          9          0  IR-IO-APIC   16-fasteoi   i801_smbus, ehci_hcd:usb1
LOC:         30         40   Local timer interrupts
ERR:          0
"""


def test_interrupts_name_their_cpu_by_the_header() -> None:
    assert of(
        series(InterruptsCollector(), {INTERRUPTS: INTERRUPT_TEXT}), "node_interrupts_total"
    ) == {
        (("cpu", cpu), ("devices", devices), ("info", info), ("type", kind)): value
        for cpu, kind, info, devices, value in (
            ("0", "16", "IR-IO-APIC", "16-fasteoi i801_smbus, ehci_hcd:usb1", 9),
            ("2", "16", "IR-IO-APIC", "16-fasteoi i801_smbus, ehci_hcd:usb1", 0),
            ("0", "LOC", "Local timer interrupts", "", 30),
            ("2", "LOC", "Local timer interrupts", "", 40),
        )
    }
    found = series(InterruptsCollector(zeros=False), {INTERRUPTS: INTERRUPT_TEXT})
    assert len(found) == 3


RAW = Timex(
    **dict.fromkeys(Timex.__struct_fields__, 0) | {"freq": -1212416, "tick": 10000, "jitter": 7}
)


def timex(**fields: int) -> dict[str, float]:
    found = plain(series(TimexCollector(), {TIMEX: [msgspec.structs.replace(RAW, **fields)]}))
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
    found = series(OsCollector(), {USR: text})
    ((labels, _),) = of(found, "node_os_info").items()
    assert dict(labels)["name"] == 'Kylin "V10"'
    assert dict(labels)["pretty_name"] == "Costs $5"
    assert list(of(found, "node_os_version").values()) == [10.1]
    assert plain(found)["node_os_support_end_timestamp_seconds"] == 1798675200
    rolling = series(OsCollector(), {ETC: "ID=debian\nPRETTY_NAME=sid\n"})
    assert of(rolling, "node_os_version") == {}


def test_selinux_modes() -> None:
    assert plain(series(SelinuxCollector(), {})) == {"node_selinux_enabled": 0}
    found = series(
        SelinuxCollector(), {ENFORCE: "0", CONFIG: "# SELINUX=disabled\nSELINUX=enforcing\n"}
    )
    assert plain(found) == {
        "node_selinux_enabled": 1,
        "node_selinux_current_mode": 0,
        "node_selinux_config_mode": 1,
    }
