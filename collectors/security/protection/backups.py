"""What a host itself tells of backups: jobs of cron and timers, agents that run, files that jobs leave.

Backups of the hypervisor or the storage do not show here: where nothing does, it is not known
whether there are any.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, Inventory, Reading, Stat, malformed
from collectors.rows import Clock, FileStat, Process
from collectors.security.protection import scheduled

PROCESSES = Inventory("processes")
CLOCK = Inventory("clock")
DAY = 86_400

# As the kernel has them: 15 characters.
AGENTS = {
    "bacula-fd": "Bacula",
    "bareos-fd": "Bareos",
    "bpcd": "NetBackup",
    "vnetd": "NetBackup",
    "cvd": "Commvault",
    "veeamagent": "Veeam",
    "veeamservice": "Veeam",
    "dsmc": "IBM Spectrum Protect",
    "dsmcad": "IBM Spectrum Protect",
    "urbackupclientb": "UrBackup",
    "dbackup3-agent": "鼎甲 Scutech",
    "abagent": "爱数 AnyBackup",
    "agentserver": "爱数 AnyBackup",
    "vinchin-agent": "云祺 Vinchin",
}
PATHS = (
    *("/var/backups/*", "/backup/*", "/backups/*", "/data/backup/*", "/data/backups/*"),
    *("/opt/backup/*", "/home/backup/*", "/root/backup/*"),
    *("/root/.cache/restic/*/snapshots", "/root/.config/borg/security/*/manifest-timestamp"),
    "/var/cache/rsnapshot/*",
)
# What Debian's own jobs put into /var/backups: lists of packages, and no data.
_DEBIAN = re.compile(r"(?:dpkg|apt|alternatives|passwd|shadow|group|gshadow)[.].*|aptitude.*")
_TOOLS = re.compile(
    r"(?:^|[\s/;&|=\"'(])(restic|borg|borgmatic|rsnapshot|duplicity|rsync|mysqldump|mariadb-dump|"
    r"pg_dump|pg_dumpall|pg_basebackup|xtrabackup|mariabackup|mongodump|dexp|sys_dump|sys_rman|rman|"
    r"dmrman|gs_dump|tar|xfsdump|rear|kopia|duply|veeamconfig|[\w-]*backup[\w-]*)"
    r"(?:$|[\s.;&|>\"')])",
    re.IGNORECASE,
)


class BackupsCollector(Collector, frozen=True):
    """`backups`: rows of key, kind, name, age_days, source. Kinds: job (started by cron or a timer), agent
    (of a product, running), result (the newest file in one place, with its age), none (of all that).

    `paths` are patterns of what a job leaves or touches, in place of the usual ones.
    """

    name: ClassVar[str] = "backups"
    facts: ClassVar[tuple[str, ...]] = ("backups",)

    paths: tuple[str, ...] = PATHS

    def readings(self) -> tuple[Reading, ...]:
        stats = (Stat(path) for path in self.paths)
        return (PROCESSES, CLOCK, *stats, *scheduled.READINGS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        with malformed("clock"):
            (clock,) = answers.rows(CLOCK, Clock)
        names = {row.name[:15] for row in answers.rows(PROCESSES, Process)}
        rows = [
            _row("job", tool, source)
            for tool, source in scheduled.naming(answers, _TOOLS)
            if tool != "dpkg-db-backup" and not source.startswith("/etc/cron.daily/dpkg:")
        ]
        rows += [
            _row("agent", AGENTS[name], f"process {name}") for name in sorted(names & set(AGENTS))
        ]
        for pattern in self.paths:
            found = [
                row
                for row in answers.rows(Stat(pattern), FileStat)
                if not _DEBIAN.fullmatch(row.path.rpartition("/")[2])
            ]
            if found:
                newest = max(found, key=lambda row: row.mtime)
                days = max(0, int((clock.seconds - newest.mtime) / DAY))
                rows.append(_row("result", newest.path, newest.path, days))
        yield Fact("backups", rows or [_row("none", "host", "/etc/crontab")], {"": "/etc/crontab"})


def _row(kind: str, name: str, source: str, days: int = -1) -> dict[str, Any]:
    key = source.partition(":")[0] if kind == "job" else name
    return {"key": key, "kind": kind, "name": name, "age_days": days, "source": source}
