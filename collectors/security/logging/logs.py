"""Files of logs, who may read them and how long they are kept: lstat(2), logrotate(8), auditd.conf(5)."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Fact,
    File,
    Glob,
    Inventory,
    Reading,
    Stat,
    malformed,
)
from collectors.rows import Clock, FileStat
from collectors.security.logging import auditd, logrotate
from collectors.security.partial import known, text_of

LOGS = Stat("/var/log/*")
AUDIT = Stat("/var/log/audit/*")
CLOCK = Inventory("clock")
ROTATE = File("/etc/logrotate.conf")
ROTATE_ALSO = Glob("/etc/logrotate.d/*")
DAY = 86_400

# What tells of people and of the system, in both families.
SYSTEM = {
    *("syslog", "auth.log", "kern.log", "daemon.log", "user.log", "cron.log", "mail.log"),
    *("messages", "secure", "cron", "maillog", "spooler", "wtmp", "btmp"),
}
_ROTATED = re.compile(r"(?P<stem>.+?)(?:(?:\.\d{1,4}|-\d{6,14})+(?:\.(?:gz|xz|bz2|zst|Z))?|\.old)")


class LogsCollector(Collector, frozen=True):
    """`log_files`: rows of path, name (without what rotation adds), kind, mode, mode_octal, uid, gid of
    what is in /var/log; `audit_log_files`: the same of /var/log/audit and what is in it.

    `log_retention`: rows of log, by (time, size, ever), keep_days (by time), rotate, period, files
    (rotated ones), full (so many that the next rotation removes one), oldest_days.
    `audit_retention`: the same of the audit daemon's log; none where there is no such daemon.
    """

    name: ClassVar[str] = "logs"
    facts: ClassVar[tuple[str, ...]] = (
        *("log_files", "audit_log_files", "log_retention", "audit_retention"),
    )

    def readings(self) -> tuple[Reading, ...]:
        return (LOGS, AUDIT, CLOCK, ROTATE, ROTATE_ALSO, auditd.CONF)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        yield known("log_files", lambda: _files(answers))
        yield known("audit_log_files", lambda: _audit_files(answers))
        yield known("log_retention", lambda: _retention(answers))
        yield known("audit_retention", lambda: _audit_retention(answers))


def _files(answers: Answers) -> Fact:
    rows = answers.rows(LOGS, FileStat)
    if not rows:
        return Fact("log_files", None, unavailable="absent: /var/log")
    return Fact("log_files", [_row(row) for row in rows], {"": "lstat"})


def _audit_files(answers: Answers) -> Fact:
    folder = [row for row in answers.rows(LOGS, FileStat) if row.path == "/var/log/audit"]
    return Fact("audit_log_files", [_row(row) for row in folder + answers.rows(AUDIT, FileStat)])


def _row(row: FileStat) -> dict[str, Any]:
    return {
        "path": row.path,
        "name": stem(row.path.rpartition("/")[2]),
        "kind": row.kind,
        "mode": row.mode,
        "mode_octal": f"{row.mode & 0o7777:04o}",
        "uid": row.uid,
        "gid": row.gid,
        "source": row.path,
    }


def stem(name: str) -> str:
    """A log's name without what rotation adds: `syslog` of `syslog.2.gz`."""
    match = _ROTATED.fullmatch(name) if len(name) <= 100 else None
    return match["stem"] if match else name


def _retention(answers: Answers) -> Fact:
    now = _now(answers)
    text = answers.maybe(ROTATE)
    blocks = logrotate.blocks(ROTATE.path, text or "", lambda p: _included(p, answers))
    rows = [row for row in answers.rows(LOGS, FileStat) if row.kind == "file"]
    rotated: dict[str, list[FileStat]] = defaultdict(list)
    for row in rows:
        name = row.path.rpartition("/")[2]
        if stem(name) != name:
            rotated[stem(name)].append(row)
    found = []
    for log in rows:
        name = log.path.rpartition("/")[2]
        if name not in SYSTEM:
            continue
        old = rotated[name]
        block = next((block for block in blocks if block.covers(log.path)), None)
        keeping = block.keeping if block else logrotate.Keeping(-1)
        ever = keeping.by == "time" and keeping.days < 0
        found.append(
            {
                "log": log.path,
                "by": "ever" if ever else keeping.by,
                "keep_days": max(keeping.days, 0) if keeping.by == "time" else 0,
                "rotate": keeping.rotate,
                "period": keeping.period,
                **_age(old, now),
                "full": 0 <= keeping.rotate <= len(old),
                "source": block.source if block else ROTATE.path,
            }
        )
    return Fact("log_retention", found, {"": ROTATE.path})


def _now(answers: Answers) -> float:
    with malformed("clock"):
        (clock,) = answers.rows(CLOCK, Clock)
    return clock.seconds


def _age(rows: list[FileStat], now: float) -> dict[str, int]:
    """A file's last change is as old as its youngest record: what is told is the least."""
    times = [row.mtime for row in rows if row.mtime > 0]
    return {
        "files": len(rows),
        "oldest_days": max(0, int((now - min(times)) / DAY)) if times else 0,
    }


def _included(pattern: str, answers: Answers) -> dict[str, str]:
    found = {}
    for path, answer in answers.children(Glob(pattern)).items():
        if answer.state == "failed" and "regular" in answer.reason:
            continue  # logrotate takes regular files alone, as it goes past folders
        if (text := text_of(path, answer)) is not None:
            found[path] = text
    return found


def _audit_retention(answers: Answers) -> Fact:
    now = _now(answers)
    conf = auditd.configuration(answers)
    if not conf.value["installed"]:
        return Fact("audit_retention", [], {"": auditd.CONF.path})
    path = str(conf.value["log_file"])
    folder = path.rpartition("/")[0]
    rows = answers.rows(Stat(f"{folder}/*"), FileStat)
    old = [row for row in rows if row.path.startswith(f"{path}.")]
    rotates = conf.value["max_log_file_action"] == "rotate"
    row = {
        "log": path,
        "by": "size" if rotates else "ever",
        "keep_days": 0,
        "rotate": conf.value["num_logs"],
        "period": "",
        **_age(old, now),
        "full": rotates and len(old) + 1 >= conf.value["num_logs"],
        "source": conf.sources.get("num_logs", auditd.CONF.path),
    }
    return Fact("audit_retention", [row], {"": auditd.CONF.path})
