"""Modes and owners of the files that security hangs on: lstat(2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from collectors.model import Answers, Collector, Fact, Stat
from collectors.rows import FileStat

# Few patterns rather than many names: over SSH each takes a process.
PATTERNS = (
    *("/etc/passwd*", "/etc/shadow*", "/etc/group*", "/etc/gshadow*", "/etc/login.defs"),
    *("/etc/ssh", "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*", "/etc/ssh/ssh_host_*_key*"),
    *("/etc/sudoers", "/etc/sudoers.d", "/etc/sudoers.d/*", "/etc/securetty", "/etc/exports"),
    *(
        "/etc/cron*",
        "/etc/cron.*/*",
        "/etc/at.*",
        "/etc/hosts.*",
        "/etc/security",
        "/etc/security/*",
    ),
    *(
        "/etc/profile",
        "/etc/profile.d/*",
        "/etc/*bashrc",
        "/etc/csh.*",
        "/etc/pam.d",
        "/etc/pam.d/*",
    ),
    *(
        "/var/spool/cron",
        "/var/spool/cron/*",
        "/var/spool/cron/*/*",
        "/usr/bin/crontab",
        "/usr/bin/at",
    ),
    *("/boot/grub*/grub.cfg", "/boot/grub*/user.cfg", "/boot/efi/EFI/*/*.cfg"),
    *("/root", "/tmp", "/var/tmp"),  # noqa: S108 - only looked at
)
STATS = tuple(Stat(pattern) for pattern in PATTERNS)


class FilesCollector(Collector, frozen=True):
    """`files`: path, kind, mode (integer), mode_octal (`0640`), uid, gid; only what exists."""

    name: ClassVar[str] = "files"
    facts: ClassVar[tuple[str, ...]] = ("files",)

    def readings(self) -> tuple[Stat, ...]:
        return STATS

    def parse(self, answers: Answers) -> Iterable[Fact]:
        found = {row.path: row for stat in STATS for row in answers.rows(stat, FileStat)}
        yield Fact(
            "files",
            [
                {
                    "path": row.path,
                    "kind": row.kind,
                    "mode": row.mode,
                    "mode_octal": f"{row.mode & 0o7777:04o}",
                    "uid": row.uid,
                    "gid": row.gid,
                    "source": row.path,
                }
                for row in found.values()
            ],
            {"": "lstat"},
        )
