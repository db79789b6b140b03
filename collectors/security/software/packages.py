"""What is installed, by dpkg-query(1) or rpm(8)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Command, Fact, ParseError, Reading
from collectors.security.software.packagedb import READINGS, manager

DPKG = Command(
    ("dpkg-query", "-W", "-f", r"${Package}\t${Version}\t${Architecture}\t${db:Status-Status}\n"),
    limit=16 << 20,
)
RPM = Command(
    ("rpm", "-qa", "--qf", r"%{NAME}\t%{VERSION}-%{RELEASE}\t%{ARCH}\tinstalled\n"),
    timeout=20.0,
    limit=16 << 20,
)
_GONE = ("config-files", "not-installed", "half-installed")
COMMANDS = {"dpkg": DPKG, "rpm": RPM}


class PackagesCollector(Collector, frozen=True):
    """`packages`: rows of name, version, arch; only what is installed, not what left its
    configuration behind."""

    name: ClassVar[str] = "packages"
    facts: ClassVar[tuple[str, ...]] = ("packages",)

    def readings(self) -> tuple[Reading, ...]:
        return (*READINGS, *COMMANDS.values())

    def parse(self, answers: Answers) -> Iterable[Fact]:
        database = manager(answers)
        if not database:
            yield Fact("packages", None, unavailable="absent: no database of dpkg or rpm")
            return
        rows = []
        for line in answers.text(COMMANDS[database]).split("\n"):
            fields = line.split("\t")
            if len(fields) == 4 and fields[3] not in _GONE:
                rows.append({"name": fields[0], "version": fields[1], "arch": fields[2]})
        if not rows:
            raise ParseError(f"{database}: not one package")
        yield Fact("packages", rows, {"": database})
