"""What cron runs and which timers of systemd are on: crontab(5), cron(8), systemd.timer(5).

Lines of a crontab may hold passwords: they are read masked, and what is told of them is where they are, never what
they say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from collectors.model import Answers, File, Glob, Reading, Stat
from collectors.rows import FileStat
from collectors.security.partial import text_of

TABLES = tuple(
    Glob(pattern, masked=True)
    for pattern in (
        *("/etc/cron.d/*", "/var/spool/cron/*", "/var/spool/cron/crontabs/*"),
        *(f"/etc/cron.{often}/*" for often in ("hourly", "daily", "weekly", "monthly")),
    )
)
MAINS = (File("/etc/crontab", masked=True), File("/etc/anacrontab", masked=True))
TIMERS = Stat("/etc/systemd/system/*.wants/*.timer")
READINGS: tuple[Reading, ...] = (*MAINS, *TABLES, TIMERS)


class Job(NamedTuple):
    """A line of a table or script, or the name of a timer."""

    source: str
    text: str


def jobs(answers: Answers) -> Iterator[Job]:
    """All there is; raises Unavailable where a part cannot be read."""
    for reading in MAINS:
        yield from _lines(reading.path, answers.maybe(reading) or "")
    for glob in TABLES:
        for path, answer in answers.children(glob).items():
            # /var/spool/cron/crontabs matches as well and is a folder
            if not path.endswith(("/.placeholder", "~")):
                yield from _lines(path, text_of(path, answer) or "")
    for row in answers.rows(TIMERS, FileStat):
        yield Job(row.path, row.path.rpartition("/")[2])


def naming(answers: Answers, words: re.Pattern[str]) -> list[tuple[str, str]]:
    """What is named (the first group) and where, once for each file."""
    found: dict[tuple[str, str], str] = {}
    for job in jobs(answers):
        for match in words.finditer(job.text):
            found.setdefault((match[1].lower(), job.source.partition(":")[0]), job.source)
    return [(word, source) for (word, _), source in found.items()]


def _lines(path: str, text: str) -> Iterator[Job]:
    for number, raw in enumerate(text.split("\n"), 1):
        line = raw.strip()
        if line and not line.startswith("#"):
            yield Job(f"{path}:{number}", line)
