"""Kernel parameters on disk, modules, mounts, core dumps, boot and interfaces as facts."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.model import (
    Answer,
    Answers,
    Collector,
    Fact,
    Glob,
    NeedMore,
    ParseError,
    Reading,
    Stat,
    Unavailable,
)
from collectors.observe import observe
from collectors.rows import FileStat
from collectors.security.dropins import Folders, Text
from collectors.security.dropins import settings as section
from collectors.security.system.boot import CMDLINE, BootCollector, parse_cmdline
from collectors.security.system.coredumps import LIMITS, CoreDumpsCollector, hard_limits
from collectors.security.system.interfaces import DEVICES, InterfacesCollector
from collectors.security.system.modules import (
    FOUND,
    LOADED,
    ModulesCollector,
    blocked_by,
    parse_lines,
)
from collectors.security.system.mounts import (
    DROPINS,
    FSTAB,
    MOUNTINFO,
    UNIT,
    WANTED,
    MountsCollector,
    effective,
    parse_fstab,
    parse_mountinfo,
)
from collectors.security.system.sysctlconfig import FOLDERS, MAIN, SysctlConfigCollector, configured
from collectors.sources.local import LocalSource

DENIED = Answer("denied", reason="permission denied")
NOTHING = Answer("absent", reason="no such file")
EMPTY = Answer("content", b"[]")
SAFE = ("nodev", "nosuid", "noexec")


def text(content: str) -> Answer:
    return Answer("content", content.encode())


def stats(*paths: str) -> Answer:
    return Answer("content", msgspec.json.encode([FileStat(p, "file", 0o644, 0, 0) for p in paths]))


def facts(collector: Collector, said: dict[Reading, Answer]) -> dict[str, Any]:
    """Its facts' values; what is not among the answers is absent, or has no rows and no children."""
    answers: dict[Reading, Answer] = {}
    for reading in collector.readings():
        none = EMPTY if isinstance(reading, Stat) else NOTHING
        answers[reading] = Answer("content") if isinstance(reading, Glob) else none
    made = collector.parse(Answers(answers | said))
    return {fact.name: fact.value for fact in made if isinstance(fact, Fact)}


def files(root: Path, them: dict[str, str]) -> LocalSource:
    for path, content in them.items():
        where = root / path.lstrip("/")
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(content)
    return LocalSource(str(root))


def seen(collector: Collector, source: LocalSource) -> dict[str, Fact]:
    (one,) = observe(source, [collector])
    return {fact.name: fact for fact in one.facts}


# --- drop-ins -----------------------------------------------------------------------------------


def test_a_name_hides_the_same_in_lower_folders(tmp_path: Path) -> None:
    source = files(
        tmp_path,
        {
            "/usr/lib/x.d/10-a.conf": "low a",
            "/usr/lib/x.d/20-b.conf": "low b",
            "/usr/lib/x.d/30-c.conf": "low c",
            "/usr/lib/x.d/notes.txt": "none",
            "/etc/x.d/20-b.conf": "high b",
            "/etc/x.d/15-d.conf": "high d",
        },
    )
    (tmp_path / "etc/x.d/30-c.conf").symlink_to("/dev/null")
    (tmp_path / "dev").mkdir()
    (tmp_path / "etc/x.d/40-gone.conf").symlink_to("nowhere")
    folders = Folders(("/etc/x.d", "/usr/lib/x.d"))
    found = folders.texts(Answers(source.answer(folders.readings())))
    assert [(it.path, it.text) for it in found if it.text] == [
        ("/usr/lib/x.d/10-a.conf", "low a"),
        ("/etc/x.d/15-d.conf", "high d"),
        ("/etc/x.d/20-b.conf", "high b"),
    ]


def test_one_that_cannot_be_read_is_no_configuration() -> None:
    folders = Folders(("/etc/x.d",))
    glob, stat = folders.readings()
    answers = Answers(
        {glob: Answer("content", children=(("/etc/x.d/a.conf", DENIED),)), stat: EMPTY}
    )
    with pytest.raises(Unavailable, match=r"/etc/x.d/a.conf: permission denied"):
        folders.texts(answers)


def test_settings_of_a_section() -> None:
    texts = [
        Text("/a", "[Mount]\nOptions=a\n#Options=z\n[Other]\nOptions=y\n"),
        Text("/b", "Options=stray\n[Mount]\n Options = b \nType=tmpfs\n"),
    ]
    assert section(texts, "Mount") == {"Options": ("b", "/b:3"), "Type": ("tmpfs", "/b:4")}


# --- sysctl.d -----------------------------------------------------------------------------------


def settled(*texts: str, known: Iterable[str] = ()) -> dict[str, str | None]:
    found = configured((Text(f"/{n}.conf", it) for n, it in enumerate(texts)), known)
    return {key: it.value for key, it in found.items()}


def test_the_last_assignment_counts() -> None:
    assert settled(
        "# kernel.sysrq = 9\n; kernel.sysrq = 8\n\nkernel.sysrq = 1\nkernel/sysrq=0\n broken line\n",
        "-kernel.panic = 10\nnet/ipv4/conf/eth0.100/rp_filter = 1\nnet.ipv4.conf.eth1/7.rp_filter=2",
    ) == {
        "kernel.sysrq": "0",
        "kernel.panic": "10",
        "net.ipv4.conf.eth0/100.rp_filter": "1",
        "net.ipv4.conf.eth1/7.rp_filter": "2",
    }


def test_patterns_set_what_nothing_else_names() -> None:
    known = [f"net.ipv4.conf.{name}.rp_filter" for name in ("all", "default", "eth0")]
    said = "net.ipv4.conf.default.rp_filter = 1\nnet.ipv4.conf.*.rp_filter = 2\n"
    assert settled(said + "-net.ipv4.conf.all.rp_filter\n", known=known) == {
        "net.ipv4.conf.default.rp_filter": "1",
        "net.ipv4.conf.eth0.rp_filter": "2",
    }


def test_more_patterns_than_can_be_followed() -> None:
    with pytest.raises(ParseError, match="patterns"):
        settled("".join(f"net.ipv4.conf.*.a{n} = 1\n" for n in range(300)))


SETTINGS = ("rp_filter", "log_martians", "accept_redirects")
NAMES = ("all", "default", "lo")
KEYS = [f"net.ipv4.conf.{name}.{setting}" for name in NAMES for setting in SETTINGS]
LINES = st.sampled_from(
    [
        *(f"{key} = {value}" for key in KEYS for value in (0, 1)),
        *(f"{key.replace('.', '/')}=1" for key in KEYS[:3]),
        *(f"net.ipv4.conf.*.{setting} = {value}" for setting in SETTINGS for value in (0, 1)),
        *(f"-{key}" for key in KEYS),
        *(f"-{key} = 1" for key in KEYS[:3]),
        *("net/ipv4/conf/l?/rp_filter = 1", "net.ipv4.conf.[ad]*.log_martians = 1"),
        *("# net.ipv4.conf.all.rp_filter = 1", "", "nonsense", "/net/ipv4/conf/lo/rp_filter = 1"),
    ]
)
FOLDER = st.sampled_from(["etc", "run", "usr/lib"])
SYSCTL_FILES = st.dictionaries(
    st.tuples(FOLDER, st.sampled_from(["10-a.conf", "20-b.conf", "a.conf", "no.txt"])),
    st.lists(LINES, max_size=6).map("\n".join),
    max_size=6,
)
SYSTEMD_SYSCTL = "/lib/systemd/systemd-sysctl"


@pytest.mark.skipif(
    os.geteuid() != 0 or not os.path.exists(SYSTEMD_SYSCTL), reason="needs root and systemd"
)
@settings(max_examples=25, deadline=None, derandomize=True)
@given(SYSCTL_FILES)
def test_as_systemd_sysctl_applies_them(
    tmp_path_factory: pytest.TempPathFactory, them: dict[tuple[str, str], str]
) -> None:
    root = tmp_path_factory.mktemp("sysctl")
    source = files(root, {f"/{folder}/sysctl.d/{name}": it for (folder, name), it in them.items()})
    texts = FOLDERS.texts(Answers(source.answer(FOLDERS.readings())))
    expected = dict.fromkeys(KEYS, "0") | {
        key: it.value for key, it in configured(texts, KEYS).items()
    }
    script = "".join(f"echo 0 > /proc/sys/{key.replace('.', '/')}\n" for key in KEYS)
    for folder in ("etc", "run", "usr/lib"):
        own = root / folder / "sysctl.d"
        own.mkdir(parents=True, exist_ok=True)
        script += f"mkdir -p /{folder}/sysctl.d; mount --bind {own} /{folder}/sysctl.d\n"
    script += f"{SYSTEMD_SYSCTL} --prefix=net/ipv4/conf 2>/dev/null || true\n"
    script += "".join(f"cat /proc/sys/{key.replace('.', '/')}\n" for key in KEYS)
    told = subprocess.run(
        ["unshare", "-n", "-m", "sh", "-c", script], capture_output=True, text=True, check=True
    )
    assert dict(zip(KEYS, told.stdout.split(), strict=True)) == expected


PROC = "/proc/sys/net/ipv4/conf"
RUNNING = {
    **{f"{PROC}/{name}/rp_filter": "1\n" for name in ("all", "default", "eth0")},
    "/proc/sys/kernel/sysrq": "438\n",
    "/proc/sys/kernel/kptr_restrict": "1\n",
    "/proc/sys/kernel/randomize_va_space": "2\n",
    "/proc/sys/net/ipv4/ip_forward": "0\n",
    "/proc/sys/kernel/core_pattern": "|/bin/x %p\n",
}


def test_what_runs_beside_what_is_configured(tmp_path: Path) -> None:
    source = files(
        tmp_path,
        {
            **RUNNING,
            "/etc/sysctl.d/a.conf": "kernel.sysrq = 0\nnet.ipv4.ip_forward=0\n"
            "kernel.core_pattern = |/bin/x   %p\nvm.swappiness = 10\n",
        },
    )
    rows = {
        row["key"]: row for row in seen(SysctlConfigCollector(), source)["sysctl_configured"].value
    }
    assert {key: rows[key]["state"] for key in rows if rows[key]["state"] != "unset"} == {
        "kernel.sysrq": "differs",
        "net.ipv4.ip_forward": "same",
        "kernel.core_pattern": "same",
        "vm.swappiness": "other",
        "kernel.kptr_restrict": "lost",
        "kernel.randomize_va_space": "default",
        "net.ipv4.conf.all.rp_filter": "lost",
        "net.ipv4.conf.default.rp_filter": "lost",
    }
    assert rows["kernel.sysrq"] == {
        "key": "kernel.sysrq",
        "configured": 0,
        "running": 438,
        "state": "differs",
        "source": "/etc/sysctl.d/a.conf:1",
    }


@pytest.mark.parametrize(
    ("systemd", "link", "configured_"), [(True, False, None), (True, True, 0), (False, False, 0)]
)
def test_sysctl_conf_counts_where_it_is_read(
    tmp_path: Path, systemd: bool, link: bool, configured_: int | None
) -> None:
    source = files(tmp_path, {**RUNNING, MAIN.path: "kernel.sysrq = 0\n"})
    if systemd:
        (tmp_path / "run/systemd/system").mkdir(parents=True)
    if link:
        (tmp_path / "etc/sysctl.d").mkdir()
        (tmp_path / "etc/sysctl.d/99-sysctl.conf").symlink_to("../sysctl.conf")
    rows = seen(SysctlConfigCollector(), source)["sysctl_configured"].value
    assert next(r["configured"] for r in rows if r["key"] == "kernel.sysrq") == configured_


def test_a_configuration_that_is_denied_is_unknown() -> None:
    said: dict[Reading, Answer] = {MAIN: DENIED}
    with pytest.raises(Unavailable, match=r"sysctl\.conf: permission denied"):
        facts(SysctlConfigCollector(), said)


# --- modules ------------------------------------------------------------------------------------


def blocked(*texts: str, name: str = "usb_storage") -> str:
    lines = parse_lines(Text(f"/{n}.conf", it) for n, it in enumerate(texts))
    return blocked_by(lines, name)[0]


@pytest.mark.parametrize(
    ("texts", "how"),
    [
        (["install usb-storage /bin/false"], "install"),
        (["install usb_storage /usr/bin/true\n"], "install"),
        (["install usb-storage \\\n /bin/true"], "install"),
        (["install usb_* /bin/false"], "install"),
        (["blacklist usb-storage"], "blacklist"),
        (["blacklist usb-storage\ninstall usb-storage /bin/false"], "install"),
        (["# install usb-storage /bin/false"], ""),
        (["install usb-storage /sbin/modprobe --ignore-install usb-storage"], ""),
        # the first of two counts
        (["install usb-storage /sbin/x", "install usb-storage /bin/false"], ""),
        (["install usb-storage /bin/false", "install usb-storage /sbin/x"], "install"),
        (["install usb /bin/false"], ""),
        (["install"], ""),
    ],
)
def test_what_blocks_a_module(texts: list[str], how: str) -> None:
    assert blocked(*texts) == how


@pytest.mark.skipif(not shutil.which("modprobe"), reason="needs kmod")
def test_install_lines_are_those_that_modprobe_sees(tmp_path: Path) -> None:
    said = {
        "/x/20-b.conf": "install dccp /bin/true\ninstall usb-storage \\\n  /bin/false\n# install hfs /bin/false\n",
        "/x/10-a.conf": "install dccp /sbin/other\nblacklist rds\n install sctp /bin/false\n",
        "/x/none.txt": "install udf /bin/false\n",
    }
    source = files(tmp_path, said)
    folders = Folders(("/x",))
    ours = parse_lines(folders.texts(Answers(source.answer(folders.readings()))))
    told = subprocess.run(
        ["modprobe", "-C", str(tmp_path / "x"), "-c"], capture_output=True, text=True, check=False
    )
    theirs = [
        (line.split()[0], line.split()[1].replace("-", "_"))
        for line in told.stdout.splitlines()
        if line.startswith(("install ", "blacklist "))
    ]
    assert theirs
    for verb in ("install", "blacklist"):
        assert [n for v, n in theirs if v == verb] == [it.name for it in ours if it.verb == verb]


def test_modules() -> None:
    said: dict[Reading, Answer] = {
        LOADED: text("sctp 1 0 - Live 0x0\nusb_storage 1 0 - Live 0x0\n"),
        FOUND["rds"]: stats("/lib/modules/6.1/kernel/net/rds/rds.ko"),
    }
    found = facts(ModulesCollector(), said)
    rows = {row["name"]: row for row in found["kernel_modules"]}
    assert (rows["sctp"]["loaded"], rows["rds"]["loaded"]) == (True, False)
    assert (rows["sctp"]["available"], rows["rds"]["available"]) == (False, True)
    assert found["module_loading"] == {"sig_enforce": None, "lockdown": ""}


# --- mounts -------------------------------------------------------------------------------------

ROOT_LINE = "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n"


def mounts(mountinfo: str, fstab: str = "", **more: Any) -> dict[str, dict[str, Any]]:
    said: dict[Reading, Answer] = {
        MOUNTINFO: text(ROOT_LINE + mountinfo),
        FSTAB: text(fstab),
        **more.get("said", {}),
    }
    return {row["path"]: row for row in facts(MountsCollector(), said)["mounts"]}


def test_options_of_what_a_folder_is_on() -> None:
    found = mounts(
        "22 21 8:2 / /var rw,nodev shared:2 - xfs /dev/sdb1 rw\n"
        "23 21 0:9 / /tmp rw,nosuid shared:3 - tmpfs tmpfs rw\n"
        "24 21 0:9 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw\n"
        "25 21 0:9 / /mnt/with\\040space rw master:1 propagate_from:2 - tmpfs tmpfs rw\n"
    )
    assert found["/tmp"]["separate"]
    assert all(found["/tmp"][option] for option in SAFE)
    log = found["/var/log"]
    assert (log["separate"], log["nodev"], log["fstype"]) == (False, True, "xfs")
    assert found["/home"]["fstype"] == "ext4"


@pytest.mark.parametrize(
    ("options", "lost"),
    [
        ("nodev,nosuid,noexec", []),
        ("nodev,nosuid", ["noexec"]),
        ("noexec,defaults,nodev", ["nosuid", "noexec"]),
        ("user", []),
        ("user,exec", ["noexec"]),
        ("nodev,nosuid,noexec,noauto", ["nodev", "nosuid", "noexec"]),
    ],
)
def test_options_that_the_next_boot_has_not(options: str, lost: list[str]) -> None:
    now = "23 21 0:9 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw\n"
    found = mounts(now, f"# comment\nnone /srv x\ntmpfs /tmp tmpfs {options} 0 0\n")
    assert found["/tmp"]["lost"] == lost


def test_shared_memory_is_mounted_by_systemd() -> None:
    now = "23 21 0:9 / /dev/shm rw,nosuid,nodev - tmpfs tmpfs rw\n"
    assert mounts(now)["/dev/shm"]["lost"] == []
    lost = mounts(now.replace("nodev", "nodev,noexec"))["/dev/shm"]["lost"]
    assert lost == ["noexec"]


@pytest.mark.parametrize(
    ("wanted", "dropin", "at_boot", "lost"),
    [
        (False, "", False, ["nodev", "nosuid", "noexec"]),
        (True, "", True, ["noexec"]),
        (True, "[Mount]\nOptions=mode=1777,nosuid,nodev,noexec\n", True, []),
    ],
)
def test_tmp_as_a_unit(wanted: bool, dropin: str, at_boot: bool, lost: list[str]) -> None:
    now = "23 21 0:9 / /tmp rw,nosuid,nodev,noexec - tmpfs tmpfs rw\n"
    unit = "[Mount]\nWhat=tmpfs\nType=tmpfs\nOptions=mode=1777,strictatime,nosuid,nodev\n"
    path, more = f"{UNIT.paths[2]}/tmp.mount", f"{DROPINS.paths[0]}/a.conf"
    said = {
        Glob(path): Answer("content", children=((path, text(unit)),)),
        Glob(f"{DROPINS.paths[0]}/*.conf"): Answer("content", children=((more, text(dropin)),)),
        WANTED[2]: stats(WANTED[2].pattern) if wanted else EMPTY,
    }
    row = mounts(now, said=said)["/tmp"]
    assert (row["at_boot"], row["lost"]) == (at_boot, lost)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount")
@pytest.mark.parametrize("options", ["nodev,noexec", "nosuid", "user", "user,exec", "nodev,dev"])
def test_mountinfo_of_a_real_mount(options: str, tmp_path: Path) -> None:
    script = f"mount -t tmpfs -o {options} tmpfs '{tmp_path}' && cat /proc/self/mountinfo"
    told = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], capture_output=True, text=True, check=True
    )
    entry = parse_mountinfo(told.stdout)[str(tmp_path)]
    assert {*entry.options} & {*SAFE} == {*effective(options.split(","))} & {*SAFE}


def test_a_table_without_root_is_none() -> None:
    with pytest.raises(ParseError):
        facts(MountsCollector(), {MOUNTINFO: text("")})


# --- core dumps ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "size"),
    [
        ([], None),
        (["* hard core 0"], 0),
        (["* - core 0  # both"], 0),
        (["#* hard core 0"], None),
        (["* soft core 0"], None),
        (["* hard core 0", "* hard core unlimited"], -1),
        (["* hard core unlimited\n* hard core 0"], 0),
        (["* hard nofile 0\n* hard core 1024"], 1024),
        (["* hard core many"], None),
    ],
)
def test_the_last_limit_counts(texts: list[str], size: int | None) -> None:
    found = hard_limits(Text(f"/{n}", it) for n, it in enumerate(texts))
    assert (found["*"].size if "*" in found else None) == size


def test_core_dumps(tmp_path: Path) -> None:
    source = files(
        tmp_path,
        {
            LIMITS.path: "* hard core unlimited\n",
            "/etc/security/limits.d/90-x.conf": "* hard core 0\nroot hard core 0\n",
            "/usr/lib/systemd/systemd-coredump": "",
            "/etc/systemd/coredump.conf": "[Coredump]\nStorage=journal\n",
            "/usr/lib/systemd/coredump.conf": "[Coredump]\nStorage=external\n",
            "/etc/systemd/coredump.conf.d/a.conf": "[Coredump]\nStorage=none\n",
        },
    )
    fact = seen(CoreDumpsCollector(), source)["core_dumps"]
    assert fact.value == {
        "hard": 0,
        "hard_root": 0,
        "systemd_coredump": True,
        "storage": "none",
        "process_size_max": "",
    }
    assert fact.sources["storage"] == "/etc/systemd/coredump.conf.d/a.conf:2"
    assert facts(CoreDumpsCollector(), {})["core_dumps"]["hard"] == -1


@pytest.mark.parametrize(
    ("line", "hard"),
    [
        ("@users hard core unlimited", -1),
        ("oracle - core 2048", 2048),
        ("@users hard core 0", 0),
        ("@users soft core unlimited", 0),
        ("root hard core unlimited", 0),
    ],
)
def test_a_group_may_have_a_weaker_limit(line: str, hard: int, tmp_path: Path) -> None:
    limits = {LIMITS.path: f"{line}\n", "/etc/security/limits.d/9.conf": "* hard core 0\n"}
    fact = seen(CoreDumpsCollector(), files(tmp_path, limits))["core_dumps"]
    assert fact.value["hard"] == hard
    assert hard == 0 or fact.sources["hard"] == f"{LIMITS.path}:1"


# --- boot ---------------------------------------------------------------------------------------


def test_only_what_bears_on_security_is_kept_of_the_command_line() -> None:
    line = "root=/dev/x systemd.set_credential=a:secret audit=0 audit=1 nokaslr -- selinux=0"
    assert parse_cmdline(line) == {"audit": ("audit=1", "1"), "nokaslr": ("nokaslr", "")}


def test_faults_of_the_processor(tmp_path: Path) -> None:
    folder = "/sys/devices/system/cpu/vulnerabilities"
    source = files(
        tmp_path,
        {
            CMDLINE.path: "ro crashkernel=512M\n",
            f"{folder}/mds": "Mitigation: Clear CPU buffers; SMT vulnerable\n",
            f"{folder}/meltdown": "Vulnerable\n",
            f"{folder}/itlb_multihit": "KVM: Vulnerable\n",
            f"{folder}/l1tf": "Not affected\n",
            "/sys/kernel/kexec_crash_loaded": "1\n",
        },
    )
    found = seen(BootCollector(), source)
    rows = found["cpu_vulnerabilities"].value
    assert [row["name"] for row in rows if row["vulnerable"]] == ["itlb_multihit", "meltdown"]
    assert found["kdump"].value == {"loaded": True, "reserved": True}
    nothing = facts(BootCollector(), {CMDLINE: text("")})
    assert nothing["cpu_vulnerabilities"] is None


# --- interfaces ---------------------------------------------------------------------------------


def interfaces(*devices: tuple[str, dict[str, str]]) -> dict[str, Any]:
    children = tuple(
        (f"/sys/class/net/{name}/{attribute}", text(value + "\n"))
        for name, attributes in devices
        for attribute, value in attributes.items()
    )
    return facts(InterfacesCollector(), {DEVICES: Answer("content", children=children)})


@pytest.mark.parametrize(
    ("attributes", "kind"),
    [
        ({"type": "772", "flags": "0x9"}, "loopback"),
        ({"type": "1", "device/uevent": "DRIVER=e1000"}, "physical"),
        ({"type": "1"}, "virtual"),
        ({"type": "1", "phy80211/index": "0", "device/uevent": "x"}, "wlan"),
        ({"type": "1", "uevent": "DEVTYPE=wlan\nINTERFACE=x"}, "wlan"),
        ({"type": "65534", "uevent": "DEVTYPE=wireguard"}, "wireguard"),
        ({"type": "65534", "tun_flags": "0x1001"}, "tun"),
        ({"type": "776"}, "sit"),
        ({"type": "1", "uevent": "DEVTYPE=bridge", "bridge/bridge_id": "8000"}, "bridge"),
    ],
)
def test_kinds_of_interfaces(attributes: dict[str, str], kind: str) -> None:
    (row,) = interfaces(("x", attributes))["interfaces"]
    assert row["kind"] == kind
    assert row["wireless"] == (kind == "wlan")
    assert row["tunnel"] == (kind in ("tun", "sit", "wireguard"))


def test_bonds_and_who_listens_in() -> None:
    found = interfaces(
        ("bond0", {"flags": "0x1403", "bonding/mode": "802.3ad 4", "bonding/slaves": "a b"}),
        ("a", {"flags": "0x1903", "bonding_slave/mii_status": "up"}),
        ("b", {"flags": "0x1803", "bonding_slave/mii_status": "down", "brport/port_id": "0x8001"}),
    )
    (bond,) = found["bonds"]
    assert (bond["mode"], bond["members"], bond["up"]) == ("802.3ad", ["a", "b"], ["a"])
    rows = {row["name"]: row for row in found["interfaces"]}
    assert (rows["a"]["promiscuous"], rows["b"]["promiscuous"]) == (True, False)
    assert rows["b"]["bridge_member"]


def test_interfaces_of_this_machine() -> None:
    found = seen(InterfacesCollector(), LocalSource())
    names = {row["name"] for row in found["interfaces"].value}
    assert names == set(os.listdir("/sys/class/net")) - {"bonding_masters"}


# --- whatever the bytes -------------------------------------------------------------------------

PARSERS: list[Callable[[str], object]] = [
    lambda it: configured([Text("/x", it)], KEYS),
    lambda it: blocked_by(parse_lines([Text("/x", it)]), "usb_storage"),
    parse_mountinfo,
    parse_fstab,
    parse_cmdline,
    lambda it: hard_limits([Text("/x", it)]),
    lambda it: section([Text("/x", it)], "Mount"),
    lambda it: facts(
        InterfacesCollector(),
        {
            DEVICES: Answer(
                "content",
                children=(
                    ("/sys/class/net/x/flags", text(it)),
                    ("/sys/class/net/x/uevent", text(it)),
                ),
            )
        },
    ),
]
PIECES = st.sampled_from(
    (
        *("install ", "blacklist ", "*", "[", "]", "-", "=", ".", "/", "\\", "\n", " ", "#", "- "),
        *("hard core ", "0x", "\\040", "usb_storage", "net.ipv4.conf.", "[Mount]", "\x00", "é"),
    )
)
ANY_TEXT = st.one_of(st.text(), st.lists(PIECES, max_size=40).map("".join))


@settings(max_examples=150, deadline=None)
@given(ANY_TEXT, st.sampled_from(PARSERS))
def test_any_text_is_parsed_or_a_parse_error(content: str, parse: Callable[[str], object]) -> None:
    try:
        parse(content)
    except (ParseError, NeedMore):
        return


@pytest.mark.parametrize("parse", PARSERS[:7])
@pytest.mark.parametrize(
    "line",
    [
        "net.ipv4.conf.a{n}.rp_filter = 1",
        "install a{n} /bin/false",
        "*" * 60 + "{n}",
        "x \\",
        "{n} 1 8:1 / /mnt/{n} rw,relatime shared:1 - ext4 /dev/sda rw",
        "tmpfs /mnt/{n} tmpfs nodev,nosuid,noexec 0 0",
        "u{n} hard core 0",
    ],
)
def test_ten_thousand_odd_lines_are_read_in_time(parse: Callable[[str], object], line: str) -> None:
    content = "\n".join(line.replace("{n}", str(n)) for n in range(10_000))
    start = time.perf_counter()
    with contextlib.suppress(ParseError):
        parse(content)
    assert time.perf_counter() - start < 10  # a tenth of a second on an idle machine
