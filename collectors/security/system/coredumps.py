"""Whether programs leave their memory on the disk: limits.conf(5), coredump.conf(5).

pam_limits reads limits.conf, then the drop-ins by name; of two lines for one domain the later counts.
`*` is everybody but root; a line of a user or a group goes before it, wherever it stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar, NamedTuple

from collectors.model import Answers, Collector, Fact, File, Reading, Stat
from collectors.rows import FileStat
from collectors.security.dropins import Folders, Text, settings

LIMITS = File("/etc/security/limits.conf")
LIMITS_D = Folders(("/etc/security/limits.d",))
COREDUMP = tuple(
    File(f"{path}/systemd/coredump.conf") for path in ("/etc", "/run", "/usr/local/lib", "/usr/lib")
)
COREDUMP_D = Folders(
    tuple(f"{p}/systemd/coredump.conf.d" for p in ("/etc", "/run", "/usr/local/lib", "/usr/lib"))
)
HANDLER = tuple(Stat(f"{path}/systemd/systemd-coredump") for path in ("/usr/lib", "/lib"))
UNLIMITED = -1


class Limit(NamedTuple):
    """`size` in KiB, -1 for no limit."""

    size: int
    source: str


class CoreDumpsCollector(Collector, frozen=True):
    """`core_dumps`: hard and hard_root (KiB; -1 without limit, also where nothing is set), of everybody
    (where users or groups have a weaker one of their own, that) and of root; systemd_coredump: whether systemd's handler is installed; storage, process_size_max of it.
    """

    name: ClassVar[str] = "core_dumps"
    facts: ClassVar[tuple[str, ...]] = ("core_dumps",)

    def readings(self) -> tuple[Reading, ...]:
        return (LIMITS, *LIMITS_D.readings(), *COREDUMP, *COREDUMP_D.readings(), *HANDLER)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        main = answers.maybe(LIMITS)
        texts = [Text(LIMITS.path, main)] if main is not None else []
        hard = hard_limits([*texts, *LIMITS_D.texts(answers)])
        every = hard.get("*", Limit(UNLIMITED, LIMITS.path))
        for domain, limit in hard.items():
            weaker = limit.size == UNLIMITED or limit.size > every.size
            if domain != "root" and every.size != UNLIMITED and weaker:
                every = limit
        root = hard.get("root", Limit(UNLIMITED, LIMITS.path))
        said = settings([*_coredump(answers), *COREDUMP_D.texts(answers)], "Coredump")
        storage, stored = said.get("Storage", ("", COREDUMP[0].path))
        size, sized = said.get("ProcessSizeMax", ("", COREDUMP[0].path))
        yield Fact(
            "core_dumps",
            {
                "hard": every.size,
                "hard_root": root.size,
                "systemd_coredump": any(answers.rows(stat, FileStat) for stat in HANDLER),
                "storage": storage or "external",
                "process_size_max": size,
            },
            {
                "": every.source,
                "hard": every.source,
                "hard_root": root.source,
                "storage": stored,
                "process_size_max": sized,
            },
        )


def _coredump(answers: Answers) -> list[Text]:
    """The main file: the first that is there."""
    for reading in COREDUMP:
        text = answers.maybe(reading)
        if text is not None:
            return [Text(reading.path, text)]
    return []


def hard_limits(texts: Iterable[Text]) -> dict[str, Limit]:
    """The hard limit of core dumps by domain."""
    found = {}
    for path, text, _ in texts:
        for number, line in enumerate(text.splitlines(), 1):
            words = line.partition("#")[0].split()
            if len(words) < 4 or words[1] not in ("hard", "-") or words[2] != "core":
                continue
            size = words[3]
            if size in ("unlimited", "infinity", "-1"):
                found[words[0]] = Limit(UNLIMITED, f"{path}:{number}")
            elif size.isascii() and size.isdigit() and len(size) < 16:
                found[words[0]] = Limit(int(size), f"{path}:{number}")
    return found
