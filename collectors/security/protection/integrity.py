"""Whether AIDE watches over files: aide(1), aide.conf(5), Debian's aide-common.

Its configuration, its database, what starts it and when it last wrote its report.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File, Inventory, Reading, Stat, malformed
from collectors.rows import Clock, FileStat
from collectors.security.protection import scheduled

CONFIGS = (File("/etc/aide/aide.conf"), File("/etc/aide.conf"))
PROGRAMS = (Stat("/usr/bin/aide"), Stat("/usr/sbin/aide"))
DATABASES = Stat("/var/lib/aide/*")
REPORTS = Stat("/var/log/aide/*")
CLOCK = Inventory("clock")
DAY = 86_400
UNKNOWN = -1

_AIDE = re.compile(r"(?:^|[\s/;&|])(aide|dailyaidecheck|aidecheck)(?:\.timer)?(?:$|[\s.;&|>-])")
_DEFINE = re.compile(r"@@define\s+(\w+)\s+(\S+)")
_DATABASE = re.compile(r"database(?:_in)?\s*=\s*file:(\S+)")
_MACRO = re.compile(r"@@\{(\w+)\}")


class AideCollector(Collector, frozen=True):
    """`aide`: installed, configured, database (its path, "" if there is none), database_days (its age),
    schedule (where it is started from), checked_days (age of its last report, −1: none is seen)."""

    name: ClassVar[str] = "aide"
    facts: ClassVar[tuple[str, ...]] = ("aide",)

    def readings(self) -> tuple[Reading, ...]:
        return (*CONFIGS, *PROGRAMS, DATABASES, REPORTS, CLOCK, *scheduled.READINGS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        with malformed("clock"):
            (clock,) = answers.rows(CLOCK, Clock)
        config = next(((c.path, t) for c in CONFIGS if (t := answers.maybe(c)) is not None), None)
        value: dict[str, Any] = {
            "installed": any(answers.rows(program, FileStat) for program in PROGRAMS),
            "configured": config is not None,
            "database": "",
            "database_days": UNKNOWN,
            "schedule": sorted({source for _, source in scheduled.naming(answers, _AIDE)}),
            "checked_days": UNKNOWN,
        }
        path = database(config[1]) if config else ""
        rows = answers.rows(Stat(path) if path else DATABASES, FileStat)
        rows = [row for row in rows if row.kind == "file" and _is_database(row.path)]
        if rows:
            newest = max(rows, key=lambda row: row.mtime)
            value["database"] = newest.path
            value["database_days"] = max(0, int((clock.seconds - newest.mtime) / DAY))
        reports = [row.mtime for row in answers.rows(REPORTS, FileStat) if row.kind == "file"]
        if reports:
            value["checked_days"] = max(0, int((clock.seconds - max(reports)) / DAY))
        yield Fact("aide", value, {"": config[0] if config else CONFIGS[0].path})


def database(config: str) -> str:
    """The path of the database that a configuration names; "" where it cannot be told."""
    macros: dict[str, str] = {}
    found = ""
    for raw in config.split("\n"):
        line = raw.strip()
        if match := _DEFINE.match(line):
            macros[match[1]] = match[2]
        elif match := _DATABASE.match(line):
            found = _MACRO.sub(lambda m: macros.get(m[1], ""), match[1])
    plain = found.startswith("/") and not set(found) & set("*?[@")
    return found if plain else ""


def _is_database(path: str) -> bool:
    """A database that has been made but not put in its place is `aide.db.new`."""
    return ".db" in path and ".new" not in path
