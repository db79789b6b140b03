"""Which mandatory access control is in force: SELinux (selinux(8)), AppArmor (apparmor(7), securityfs),
Kylin's KYSEC (its `getstatus`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Command, Fact, File, Reading, Stat
from collectors.rows import FileStat

ENFORCE = File("/sys/fs/selinux/enforce")
SELINUX = File("/etc/selinux/config")
APPARMOR = File("/sys/module/apparmor/parameters/enabled")
PROFILES = File("/sys/kernel/security/apparmor/profiles")
KYSEC = Stat("/etc/kysec*")
KYSEC_STATUS = Command(("getstatus",), timeout=5.0)
_WORDS = ("enforce", "complain", "kill", "unconfined", "prompt", "mixed")


class MacCollector(Collector, frozen=True):
    """`mac`: active (selinux, apparmor, kysec, "": none that enforces), and of each

    selinux: mode now (enforcing, permissive, absent), configured (for the next boot), policy.
    apparmor: enabled, profiles by mode (enforce, complain, unconfined).
    kysec: installed, status, exec_control.
    """

    name: ClassVar[str] = "mac"
    facts: ClassVar[tuple[str, ...]] = ("mac",)

    def readings(self) -> tuple[Reading, ...]:
        return (ENFORCE, SELINUX, APPARMOR, PROFILES, KYSEC)

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


def _selinux(answers: Answers) -> tuple[dict[str, str], str]:
    enforce = answers.maybe(ENFORCE)
    modes = {"1": "enforcing", "0": "permissive"}
    told = {"SELINUX": ("", SELINUX.path), "SELINUXTYPE": ("", "")}
    for number, raw in enumerate((answers.maybe(SELINUX) or "").split("\n"), 1):
        key, equals, value = raw.strip().partition("=")
        if equals and key.strip() in told:
            told[key.strip()] = (value.strip().lower(), f"{SELINUX.path}:{number}")
    return {
        "mode": "absent" if enforce is None else modes.get(enforce.strip(), "unknown"),
        "configured": told["SELINUX"][0],
        "policy": told["SELINUXTYPE"][0],
    }, told["SELINUX"][1]


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
