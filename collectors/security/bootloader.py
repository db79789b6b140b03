"""Whether GRUB asks for a password before its menu entries are changed: GRUB manual, "Security".

Only whether there is one leaves the host: grep(1) counts the lines. A password in grub.cfg that comes
from a variable is the RPM family's template, which asks only where user.cfg sets GRUB2_PASSWORD.
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
        for name in ("openEuler", "kylin", "anolis", "uos", "centos", "redhat", "rocky", "debian")
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


class BootLoaderCollector(Collector, frozen=True):
    """`boot_loader`: grub (whether there is one), password, files (those with a password)."""

    name: ClassVar[str] = "boot_loader"
    facts: ClassVar[tuple[str, ...]] = ("boot_loader",)

    def readings(self) -> tuple[Stat | Command, ...]:
        return (*STATS, COUNT)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        rows = (row for stat in STATS for row in answers.rows(stat, FileStat))
        there = {row.path for row in rows if row.path in FILES}
        grub = sorted(path for path in there if path.endswith("grub.cfg"))
        if not grub:
            yield Fact("boot_loader", {"grub": False, "password": False, "files": []})
            return
        counts: dict[str, int] = {}
        for line in answers.text(COUNT).split("\n"):
            path, _, count = line.rpartition(":")
            if path in FILES and count.isascii() and count.isdigit() and len(count) < 9:
                counts[path] = int(count)
            elif line:
                raise ParseError(f"grep -c: {line[:80]!r} is not a count")
        found = sorted(path for path, count in counts.items() if count)
        hidden = sorted(there - counts.keys())
        if hidden and not found:
            yield Fact("boot_loader", None, unavailable=f"denied: {hidden[0]}")
            return
        value = {"grub": True, "password": bool(found), "files": found}
        yield Fact("boot_loader", value, {"": (found or grub)[0]})
