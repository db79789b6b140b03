"""Rules of the kernel's audit system as auditctl takes and prints them: auditctl(8), audit.rules(7).

`-w /etc/passwd -p wa -k x` and `-a exit,always -F path=/etc/passwd -F perm=aw -k x` are one rule: both
are brought to one form, in which what is on disk and what is loaded compare equal. What augenrules(8)
makes of several files is followed too.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

MAX_LINE = 8960  # as auditctl's own buffer for a message
MAX_RULES = 20_000
MAX_BAD = 50

_FIELD = re.compile(r"([a-z0-9_]+)(!=|>=|<=|&=|=|>|<|&)(.+)")
_GLUED = re.compile(r"-p ([rwxa]+)-w (\S+)")  # how auditctl prints a watch whose perm= came first
_NATURAL = re.compile(r"(\d+)")
_LISTS = {"task", "exit", "user", "exclude", "filesystem", "io_uring"}
_ACTIONS = {"always", "never", "possible"}
_IDS = {"auid", "loginuid", "uid", "euid", "suid", "fsuid", "gid", "egid", "sgid", "fsgid"}
_IDS |= {"obj_uid", "obj_gid", "sessionid", "ses"}
_VALUES = {
    ("id", "unset"): "-1",
    ("id", "4294967295"): "-1",
    ("id", "root"): "0",
    **{("arch", name): "b64" for name in ("x86_64", "aarch64", "ppc64le", "s390x", "c000003e")},
    **{("arch", name): "b32" for name in ("i386", "i486", "i586", "i686", "arm", "40000003")},
    ("success", "yes"): "1",
    ("success", "no"): "0",
    ("exit", "-1"): "-EPERM",
    ("exit", "-13"): "-EACCES",
}
# Options by how many values they take; those that are no rule but a setting.
_SETTINGS = {"-b": 1, "-e": 1, "-f": 1, "-r": 1, "-q": 1, "-m": 1, "-i": 0, "-c": 0, "-t": 0}
_SETTINGS |= {"--backlog_wait_time": 1, "--loginuid-immutable": 0, "--reset-lost": 0}
_SETTINGS |= {"--reset_backlog_wait_time_actual": 0}


class AuditRule(NamedTuple):
    """One rule. `syscalls` none = all of them. A watch has the fields `path=…` and `perm=…` alone."""

    filter: str
    action: str
    syscalls: tuple[str, ...]
    fields: tuple[str, ...]
    keys: tuple[str, ...]

    def values(self, name: str) -> list[str]:
        """What `name=` is told to be."""
        return [f.partition("=")[2] for f in self.fields if f.partition("=")[0] == name]

    @property
    def text(self) -> str:
        parts = [f"-a {self.action},{self.filter}"]
        parts += [f"-F {field}" for field in self.fields if field.startswith("arch=")]
        parts += [f"-S {','.join(self.syscalls)}"] if self.syscalls else []
        parts += [f"-F {field}" for field in self.fields if not field.startswith("arch=")]
        return " ".join(parts + [f"-k {key}" for key in self.keys])


class RuleSet(NamedTuple):
    """Rules, each with where it stands; settings by option; lines that auditctl would refuse.

    `single`: those told by `-F path=`, which is of this inode and of nothing below it.
    """

    rules: dict[AuditRule, str]
    settings: dict[str, str]
    bad: list[dict[str, str]]
    single: set[AuditRule]


Names = Mapping[str, str]  # numbers of users and groups by `uid:NAME` and `gid:NAME`


def listed(text: str, source: str) -> RuleSet:
    """What `auditctl -l` prints."""
    lines = [line for line in text.splitlines() if line.strip() != "No rules"]
    lines = [_GLUED.sub(r"-w \2 -p \1", line) for line in lines]
    return _gather(((f"{source}:{n}", line) for n, line in enumerate(lines, 1)), {})


def on_disk(
    files: Mapping[str, str], compiled: str, text: str, names: Names | None = None
) -> RuleSet:
    """What a start loads: rules.d in the order of `ls -v` as augenrules puts it together, or else the
    `compiled` file with this text, in which `-D` drops what is before and `-e 2` ends it."""
    if not files:
        return _gather(_numbered(compiled, text), names or {}, ends=True)
    ordered = sorted(files, key=_natural)
    lines = (pair for path in ordered for pair in _numbered(path, files[path]))
    return _gather(lines, names or {})


def _natural(path: str) -> list[tuple[int, str]]:
    return [(int(p[:18]) if p.isdecimal() else -1, p) for p in _NATURAL.split(path)]


def _numbered(path: str, text: str) -> Iterable[tuple[str, str]]:
    return ((f"{path}:{number}", line) for number, line in enumerate(text.split("\n"), 1))


def _gather(lines: Iterable[tuple[str, str]], names: Names, ends: bool = False) -> RuleSet:
    found = RuleSet({}, {}, [], set())
    for source, raw in lines:
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        try:
            if len(line) > MAX_LINE or len(found.rules) > MAX_RULES:
                raise ValueError("too long")
            words = line.split()
            option = words[0]
            if option == "-D":
                if ends and len(words) == 1:
                    found.rules.clear()
            elif option in _SETTINGS:
                value = _setting(words)
                found.settings[option] = value
                if ends and option == "-e" and value == "2":
                    break  # the kernel takes nothing after it
            else:
                rule, adds = parse(words, names)
                if adds:
                    if not any(word.lstrip("-F").startswith("path=") for word in words):
                        found.single.discard(rule)
                    elif rule not in found.rules:
                        found.single.add(rule)
                    found.rules.setdefault(rule, source)
                else:
                    found.rules.pop(rule, None)
        except (ValueError, IndexError):
            if len(found.bad) < MAX_BAD:
                found.bad.append({"text": line[:200], "source": source})
    return found


def _setting(words: list[str]) -> str:
    if len(words) != 1 + _SETTINGS[words[0]]:
        raise ValueError("a value too many or too few")
    value = words[1] if len(words) > 1 else ""
    if words[0] in ("-b", "-e", "-f", "-r") and not value.isdecimal():
        raise ValueError("not a number")
    return value


def parse(words: list[str], names: Names) -> tuple[AuditRule, bool]:
    """A rule, and whether it is added (or else deleted); raises ValueError or IndexError."""
    where: tuple[str, str] | None = None
    adds, watch, perm = True, "", ""
    syscalls: set[str] = set()
    fields: set[str] = set()
    keys: list[str] = []
    position = 0
    while position < len(words):
        option = words[position]
        if not option.startswith("-") or len(option) < 2:
            raise ValueError("not an option")
        if len(option) > 2:  # getopt takes -pwa as well
            option, value = option[:2], option[2:]
            position += 1
        else:
            value = words[position + 1]
            position += 2
        if option in ("-a", "-A", "-d"):
            where, adds = _where(value), option != "-d"
        elif option in ("-w", "-W"):
            watch, adds = _path(value), option == "-w"
        elif option == "-p":
            perm = _perm(value)
        elif option == "-S":
            syscalls.update(name for name in value.split(",") if name and name != "all")
        elif option == "-k":
            keys.append(value.strip('"'))
        elif option == "-F":
            _field(value, fields, keys, names)
        elif option == "-C":
            fields.add(_comparison(value))
        else:
            raise ValueError("unknown option")
    if watch:
        if where or syscalls:
            raise ValueError("a watch has neither list nor system calls")
        where = ("exit", "always")
        fields |= {f"path={watch}", f"perm={perm or 'arwx'}"}
    elif where is None or perm:
        raise ValueError("no list")
    rule = AuditRule(
        where[0], where[1], tuple(sorted(syscalls)), tuple(sorted(fields)), tuple(sorted(keys))
    )
    return _as_watch(rule), adds


def _as_watch(rule: AuditRule) -> AuditRule:
    """A rule that is a watch in other words, as a watch."""
    names = sorted(field.partition("=")[0] for field in rule.fields)
    if rule.syscalls or rule.filter != "exit" or "dir" not in names:
        return rule
    if names not in (["dir"], ["dir", "perm"]):
        return rule
    fields = [f"path={field[4:]}" if field.startswith("dir=") else field for field in rule.fields]
    return rule._replace(fields=tuple(sorted(fields)))


def _where(value: str) -> tuple[str, str]:
    one, _, other = value.partition(",")
    if one in _LISTS and other in _ACTIONS:
        return one, other
    if other in _LISTS and one in _ACTIONS:
        return other, one
    raise ValueError("neither list nor action")


def _path(value: str) -> str:
    if not value.startswith("/"):
        raise ValueError("not an absolute path")
    return value.rstrip("/") or "/"


def _perm(value: str) -> str:
    letters = "".join(sorted(set(value.lower())))
    if not letters or set(letters) - set("rwxa"):
        raise ValueError("not a permission")
    return letters


def _field(value: str, fields: set[str], keys: list[str], names: Names) -> None:
    match = _FIELD.fullmatch(value)
    if match is None:
        raise ValueError("not a field")
    name, operator, told = match.groups()
    name = "auid" if name == "loginuid" else name
    if name == "key":
        keys.append(told.strip('"'))
        return
    if name == "perm":
        told = _perm(told)
    elif name == "msgtype":
        told = told.upper()
    elif name in ("path", "dir"):
        told = _path(told)
    elif name in ("a0", "a1", "a2", "a3"):
        told = _number(told)
    elif name in _IDS:
        told = names.get(f"{'gid' if 'gid' in name else 'uid'}:{told}", told)
    kind = "id" if name in _IDS else name
    fields.add(f"{name}{operator}{_VALUES.get((kind, told), told)}")


def _comparison(value: str) -> str:
    """`-C uid!=euid`: the same whichever is named first."""
    match = _FIELD.fullmatch(value)
    if match is None or match[2] not in ("=", "!="):
        raise ValueError("not a comparison")
    one, other = sorted((match[1], match[3]))
    return f"{one}{match[2]}{other}"


def _number(value: str) -> str:
    """As strtoul(3) reads it, and as auditctl prints it."""
    digits = value[:20].removeprefix("-")
    octal = digits.startswith("0") and digits.isdecimal() and len(digits) > 1
    return hex(int(value[:20], 8 if octal else 0))
