"""PAM as it decides: /etc/pam.d and /usr/lib/pam.d, pam.d(5), with the files its modules read.

The stacks are in pamstack.py, what they mean in pampassword.py and pamaccess.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Final

from collectors.model import (
    Answers,
    Collector,
    Fact,
    File,
    Glob,
    NeedMore,
    Reading,
    Unavailable,
)
from collectors.security.identity import pamaccess, pampassword
from collectors.security.identity.accounts import GROUP, parse_group
from collectors.security.identity.logindefs import LOGIN_DEFS
from collectors.security.identity.pamstack import FOLDER, TYPES, Line, Stacks, commented, flat
from collectors.security.identity.snippets import is_folder, texts

SERVICES_OF_SYSTEM = Glob(f"{FOLDER}/*")
SERVICES_OF_VENDOR = Glob("/usr/lib/pam.d/*")
PWQUALITY = File(pampassword.PWQUALITY)
PWQUALITY_D = Glob(f"{pampassword.PWQUALITY}.d/*.conf")
PWHISTORY = File(pampassword.PWHISTORY)
FAILLOCK = File(pamaccess.FAILLOCK)
# Where people come in, and those that check a password once more.
LOGINS: Final = (
    *("login", "sshd", "remote", "gdm-password", "lightdm", "sddm", "kdm", "xdm", "cockpit"),
    *("xrdp-sesman", "vsftpd"),
)
CHANGES: Final = ("passwd", "login", "sshd")  # where a password is changed
ELEVATIONS: Final = ("su", "su-l", "sudo", "sudo-i")
SERVICES: Final = (*LOGINS, *ELEVATIONS, "passwd", "chpasswd", "other")


class PamCollector(Collector, frozen=True):
    """`pam`: installed, modules (rows: service, type, control, module, arguments, file, source).

    password_quality: configured, why, module, minlen, length (the shortest that passes, credits
    taken), classes, enforce_for_root …, defaults (what nobody sets). password_history: configured,
    module, remember. password_hash: method (left out where nobody says), by, login_defs. lockout: services, rows of service,
    locks, why, module, deny, unlock_time (0: for ever), even_deny_root … second_factor: services,
    rows of service, modules, required. Where services differ, the weakest counts. su: installed, restricted, why, group, use_uid, members.
    elevation: services, rows of service (su, sudo), asks (someone who knows no password is refused), module.
    """

    name: ClassVar[str] = "pam"
    facts: ClassVar[tuple[str, ...]] = (
        *("pam", "password_quality", "password_history", "password_hash"),
        *("lockout", "second_factor", "su", "elevation"),
    )

    def readings(self) -> tuple[Reading, ...]:
        return (
            *(SERVICES_OF_SYSTEM, SERVICES_OF_VENDOR, PWQUALITY, PWQUALITY_D),
            *(PWHISTORY, FAILLOCK, LOGIN_DEFS, GROUP),
        )

    def parse(self, answers: Answers) -> Iterable[Fact]:
        found = _Files(answers)
        stacks = Stacks(found.find)
        services = {name: found.find(name) for name in SERVICES}
        there = [name for name in SERVICES if services[name]]
        yield Fact(
            "pam",
            {
                "installed": bool(there),
                "modules": [
                    _row(service, line)
                    for service in there
                    for kind in TYPES
                    for line in flat(stacks.stack(service, kind))
                ],
            },
            {"": FOLDER},
        )
        yield from self._passwords(answers, stacks, found, there)
        yield from self._access(answers, stacks, found, there)

    def _passwords(
        self, answers: Answers, stacks: Stacks, found: _Files, there: list[str]
    ) -> Iterator[Fact]:
        steps = [stacks.stack(name, "password") for name in there if name in CHANGES] or [
            stacks.stack("passwd", "password")
        ]
        remark = found.commented(pampassword.QUALITY_MODULES)
        files = [*texts(answers, PWQUALITY_D), *_text(answers, PWQUALITY)]
        quality = pampassword.weakest(
            [pampassword.quality(each, files, remark) for each in steps],
            *("configured", "length", "classes", "enforce_for_root"),
        )
        sources = {"": quality["source"] or FOLDER, **quality["places"]}
        yield Fact("password_quality", quality, sources)
        kept = _text(answers, PWHISTORY)
        history = pampassword.weakest(
            [pampassword.history(each, kept) for each in steps], "remember", "enforce_for_root"
        )
        yield Fact("password_history", history, {"": history["source"] or FOLDER})
        login_defs = answers.maybe(LOGIN_DEFS)
        hashing = pampassword.weakest_hash(
            [pampassword.hashing(each, login_defs) for each in steps]
        )
        yield Fact("password_hash", hashing, {"": hashing["source"] or FOLDER})

    def _access(
        self, answers: Answers, stacks: Stacks, found: _Files, there: list[str]
    ) -> Iterator[Fact]:
        # a machine without PAM has a login all the same, and nothing locks it
        logins = ["login", *(name for name in there if name in LOGINS and name != "login")]
        auth = {name: stacks.stack(name, "auth") for name in logins}
        locks = {
            pamaccess.faillock_file(line)
            for steps in auth.values()
            for line in flat(steps)
            if line.module == "pam_faillock"
        }
        options = found.named(sorted(locks))
        remark = found.commented(("pam_faillock", *pamaccess.TALLIES))
        rows = [pamaccess.lockout(name, steps, options, remark) for name, steps in auth.items()]
        yield Fact("lockout", {"services": rows})
        factors = [pamaccess.second_factor(name, steps) for name, steps in auth.items()]
        yield Fact("second_factor", {"services": factors})
        members = _members(answers.maybe(GROUP) or "")
        ways = [
            pamaccess.su(
                name,
                stacks.stack(name, "auth"),
                stacks.stack(name, "account"),
                found.commented(("pam_wheel",), name),
                members,
            )
            for name in ("su", *(name for name in there if name == "su-l"))
        ]
        # `su -` is a service of its own: the one that lets more people pass counts
        restricted = min(ways, key=lambda row: row["restricted"])
        # the package that brings su brings the service; without PAM nothing can be told from files
        restricted["installed"] = "su" in there or not there
        yield Fact("su", restricted, {"": restricted["source"]})
        rows = [
            pamaccess.asking(name, stacks.stack(name, "auth"))
            for name in ELEVATIONS
            if name in there
        ]
        yield Fact("elevation", {"services": rows})


def _row(service: str, line: Line) -> dict[str, Any]:
    return {
        "service": service,
        "type": line.type,
        "control": line.control,
        "module": line.module,
        "arguments": list(line.arguments),
        "file": line.file,
        "source": line.source,
    }


def _members(group: str) -> dict[str, set[str]]:
    names, by_member = parse_group(group)
    members: dict[str, set[str]] = {name: set() for name in names.values()}
    for member, groups in by_member.items():
        for name in groups:
            members.setdefault(name, set()).add(member)
    return members


class _Files:
    """The files of pam.d; one that a stack names and that cannot be read makes all unknown."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._by_name = {
            path.rpartition("/")[2]: (path, answer)
            for glob in (SERVICES_OF_VENDOR, SERVICES_OF_SYSTEM)
            if answers.answer(glob).state != "absent"
            for path, answer in answers.children(glob).items()
            if answer.state != "absent" and not is_folder(answer)
        }

    def find(self, name: str) -> tuple[str, str] | None:
        if name.startswith(f"{FOLDER}/"):
            name = name.removeprefix(f"{FOLDER}/")
        if name.startswith("/"):
            text = self._answers.maybe(File(name))
            return None if text is None else (name, text)
        if name not in self._by_name:
            return None
        path, answer = self._by_name[name]
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        return path, answer.content.decode("utf-8", "replace")

    def commented(self, modules: tuple[str, ...], service: str = "") -> str:
        """The place of a comment that would be a line with one of these modules."""
        for name, (path, answer) in sorted(self._by_name.items()):
            if answer.state == "content" and service in ("", name):
                text = answer.content.decode("utf-8", "replace")
                for module in modules:
                    if module in text and (place := commented(path, text, module)):
                        return place
        return ""

    def named(self, paths: list[str]) -> dict[str, str | None]:
        """The texts of files, all that were not read yet asked for at once."""
        found: dict[str, str | None] = {}
        more: list[Reading] = []
        for path in paths:
            try:
                found[path] = self._answers.maybe(File(path))
            except NeedMore as need:
                more += need.readings
        if more:
            raise NeedMore(*more)
        return found


def _text(answers: Answers, reading: File) -> list[tuple[str, str]]:
    text = answers.maybe(reading)
    return [] if text is None else [(reading.path, text)]
