"""Facts that rules judge: accounts, kernel parameters, listeners, modes, clock, host."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from typing import Any

import msgspec
import pytest

from collectors import catalogue
from collectors.host.identity import MACHINE_ID, UNAME
from collectors.host.os import ETC, USR
from collectors.model import (
    Answer,
    Answers,
    Collector,
    Fact,
    File,
    NeedMore,
    ParseError,
    Reading,
    Stat,
    Unavailable,
)
from collectors.observe import observe
from collectors.rows import Clock, FileStat, ShadowEntry, Socket, Timex
from collectors.security.identity.accounts import CLOCK, GROUP, PASSWD, SHADOW, AccountsCollector
from collectors.security.identity.logindefs import LOGIN_DEFS, LoginDefsCollector
from collectors.security.logging.timesync import PROCESSES, TIMEX, TimesyncCollector
from collectors.security.software.listeners import SOCKETS, ListeningCollector
from collectors.security.system.files import MOST, MOUNTS, FilesCollector
from collectors.security.system.osinfo import OsInfoCollector
from collectors.security.system.sysctl import FILES, IPV4, IPV6, SysctlCollector
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource
from tests.shellhost import SHELLS, ShellSource

MACHINES = Path(__file__).parent.parent / "fixtures/machines"
DENIED = Answer("denied", reason="permission denied")
ANY = "0.0.0.0"  # noqa: S104 - only read
ABSENT = Answer("absent", reason="no such file")


def text(content: str) -> Answer:
    return Answer("content", content.encode())


def rows(*them: Any) -> Answer:
    return Answer("content", msgspec.json.encode(them))


def children(prefix: str, values: dict[str, str | Answer]) -> Answer:
    return Answer(
        "content",
        children=tuple(
            (f"{prefix}/{name}", value if isinstance(value, Answer) else text(value))
            for name, value in values.items()
        ),
    )


def facts(collector: Collector, answers: dict[Reading, Answer]) -> dict[str, Fact]:
    """Its facts; what is not among the answers is absent."""
    made = collector.parse(Answers({**dict.fromkeys(collector.readings(), ABSENT), **answers}))
    return {fact.name: fact for fact in made if isinstance(fact, Fact)}


# --- accounts -----------------------------------------------------------------------------------

PEOPLE = """\
root:x:0:0:root:/root:/bin/bash
toor::0:0::/root:
# commented:x:1:1::/:/bin/sh
+::::::
bin:x:2:2:bin:/bin:/usr/sbin/nologin
short:x:77:77

li:x:1001:1001:Li,,,:/home/li:/bin/zsh
wang:$6$salt$hash:1001:1001::/home/wang:/bin/false
broken:x:abc:1::/:/bin/sh
"""
GROUPS = "root:x:0:\nops:x:50:li,root\nli:x:1001:\nbad line\n"


def accounts(shadow: Answer, passwd: str = PEOPLE) -> dict[str, Fact]:
    answers: dict[Reading, Answer] = {PASSWD: text(passwd), GROUP: text(GROUPS), SHADOW: shadow}
    return facts(AccountsCollector(), {**answers, CLOCK: rows(Clock(20_000 * 86400.0, "UTC", 0))})


def test_accounts_as_the_c_library_reads_them() -> None:
    found = accounts(DENIED)["accounts"].value
    assert [row["name"] for row in found] == ["root", "toor", "bin", "short", "li", "wang"]
    root, toor, bin_, short, li, wang = found
    assert toor["shell"] == "/bin/sh"
    assert short["shell"] == "/bin/sh"
    assert [row["login"] for row in found] == [True, True, False, True, True, False]
    assert (root["uid_count"], toor["uid_count"], bin_["uid_count"]) == (2, 2, 1)
    assert (li["uid_count"], wang["uid_count"]) == (2, 2)
    assert li["groups"] == ["li", "ops"]
    assert root["groups"] == ["ops", "root"]
    assert bin_["source"] == "/etc/passwd:5"
    assert "password" not in root


def test_accounts_are_known_without_the_right_to_read_shadow() -> None:
    found = accounts(DENIED)
    assert found["accounts"].value
    assert found["passwords"].value is None
    assert found["passwords"].unavailable == "denied: shadow: permission denied"


def test_passwords_and_where_they_are_written() -> None:
    entries = (
        ShadowEntry("root", "$y$", max_days=99999, line=1),
        ShadowEntry("li", "locked", line=4),
        ShadowEntry("li", "empty", line=5),
        ShadowEntry("bin", "disabled", line=2),
    )
    found = {row["name"]: row for row in accounts(rows(*entries))["passwords"].value}
    states = {name: row["state"] for name, row in found.items()}
    assert states == {
        "root": "$y$",
        "toor": "empty",  # in passwd itself
        "bin": "disabled",
        "short": "missing",
        "li": "locked",  # the first of a name is the one that counts
        "wang": "hash",
    }
    assert [name for name, row in found.items() if row["usable"]] == ["root", "wang"]
    assert found["root"]["max_days"] == 99999
    assert found["li"]["max_days"] == -1
    assert found["root"]["source"] == "/etc/shadow:1"
    assert found["toor"]["source"] == "/etc/passwd:2"


def test_a_passwd_without_accounts_is_no_passwd() -> None:
    with pytest.raises(ParseError, match="no account"):
        accounts(DENIED, "# nothing\n")


def test_ten_thousand_odd_lines_are_read_in_time() -> None:
    lines = "".join(f"u{i}:x:{i}:{i}::/home/{'x' * 50}:/bin/sh\n:::\n" for i in range(10_000))
    start = time.perf_counter()
    found = accounts(DENIED, lines)["accounts"].value
    assert len(found) == 10_000
    assert time.perf_counter() - start < 10  # 0.1 s on an idle machine


# --- login.defs ---------------------------------------------------------------------------------


def test_login_defs() -> None:
    content = (
        "# PASS_MAX_DAYS 1\n\nPASS_MAX_DAYS\t99999\nPASS_MAX_DAYS 90\nUMASK  027\nX -1\nEMPTY\n"
    )
    fact = facts(LoginDefsCollector(), {LOGIN_DEFS: text(content)})["login_defs"]
    assert fact.value == {"PASS_MAX_DAYS": 90, "UMASK": "027", "X": -1}
    assert fact.sources["PASS_MAX_DAYS"] == "/etc/login.defs:4"


# --- kernel parameters --------------------------------------------------------------------------


def kernel(ipv4: dict[str, str | Answer], **keys: Answer) -> dict[str, Fact]:
    answers: dict[Reading, Answer] = dict.fromkeys(FILES.values(), ABSENT)
    answers |= {FILES[name.replace("__", ".")]: answer for name, answer in keys.items()}
    answers[IPV4] = children("/proc/sys/net/ipv4/conf", ipv4)
    answers[IPV6] = children("/proc/sys/net/ipv6/conf", {"eth0/accept_redirects": "1"})
    return facts(SysctlCollector(), answers)


def test_parameters_by_name() -> None:
    found = kernel(
        {"all/rp_filter": "1\n", "eth0/rp_filter": "2"},
        net__ipv4__ip_forward=text("0\n"),
        kernel__core_pattern=text("|/bin/x\t%p\n"),
    )["sysctl"]
    assert found.value == {
        "net.ipv4.ip_forward": 0,
        "kernel.core_pattern": "|/bin/x %p",
        "net.ipv4.conf.all.rp_filter": 1,
    }
    assert found.sources["net.ipv4.ip_forward"] == "/proc/sys/net/ipv4/ip_forward"
    assert found.sources["net.ipv4.conf.all.rp_filter"] == "/proc/sys/net/ipv4/conf/all/rp_filter"


@pytest.mark.parametrize(
    ("setting", "every", "own", "forwarding", "effective"),
    [
        ("rp_filter", 0, 2, 0, 2),
        ("rp_filter", 1, 0, 0, 1),
        ("rp_filter", 2, 1, 0, 2),
        ("accept_redirects", 0, 1, 0, 1),
        ("accept_redirects", 0, 1, 1, 0),
        ("accept_redirects", 1, 1, 1, 1),
        ("send_redirects", 0, 1, 0, 1),
        ("send_redirects", 0, 0, 0, 0),
        ("accept_source_route", 0, 1, 0, 0),
        ("accept_source_route", 1, 1, 0, 1),
    ],
)
def test_what_holds_for_an_interface(
    setting: str, every: int, own: int, forwarding: int, effective: int
) -> None:
    values: dict[str, str | Answer] = {
        f"all/{setting}": str(every),
        f"eth0/{setting}": str(own),
        "eth0/forwarding": str(forwarding),
        f"lo/{setting}": "0",
    }
    (row,) = kernel(values)["kernel_interfaces"].value
    assert row["name"] == "eth0"
    assert row[setting] == effective
    assert row["ipv6_accept_redirects"] == 1


def test_one_parameter_that_is_denied_makes_all_unknown() -> None:
    with pytest.raises(Unavailable, match="eth0/rp_filter: permission denied"):
        kernel({"eth0/rp_filter": DENIED})
    with pytest.raises(Unavailable, match="ip_forward: permission denied"):
        kernel({}, net__ipv4__ip_forward=DENIED)


# --- listeners ----------------------------------------------------------------------------------


def program(pid: int, exe: str, groups: str) -> dict[Reading, Answer]:
    link = FileStat(f"/proc/{pid}/exe", "link", 0o777, 0, 0, 0, 0.0, exe)
    return {Stat(link.path): rows(link), File(f"/proc/{pid}/cgroup", 1 << 16): text(groups)}


def test_listeners() -> None:
    denied: dict[Reading, Answer] = {
        Stat("/proc/8/exe"): DENIED,
        File("/proc/8/cgroup", 1 << 16): DENIED,
    }
    nested = "12:cpu:/\n1:name=systemd:/user.slice/user-0.slice/user@0.service/app.slice/x.scope\n"
    found = facts(
        ListeningCollector(),
        {
            **denied,
            **program(1, "/usr/lib/jvm/java", "0::/system.slice/app@a.service/sub\n"),
            # a link that may not be followed leads to itself
            **program(9, "/proc/9/exe", nested),
            SOCKETS: rows(
                Socket("ipv6", "tcp", "LISTEN", "::", 22, 8, "sshd"),
                Socket("ipv6", "tcp", "LISTEN", "::", 22, 9, "sshd"),
                Socket("ipv4", "tcp", "LISTEN", "127.0.0.1", 3306),
                Socket("ipv6", "tcp", "LISTEN", "::ffff:127.0.0.1", 8005, 1, "java"),
                Socket("ipv6", "tcp", "LISTEN", "fe80::1%eth0", 546, 1, "x"),
                Socket("ipv4", "udp", "NONE", ANY, 514, 1, "rsyslogd"),
                Socket("ipv4", "udp", "NONE", ANY, 0, 1, "x"),
                Socket("ipv4", "tcp", "ESTABLISHED", "10.0.0.1", 22, 77, "sshd"),
                Socket("ipv4", "tcp", "LISTEN", "10.0.0.1", 24, 9, "x"),
            ),
        },
    )["listeners"].value
    by_endpoint = {row["endpoint"]: row for row in found}
    assert sorted(by_endpoint) == [
        "tcp/10.0.0.1:24",
        "tcp/127.0.0.1:3306",
        "tcp/[::]:22",
        "tcp/[::ffff:127.0.0.1]:8005",
        "tcp/[fe80::1%eth0]:546",
        "udp/0.0.0.0:514",
    ]
    assert len(found) == 6
    java = by_endpoint["tcp/[::ffff:127.0.0.1]:8005"]
    assert (java["exe"], java["unit"]) == ("/usr/lib/jvm/java", "app@a.service")
    ssh, other = by_endpoint["tcp/[::]:22"], by_endpoint["tcp/10.0.0.1:24"]
    assert (ssh["exe"], ssh["unit"]) == ("", "")
    assert (other["exe"], other["unit"]) == ("", "x.scope")
    assert by_endpoint["tcp/[::]:22"]["wildcard"]
    assert by_endpoint["tcp/[::ffff:127.0.0.1]:8005"]["loopback"]
    assert by_endpoint["tcp/127.0.0.1:3306"]["loopback"]
    assert by_endpoint["tcp/127.0.0.1:3306"]["source"] == "unknown process on tcp/3306"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to see whose sockets they are")
@pytest.mark.parametrize("shell", ["", *sorted(SHELLS)])
def test_the_program_that_listens(shell: str) -> None:
    """As this machine tells it, and as a shell over SSH does."""
    source = ShellSource(SHELLS[shell]) if shell else LocalSource()
    with socket.create_server(("127.0.0.1", 0)) as server:
        (seen,) = observe(source, [ListeningCollector()])
        endpoint = f"tcp/127.0.0.1:{server.getsockname()[1]}"
    (row,) = (it for it in seen.facts[0].value if it["endpoint"] == endpoint)
    assert row["exe"] == os.path.realpath("/proc/self/exe")


# --- modes, on the real thing -------------------------------------------------------------------


def test_modes_of_files(tmp_path: Path) -> None:
    etc = tmp_path / "etc"
    (etc / "ssh").mkdir(parents=True)
    for name, mode in (("passwd", 0o644), ("shadow", 0o4640), ("ssh/ssh_host_rsa_key", 0o600)):
        (etc / name).write_text("")
        (etc / name).chmod(mode)
    (etc / "ssh").chmod(0o755)
    (etc / "group").symlink_to("passwd")
    (observation,) = observe(LocalSource(str(tmp_path)), [FilesCollector()])
    found = {row["path"]: row for row in observation.facts[0].value}
    assert {path: row["mode_octal"] for path, row in found.items()} == {
        "/etc/passwd": "0644",
        "/etc/shadow": "4640",
        "/etc/group": "0777",
        "/etc/ssh": "0755",
        "/etc/ssh/ssh_host_rsa_key": "0600",
    }
    assert found["/etc/group"]["kind"] == "link"
    assert found["/etc/passwd"]["uid"] == os.geteuid()


def linked(target: str, *beyond: FileStat, path: str = "/etc/cron.d/x") -> dict[str, Any]:
    """The row of a link, with what is told of the files that links lead to."""
    known: dict[Reading, Answer] = dict.fromkeys(FilesCollector().readings(), rows())
    known |= {MOUNTS: ABSENT, GROUP: text("root:x:0:\nusers:x:100:\n")}
    pattern = "/etc/cron.*/*" if "cron" in path else "/etc/pam.d/*"
    known[Stat(pattern)] = rows(FileStat(path, "link", 0o777, 0, 100, target=target))
    try:
        found = facts(FilesCollector(), known)
    except NeedMore as need:
        there = {row.path: row for row in beyond}
        for reading in need.readings:
            assert isinstance(reading, Stat)
            one = there.get(reading.pattern)
            known[reading] = rows(*([one] if one else []))
        found = facts(FilesCollector(), known)
    (row,) = found["private_files" if "cron" in path else "files"].value
    assert isinstance(row, dict)
    return row


def at(
    path: str, kind: Any = "directory", mode: int = 0o755, uid: int = 0, gid: int = 0
) -> FileStat:
    return FileStat(path, kind, mode, uid, gid)


HOME = (at("/home"), at("/home/zhang", uid=1000))
OPT = (at("/opt"), at("/opt/app"))


@pytest.mark.parametrize(
    ("target", "beyond", "leads"),
    [
        ("/opt/app/x", (*OPT, at("/opt/app/x", "file", 0o644)), "root"),
        ("/opt/app/x", (*OPT, at("/opt/app/x", "file", 0o664)), "root"),  # its group is root's
        ("/opt/app/x", (*OPT, at("/opt/app/x", "file", 0o664, gid=100)), "others"),
        ("/opt/app/x", (*OPT, at("/opt/app/x", "file", 0o666)), "others"),
        ("/opt/app/x", (*OPT, at("/opt/app/x", "file", uid=1000)), "others"),
        # of root's, in a folder of a user's
        ("/home/zhang/x", (*HOME, at("/home/zhang/x", "file")), "others"),
        ("/home/zhang/x", HOME, "others"),
        ("/srv/x", (at("/srv", mode=0o1777), at("/srv/x", "file")), "others"),
        ("/opt/app/x", OPT, "unknown"),
        ("/opt/app/x", (at("/opt"), at("/opt/app", "link"), at("/opt/app/x", "file")), "unknown"),
        ("/opt/[a]/x", (), "unknown"),
        ("", (), "unknown"),
        ("/dev/null", (), "root"),
    ],
)
@pytest.mark.parametrize("path", ["/etc/cron.d/x", "/etc/pam.d/x"])
def test_where_links_lead(target: str, beyond: tuple[FileStat, ...], leads: str, path: str) -> None:
    row = linked(target, *beyond, path=path)
    assert (row["leads"], row["target"], row["group"]) == (leads, target, "users")


def test_links_of_a_real_tree(tmp_path: Path) -> None:
    for folder in ("etc/cron.d", "home/zhang", "opt/app"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "home/zhang").chmod(0o777)
    for path in ("home/zhang/x", "opt/app/y"):
        (tmp_path / path).touch(0o644)
    for name, target in (("x", "home/zhang/x"), ("y", "opt/app/y")):
        (tmp_path / "etc/cron.d" / name).symlink_to(f"../../{target}")
    (observation,) = observe(LocalSource(str(tmp_path)), [FilesCollector()])
    found = {row["path"]: row for row in observation.facts[1].value}
    assert found["/etc/cron.d/x"]["leads"] == "others"
    assert found["/etc/cron.d/y"]["leads"] == ("others" if os.geteuid() else "root")
    assert found["/etc/cron.d/y"]["target"] == "/opt/app/y"


def test_ten_thousand_links_end() -> None:
    known: dict[Reading, Answer] = dict.fromkeys(FilesCollector().readings(), rows())
    known[MOUNTS] = ABSENT
    many = (
        FileStat(f"/etc/cron.d/{n}", "link", 0o777, 0, 0, target=f"/a/{n}") for n in range(10_000)
    )
    known[Stat("/etc/cron.*/*")] = rows(*many)
    with pytest.raises(NeedMore) as need:
        facts(FilesCollector(), known)
    assert len(need.value.readings) == MOST
    known |= dict.fromkeys(need.value.readings, rows())
    assert {row["leads"] for row in facts(FilesCollector(), known)["private_files"].value} == {
        "unknown"
    }


def test_what_only_root_sees_costs_the_rest_nothing() -> None:
    answers: dict[Reading, Answer] = dict.fromkeys(FilesCollector().readings(), rows())
    answers[MOUNTS] = ABSENT
    answers[Stat("/etc/sudoers.d/*")] = DENIED
    answers[Stat("/etc/profile")] = rows(FileStat("/etc/profile", "file", 0o644, 0, 0))
    found = facts(FilesCollector(), answers)
    assert [row["path"] for row in found["files"].value] == ["/etc/profile"]
    assert found["private_files"].unavailable == "denied: stat /etc/sudoers.d/*: permission denied"


def test_a_private_tmp_is_not_the_hosts() -> None:
    answers: dict[Reading, Answer] = dict.fromkeys(FilesCollector().readings(), rows())
    private = "/tmp/systemd-private-5e1f-jianwei-agent.service-Ab/tmp"
    line = f"612 500 254:1 {private} /tmp rw,nosuid shared:9 - ext4 /dev/vda1 rw"
    answers[MOUNTS] = text(f"{line}\nodd\n")
    answers[Stat("/tmp")] = rows(FileStat("/tmp", "directory", 0o1777, 0, 0))
    (row,) = facts(FilesCollector(), answers)["files"].value
    assert row["kind"] == "private"


# --- clock --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("state", "status", "synchronised"),
    [(0, 0x2001, True), (5, 0x2001, False), (0, 0x2041, False), (5, 0x40, False)],
)
def test_clock(state: int, status: int, synchronised: bool) -> None:
    fields = dict.fromkeys(Timex.__struct_fields__, 0)
    timex = Timex(**{**fields, "state": state, "status": status, "maxerror": 2_500_000})
    processes = [
        {"pid": 1, "name": name, "state": "S", "threads": 1}
        for name in ("init", "systemd-timesyncd", "chronyd")
    ]
    value = facts(TimesyncCollector(), {TIMEX: rows(timex), PROCESSES: rows(*processes)})[
        "timesync"
    ].value
    assert value == {
        "synchronised": synchronised,
        "maxerror": 2.5,
        "daemons": ["chrony", "systemd-timesyncd"],
    }


# --- host ---------------------------------------------------------------------------------------


def host(machine_id: Answer, nodename: str = "gov-node-01") -> dict[str, Fact]:
    uname = {
        "sysname": "Linux",
        "nodename": nodename,
        "release": "6.1.0",
        "version": "",
        "machine": "x86_64",
        "domainname": "",
    }
    release = text('ID="openEuler"\nID_LIKE="rhel fedora"\nVERSION_ID="22.03"\n')
    answers: dict[Reading, Answer] = {
        UNAME: rows(uname),
        ETC: ABSENT,
        USR: release,
        MACHINE_ID: machine_id,
    }
    return facts(OsInfoCollector(), answers)


def test_os() -> None:
    value = host(ABSENT)["os"].value
    assert value["family"] == "linux"
    assert (value["id"], value["like"], value["version"]) == (
        "openEuler",
        ["rhel", "fedora"],
        "22.03",
    )


def test_host_id_is_of_the_machine_id_and_does_not_show_it() -> None:
    machine_id = "5e1f0c6b7a8d4c52a1b9e37d20f4c816"
    one = host(text(machine_id + "\n"))["host"].value
    assert one == host(text(machine_id), "renamed")["host"].value | {"name": "gov-node-01"}
    assert one["id"] != machine_id
    assert len(one["id"]) == 32


@pytest.mark.parametrize("content", ["", "uninitialized\n", "0" * 32, "5E1F", "\x00"])
def test_host_id_is_of_the_name_without_a_machine_id(content: str) -> None:
    assert host(text(content))["host"].value == host(ABSENT)["host"].value
    assert host(ABSENT)["host"].value["id"] != host(ABSENT, "other")["host"].value["id"]


# --- the fixture machines -----------------------------------------------------------------------


# Those of the pack host-basics; of others these machines have no files.
BASICS = ("accounts", "files", "listening", "login_defs", "osinfo", "sshd", "sysctl", "timesync")


@pytest.mark.parametrize("machine", ["debian12", "hardened"])
def test_every_fact_of_a_fixture_machine_has_a_value(machine: str) -> None:
    source = RecordedSource(MACHINES / machine)
    ours = [entry.cls() for entry in catalogue.COLLECTORS.values() if entry.cls.name in BASICS]
    assert len(ours) == len(BASICS)
    for observation in observe(source, ours):
        assert observation.failure == "", observation.reason
        for fact in observation.facts:
            assert fact.unavailable == ""
            assert fact.value or fact.name == "odd_accounts"
            json.dumps(fact.value)
