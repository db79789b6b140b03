"""What starts by itself or runs: systemd units, System V scripts, xinetd and inetd entries.

Enabled is what links say (systemd.unit(5), systemctl(1)), so that a tree which is not booted can be
judged as well; active is what the manager says where there is one. Names in /etc/rc?.d: insserv(8).
xinetd.conf(5), inetd.conf(5).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Command,
    Fact,
    File,
    Glob,
    NeedMore,
    Reading,
    Stat,
)
from collectors.rows import FileStat
from collectors.security.partial import texts
from collectors.security.software.owners import packages_of
from collectors.security.software.packagedb import READINGS, manager

ETC = "/etc/systemd/system"
OWN = Stat(f"{ETC}/*")
WANTS = (
    *(Stat(f"{ETC}/*.wants/*"), Stat(f"{ETC}/*.requires/*")),
    Stat("/run/systemd/generator.late/*.wants/*"),
)
BOOTED = Stat("/run/systemd/system")  # sd_booted(3)
SHOW = Command(
    (
        *("systemctl", "show", "--no-pager"),
        "--property=Id,ActiveState,UnitFileState,MainPID,FragmentPath",
        *("*.service", "*.socket"),
    )
)
SCRIPTS = (Stat("/etc/rc[2345].d/S*"), Stat("/etc/rc.d/rc[2345].d/S*"))
XINETD_MAIN, XINETD = File("/etc/xinetd.conf"), Glob("/etc/xinetd.d/*")
INETD = (Glob("/etc/inetd.conf"), Glob("/etc/inetd.d/*"))

# A program that systemd has, and the targets that matter: of the system, and of its administrator.
PROGRAMS = (Stat("/usr/lib/systemd/systemd"), Stat("/lib/systemd/systemd"))
DEFAULT = (
    *(Stat(f"{ETC}/default.target"), Stat("/usr/lib/systemd/system/default.target")),
    Stat("/lib/systemd/system/default.target"),
)
CTRL_ALT_DEL = f"{ETC}/ctrl-alt-del.target"
DISPLAY_MANAGER = f"{ETC}/display-manager.service"

UNIT_FOLDERS = ("/usr/lib/systemd/system", "/lib/systemd/system")
MASK = "/dev/null"
MAX_ASKED = 400  # files whose package is asked for


class ServicesCollector(Collector, frozen=True):
    """`services`: rows of what is enabled, active or masked: unit (`cups.socket`), name (`cups`), kind
    (service, socket, sysv, xinetd, inetd), enabled, active, masked, pid, path, package (of a
    unit, that the file at `path` is of; empty: of none, or not known).

    `boot`: systemd (installed), booted (it runs), default_target, graphical (a display manager
    starts with it), ctrl_alt_del (masked, or the target it leads to, or empty).
    """

    name: ClassVar[str] = "services"
    facts: ClassVar[tuple[str, ...]] = ("services", "boot")

    def readings(self) -> tuple[Reading, ...]:
        return (
            *(OWN, *WANTS, BOOTED, SHOW, *SCRIPTS, XINETD_MAIN, XINETD, *INETD),
            *(*PROGRAMS, *DEFAULT, *READINGS),
        )

    def parse(self, answers: Answers) -> Iterable[Fact]:
        own = {row.path: row for row in answers.rows(OWN, FileStat)}
        booted = bool(answers.rows(BOOTED, FileStat))
        yield Fact("boot", *_boot(answers, own, booted))
        rows = _units(answers, own, booted)
        more: list[Reading] = []  # asked for together: each round is a trip
        owners: Mapping[str, str | None] = {}
        scripts: Mapping[str, Any] = {}
        try:
            owners = _owners(rows.values(), answers)
        except NeedMore as need:
            more += need.readings
        try:
            natives = {name for name in rows if name.endswith(".service")}
            scripts = _scripts(answers, {name.removesuffix(".service") for name in natives})
        except NeedMore as need:
            more += need.readings
        if more:
            raise NeedMore(*more)
        for row in rows.values():
            row["package"] = owners.get(row["path"]) or ""
        rows |= scripts
        rows |= {row["unit"]: row for row in (*_xinetd(answers), *_inetd(answers))}
        yield Fact("services", [rows[name] for name in sorted(rows)], {"": ETC})


def _owners(rows: Iterable[Mapping[str, Any]], answers: Answers) -> Mapping[str, str | None]:
    paths = {row["path"] for row in rows if row["path"].startswith("/")} - {MASK}
    plain = sorted(path for path in paths if path.isprintable())[:MAX_ASKED]
    return packages_of(plain, manager(answers), answers)


def _row(unit: str, kind: str, source: str, **more: Any) -> dict[str, Any]:
    name = unit.rpartition("/")[2]
    return {
        "unit": unit,
        "name": name.rpartition(".")[0] if kind in ("service", "socket") else name,
        "kind": kind,
        "enabled": False,
        "active": False,
        "masked": False,
        "pid": 0,
        "path": "",
        "package": "",
        "source": source,
        **more,
    }


def _units(answers: Answers, own: Mapping[str, FileStat], booted: bool) -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = {}

    def row(unit: str, source: str) -> dict[str, Any] | None:
        kind = unit.rpartition(".")[2]
        if kind not in ("service", "socket"):
            return None
        return rows.setdefault(unit, _row(unit, kind, source))

    for reading in WANTS:
        for link in answers.rows(reading, FileStat):
            if found := row(link.path.rpartition("/")[2], link.path):
                found["enabled"], found["path"] = True, link.target
    for path, file in own.items():
        unit = path.rpartition("/")[2]
        masked = file.target == MASK or (file.kind == "file" and not file.size)
        if not masked and file.kind != "link":
            continue  # a unit, which this alone does not start
        if found := row(unit, path):
            found["enabled"], found["masked"], found["path"] = not masked, masked, file.target
    if booted:
        for unit, properties in _shown(answers.text(SHOW)):
            active = properties.get("ActiveState") in ("active", "activating", "reloading")
            enabled = properties.get("UnitFileState") in ("enabled", "enabled-runtime")
            if not active and not enabled and unit not in rows:
                continue
            if found := row(unit, properties.get("FragmentPath", "")):
                found["active"] = active
                found["enabled"] = (found["enabled"] or enabled) and not found["masked"]
                found["path"] = properties.get("FragmentPath", "") or found["path"]
                found["pid"] = _pid(properties.get("MainPID", ""))
    return rows


def _shown(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Units of `systemctl show`: lines of KEY=VALUE, an empty line between two."""
    for block in text.split("\n\n"):
        pairs = (line.partition("=") for line in block.split("\n"))
        properties = {key: value for key, equals, value in pairs if equals}
        if unit := properties.get("Id"):
            yield unit, properties


def _pid(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 11 else 0


def _scripts(answers: Answers, natives: set[str]) -> dict[str, Any]:
    """System V scripts that start in a multi-user runlevel. A unit of that name takes its place."""
    found: dict[str, FileStat] = {}
    for reading in SCRIPTS:
        for link in answers.rows(reading, FileStat):
            if match := re.fullmatch(r"S[0-9]{2}(.+)", link.path.rpartition("/")[2]):
                found.setdefault(match[1], link)
    asked = {
        name: [Stat(f"{folder}/{_plain(name)}.service") for folder in (*UNIT_FOLDERS, ETC)]
        for name in found
        if name not in natives
    }
    need = [stat for stats in asked.values() for stat in stats if not answers.asked(stat)]
    if need:
        raise NeedMore(*need)
    return {
        f"init.d/{name}": _row(
            f"init.d/{name}", "sysv", found[name].path, enabled=True, path=f"/etc/init.d/{name}"
        )
        for name, stats in asked.items()
        if not any(answers.rows(stat, FileStat) for stat in stats)
    }


def _plain(name: str) -> str:
    """A name as a pattern for itself."""
    return re.sub(r"[*?\[]", "?", name)


def _xinetd(answers: Answers) -> Iterator[dict[str, Any]]:
    """Services of xinetd: enabled unless `disable = yes`, or named in `disabled` of the defaults."""
    main = answers.maybe(XINETD_MAIN)
    if main is None:
        return  # files for a program that is not there
    files = {XINETD_MAIN.path: main, **texts(answers, XINETD.pattern)}
    off: set[str] = set()
    only: set[str] | None = None
    entries: list[tuple[str, str, dict[str, str]]] = []
    for path, text in files.items():
        for number, service, settings in _xinetd_blocks(text):
            if service:
                entries.append((f"{path}:{number}", service, settings))
                continue
            off.update(settings.get("disabled", "").split())
            if "enabled" in settings:
                only = (only or set()) | set(settings["enabled"].split())
    for source, service, settings in entries:
        names = {service, settings.get("id", service)}
        enabled = settings.get("disable", "no").lower() != "yes" and not names & off
        if only is not None:
            enabled = enabled and bool(names & only)
        unit = f"xinetd/{settings.get('id', service)}"
        yield _row(unit, "xinetd", source, name=service, enabled=enabled)


def _xinetd_blocks(text: str) -> Iterator[tuple[int, str, dict[str, str]]]:
    """Line, service (empty for the defaults) and settings of each block."""
    begun, service = 0, ""
    settings: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        line = line.strip()
        words = line.split()
        if not words or line.startswith("#"):
            continue
        if words[0] in ("service", "defaults"):
            begun, service, settings = number, " ".join(words[1:2]), {}
        elif line.startswith("}") and begun:
            yield begun, service, settings
            begun = 0
        elif match := re.match(r"(\w+)\s*([-+]?)=\s*(.*)", line):
            before = settings.get(match[1], "") if match[2] == "+" else ""
            settings[match[1]] = f"{before} {match[3]}".strip()


def _inetd(answers: Answers) -> Iterator[dict[str, Any]]:
    for glob in INETD:
        for path, text in texts(answers, glob.pattern).items():
            for number, line in enumerate(text.split("\n"), 1):
                words = line.split()
                if len(words) < 6 or words[0].startswith("#"):
                    continue
                name = words[0].rpartition(":")[2]
                yield _row(
                    f"inetd/{name}", "inetd", f"{path}:{number}", enabled=True, path=words[5]
                )


def _boot(
    answers: Answers, own: Mapping[str, FileStat], booted: bool
) -> tuple[dict[str, Any], dict[str, str]]:
    default = next((row for stat in DEFAULT for row in answers.rows(stat, FileStat)), None)
    target = default.target.rpartition("/")[2] if default else ""
    key = own.get(CTRL_ALT_DEL)
    leads = "" if key is None else key.target.rpartition("/")[2]
    manager = own.get(DISPLAY_MANAGER)
    shown = target in ("graphical.target", "runlevel5.target")
    return {
        "systemd": any(answers.rows(stat, FileStat) for stat in PROGRAMS),
        "booted": booted,
        "default_target": target,
        "graphical": shown and manager is not None and manager.target != MASK,
        "ctrl_alt_del": "masked" if key and key.target == MASK else leads or "reboot.target",
    }, {
        "default_target": default.path if default else DEFAULT[0].pattern,
        "graphical": DISPLAY_MANAGER,
        "ctrl_alt_del": CTRL_ALT_DEL,
    }
