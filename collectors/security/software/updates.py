"""Updates that are pending, as the package manager's own index has them, without the network.

apt-get(8) simulates an upgrade; dnf(8) and yum(8) list advisories from their caches. How old the
index is comes from when its files were last written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Command,
    Fact,
    Inventory,
    Reading,
    Stat,
    Unavailable,
    malformed,
)
from collectors.rows import Clock, FileStat
from collectors.security.software.packagedb import READINGS, manager

CLOCK = Inventory("clock")
APT = Command(("apt-get", "-s", "-q", "-o", "Debug::NoLocking=1", "dist-upgrade"), timeout=120.0)
DNF = Command(("dnf", "-C", "-q", "updateinfo", "list", "--security", "--available"), timeout=120.0)
YUM = Command(("yum", "-C", "-q", "updateinfo", "list", "security"), timeout=120.0)
INDEX = {
    "dpkg": (
        *(Stat("/var/lib/apt/periodic/update-success-stamp"), Stat("/var/lib/apt/lists")),
        Stat("/var/lib/apt/lists/*Release"),
    ),
    "rpm": (
        *(Stat("/var/cache/dnf/*/repodata/repomd.xml"), Stat("/var/cache/dnf/*.solv")),
        Stat("/var/cache/yum/*/*/*/repomd.xml"),
    ),
}
# What tells which updates are for security. Not every vendor has it: CentOS has none.
ADVISORIES = (
    *(Stat("/var/cache/dnf/*/repodata/*updateinfo*"), Stat("/var/cache/dnf/*-updateinfo.solvx")),
    *(Stat("/var/cache/yum/*/*/*/*updateinfo*"), Stat("/var/cache/yum/*/*/*/gen/updateinfo*")),
)
NO_INDEX = "absent: the package manager has never fetched its index"
MAX_ROWS = 1000

_INST = re.compile(r"Inst (\S+) (?:\[([^\]]*)\] )?\((\S+) ([^()]*)\)?")


class UpdatesCollector(Collector, frozen=True):
    """`updates`: age (of this inventory), index_age (seconds since the index was fetched, as of the
    scan; null where the clock was not seen), security_index (there is an index of security updates:
    apt tells by the name of its source, dnf and yum by their files of advisories), count and security (packages), and rows: name,
    installed, candidate, security, severity (small letters, or empty), advisory.

    dnf and yum tell of security updates alone.
    """

    name: ClassVar[str] = "updates"
    facts: ClassVar[tuple[str, ...]] = ("updates",)

    def readings(self) -> tuple[Reading, ...]:
        indexes = (stat for stats in INDEX.values() for stat in stats)
        return (*READINGS, CLOCK, *indexes, *ADVISORIES)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        database = manager(answers)
        if not database:
            yield Fact("updates", None, unavailable="absent: no database of dpkg or rpm")
            return
        written = [row.mtime for stat in INDEX[database] for row in answers.rows(stat, FileStat)]
        if database == "dpkg" and not answers.rows(INDEX["dpkg"][2], FileStat):
            written = []  # a folder for it is no index
        if not written:
            yield Fact("updates", None, unavailable=NO_INDEX)
            return
        rows, command = _apt(answers) if database == "dpkg" else _advisories(answers)
        yield Fact(
            "updates",
            {
                "age": 0,
                "index_age": _age(answers, max(written)),
                "security_index": _has_security(answers, database),
                "count": len(rows),
                "security": sum(row["security"] for row in rows),
                "rows": rows[:MAX_ROWS],
            },
            {"": command.argv[0], "index_age": INDEX[database][0].pattern},
        )


def _has_security(answers: Answers, database: str) -> bool:
    if database == "rpm":
        return any(answers.rows(stat, FileStat) for stat in ADVISORIES)
    releases = answers.rows(INDEX["dpkg"][2], FileStat)
    return any("security" in row.path.lower() for row in releases)


def _age(answers: Answers, written: float) -> int | None:
    try:
        with malformed("clock"):
            (clock,) = answers.rows(CLOCK, Clock)
            return max(0, int(clock.seconds - written))
    except Unavailable:
        return None


def _apt(answers: Answers) -> tuple[list[dict[str, Any]], Command]:
    rows = []
    for line in answers.text(APT).split("\n"):
        if match := _INST.match(line):
            name, installed, candidate, origin = match.groups()
            rows.append(_row(name, installed or "", candidate, "security" in origin.lower()))
    # security first, so that what is cut is the rest
    return sorted(rows, key=lambda row: (not row["security"], row["name"])), APT


def _advisories(answers: Answers) -> tuple[list[dict[str, Any]], Command]:
    command = DNF if answers.answer(DNF).state != "absent" else YUM
    found: dict[str, dict[str, Any]] = {}
    for advisory, severity, package in _listed(answers.text(command)):
        name, *version = package.rpartition(".")[0].rsplit("-", 2)
        # an older advisory of the same package is part of the newer one, which comes later
        found[name] = _row(name, "", "-".join(version), True, severity, advisory)
    return [found[name] for name in sorted(found)], command


def _listed(text: str) -> Iterator[tuple[str, str, str]]:
    """Advisory, severity and package: `ID Important/Sec. NEVRA`, of old yum `ID security NEVRA`."""
    for line in text.split("\n"):
        words = line.split()
        if len(words) != 3:
            continue
        severity, slash, _ = words[1].partition("/Sec.")
        if slash or severity == "security":
            yield words[0], severity.lower() if slash else "", words[2]


def _row(
    name: str,
    installed: str,
    candidate: str,
    security: bool,
    severity: str = "",
    advisory: str = "",
) -> dict[str, Any]:
    return {
        "name": name,
        "installed": installed,
        "candidate": candidate,
        "security": security,
        "severity": severity,
        "advisory": advisory,
    }
