"""What audit rules keep out of the records: `never` rules, and the list `exclude`, which drops records of a
kind whichever action it names: auditctl(8), audit_filter() of the kernel.

Only what people do counts: a rule for processes without a login (`-F auid=unset`), for an account of the system
or for the domain of a service hides nobody. Which of two rules the kernel takes depends on their order and, as
those for paths are looked up by inode, on their form: a `never` rule is taken to win wherever it stands.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from collectors.security.logging.auditrules import AuditRule

MAX_DEPTH = 16

# Records that say nothing which the others of the same event do not.
_MINOR = {
    *("CWD", "EOE", "PROCTITLE", "CRYPTO_KEY_USER", "CRYPTO_SESSION", "SERVICE_START"),
    *("SERVICE_STOP", "BPF", "CRED_ACQ", "CRED_DISP", "CRED_REFR", "FD_PAIR"),
    *("1307", "1320", "1327", "2404", "2407", "1130", "1131", "1334", "1103", "1104", "1110"),
}
_WHOLE = {"SYSCALL", "1300", "PATH", "1302"}  # without these no event says who did what
_SYSTEM = re.compile(r"(uid|euid|fsuid|gid|egid|fsgid)=[1-9][0-9]{0,2}")
_NO_LOGIN = re.compile(r"(auid=-1|auid<1000|auid<[0-9]{1,3}|auid<=[0-9]{1,3}|ses=-1|sessionid=-1)")
_DOMAIN = re.compile(r"subj_type=(?!unconfined)\w+")
_USR = re.compile(r"/(bin|sbin|lib|lib64)(/|$)")


def canonical(path: str) -> str:
    """Of the two names that one file has where /bin is /usr/bin and /var/run is /run, one."""
    if path.startswith("/var/run/"):
        return path[4:]
    return "/usr" + path if _USR.match(path) else path


def hides(rule: AuditRule) -> bool:
    """Whether it keeps anything at all of what people do out of the records."""
    if rule.filter == "exclude":
        return not _minor(rule) and not _of_system(rule, logins=False)
    if rule.filter == "user":
        return rule.action == "never" and not _of_system(rule, logins=False)
    return rule.action == "never" and rule.filter in ("task", "exit") and not _of_system(rule)


def hides_people(rule: AuditRule, wanted: Paths) -> bool:
    """Whether it hides somebody, a program, or files that are to be recorded, and not some calls."""
    if not hides(rule):
        return False
    if rule.filter not in ("task", "exit"):
        return True
    if paths := _paths(rule):
        return any(wanted.near(path) for path in paths)
    return not rule.syscalls or bool({"execve", "execveat"} & set(rule.syscalls))


class Paths:
    """Paths with kinds of access, to be asked for what is near: the path, above or below it."""

    def __init__(self, paths: Iterable[str] = (), perms: str = "arwx") -> None:
        self._at: dict[str, set[str]] = defaultdict(set)
        self._above: dict[str, set[str]] = defaultdict(set)
        for path in paths:
            self.add(path, perms)

    def add(self, path: str, perms: str) -> None:
        first, *others = _up(path)
        self._at[first].update(perms)
        for other in others:
            self._above[other].update(perms)

    def near(self, path: str) -> set[str]:
        """The kinds of access of all that is near."""
        names = _up(path)
        found = set(self._above.get(names[0], ()))
        for name in names:
            found |= self._at.get(name, set())
        return found


class Hidden:
    """What all the rules of a set hide."""

    def __init__(self, rules: Iterable[AuditRule]) -> None:
        self.everything = False
        self._paths = Paths()
        self._calls: set[tuple[str, str]] = set()
        for rule in filter(hides, rules):
            paths = _paths(rule)
            self.everything = self.everything or _hides_all(rule)
            for path in paths:
                self._paths.add(path, "".join(rule.values("perm")) or "arwx")
            if rule.filter == "exit" and not paths:
                arches = rule.values("arch") or ["b64", "b32"]
                self._calls |= {(arch, call) for arch in arches for call in rule.syscalls}

    def path(self, path: str, perm: str) -> bool:
        """Whether it is access of this kind to a path, or to what is above or below it."""
        return self.everything or bool(set(perm) & self._paths.near(path))

    def call(self, arch: str, call: str) -> bool:
        """Whether it is this system call, whoever makes it."""
        return self.everything or (arch, call) in self._calls


def _hides_all(rule: AuditRule) -> bool:
    names = {field for field in rule.fields if not field.startswith("arch=")}
    if rule.filter == "exclude":
        kinds = [field for field in names if field.startswith("msgtype")]
        return names == set(kinds) and any(kind[7:8] != "=" or kind[8:] in _WHOLE for kind in kinds)
    if rule.filter == "user" or rule.syscalls:
        return False
    return not names or "/" in _paths(rule)


def _minor(rule: AuditRule) -> bool:
    """Whether only records of a kind are dropped that nobody misses."""
    return any(field[8:] in _MINOR for field in rule.fields if field.startswith("msgtype="))


def _of_system(rule: AuditRule, logins: bool = True) -> bool:
    """`logins`: where the login UID is known; of a login that is refused it is not yet."""
    return any(
        _SYSTEM.fullmatch(field)
        or _DOMAIN.fullmatch(field)
        or (logins and _NO_LOGIN.fullmatch(field))
        for field in rule.fields
    )


def _paths(rule: AuditRule) -> list[str]:
    return [canonical(path) for path in rule.values("path") + rule.values("dir")]


def _up(path: str) -> list[str]:
    """A path and all above it. One that is deeper than any we ask for is cut."""
    parts = canonical(path).strip("/").split("/", MAX_DEPTH)[:MAX_DEPTH]
    return ["/" + "/".join(parts[:n]) for n in range(len(parts), 0, -1) if parts[0]] + ["/"]
