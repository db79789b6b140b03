"""Audit rules and the audit daemon: auditctl's own forms, what is recorded, real auditctl."""

from __future__ import annotations

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.model import Answer, Reading
from collectors.rows import Uname
from collectors.security.logging import auditcoverage, auditd, audithidden, auditrules
from collectors.security.logging.auditd import COMPILED, CONF, LOADED, RULES, STATE, UNAME
from collectors.security.logging.auditrules import AuditRule
from tests.baselinemachines import BASELINE
from tests.collectors.securityfacts import ABSENT, DENIED, facts, rows, text, tree

AMD64 = rows(Uname("Linux", "a", "6.1", "", "x86_64", ""))
STATE_TEXT = text("enabled 1\nfailure 1\npid 743\nbacklog_limit 8192\nlost 3\n")


def rule(line: str) -> AuditRule:
    return auditrules.parse(line.split(), {"uid:chrony": "113"})[0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-w /etc/passwd -p wa -k x", "-a always,exit -F path=/etc/passwd -F perm=aw -F key=x"),
        ("-w /etc/passwd -p wa -k x", '-a exit,always -F path=/etc/passwd -F perm=wa -k "x"'),
        ("-w /etc/sudoers.d/ -p wa", "-a always,exit -F dir=/etc/sudoers.d -F perm=wa"),
        ("-w /etc/hosts", "-w /etc/hosts -p rwxa"),
        ("-w /etc/hosts -pwa", "-w /etc/hosts -p aw"),
        ("-a always,exit -S mount -S umount2", "-a always,exit -S umount2,mount"),
        ("-a always,exit -S all -F uid=0", "-a always,exit -F uid=root"),
        (
            "-a always,exit -F arch=b64 -S mount -F auid>=1000 -F auid!=unset -k m",
            "-a always,exit -F arch=b64 -S mount -F auid>=1000 -F auid!=-1 -F key=m",
        ),
        ("-a always,exit -S mount -F auid!=4294967295", "-a exit,always -S mount -F auid!=unset"),
        ("-a always,exit -F arch=x86_64 -S mount", "-A exit,always -F arch=b64 -S mount"),
        ("-a always,exit -S open -F exit=-13", "-a always,exit -S open -F exit=-EACCES"),
        ("-a always,exit -S open -F success=no", "-a always,exit -S open -F success=0"),
        ("-a never,exit -S adjtimex -F uid=chrony", "-a never,exit -S adjtimex -F uid=113"),
        ("-a always,exit -S open -F a1&0100", "-a always,exit -S open -F a1&0x40"),
        ("-a always,exit -S setuid -F a0=0", "-a always,exit -S setuid -F a0=0x0"),
        ("-a always,exit -C uid!=euid -S execve", "-a always,exit -C euid!=uid -S execve"),
    ],
)
def test_two_ways_to_write_one_rule(one: str, other: str) -> None:
    assert rule(one) == rule(other)
    assert rule(rule(one).text) == rule(one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("-w /etc/passwd -p wa", "-w /etc/passwd -p w"),
        ("-w /etc/passwd -p wa -k x", "-w /etc/passwd -p wa -k y"),
        ("-a always,exit -S mount", "-a never,exit -S mount"),
        ("-a always,exit -F arch=b64 -S mount", "-a always,exit -F arch=b32 -S mount"),
        ("-a always,exit -S mount -F auid>=1000", "-a always,exit -S mount -F auid>=500"),
    ],
)
def test_rules_that_are_not_the_same(one: str, other: str) -> None:
    assert rule(one) != rule(other)


@pytest.mark.parametrize(
    "line",
    [
        *("-w passwd -p wa", "-w /etc/passwd -p z", "-p wa", "-a always", "-a always,nowhere"),
        *("-w /etc/x -S mount", "-a always,exit -F", "-a always,exit -F auid", "nonsense", "-w"),
    ],
)
def test_lines_that_auditctl_refuses(line: str) -> None:
    found = auditrules.on_disk({"/etc/audit/rules.d/a.rules": f"# x\n{line}\n"}, "", "")
    assert found.bad == [{"text": line, "source": "/etc/audit/rules.d/a.rules:2"}]
    assert found.rules == {}


def test_files_are_put_together_as_augenrules_does() -> None:
    files = {
        "/etc/audit/rules.d/10-b.rules": "-w /b -p w\n-D\n-b 64\n-e 1\n",
        "/etc/audit/rules.d/9-a.rules": "-e 2\n-w /a -p w\n# -w /c -p w\n-b 8192\n",
    }
    found = auditrules.on_disk(files, "/etc/audit/audit.rules", "-w /not -p w")
    # 9 comes before 10; a -D does not take back what is before it; the last setting counts
    assert [it.values("path") for it in found.rules] == [["/a"], ["/b"]]
    assert found.settings == {"-e": "1", "-b": "64"}
    assert list(found.rules.values()) == [
        "/etc/audit/rules.d/9-a.rules:2",
        "/etc/audit/rules.d/10-b.rules:1",
    ]


def test_one_file_is_read_from_top_to_bottom() -> None:
    content = "-w /a -p w\n-D\n-w /b -p w\n-w /d -p w\n-W /d -p w\n-e 2\n-w /c -p w\n"
    found = auditrules.on_disk({}, "/etc/audit/audit.rules", content)
    assert [it.values("path") for it in found.rules] == [["/b"]]
    assert found.settings["-e"] == "2"


def missing(control: str, *lines: str, there: str = "", machine: str = "x86_64") -> list[str]:
    (it,) = (c for c in auditcoverage.CONTROLS if c.name == control)
    index = auditcoverage.index(rule(line) for line in lines)
    return auditcoverage.missing(it, index, there.split(), machine)


def test_what_counts_as_recorded() -> None:
    both = "-a always,exit -F arch=b64 -S mount"
    assert missing("mounts", both) == ["b32:mount"]
    assert missing("mounts", both, machine="aarch64") == []
    assert missing("mounts", both, both.replace("b64", "b32")) == []
    # narrowed down to people, and to fewer than that
    assert missing("mounts", f"{both} -F auid>=1000 -F auid!=unset", machine="aarch64") == []
    assert missing("mounts", f"{both} -F auid>=2000", machine="aarch64") == ["b64:mount"]
    assert missing("mounts", f"{both} -F uid=33", machine="aarch64") == ["b64:mount"]
    assert missing("mounts", f"{both} -F success=1", machine="aarch64") == ["b64:mount"]
    assert missing("mounts", both.replace("always", "never"), machine="aarch64") == ["b64:mount"]
    assert missing("mounts", "-a always,exit -F arch=b64", machine="aarch64") == []


def test_watches_of_folders_permissions_and_names() -> None:
    assert missing("sudoers", "-w /etc -p wa", there="/etc/sudoers /etc/sudoers.d") == []
    assert missing("sudoers", "-w /etc/sudoers -p w", there="/etc/sudoers") == ["/etc/sudoers"]
    assert missing("sudoers", "-w /etc/sud -p wa", there="/etc/sudoers") == ["/etc/sudoers"]
    assert missing("sudoers", "-w / -p wa", there="/etc/sudoers") == []
    arch = "-a always,exit -F arch=b64 -F path=/etc/sudoers -F perm=wa"
    assert missing("sudoers", arch, there="/etc/sudoers") == []
    assert missing("sudoers", arch.replace("b64", "b32"), there="/etc/sudoers") == ["/etc/sudoers"]
    assert missing("logins", "-w /run/utmp -p wa", there="/var/run/utmp") == []
    assert missing("identity") == ["/etc/passwd", "/etc/shadow", "/etc/group"]


def test_privileged_commands_one_by_one_or_all_at_once() -> None:
    there = "/usr/bin/su /usr/bin/sudo"
    one = "-a always,exit -F path=/bin/su -F perm=x -F auid>=1000 -F auid!=unset"
    assert missing("privileged", one, there=there) == ["/usr/bin/sudo"]
    for every in ("-C uid!=euid", "-F euid=0", "-F euid=0 -F auid>=1000 -F auid!=-1"):
        line = f"-a always,exit -F arch=b64 -S execve {every}"
        assert missing("privileged", line, there=there) == []
    of_one = "-a always,exit -F arch=b64 -S execve -F euid=0 -F auid=1001"
    assert sorted(missing("privileged", of_one, there=there)) == there.split()


def test_denied_access_is_of_both_errors() -> None:
    calls = "creat,open,openat,truncate,ftruncate"
    line = f"-a always,exit -F arch=b64 -S {calls} -F exit=-EACCES"
    eperm = line.replace("EACCES", "EPERM")
    assert len(missing("access", line, machine="aarch64")) == 3
    assert missing("access", line, eperm, machine="aarch64") == []
    assert missing("access", line.split(" -F exit")[0] + " -F success=0", machine="aarch64") == []


def audit(**answers: Answer) -> dict[str, object]:
    names: dict[str, Reading] = {
        "state": STATE,
        "loaded": LOADED,
        "rules": RULES,
        "compiled": COMPILED,
        "conf": CONF,
    }
    told: dict[Reading, Answer] = {names[name]: answer for name, answer in answers.items()}
    found = facts(auditd.AuditdCollector(), {UNAME: AMD64, **told})
    return {name: fact.value or fact.unavailable for name, fact in found.items()}


def test_state() -> None:
    assert audit(state=STATE_TEXT)["auditd"] == {
        "installed": True,
        "running": True,
        "enabled": 1,
        "failure": 1,
        "backlog_limit": 8192,
        "lost": 3,
    }
    nothing = audit()["auditd"]
    assert isinstance(nothing, dict)
    assert not nothing["installed"]
    refused = audit(state=Answer("failed", reason="exit status 4"))["auditd"]
    assert refused == "failed: auditctl -s: exit status 4"
    assert "no state" in str(audit(state=text("Error - nobody\n"))["auditd"])


def test_loaded_and_on_disk() -> None:
    disk = tree({"/etc/audit/rules.d/a.rules": "-w /a -p w\n-w /b -p w\n-e 2\n"})
    found = audit(rules=disk, loaded=text("-w /b -p w\n-w /c -p w\n"))
    assert found["audit_loaded"] == {
        "count": 2,
        "missing": [{"text": "-a always,exit -F path=/a -F perm=w", "source": _A}],
        "extra": [{"text": "-a always,exit -F path=/c -F perm=w", "source": "auditctl -l:2"}],
    }
    on_disk = found["audit_rules"]
    assert isinstance(on_disk, dict)
    assert on_disk["immutable"]
    # the kernel did not say: what is on disk is known all the same
    refused = audit(rules=disk, loaded=Answer("failed", reason="exit status 4"))
    assert refused["audit_loaded"] == "failed: auditctl -l: exit status 4"
    assert refused["audit_rules"] == on_disk


_A = "/etc/audit/rules.d/a.rules:1"


def test_what_cannot_be_read_is_unknown_and_what_is_absent_is_not() -> None:
    found = audit(rules=DENIED, loaded=text("No rules\n"), conf=DENIED)
    for name in ("audit_rules", "audit_loaded", "audit_coverage", "auditd_conf"):
        assert str(found[name]).startswith("denied: "), name
    nothing = audit()
    assert nothing["audit_loaded"] == {"count": 0, "missing": [], "extra": []}
    one = tree({"/etc/audit/rules.d/a.rules": DENIED})
    assert str(audit(rules=one)["audit_rules"]).startswith("denied: ")


def test_rules_that_hide() -> None:
    lines = "-a never,task\n-a never,exit -F auid=1001\n-a never,exit -S mount\n-a never,user -F subj_type=crond_t\n"
    lines += "-a never,exit -F path=/x\n-a always,exclude -F msgtype=CWD\n-e 0\n"
    found = audit(rules=tree({"/etc/audit/rules.d/a.rules": lines}))["audit_rules"]
    assert isinstance(found, dict)
    assert [it["text"] for it in found["off"]] == [
        "-a never,task",
        "-a never,exit -F auid=1001",
        "-e 0",
    ]


@pytest.mark.parametrize(
    "line",
    [
        *("-a never,exit -F path=/etc/shadow -F perm=wa", "-A exit,never -F dir=/etc"),
        *("-a never,exit -F dir=/home", "-a never,exit -F arch=b64 -S execve -F uid=0"),
        *("-a never,exit -F exe=/usr/bin/bash", "-a never,exit -F uid=0", "-a never,user"),
        *("-a always,exclude -F msgtype=SYSCALL", "-a never,exclude -F msgtype>=1300"),
        *("-a never,exclude -F auid=1000", "-a always,exclude -F msgtype=user_login"),
        "-a always,exclude -F auid=-1",  # a login that is refused has none
        "-a never,exit -F subj_type=unconfined_t",
    ],
)
def test_rules_that_hide_people(line: str) -> None:
    found = audit(rules=tree({"/etc/audit/rules.d/a.rules": f"{line}\n"}))["audit_rules"]
    assert isinstance(found, dict)
    assert [it["source"] for it in found["off"]] == [_A], found
    assert found["bad"] == []


@pytest.mark.parametrize(
    "line",
    [
        *("-a never,exit -F exe=/usr/bin/vmtoolsd -F auid=unset", "-a never,exit -F uid=113"),
        *("-a never,exit -F dir=/dev/shm", "-a never,user -F subj_type=crond_t"),
        "-a never,exit -F arch=b64 -S adjtimex -F auid=unset -F uid=113",
        *("-a always,exclude -F msgtype=CRYPTO_KEY_USER", "-a never,filesystem -F fstype=tracefs"),
        "-a never,exit -F arch=b64 -S fork",
    ],
)
def test_rules_that_hide_nobody(line: str) -> None:
    found = audit(rules=tree({"/etc/audit/rules.d/a.rules": f"{line}\n"}))["audit_rules"]
    assert isinstance(found, dict)
    assert (found["off"], found["bad"]) == ([], [])
    assert missing("mounts", line, EVERY_CALL, machine="aarch64") == []


EVERY_CALL = "-a always,exit -F arch=b64 -S mount,unlinkat,renameat"


@pytest.mark.parametrize(
    ("never", "control", "hidden"),
    [
        ("-a never,exit -F path=/etc/shadow -F perm=wa", "identity", ["/etc/shadow"]),
        ("-a never,exit -F path=/etc/shadow -F perm=r", "identity", []),
        ("-A exit,never -F dir=/etc", "audit", ["/etc/audit"]),
        ("-a never,exit -F dir=/etc/audit/rules.d", "audit", ["/etc/audit"]),
        ("-a never,exit -F dir=/opt", "audit", []),
        ("-a never,exit -F arch=b64 -S mount", "mounts", ["b64:mount"]),
        ("-a never,exit -S mount -F uid=0", "mounts", ["b64:mount"]),
        ("-a never,exit -F arch=b32 -S mount", "mounts", []),
        ("-a never,exit -S unlinkat", "mounts", []),
        ("-a never,task", "mounts", ["b64:mount"]),
        ("-a never,exit -F dir=/", "mounts", ["b64:mount"]),
        ("-a always,exclude -F msgtype=SYSCALL", "audit", ["/etc/audit"]),
        ("-a never,exclude -F msgtype>=1300", "mounts", ["b64:mount"]),
        ("-a always,exclude -F msgtype=USER_LOGIN", "mounts", []),
        ("-a never,exit -F arch=b64 -S execve", "privileged", ["/usr/bin/su"]),
    ],
)
def test_what_is_hidden_is_not_recorded(never: str, control: str, hidden: list[str]) -> None:
    root = "-a always,exit -F arch=b64 -S execve -F euid=0"
    for lines in (
        (never, "-w /etc -p wa", EVERY_CALL, root),
        ("-w /etc -p wa", EVERY_CALL, root, never),
    ):
        assert missing(control, *lines, there="/usr/bin/su", machine="aarch64") == hidden


def test_a_path_alone_is_of_nothing_below() -> None:
    def identity(*lines: str) -> tuple[list[str], list[str]]:
        disk = tree({"/etc/audit/rules.d/a.rules": "".join(f"{line}\n" for line in lines)})
        coverage = audit(rules=disk)["audit_coverage"]
        assert isinstance(coverage, dict)
        return coverage["identity"]["missing"], coverage["audit"]["missing"]

    wanted = ["/etc/passwd", "/etc/shadow", "/etc/group"]
    inode = "-a always,exit -F path=/etc -F perm=wa"
    assert identity(inode) == (wanted, ["/etc/audit"])
    assert identity(inode.replace("path=", "arch=b64 -F path=")) == (wanted, ["/etc/audit"])
    assert identity(inode.replace("path=", "dir=")) == ([], [])
    assert identity("-w /etc -p wa") == ([], [])
    assert identity(inode, "-w /etc -p wa") == ([], [])  # one rule to the kernel, and the folder's
    # the inode of a folder is not what is in it; of a file it is
    assert identity("-a always,exit -F path=/etc/audit -F perm=wa")[1] == ["/etc/audit"]
    assert identity("-a always,exit -F path=/etc/shadow -F perm=wa")[0] == [wanted[0], wanted[2]]


def test_the_clock_that_counts() -> None:
    calls = "-a always,exit -F arch=b64 -S adjtimex,settimeofday"
    clock = "-a always,exit -F arch=b64 -S clock_settime"
    for form in ("", " -F a0=0x0", " -F a0=0"):
        assert missing("time", calls, clock + form, machine="aarch64") == []
    for form in (" -F a0=1", " -F a1=0", " -F a0!=0", " -F a0=0x0 -F uid=0"):
        assert missing("time", calls, clock + form, machine="aarch64") == ["b64:clock_settime"]
    both = "-a always,exit -F arch=b64 -S adjtimex,settimeofday,clock_settime -F a0=0x0"
    assert len(missing("time", both, machine="aarch64")) == 3


def test_configuration_of_the_daemon() -> None:
    content = (
        "Max_Log_File = 8\n#num_logs = 99\nnum_logs=5\nmax_log_file = 50\nkrb5_key_file = /k\n"
    )
    content += "disk_full_action = HALT\n"
    found = facts(auditd.AuditdCollector(), {UNAME: AMD64, CONF: text(content)})["auditd_conf"]
    assert (found.value["max_log_file"], found.value["num_logs"]) == (50, 5)
    assert (found.value["capacity"], found.value["disk_full_action"]) == (250, "halt")
    assert found.value["space_left_action"] == "ignore"
    assert found.sources["max_log_file"] == "/etc/audit/auditd.conf:4"
    assert "krb5_key_file" not in found.value
    assert "not a number" in str(audit(conf=text("num_logs = many\n"))["auditd_conf"])
    assert audit(conf=ABSENT)["auditd_conf"] == {
        **auditd.DEFAULTS,
        "installed": False,
        "capacity": 8,
    }


@given(st.text() | st.text("-wapFSk=,/ \n1#>!", max_size=80))
def test_any_text(content: str) -> None:
    found = auditrules.on_disk({"/a.rules": content}, "", "")
    auditrules.on_disk({}, "/a.rules", content)
    auditrules.listed(content, "auditctl -l")
    for it in found.rules:
        assert rule(it.text) == it or " " in "".join(it.fields + it.keys)
    auditcoverage.index(found.rules)


def test_ten_thousand_rules_that_hide_are_read_in_time() -> None:
    content = "".join(f"-a never,exit -F dir=/opt/{n}\n" for n in range(10_000))
    start = time.perf_counter()
    audit(rules=tree({"/etc/audit/rules.d/a.rules": content}))
    assert time.perf_counter() - start < 10


def test_ten_thousand_odd_lines_are_read_in_time() -> None:
    line = "-a always,exit -F arch=b64 -S " + ",".join(f"c{n}" for n in range(40))
    content = "".join(f"{line},x{n} -F auid>=1000 -k {'k' * 60}\n" for n in range(10_000))
    start = time.perf_counter()
    audit(rules=tree({"/etc/audit/rules.d/a.rules": content}), loaded=text(content))
    assert time.perf_counter() - start < 10  # 0.9 s on an idle machine


def idle() -> bool:
    """Whether there is a kernel here whose audit nobody uses, and we may."""
    if shutil.which("auditctl") is None:
        return False
    state = subprocess.run(["auditctl", "-s"], capture_output=True, text=True, check=False)
    loaded = subprocess.run(["auditctl", "-l"], capture_output=True, text=True, check=False)
    return "pid 0\n" in state.stdout and loaded.stdout.strip() == "No rules"


EXAMPLES = Path("/usr/share/doc/auditd/examples/rules")  # of Debian's package


def lists(lines: list[str], path: Path) -> tuple[auditrules.RuleSet, str]:
    """What the kernel has of these lines, and which it refused."""
    path.write_text("-c\n" + "\n".join(lines) + "\n")
    try:
        done = subprocess.run(
            ["auditctl", "-R", str(path)], capture_output=True, text=True, check=False
        )
        listing = subprocess.run(["auditctl", "-l"], capture_output=True, text=True, check=True)
    finally:
        subprocess.run(["auditctl", "-D"], capture_output=True, check=True)
    return auditrules.listed(listing.stdout, "auditctl -l"), done.stderr


def test_a_real_kernel_lists_what_is_the_same_to_us(tmp_path: Path) -> None:
    if not idle():
        pytest.skip("needs root, auditctl and a kernel without an audit daemon and rules")
    ours = BASELINE / "audit/debian-hardened/root/etc/audit/rules.d"
    compared = 0
    for path in (*sorted(ours.iterdir()), *sorted(EXAMPLES.glob("*.rules"))):
        content = path.read_text()
        wanted = auditrules.on_disk({str(path): content}, "", "")
        assert wanted.bad == [], path
        plain = [line for line in content.splitlines() if line.startswith(("-w", "-a"))]
        found, refused = lists(plain, tmp_path / "a.rules")
        assert found.bad == [], path
        assert set(found.rules) <= set(wanted.rules), path
        # what names a folder or user that is not here is refused
        if not refused and "uid=" not in content:
            assert set(found.rules) == set(wanted.rules), path
            compared += len(found.rules)
    assert compared >= 61


def test_a_real_kernel_takes_the_rules_that_hide(tmp_path: Path) -> None:
    if not idle():
        pytest.skip("needs root, auditctl and a kernel without an audit daemon and rules")
    lines = [
        *("-a never,exit -F path=/etc/shadow -F perm=wa", "-A exit,never -F dir=/etc"),
        *("-a never,exit -F exe=/usr/bin/bash", "-a never,exclude -F auid=1000"),
        *("-a always,exclude -F msgtype=SYSCALL", "-a never,exclude -F msgtype>=1300"),
        "-a always,exit -F arch=b64 -S clock_settime -F a0=0x0",
    ]
    found, refused = lists(lines, tmp_path / "a.rules")
    assert (found.bad, refused) == ([], "")
    hiding = [it for it in found.rules if audithidden.hides_people(it, auditcoverage.NEAR)]
    assert len(hiding) == 5  # auditctl shows the first as if it were a watch: what is on disk tells
