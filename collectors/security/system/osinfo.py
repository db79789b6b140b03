"""Which system and which host: uname(2), os-release(5), and identity.py."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.host.identity import MACHINE_ID, UNAME, identity
from collectors.host.os import ETC, USR, parse_os_release
from collectors.model import Answers, Collector, Fact, Reading, malformed
from collectors.rows import Uname
from collectors.security.software.packagedb import READINGS as DATABASES
from collectors.security.software.packagedb import manager


class OsInfoCollector(Collector, frozen=True):
    """`os`: family (`linux`), id, like (a list), version, name, kernel, machine, packages (dpkg, rpm or "").

    `host`: id (32 hexadecimal digits) and name.
    """

    name: ClassVar[str] = "osinfo"
    facts: ClassVar[tuple[str, ...]] = ("os", "host")

    def readings(self) -> tuple[Reading, ...]:
        return (UNAME, ETC, USR, MACHINE_ID, *DATABASES)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        with malformed("uname"):
            (uname,) = answers.rows(UNAME, Uname)
        source = ETC if answers.maybe(ETC) is not None else USR
        release = parse_os_release(answers.maybe(source) or "")
        yield Fact(
            "os",
            {
                "family": uname.sysname.lower(),
                "id": release.get("ID", ""),
                "like": release.get("ID_LIKE", "").split(),
                "version": release.get("VERSION_ID", ""),
                "name": release.get("PRETTY_NAME", ""),
                "kernel": uname.release,
                "machine": uname.machine,
                "packages": manager(answers),
            },
            {"": source.path, "family": "uname", "kernel": "uname", "machine": "uname"},
        )
        host = identity(answers)
        yield Fact("host", {"id": host.id, "name": host.name}, {"id": host.source, "name": "uname"})
