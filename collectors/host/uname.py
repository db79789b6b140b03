"""Name and release of the system: uname(2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, Inventory, gauge, malformed, sample
from collectors.rows import Uname

UNAME = Inventory("uname")


class UnameCollector(Collector, frozen=True):
    """`node_uname_info`, by which dashboards list their hosts."""

    name: ClassVar[str] = "uname"

    def readings(self) -> tuple[Inventory, ...]:
        return (UNAME,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        with malformed("uname"):
            (it,) = answers.rows(UNAME, Uname)
        yield gauge(
            "node_uname_info",
            "Always 1; labels tell what uname(2) says.",
            sample(
                1.0,
                sysname=it.sysname,
                release=it.release,
                version=it.version,
                machine=it.machine,
                nodename=it.nodename,
                domainname=it.domainname,
            ),
        )
