"""Mount options of the folders that everybody writes to, as they hold and as the next boot has them.

/proc/self/mountinfo (proc(5)), fstab(5), and of /tmp systemd's tmp.mount with its drop-ins (systemd.mount(5)).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, NamedTuple

from collectors.model import Answers, Collector, Fact, File, ParseError, Reading, Stat
from collectors.rows import FileStat
from collectors.security.dropins import Folders, Text, settings

POINTS = (
    *("/tmp", "/var", "/var/tmp", "/var/log", "/var/log/audit"),  # noqa: S108 - only looked at
    *("/home", "/dev/shm", "/boot"),  # noqa: S108
)
MOUNTINFO = File("/proc/self/mountinfo")
FSTAB = File("/etc/fstab", masked=True)
_UNITS = tuple(f"{p}/systemd/system" for p in ("/etc", "/run", "/usr/lib", "/lib"))
UNIT = Folders(_UNITS, "tmp.mount")
DROPINS = Folders(tuple(f"{path}/tmp.mount.d" for path in _UNITS))  # noqa: S108
WANTED = tuple(Stat(f"{path}/local-fs.target.wants/tmp.mount") for path in _UNITS)
# What systemd mounts by itself (src/shared/mount-setup.c), before fstab changes it.
_BY_SYSTEMD = {"/dev/shm": ("nosuid", "nodev")}  # noqa: S108
_SAFE = ("nodev", "nosuid", "noexec")


class Entry(NamedTuple):
    fstype: str
    options: tuple[str, ...]
    source: str


class MountsCollector(Collector, frozen=True):
    """`mounts`: rows of path, separate (a file system of its own), fstype, nodev, nosuid, noexec of what
    it is on now; and at_boot: whether fstab or tmp.mount has it, lost: those of the three options that
    hold now and that it would not have after a boot. /tmp, /var, /home and others, always all of them.
    """

    name: ClassVar[str] = "mounts"
    facts: ClassVar[tuple[str, ...]] = ("mounts",)

    def readings(self) -> tuple[Reading, ...]:
        return (MOUNTINFO, FSTAB, *UNIT.readings(), *DROPINS.readings(), *WANTED)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        mounted = parse_mountinfo(answers.text(MOUNTINFO))
        boot = parse_fstab(answers.maybe(FSTAB) or "")
        if "/tmp" not in boot and (entry := _tmp_mount(answers)):  # noqa: S108
            boot["/tmp"] = entry  # noqa: S108
        yield Fact("mounts", [_row(path, mounted, boot) for path in POINTS])


def _row(path: str, mounted: dict[str, Entry], boot: dict[str, Entry]) -> dict[str, Any]:
    point = path
    while point not in mounted:
        if point == "/":
            raise ParseError(f"{MOUNTINFO.path}: no root")
        point = point.rpartition("/")[0] or "/"
    now, then = mounted[point], boot.get(path)
    holds = {option: option in now.options for option in _SAFE}
    kept = then.options if then else _BY_SYSTEMD.get(path, ())
    separate = point == path
    return {
        "path": path,
        "separate": separate,
        "fstype": now.fstype,
        **holds,
        "at_boot": then is not None or path in _BY_SYSTEMD,
        "lost": [o for o in _SAFE if separate and holds[o] and o not in kept],
        "source": then.source if then else now.source,
    }


def parse_mountinfo(text: str) -> dict[str, Entry]:
    """The uppermost mount at each point; raises ParseError."""
    found: dict[str, Entry] = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split(" ")
        try:
            dash = fields.index("-", 6)
            found[_plain(fields[4])] = Entry(
                fields[dash + 1], tuple(fields[5].split(",")), f"{MOUNTINFO.path}:{number}"
            )
        except (ValueError, IndexError) as error:
            raise ParseError(f"{MOUNTINFO.path}:{number}: {line[:60]!r}") from error
    return found


def parse_fstab(text: str) -> dict[str, Entry]:
    """By mount point; of two lines the later, as it is mounted over the other. `noauto` is no mount."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        fields = line.split()
        if len(fields) < 3 or fields[0].startswith("#"):
            continue
        options = tuple((fields[3] if len(fields) > 3 else "defaults").split(","))
        if "noauto" not in options:
            point = _plain(fields[1]).rstrip("/") or "/"
            found[point] = Entry(fields[2], effective(options), f"{FSTAB.path}:{number}")
    return found


_OCTAL = re.compile(r"\\([0-3][0-7]{2})")


def _plain(text: str) -> str:
    """Spaces and the like are written as `\\040`."""
    return _OCTAL.sub(lambda found: chr(int(found[1], 8)), text) if "\\" in text else text


def effective(options: Iterable[str]) -> tuple[str, ...]:
    """What mount(8) makes of options: `exec` takes `noexec` back, `user` means all three."""
    found: dict[str, None] = {}
    for option in options:
        if option in ("user", "users"):
            found |= dict.fromkeys(_SAFE)
        elif option in ("owner", "group"):
            found |= dict.fromkeys(("nosuid", "nodev"))
        elif option == "defaults":
            found = {k: None for k in found if k not in _SAFE}
        elif option in ("dev", "suid", "exec"):
            found.pop(f"no{option}", None)
        else:
            found[option] = None
    return tuple(found)


def _tmp_mount(answers: Answers) -> Entry | None:
    """systemd's unit for /tmp, if the boot wants it."""
    wanted = any(answers.rows(stat, FileStat) for stat in WANTED)
    units = UNIT.texts(answers)
    if not wanted or not units or not units[0].text:
        return None
    said = settings([Text(*units[0]), *DROPINS.texts(answers)], "Mount")
    options, source = said.get("Options", ("", units[0].path))
    return Entry(said.get("Type", ("", ""))[0], effective(options.split(",")), source)
