"""Which mandatory access control is in force: SELinux (selinux(8)), AppArmor (apparmor(7), securityfs),
Kylin's KYSEC (its `getstatus`).

/etc/selinux/config is read as libselinux does: the first SELINUX= that stands at the beginning of a line and has a
mode, the last SELINUXTYPE=. A domain that semanage-permissive(8) was told of is a module of the policy.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Command, Fact, File, Reading, Stat, Unavailable
from collectors.rows import FileStat

ENFORCE = File("/sys/fs/selinux/enforce")
SELINUX = File("/etc/selinux/config")
PERMISSIVE = (
    Stat("/var/lib/selinux/*/active/modules/[0-9]*/permissive_*"),
    Stat("/etc/selinux/*/active/modules/[0-9]*/permissive_*"),
)
APPARMOR = File("/sys/module/apparmor/parameters/enabled")
PROFILES = File("/sys/kernel/security/apparmor/profiles")
KYSEC = Stat("/etc/kysec*")
KYSEC_STATUS = Command(("getstatus",), timeout=5.0)
MAX_SHOWN = 50
_MODE = re.compile(r"SELINUX=\s*(enforcing|permissive|disabled)", re.IGNORECASE)
_TYPE = re.compile(r"\s*SELINUXTYPE=(.*)", re.IGNORECASE)
_WORDS = ("enforce", "complain", "kill", "unconfined", "prompt", "mixed")


class MacCollector(Collector, frozen=True):
    """`mac`: active (selinux, apparmor, kysec, "": none that enforces), and of each

    selinux: mode now (enforcing, permissive, absent), configured (for the next boot), policy,
    permissive (domains that are held back by nothing; null: not known).
    apparmor: enabled, profiles by mode (enforce, complain, unconfined).
    kysec: installed, status, exec_control.
    """

    name: ClassVar[str] = "mac"
    facts: ClassVar[tuple[str, ...]] = ("mac",)

    def readings(self) -> tuple[Reading, ...]:
        return (ENFORCE, SELINUX, *PERMISSIVE, APPARMOR, PROFILES, KYSEC)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        selinux, source = _selinux(answers)
        apparmor, kysec = _apparmor(answers), _kysec(answers)
        active = ""
        if selinux["mode"] == "enforcing":
            active = "selinux"
        elif kysec["status"] in ("normal", "enabled"):
            active = "kysec"
        elif apparmor["enforce"]:
            active = "apparmor"
        value = {"active": active, "selinux": selinux, "apparmor": apparmor, "kysec": kysec}
        yield Fact("mac", value, {"": "/sys/kernel/security", "selinux": source})


def _selinux(answers: Answers) -> tuple[dict[str, Any], str]:
    enforce = answers.maybe(ENFORCE)
    modes = {"1": "enforcing", "0": "permissive"}
    configured, source, policy = "", SELINUX.path, ""
    for number, line in enumerate((answers.maybe(SELINUX) or "").split("\n"), 1):
        if not configured and (match := _MODE.match(line)):
            configured, source = match[1].lower(), f"{SELINUX.path}:{number}"
        elif match := _TYPE.match(line):
            policy = match[1].rstrip()
    return {
        "mode": "absent" if enforce is None else modes.get(enforce.strip(), "unknown"),
        "configured": configured,
        "policy": policy,
        "permissive": _permissive(answers, policy),
    }, source


def _permissive(answers: Answers, policy: str) -> list[str] | None:
    try:
        paths = [row.path for stat in PERMISSIVE for row in answers.rows(stat, FileStat)]
    except Unavailable:  # nobody but root may look there
        return None
    names = {
        path.rpartition("/permissive_")[2]
        for path in paths
        if f"/selinux/{policy or 'targeted'}/" in path
    }
    return sorted(names)[:MAX_SHOWN]


def _apparmor(answers: Answers) -> dict[str, Any]:
    enabled = (answers.maybe(APPARMOR) or "").strip() == "Y"
    counts: Counter[str] = Counter()
    if enabled:
        for line in (answers.maybe(PROFILES) or "").splitlines():
            mode = line.rpartition(" (")[2].rstrip(")")
            counts[mode if mode in _WORDS else "other"] += 1
    names = ("enforce", "complain", "unconfined")
    return {"enabled": enabled, **{name: counts[name] for name in names}}


def _kysec(answers: Answers) -> dict[str, Any]:
    installed = bool(answers.rows(KYSEC, FileStat))
    told: dict[str, str] = {}
    if installed:
        for line in (answers.maybe(KYSEC_STATUS) or "").splitlines():
            name, colon, value = line.partition(":")
            if colon:
                told[name.strip().lower()] = value.strip().lower()
    return {
        "installed": installed,
        "status": told.get("kysec status", ""),
        "exec_control": told.get("exec control", ""),
    }
