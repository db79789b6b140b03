"""Whether GRUB asks for a password before its menu entries are changed: GRUB manual, "Security".

Only whether there is one leaves the host: grep(1) counts the lines. A password in grub.cfg that comes
from a variable is the RPM family's template, which asks only where user.cfg sets GRUB2_PASSWORD. Without
`superusers` a password guards nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, Final

from collectors.model import Answers, Collector, Command, Fact, ParseError, Stat
from collectors.rows import FileStat

_FOLDERS: Final = (
    "/boot/grub",
    "/boot/grub2",
    *(
        f"/boot/efi/EFI/{name}"
        for name in (
            *("openEuler", "kylin", "neokylin", "anolis", "uos", "bclinux", "euleros", "ctyunos"),
            *("opencloudos", "centos", "redhat", "rocky", "almalinux", "debian", "ubuntu", "BOOT"),
        )
    ),
)
FILES: Final = tuple(f"{folder}/{name}" for folder in _FOLDERS for name in ("grub.cfg", "user.cfg"))
STATS: Final = (Stat("/boot/grub*/*.cfg"), Stat("/boot/efi/EFI/*/*.cfg"))
COUNT: Final = Command(
    (
        *("grep", "-csE"),
        *(
            "-e",
            r"^[[:space:]]*password(_pbkdf2)?[[:space:]]+[^[:space:]]+[[:space:]]+[^$[:space:]]",
        ),
        *("-e", r"^GRUB2_PASSWORD=grub\.pbkdf2\."),
        *FILES,
    ),
    ok=(0, 1, 2),  # 2: some of the files are not there
)
SUPERUSERS: Final = Command(
    (
        *("grep", "-csE"),
        *("-e", r"""^[[:space:]]*(set[[:space:]]+)?superusers=["']?[^"'[:space:]]"""),
        *FILES,
    ),
    ok=(0, 1, 2),
)
# the file system of EFI knows no capitals
_LISTED: Final = {path.lower(): path for path in FILES}


class BootLoaderCollector(Collector, frozen=True):
    """`boot_loader`: grub (whether there is one), password (one that counts), superusers (whether
    somebody is named), files (those with a password)."""

    name: ClassVar[str] = "boot_loader"
    facts: ClassVar[tuple[str, ...]] = ("boot_loader",)

    def readings(self) -> tuple[Stat | Command, ...]:
        return (*STATS, COUNT, SUPERUSERS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows = (row for stat in STATS for row in answers.rows(stat, FileStat))
        paths = {row.path for row in rows}
        there = {_LISTED[path.lower()] for path in paths if path.lower() in _LISTED}
        others = sorted(path for path in paths - there if path.endswith("/grub.cfg"))
        others = [path for path in others if path.lower() not in _LISTED]
        grub = sorted(path for path in there if path.endswith("grub.cfg"))
        if not grub and not others:
            none = {"grub": False, "password": False, "superusers": False, "files": []}
            yield Fact("boot_loader", none)
            return
        counts, named = _counts(answers, COUNT), _counts(answers, SUPERUSERS)
        found = sorted(path for path, count in counts.items() if count)
        superusers = any(named.values())
        password = bool(found) and superusers
        hidden = sorted(there - (counts.keys() & named.keys()))
        if not password and (hidden or others):
            why = f"denied: {hidden[0]}" if hidden else f"failed: {others[0]}: is not read"
            yield Fact("boot_loader", None, unavailable=why)
            return
        value = {"grub": True, "password": password, "superusers": superusers, "files": found}
        yield Fact("boot_loader", value, {"": (found or grub)[0]})


def _counts(answers: Answers, command: Command) -> dict[str, int]:
    """Lines that match, by file."""
    counts: dict[str, int] = {}
    for line in answers.text(command).split("\n"):
        path, _, count = line.rpartition(":")
        if path in FILES and count.isascii() and count.isdigit() and len(count) < 9:
            counts[path] = int(count)
        elif line:
            raise ParseError(f"grep -c: {line[:80]!r} is not a count")
    return counts
