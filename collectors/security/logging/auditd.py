"""The kernel's audit: its state, its rules on disk and loaded, what they record, what the daemon does
with the records: auditctl(8), augenrules(8), auditd.conf(5).

What is loaded is asked of the kernel by auditctl, which needs root.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import (
    Answers,
    Collector,
    Command,
    Fact,
    File,
    Glob,
    Inventory,
    ParseError,
    Reading,
    Stat,
    malformed,
)
from collectors.rows import FileStat, Uname
from collectors.security.logging import auditcoverage, audithidden, auditrules
from collectors.security.logging.auditrules import RuleSet
from collectors.security.partial import known, texts
from collectors.sources.patterns import path_matches

STATE = Command(("auditctl", "-s"), timeout=5.0)
LOADED = Command(("auditctl", "-l"), timeout=5.0)
RULES = Glob("/etc/audit/rules.d/*.rules")
COMPILED = File("/etc/audit/audit.rules")
CONF = File("/etc/audit/auditd.conf")
NAMES = {"uid": File("/etc/passwd"), "gid": File("/etc/group")}
UNAME = Inventory("uname")
MAX_SHOWN = 50
# One reading in place of many: over SSH each that matches is a process.
_FOLDERS = ("/etc", "/var/log")
_MANY = (
    *("/usr/bin/ch[afs]*", "/usr/bin/*passwd", "/usr/bin/*mount", "/usr/bin/su*"),
    *("/usr/sbin/user*", "/usr/sbin/group*"),
)


def _pattern(path: str) -> str:
    folder = path.rpartition("/")[0]
    if folder in _FOLDERS:
        return f"{folder}/*"
    return next((pattern for pattern in _MANY if path_matches(path, pattern)), path)


STATS = tuple(Stat(pattern) for pattern in dict.fromkeys(map(_pattern, auditcoverage.PATHS)))

# What auditd takes where auditd.conf says nothing.
DEFAULTS: dict[str, int | str] = {
    "log_file": "/var/log/audit/audit.log",
    "write_logs": "yes",
    "max_log_file": 8,
    "num_logs": 0,
    "max_log_file_action": "ignore",
    "space_left_action": "ignore",
    "admin_space_left_action": "ignore",
    "disk_full_action": "ignore",
    "disk_error_action": "syslog",
    "name_format": "none",
    "log_format": "raw",
}


class AuditdCollector(Collector, frozen=True):
    """`auditd`: installed, running (the daemon takes the kernel's records), enabled (0, 1; 2: locked until
    the next boot), failure, backlog_limit, lost.

    `audit_rules`, on disk: count, immutable (`-e 2`), failure, off (rules that hide everything, a
    user, a program or files that matter), bad (lines that auditctl refuses). `audit_loaded`: count, missing (on disk and
    not loaded), extra (loaded and not on disk). Both as rows of text, source.

    `audit_coverage`: what is to be recorded by name (identity, time, …): wanted, and missing in the rules on
    disk, which are those of the next boot; whether the kernel has them is `audit_loaded`.

    `auditd_conf`: installed, keyword → number or text in small letters, capacity (MiB of all logs).
    """

    name: ClassVar[str] = "auditd"
    facts: ClassVar[tuple[str, ...]] = (
        *("auditd", "audit_rules", "audit_loaded", "audit_coverage", "auditd_conf"),
    )

    def readings(self) -> tuple[Reading, ...]:
        return (STATE, LOADED, RULES, COMPILED, CONF, UNAME, *NAMES.values(), *STATS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        yield known("auditd", lambda: _state(answers))
        disk = functools.cache(lambda: _on_disk(answers))
        yield known("audit_rules", lambda: _rules(disk()))
        yield known("audit_loaded", lambda: _difference(disk(), answers))
        yield known("audit_coverage", lambda: _coverage(disk(), answers))
        yield known("auditd_conf", lambda: configuration(answers))


def _state(answers: Answers) -> Fact:
    text = answers.maybe(STATE)
    told: dict[str, int] = {}
    for line in (text or "").splitlines():
        name, _, value = line.partition(" ")
        number = value.split(" ")[0]
        if number.isascii() and number.isdigit() and len(number) < 19:
            told[name] = int(number)
    if text is not None and not {"enabled", "pid"} <= set(told):
        raise ParseError("auditctl -s: no state")
    names = ("enabled", "failure", "backlog_limit", "lost")
    state = {
        "installed": text is not None,
        "running": told.get("pid", 0) != 0,
        **{name: told.get(name, 0) for name in names},
    }
    return Fact("auditd", state, {"": "auditctl -s"})


def _on_disk(answers: Answers) -> RuleSet:
    files = texts(answers, RULES.pattern)
    compiled = "" if files else answers.maybe(COMPILED) or ""
    names = {
        f"{kind}:{fields[0]}": fields[2]
        for kind, file in NAMES.items()
        for line in (answers.maybe(file) or "").split("\n")
        if len(fields := line.split(":", 3)) > 3 and fields[2].isdecimal()
    }
    return auditrules.on_disk(files, COMPILED.path, compiled, names)


def _loaded(answers: Answers) -> RuleSet:
    """What is loaded: nothing where there is not even a program to load it."""
    return auditrules.listed(answers.maybe(LOADED) or "", "auditctl -l")


def _rules(found: RuleSet) -> Fact:
    off = [
        {"text": rule.text[:500], "source": source}
        for rule, source in found.rules.items()
        if audithidden.hides_people(rule, auditcoverage.NEAR)
    ]
    if found.settings.get("-e") == "0":
        off.append({"text": "-e 0", "source": "/etc/audit/rules.d"})
    value = {
        "count": len(found.rules),
        "immutable": found.settings.get("-e") == "2",
        "failure": int(found.settings.get("-f", "1")[:9]),
        "off": off[:MAX_SHOWN],
        "bad": found.bad,
    }
    return Fact("audit_rules", value, {"": "/etc/audit/rules.d"})


def _difference(disk: RuleSet, answers: Answers) -> Fact:
    loaded = _loaded(answers)
    value = {
        "count": len(loaded.rules),
        "missing": _rows(disk, loaded),
        "extra": _rows(loaded, disk),
    }
    return Fact("audit_loaded", value, {"": "auditctl -l"})


def _rows(these: RuleSet, without: RuleSet) -> list[dict[str, str]]:
    found = [
        {"text": rule.text[:500], "source": source}
        for rule, source in these.rules.items()
        if rule not in without.rules
    ]
    return found[:MAX_SHOWN]


def _coverage(disk: RuleSet, answers: Answers) -> Fact:
    with malformed("uname"):
        (uname,) = answers.rows(UNAME, Uname)
    there = {row.path for stat in STATS for row in answers.rows(stat, FileStat)}
    rules = auditcoverage.index(disk.rules, disk.single)
    value = {
        control.name: {
            "wanted": auditcoverage.wanted(control, there, uname.machine),
            "missing": auditcoverage.missing(control, rules, there, uname.machine),
        }
        for control in auditcoverage.CONTROLS
    }
    return Fact("audit_coverage", value, {"": "/etc/audit/rules.d"})


def configuration(answers: Answers) -> Fact:
    """The fact `auditd_conf`."""
    text = answers.maybe(CONF)
    value: dict[str, Any] = dict(DEFAULTS) | {"installed": text is not None}
    sources = {"": CONF.path}
    for number, line in enumerate((text or "").split("\n"), 1):
        name, equals, told = line.partition("=")
        name, told = name.strip().lower(), told.strip()
        if not equals or name.startswith("#") or name not in DEFAULTS:
            continue  # what else there is may be the place of a key
        if isinstance(DEFAULTS[name], int):
            if not (told.isascii() and told.isdigit() and len(told) < 10):
                raise ParseError(f"{CONF.path}:{number}: {name} is not a number")
            value[name] = int(told)
        else:
            value[name] = told if name == "log_file" else told.lower()
        sources[name] = f"{CONF.path}:{number}"
    count, size = value["num_logs"], value["max_log_file"]
    value["capacity"] = max(int(count), 1) * int(size)
    return Fact("auditd_conf", value, sources)
