"""Which system and which host: uname(2), os-release(5), machine-id(5).

machine-id(5) asks not to show the id itself to a network, hence a hash of it. Without one the id
is a hash of the host's name. Either stays the same over reboots, updates and addresses.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import ClassVar

from collectors.host.os import ETC, USR, parse_os_release
from collectors.model import Answers, Collector, Fact, File, Inventory, Reading, malformed
from collectors.rows import Uname
from collectors.security.software.packagedb import READINGS as DATABASES
from collectors.security.software.packagedb import manager

UNAME = Inventory("uname")
MACHINE_ID = File("/etc/machine-id")


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
        machine = (answers.maybe(MACHINE_ID) or "").strip()
        known = re.fullmatch(r"[0-9a-f]{32}", machine) and machine.strip("0")
        yield Fact(
            "host",
            {"id": host_id(machine if known else uname.nodename), "name": uname.nodename},
            {"id": MACHINE_ID.path if known else "uname", "name": "uname"},
        )


def host_id(of: str) -> str:
    """32 hexadecimal digits that stand for a machine-id or a name."""
    return hashlib.sha256(b"jianwei host\0" + of.encode("utf-8", "replace")).hexdigest()[:32]
