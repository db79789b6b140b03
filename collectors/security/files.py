"""Modes and owners of the files that security hangs on: lstat(2); mountinfo in proc(5)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File, Reading, Stat, Unavailable
from collectors.rows import FileStat

# Few patterns rather than many names: over SSH each takes a process.
PATTERNS = (
    *("/etc/passwd*", "/etc/shadow*", "/etc/group*", "/etc/gshadow*", "/etc/login.defs"),
    *("/etc/ssh", "/etc/ssh/sshd_config", "/etc/ssh/sshd_config.d/*", "/etc/ssh/ssh_host_*_key*"),
    *("/etc/pam.d", "/etc/pam.d/*", "/etc/security", "/etc/security/*", "/etc/securetty"),
    *("/etc/profile", "/etc/profile.d/*", "/etc/*bashrc", "/etc/csh.*", "/etc/hosts.*"),
    *("/etc/exports", "/etc/cron*", "/etc/at.*", "/usr/bin/crontab", "/usr/bin/at"),
    *("/root", "/tmp", "/var/tmp"),  # noqa: S108 - only looked at
)
# Where only root may look on some systems: what a plain user cannot see must not cost it the others.
PRIVATE = (
    *("/etc/sudoers", "/etc/sudoers.d", "/etc/sudoers.d/*", "/etc/cron*", "/etc/cron.*/*"),
    *("/var/spool/cron", "/var/spool/cron/*", "/var/spool/cron/*/*"),
    *("/boot/grub*/grub.cfg", "/boot/grub*/user.cfg", "/boot/efi/EFI/*/*.cfg"),
)
STATS = tuple(Stat(pattern) for pattern in PATTERNS)
PRIVATE_STATS = tuple(Stat(pattern) for pattern in PRIVATE)
MOUNTS = File("/proc/self/mountinfo")


class FilesCollector(Collector, frozen=True):
    """`files`: path, kind, mode (integer), mode_octal (`0640`), uid, gid; only what exists.

    kind: file, directory, link, other, or private: a directory of the agent's own service that
    hides the host's (PrivateTmp of systemd).
    private_files: the same of sudo's, cron's and the boot loader's files.
    """

    name: ClassVar[str] = "files"
    facts: ClassVar[tuple[str, ...]] = ("files", "private_files")

    def readings(self) -> tuple[Reading, ...]:
        return (*STATS, *PRIVATE_STATS, MOUNTS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        mounts = answers.answer(MOUNTS)
        hidden = _hidden(mounts.content.decode("utf-8", "replace"))
        yield Fact("files", _rows(STATS, answers, hidden), {"": "lstat"})
        try:
            rows = _rows(PRIVATE_STATS, answers, hidden)
        except Unavailable as error:
            yield Fact("private_files", None, unavailable=f"{error.state}: {error}")
        else:
            yield Fact("private_files", rows, {"": "lstat"})


def _rows(stats: Iterable[Stat], answers: Answers, hidden: set[str]) -> list[dict[str, Any]]:
    found = {row.path: row for stat in stats for row in answers.rows(stat, FileStat)}
    return [
        {
            "path": row.path,
            "kind": "private" if row.path in hidden else row.kind,
            "mode": row.mode,
            "mode_octal": f"{row.mode & 0o7777:04o}",
            "uid": row.uid,
            "gid": row.gid,
            "source": row.path,
        }
        for row in found.values()
    ]


def _hidden(mountinfo: str) -> set[str]:
    """Mount points of which the root is a directory that systemd made for one service."""
    fields = (line.split(" ") for line in mountinfo.split("\n"))
    return {them[4] for them in fields if len(them) > 4 and "/systemd-private-" in them[3]}
