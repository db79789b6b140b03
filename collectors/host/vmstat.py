"""Paging, swapping, page faults and out-of-memory kills: /proc/vmstat, proc(5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, ParseError, Sample, malformed

VMSTAT = File("/proc/vmstat")

HELP = {
    "oom_kill": "Processes killed because memory ran out.",
    "pgpgin": "KiB read from block devices.",
    "pgpgout": "KiB written to block devices.",
    "pswpin": "Pages read from swap.",
    "pswpout": "Pages written to swap.",
    "pgfault": "Page faults.",
    "pgmajfault": "Page faults that had to read from a device.",
}


class VmstatCollector(Collector, frozen=True):
    """Some fields of /proc/vmstat; `also` names further ones, for example `[pgscan_kswapd]`."""

    name: ClassVar[str] = "vmstat"
    also: tuple[str, ...] = ()

    def readings(self) -> tuple[File, ...]:
        return (VMSTAT,)

    def parse(self, answers: Answers) -> Iterable[Family]:
        text = "\n" + answers.text(VMSTAT)
        found = False
        with malformed("/proc/vmstat"):
            for key in dict.fromkeys((*HELP, *self.also)):
                # looked for by name: the file has some 200 lines, of which few are wanted
                start = text.find(f"\n{key} ")
                if start >= 0:
                    found = True
                    value = float(text[start + len(key) + 2 :].partition("\n")[0])
                    help = HELP.get(key) or f"{key} of /proc/vmstat."
                    yield Family(f"node_vmstat_{key}", "untyped", help, (Sample((), value),))
        if not found:
            raise ParseError("/proc/vmstat: no field that is known")
