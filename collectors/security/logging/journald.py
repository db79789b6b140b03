"""What systemd-journald does with the journal: journald.conf(5) and its drop-ins.

Of files of one name the one in /etc goes before those in /run and /usr/lib; drop-ins are read in the
order of their names after the main file, and the last value of a key wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Fact, File, Glob, ParseError, Reading, Stat
from collectors.rows import FileStat
from collectors.security.partial import text_of

FOLDERS = ("/etc/systemd", "/run/systemd", "/usr/local/lib/systemd", "/usr/lib/systemd")
MAINS = tuple(File(f"{folder}/journald.conf") for folder in FOLDERS)
DROP_INS = tuple(Glob(f"{folder}/journald.conf.d/*.conf") for folder in FOLDERS)
PROGRAM = Stat("/usr/lib/systemd/systemd-journald")
PROGRAM_OLD = Stat("/lib/systemd/systemd-journald")
DIRECTORY = Stat("/var/log/journal")

_SPAN = re.compile(r"([0-9]{1,12})[ ]*([a-zA-Z]*)")
_SECONDS = {
    **dict.fromkeys(("", "s", "sec", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86_400),
    **dict.fromkeys(("w", "week", "weeks"), 604_800),
    **dict.fromkeys(("M", "month", "months"), 2_629_800),
    **dict.fromkeys(("y", "year", "years"), 31_557_600),
}
_TRUE = ("1", "yes", "y", "true", "t", "on")
_SIZE = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)[ ]*([KMGTPE]?)B?")
_KEYS = (
    *("Storage", "Compress", "ForwardToSyslog", "MaxRetentionSec", "Seal"),
    *("SystemMaxUse", "SystemMaxFileSize", "SystemMaxFiles"),
)


class JournaldCollector(Collector, frozen=True):
    """`journald`: installed, storage, persistent (it outlives a boot), compress, seal, forward_to_syslog
    ("" where nothing is said: it depends on the version), system_max_use (text), max_retention_days
    (0: no limit by time), max_mib (what the sizes that are told leave room for; 0: none is, so a tenth
    of the file system and 4 GiB at most)."""

    name: ClassVar[str] = "journald"
    facts: ClassVar[tuple[str, ...]] = ("journald",)

    def readings(self) -> tuple[Reading, ...]:
        return (*MAINS, *DROP_INS, PROGRAM, PROGRAM_OLD, DIRECTORY)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        told: dict[str, tuple[str, str]] = {}
        mains = ((file, answers.maybe(file)) for file in MAINS)
        for file, text in mains:
            if text is not None:
                _read(file.path, text, told)
                break
        for path, text in _drop_ins(answers):
            _read(path, text, told)
        value = {key: told[key][0] if key in told else "" for key in _KEYS}
        directory = any(row.kind == "directory" for row in answers.rows(DIRECTORY, FileStat))
        storage = value["Storage"].lower() or "auto"
        installed = any(answers.rows(stat, FileStat) for stat in (PROGRAM, PROGRAM_OLD))
        fact = {
            "installed": installed or bool(told),
            "storage": storage,
            "persistent": storage == "persistent" or (storage == "auto" and directory),
            "compress": _compresses(value["Compress"]),
            "seal": (value["Seal"] or "yes").lower() in _TRUE,
            "forward_to_syslog": value["ForwardToSyslog"].lower(),
            "system_max_use": value["SystemMaxUse"],
            "max_mib": _room(
                value["SystemMaxUse"], value["SystemMaxFileSize"], value["SystemMaxFiles"]
            ),
            "max_retention_days": _seconds(value["MaxRetentionSec"]) // 86_400,
        }
        sources = {"": "/etc/systemd/journald.conf"}
        names = {"storage": "Storage", "persistent": "Storage", "compress": "Compress"}
        names |= {"max_retention_days": "MaxRetentionSec", "max_mib": "SystemMaxUse"}
        sources |= {name: told[key][1] for name, key in names.items() if key in told}
        yield Fact("journald", fact, sources)


def _drop_ins(answers: Answers) -> list[tuple[str, str]]:
    """The drop-ins that hold, in the order of their names."""
    found: dict[str, tuple[str, str]] = {}
    for glob in reversed(DROP_INS):
        for path, answer in answers.children(glob).items():
            text = text_of(path, answer)
            if text is not None:
                found[path.rpartition("/")[2]] = (path, text)
    return [found[name] for name in sorted(found)]


def _read(path: str, text: str, told: dict[str, tuple[str, str]]) -> None:
    section = ""
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line.startswith(("#", ";")):
            continue
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1]
        key, equals, value = line.partition("=")
        if section == "Journal" and equals and key.strip() in _KEYS:
            told[key.strip()] = (value.strip(), f"{path}:{number}")


def _compresses(value: str) -> bool:
    """A size is a yes with another threshold."""
    return value.lower() not in ("0", "no", "n", "false", "f", "off")


def _room(use: str, size: str, files: str) -> int:
    """MiB of all files together. What systemd cannot read it goes past."""
    limits = [mib for text in (use,) if (mib := _mib(text))]
    each, number = _mib(size), int(files) if files.isdecimal() and len(files) < 10 else 0
    if each or number:  # without, of 100 files each has an eighth of all, 128 MiB at most
        limits.append((each or min(128.0, min(limits, default=4096.0) / 8)) * (number or 100))
    return max(1, int(min(limits))) if limits else 0


def _mib(value: str) -> float:
    match = _SIZE.fullmatch(value)
    return float(match[1]) * 1024.0 ** (" KMGTPE".index(match[2] or " ") - 2) if match else 0.0


def _seconds(value: str) -> int:
    if value in ("", "infinity"):
        return 0
    parts = _SPAN.findall(value)
    written = "".join(number + unit for number, unit in parts)
    if not parts or written != value.replace(" ", "") or any(u not in _SECONDS for _, u in parts):
        raise ParseError("MaxRetentionSec: not a time")
    return sum(int(number) * _SECONDS[unit] for number, unit in parts)
