"""What an assessor expects audit rules to record, and which of it a set of rules records.

A rule counts for a path if it watches the path or a directory above with these permissions, for a
system call if it names it for the architecture; one that is narrowed down by more than the login
UIDs of people counts for nothing. What a `never` rule hides counts for nothing either (audithidden.py).
System calls as in the kernel's tables (syscalls(2)).
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection, Iterable
from typing import NamedTuple

from collectors.security.logging.audithidden import Hidden, Paths, canonical
from collectors.security.logging.auditrules import AuditRule


class Control(NamedTuple):
    """What is to be recorded: paths that are there with permissions, system calls.

    `errors`: only calls that failed so.
    """

    name: str
    paths: tuple[str, ...] = ()
    perm: str = "aw"
    syscalls: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


CONTROLS = (
    Control(
        "identity",
        ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/gshadow", "/etc/security/opasswd"),
    ),
    Control("sudoers", ("/etc/sudoers", "/etc/sudoers.d")),
    Control(
        "logins",
        (
            *("/var/log/lastlog", "/var/log/faillog", "/var/log/tallylog", "/var/run/faillock"),
            *("/var/run/utmp", "/var/log/wtmp", "/var/log/btmp"),
        ),
    ),
    Control("time", ("/etc/localtime",), syscalls=("adjtimex", "clock_settime", "settimeofday")),
    Control(
        "privileged",
        tuple(
            f"/usr/bin/{name}"
            for name in (
                *("sudo", "su", "passwd", "chsh", "chfn", "newgrp", "gpasswd", "chage"),
                *("crontab", "mount", "umount", "pkexec"),
            )
        ),
        perm="x",
    ),
    Control(
        "accounts",
        tuple(
            f"/usr/sbin/{name}"
            for name in ("useradd", "usermod", "userdel", "groupadd", "groupmod", "groupdel")
        ),
        perm="x",
    ),
    Control("mac", ("/etc/selinux", "/etc/apparmor", "/etc/apparmor.d", "/etc/kysec")),
    Control("modules", syscalls=("delete_module", "finit_module", "init_module")),
    Control(
        "network",
        (
            *("/etc/hosts", "/etc/network", "/etc/netplan", "/etc/sysconfig/network"),
            *("/etc/sysconfig/network-scripts", "/etc/NetworkManager"),
        ),
        syscalls=("setdomainname", "sethostname"),
    ),
    Control("deletion", syscalls=("rename", "renameat", "unlink", "unlinkat")),
    Control(
        "permissions",
        syscalls=(
            *("chmod", "fchmod", "fchmodat", "chown", "fchown", "fchownat", "lchown"),
            *("setxattr", "fsetxattr", "lsetxattr", "removexattr", "fremovexattr", "lremovexattr"),
        ),
    ),
    Control("mounts", syscalls=("mount",)),
    Control(
        "access",
        syscalls=("creat", "ftruncate", "open", "openat", "truncate"),
        errors=("-EACCES", "-EPERM"),
    ),
    Control(
        "configuration",
        (
            *("/etc/ssh/sshd_config", "/etc/pam.d", "/etc/crontab", "/etc/cron.d"),
            "/var/spool/cron",
        ),
    ),
    Control("audit", ("/etc/audit",)),
)
ALWAYS = ("/etc/passwd", "/etc/shadow", "/etc/group", "/etc/audit")  # wanted even if not there
# Folders, of which the inode alone (`-F path=`) does not tell what is in them.
_FOLDERS = {
    *("/etc/sudoers.d", "/var/run/faillock", "/etc/selinux", "/etc/apparmor", "/etc/apparmor.d"),
    *("/etc/kysec", "/etc/network", "/etc/netplan", "/etc/sysconfig/network-scripts"),
    *("/etc/NetworkManager", "/etc/pam.d", "/etc/cron.d", "/var/spool/cron", "/etc/audit"),
}
PATHS = tuple(path for control in CONTROLS for path in control.paths)
NEAR = Paths((*PATHS, "/home", "/root"))  # and where people work

# What the newer architectures never had: programs there use the call with `at`.
_LEGACY = {"chmod", "chown", "creat", "lchown", "open", "rename", "unlink"}
_LACKS_LEGACY = ("aarch64", "riscv64", "loongarch64")
_PEOPLE = re.compile(r"auid(>=([0-9]{1,4})|>[0-9]{1,3}|!=-1)")
_FIRST_PERSON = 1000  # login UIDs below belong to the system


class Index(NamedTuple):
    """Rules by what they record."""

    paths: dict[str, set[str]]  # with what is below
    singles: dict[str, set[str]]  # and without
    calls: dict[tuple[str, str], list[AuditRule]]
    every: list[AuditRule]  # of all system calls
    root_commands: bool
    hidden: Hidden


def index(rules: Iterable[AuditRule], single: Collection[AuditRule] = ()) -> Index:
    """`single`: as of a RuleSet."""
    rules = list(rules)
    found = Index(defaultdict(set), defaultdict(set), defaultdict(list), [], False, Hidden(rules))
    for rule in rules:
        if rule.action != "always" or rule.filter != "exit":
            continue
        if _of_root(rule):
            found = found._replace(root_commands=True)
        rest = [field for field in rule.fields if not _of_people(field)]
        names = {field.partition("=")[0] for field in rest}
        if names & {"path", "dir"}:
            if not names - {"path", "dir", "perm", "arch"} and not rule.syscalls:
                perms = "".join(rule.values("perm")) or "arwx"
                if "b32" not in rule.values("arch"):
                    below = not (rule in single or "arch" in names)
                    for path in rule.values("path"):
                        (found.paths if below else found.singles)[canonical(path)].update(perms)
                    for path in rule.values("dir"):
                        found.paths[canonical(path)].update(perms)
        elif not names - {"arch", "exit", "success"} or _of_the_time(rule, names):
            if not rule.syscalls:
                found.every.append(rule)
            for arch in rule.values("arch") or ["b64"]:
                for name in rule.syscalls:
                    found.calls[arch, name].append(rule)
    return found


def _of_the_time(rule: AuditRule, names: set[str]) -> bool:
    """`-S clock_settime -F a0=0x0` is of CLOCK_REALTIME, which alone is what people call the time."""
    clock = rule.syscalls == ("clock_settime",) and rule.values("a0") == ["0x0"]
    return clock and names == {"arch", "a0"}


def _of_people(field: str) -> bool:
    match = _PEOPLE.fullmatch(field)
    return match is not None and (match[2] is None or int(match[2]) <= _FIRST_PERSON)


def _of_root(rule: AuditRule) -> bool:
    """Whether it records every command run with root's rights: whichever program gives these."""
    names = {field for field in rule.fields if not _of_people(field)}
    wide = {"arch=b64", "euid=0", "euid!=uid", "uid!=0"}
    return "execve" in rule.syscalls and "arch=b64" in names and not names - wide


def missing(control: Control, rules: Index, there: Collection[str], machine: str) -> list[str]:
    """What of a control is wanted on such a machine and not recorded."""
    return [
        what
        for what, recorded in (
            *((path, _watched(path, control.perm, rules)) for path in _paths(control, there)),
            *((call, _recorded(call, control, rules)) for call in _calls(control, machine)),
        )
        if not recorded
    ]


def wanted(control: Control, there: Collection[str], machine: str) -> list[str]:
    """What of a control there is on such a machine."""
    return [*_paths(control, there), *_calls(control, machine)]


def _paths(control: Control, there: Collection[str]) -> list[str]:
    return [path for path in control.paths if path in there or path in ALWAYS]


def _calls(control: Control, machine: str) -> list[str]:
    """`b64:openat`; 32-bit programs are another way in where the machine runs them."""
    lacks = _LEGACY if machine in _LACKS_LEGACY else set()
    architectures = ("b64", "b32") if machine == "x86_64" else ("b64",)
    return [
        f"{arch}:{name}" for arch in architectures for name in control.syscalls if name not in lacks
    ]


def _watched(path: str, perm: str, rules: Index) -> bool:
    if rules.hidden.path(path, perm):
        return False
    if perm == "x" and rules.root_commands:
        return not rules.hidden.call("b64", "execve")
    name = canonical(path)
    if path not in _FOLDERS and set(perm) <= rules.singles[name] | rules.paths[name]:
        return True
    while name:
        if set(perm) <= rules.paths[name]:
            return True
        name = name.rpartition("/")[0]
    return set(perm) <= rules.paths["/"]


def _recorded(call: str, control: Control, rules: Index) -> bool:
    arch, _, name = call.partition(":")
    if rules.hidden.call(arch, name):
        return False
    found = [*rules.calls.get((arch, name), ()), *(r for r in rules.every if _is_of(r, arch))]
    if not control.errors:
        return any(not rule.values("exit") and not rule.values("success") for rule in found)
    told = {error for rule in found for error in rule.values("exit")}
    failed = any(not rule.values("exit") and rule.values("success") != ["1"] for rule in found)
    return failed or set(control.errors) <= told


def _is_of(rule: AuditRule, arch: str) -> bool:
    return rule.values("arch") in ([], [arch])
