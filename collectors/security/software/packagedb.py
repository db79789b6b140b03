"""Which package manager keeps this system: the databases of dpkg(1) and rpm(8)."""

from __future__ import annotations

from collectors.model import Answers, Reading, Stat
from collectors.rows import FileStat

# The database that is there tells: derivatives name themselves as they like.
DATABASES = {
    "dpkg": (Stat("/var/lib/dpkg/status"),),
    "rpm": (
        Stat("/var/lib/rpm/Packages"),
        Stat("/var/lib/rpm/rpmdb.sqlite"),
        Stat("/usr/lib/sysimage/rpm"),
    ),
}
READINGS: tuple[Reading, ...] = tuple(it for them in DATABASES.values() for it in them)


def manager(answers: Answers) -> str:
    """`dpkg`, `rpm`, or empty where there is neither."""
    for name, places in DATABASES.items():
        for place in places:
            # an older recording was not asked: its package manager is not known
            if answers.answer(place).state == "content" and answers.rows(place, FileStat):
                return name
    return ""
