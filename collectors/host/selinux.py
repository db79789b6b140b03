"""Whether SELinux is in force: /sys/fs/selinux/enforce, /etc/selinux/config (selinux(8))."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Family, File, gauge, malformed, sample

ENFORCE = File("/sys/fs/selinux/enforce")
CONFIG = File("/etc/selinux/config")

MODES = {"enforcing": 1.0, "permissive": 0.0, "disabled": -1.0}


class SelinuxCollector(Collector, frozen=True):
    """Modes are 1 enforcing, 0 permissive, -1 disabled."""

    name: ClassVar[str] = "selinux"

    def readings(self) -> tuple[File, ...]:
        return (ENFORCE, CONFIG)

    def parse(self, answers: Answers) -> Iterable[Family]:
        enforce = answers.maybe(ENFORCE)
        yield gauge(
            "node_selinux_enabled",
            "Whether SELinux is on (1) or not (0).",
            sample(float(enforce is not None)),
        )
        if enforce is None:
            return
        with malformed(ENFORCE.path):
            current = float(enforce)
        yield gauge("node_selinux_current_mode", "Mode of SELinux now.", sample(current))
        configured = -1.0
        for line in (answers.maybe(CONFIG) or "").splitlines():
            key, _, value = line.partition("=")
            if key.strip() == "SELINUX":
                configured = MODES.get(value.strip().lower(), -1.0)
        yield gauge(
            "node_selinux_config_mode", "Mode of SELinux after a reboot.", sample(configured)
        )
