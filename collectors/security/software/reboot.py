"""Whether what was updated waits for a reboot: /run/reboot-required (Debian's update-notifier and
unattended-upgrades), and kernels in /boot that are newer than the one that runs."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Fact, Inventory, Reading, Stat, malformed
from collectors.rows import FileStat, Uname

UNAME = Inventory("uname")
FLAGS = (Stat("/run/reboot-required"), Stat("/var/run/reboot-required"))
KERNELS = Stat("/boot/vmlinuz-*")

Key = list[tuple[int, int | str]]


class RebootCollector(Collector, frozen=True):
    """`reboot`: pending, reasons (texts), running and newest (kernel releases; newest is empty where
    /boot has none, as in a container)."""

    name: ClassVar[str] = "reboot"
    facts: ClassVar[tuple[str, ...]] = ("reboot",)

    def readings(self) -> tuple[Reading, ...]:
        return (UNAME, *FLAGS, KERNELS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        with malformed("uname"):
            (uname,) = answers.rows(UNAME, Uname)
        releases = [
            row.path.removeprefix("/boot/vmlinuz-")
            for row in answers.rows(KERNELS, FileStat)
            if "rescue" not in row.path and "kdump" not in row.path
        ]
        newest = max(releases, key=version, default="")
        reasons = [f"{row.path} is there" for row in answers.rows(FLAGS[0], FileStat)]
        reasons = reasons or [f"{row.path} is there" for row in answers.rows(FLAGS[1], FileStat)]
        if newest and version(newest) > version(uname.release):
            reasons.append(f"kernel {newest} is installed, {uname.release} runs")
        yield Fact(
            "reboot",
            {
                "pending": bool(reasons),
                "reasons": reasons,
                "running": uname.release,
                "newest": newest,
            },
            {"": "/run/reboot-required", "newest": "/boot", "running": "uname"},
        )


def version(text: str) -> Key:
    """A release in an order of its own: numbers as numbers, words before them, as rpm has it."""
    parts = re.findall(r"[0-9]+|[a-zA-Z]+", text)
    return [(1, int(part[:30])) if part.isdigit() else (0, part) for part in parts]
