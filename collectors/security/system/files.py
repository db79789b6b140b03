"""Modes and owners of the files that security hangs on: lstat(2); group(5); mountinfo in proc(5).

Of a link the file it leads to is what counts, with every folder above that: whoever may write to one of
these puts another file there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File, NeedMore, Reading, Stat, Unavailable
from collectors.rows import FileStat
from collectors.security.identity.accounts import GROUP, parse_group

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
MOST = 300  # paths that links lead to, with the folders above them

_PLAIN = re.compile(r"(/[A-Za-z0-9._@+-]+)+")
_NULL = "/dev/null"  # a link there switches a file off


class FilesCollector(Collector, frozen=True):
    """`files`: path, kind, mode (integer), mode_octal (`0640`), uid, gid, group (its name; empty: it
    has none), target (of a link: the real path), leads; only what exists.

    leads: of a link, whether root alone can change what is there (root, others, or unknown), else empty.
    kind: file, directory, link, other, or private: a directory of the agent's own service that
    hides the host's (PrivateTmp of systemd).
    private_files: the same of sudo's, cron's and the boot loader's files.
    """

    name: ClassVar[str] = "files"
    facts: ClassVar[tuple[str, ...]] = ("files", "private_files")

    def readings(self) -> tuple[Reading, ...]:
        return (*STATS, *PRIVATE_STATS, MOUNTS, GROUP)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        mounts = answers.answer(MOUNTS)
        hidden = _hidden(mounts.content.decode("utf-8", "replace"))
        names, _ = parse_group(answers.maybe(GROUP) or "")
        found = _found(STATS, answers)
        private, why = [], ""
        try:
            private = _found(PRIVATE_STATS, answers)
        except Unavailable as error:
            why = f"{error.state}: {error}"
        beyond = _beyond([*found, *private], answers)
        yield Fact("files", [_row(it, names, hidden, beyond) for it in found], {"": "lstat"})
        if why:
            yield Fact("private_files", None, unavailable=why)
        else:
            rows = [_row(it, names, hidden, beyond) for it in private]
            yield Fact("private_files", rows, {"": "lstat"})


def _found(stats: Iterable[Stat], answers: Answers) -> list[FileStat]:
    return list({row.path: row for stat in stats for row in answers.rows(stat, FileStat)}.values())


def _row(
    row: FileStat, names: dict[int, str], hidden: set[str], beyond: dict[str, FileStat]
) -> dict[str, Any]:
    return {
        "path": row.path,
        "kind": "private" if row.path in hidden else row.kind,
        "mode": row.mode,
        "mode_octal": f"{row.mode & 0o7777:04o}",
        "uid": row.uid,
        "gid": row.gid,
        "group": names.get(row.gid, ""),
        "target": row.target,
        "leads": _leads(row.target, beyond) if row.kind == "link" else "",
        "source": row.path,
    }


def _beyond(rows: list[FileStat], answers: Answers) -> dict[str, FileStat]:
    """What is known of all that links lead to, asked for at once."""
    targets = {row.target for row in rows if row.kind == "link"} - {_NULL}
    paths = sorted({path for target in targets for path in _upwards(target)})[:MOST]
    stats = [Stat(path) for path in paths]
    if more := [stat for stat in stats if not answers.asked(stat)]:
        raise NeedMore(*more)
    seen = [stat for stat in stats if answers.answer(stat).state == "content"]
    return {row.path: row for row in _found(seen, answers)}


def _upwards(target: str) -> list[str]:
    """A path and the folders above it; none of what a pattern would not find."""
    if not _PLAIN.fullmatch(target):
        return []
    parts = target.split("/")
    return ["/".join(parts[:end]) for end in range(2, len(parts) + 1)]


def _leads(target: str, beyond: dict[str, FileStat]) -> str:
    if target == _NULL:
        return "root"
    upwards = _upwards(target)
    rows = [beyond[path] for path in upwards if path in beyond]
    if any(row.uid != 0 or row.mode & 0o002 or (row.mode & 0o020 and row.gid) for row in rows):
        return "others"
    # the path is a real one: a link in it was put there since
    whole = upwards and len(rows) == len(upwards) and all(row.kind != "link" for row in rows)
    return "root" if whole else "unknown"


def _hidden(mountinfo: str) -> set[str]:
    """Mount points of which the root is a directory that systemd made for one service."""
    fields = (line.split(" ") for line in mountinfo.split("\n"))
    return {them[4] for them in fields if len(them) > 4 and "/systemd-private-" in them[3]}
