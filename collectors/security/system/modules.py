"""Kernel modules that servers seldom need: loaded, there to be loaded, or blocked.

/proc/modules (proc(5)), modprobe.d(5), /lib/modules. Of two `install` lines for a module kmod takes the
first. `install NAME /bin/false` blocks it; `blacklist NAME` only stops it from being loaded for a device.
"""

from __future__ import annotations

from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any, ClassVar, NamedTuple

from collectors.model import Answers, Collector, Fact, File, Reading, Stat
from collectors.rows import FileStat
from collectors.security.dropins import Folders, Text

LOADED = File("/proc/modules")
FOLDERS = Folders(
    tuple(f"{p}/modprobe.d" for p in ("/etc", "/run", "/usr/local/lib", "/usr/lib", "/lib"))
)
SIGNED = File("/sys/module/module/parameters/sig_enforce")
LOCKDOWN = File("/sys/kernel/security/lockdown")
# Where a module is, below kernel/; kind: what it is for.
WATCHED = {
    "usb_storage": ("drivers/usb/storage/usb-storage", "storage"),
    "firewire_core": ("drivers/firewire/firewire-core", "storage"),
    "cramfs": ("fs/cramfs/cramfs", "filesystem"),
    "freevxfs": ("fs/freevxfs/freevxfs", "filesystem"),
    "hfs": ("fs/hfs/hfs", "filesystem"),
    "hfsplus": ("fs/hfsplus/hfsplus", "filesystem"),
    "jffs2": ("fs/jffs2/jffs2", "filesystem"),
    "udf": ("fs/udf/udf", "filesystem"),
    "dccp": ("net/dccp/dccp", "protocol"),
    "sctp": ("net/sctp/sctp", "protocol"),
    "rds": ("net/rds/rds", "protocol"),
    "tipc": ("net/tipc/tipc", "protocol"),
    "bluetooth": ("net/bluetooth/bluetooth", "wireless"),
}
FOUND = {name: Stat(f"/lib/modules/*/kernel/{path}.ko*") for name, (path, _) in WATCHED.items()}
_NOTHING = ("true", "false")


class Line(NamedTuple):
    """`install` or `blacklist` of a module; `nothing`: what it runs loads nothing."""

    verb: str
    name: str
    nothing: bool
    source: str


class ModulesCollector(Collector, frozen=True):
    """`kernel_modules`: rows of name, kind (storage, filesystem, protocol, wireless), loaded, available
    (some kernel here has it as a module), blocked (install, blacklist or empty).

    `module_loading`: sig_enforce (null where the kernel knows no signatures), lockdown (none, integrity,
    confidentiality; empty where there is none).
    """

    name: ClassVar[str] = "kernel_modules"
    facts: ClassVar[tuple[str, ...]] = ("kernel_modules", "module_loading")

    def readings(self) -> tuple[Reading, ...]:
        return (LOADED, *FOLDERS.readings(), *FOUND.values(), SIGNED, LOCKDOWN)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        loaded = {line.partition(" ")[0] for line in (answers.maybe(LOADED) or "").splitlines()}
        lines = parse_lines(FOLDERS.texts(answers))
        rows = []
        for name, (_, kind) in WATCHED.items():
            blocked, source = blocked_by(lines, name)
            there: dict[str, Any] = {
                "name": name,
                "kind": kind,
                "loaded": name in loaded,
                "available": bool(answers.rows(FOUND[name], FileStat)),
                "blocked": blocked,
                "source": source or "modprobe.d",
            }
            rows.append(there)
        yield Fact("kernel_modules", rows)
        enforced, lockdown = answers.maybe(SIGNED), answers.maybe(LOCKDOWN) or ""
        chosen = lockdown.partition("[")[2].partition("]")[0]
        yield Fact(
            "module_loading",
            {
                "sig_enforce": None if enforced is None else enforced.strip() == "Y",
                "lockdown": chosen,
            },
            {"sig_enforce": SIGNED.path, "lockdown": LOCKDOWN.path},
        )


def parse_lines(texts: Iterable[Text]) -> list[Line]:
    """Lines that keep a module from being loaded or change how; a backslash continues one."""
    found = []
    for path, text, _ in texts:
        before, start = "", 0
        for number, line in enumerate(text.splitlines(), 1):
            start = start if before else number
            if line.endswith("\\") and len(before) < 4096:
                before += line[:-1] + " "
                continue
            words, before = (before + line).split(), ""
            if len(words) < 2 or words[0] not in ("install", "blacklist"):
                continue
            command = words[2].rpartition("/")[2] if len(words) > 2 else ""
            name = words[1].replace("-", "_")
            found.append(Line(words[0], name, command in _NOTHING, f"{path}:{start}"))
    return found


def blocked_by(lines: Iterable[Line], name: str) -> tuple[str, str]:
    """What keeps a module out, and where it is written."""
    hidden = ("", "")
    for line in lines:
        if line.verb == "blacklist":
            if line.name == name and not hidden[0]:
                hidden = "blacklist", line.source
        elif line.name == name or ("*" in line.name and fnmatchcase(name, line.name[:64])):
            return ("install", line.source) if line.nothing else hidden
    return hidden
