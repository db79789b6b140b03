"""The umask of a login shell, and who sets it: login.defs(5), pam_umask(8), bash(1) INVOCATION.

PAM comes first, then /etc/profile, which takes /etc/profile.d/*.sh, and sh.local in the RPM family,
where it names them; the last that always runs wins, and what runs under a condition after it may
(umaskscript.py). Files of a user's own are not read. Interactive shells that are no login shells take
/etc/bash.bashrc or /etc/bashrc; csh its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar

from collectors.model import Answers, Collector, Fact, File, Glob, Reading, Unavailable
from collectors.security.identity.umaskscript import (
    Setting,
    bits,
    candidates,
    common_bits,
    settings,
)

LOGIN_DEFS = File("/etc/login.defs")
PAM = Glob("/etc/pam.d/*")
PROFILE = File("/etc/profile")
PROFILE_D = Glob("/etc/profile.d/*.sh")
SH_LOCAL = File("/etc/profile.d/sh.local")
BASHRCS = (File("/etc/bash.bashrc"), File("/etc/bashrc"))
CSHRCS = (File("/etc/csh.cshrc"), File("/etc/csh.login"))
# The stacks that sessions of people go through.
SESSIONS = ("common-session", "login", "sshd", "system-auth", "password-auth", "postlogin")
KERNEL = 0o022  # what init and systemd give where nobody sets anything


class UmaskCollector(Collector, frozen=True):
    """`umask`: effective (octal text: the bits that every possible value takes away; empty: none
    is known), source, values (those that are possible for a login shell), settings (rows: source,
    value, conditional, scope login, interactive or csh), unclear (those of settings that may hold
    and do not tell their value, but as text), interactive (as effective, of a shell that is no login shell,
    or empty where no file sets one), usergroups (whether PAM opens it to the group of the user's own name).
    """

    name: ClassVar[str] = "umask"
    facts: ClassVar[tuple[str, ...]] = ("umask",)

    def readings(self) -> tuple[Reading, ...]:
        return (LOGIN_DEFS, PAM, PROFILE, PROFILE_D, SH_LOCAL, *BASHRCS, *CSHRCS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        first, usergroups = _of_pam(answers)
        drop_ins: list[Setting] = []
        for path, answer in answers.children(PROFILE_D).items():
            if answer.state == "absent" or answer.reason == "Is a directory":
                continue
            if answer.state != "content":
                raise Unavailable(File(path), answer)
            drop_ins += settings(path, answer.content.decode("utf-8", "replace"))
        local = _of_file(SH_LOCAL, answers)
        profile = {"/etc/profile.d": drop_ins, "/etc/profile.d/sh.local": local}
        found = {
            "login": [first, *_of_file(PROFILE, answers, profile)],
            "interactive": [one for file in BASHRCS for one in _of_file(file, answers)],
            "csh": [one for file in CSHRCS for one in _of_file(file, answers)],
        }
        possible = candidates(found["login"])
        others = candidates(found["interactive"])
        value = {
            "effective": _effective(possible),
            "source": possible[0].source,
            "values": sorted({_octal(one.value) for one in possible if one.value is not None}),
            "interactive": _effective(others),
            "usergroups": usergroups,
            "settings": [_row(one, scope) for scope, them in found.items() for one in them],
            "unclear": [
                _row(one, scope)
                for scope, them in (("login", possible), ("interactive", others))
                for one in them
                if one.value is None
            ],
        }
        yield Fact("umask", value, {"": possible[0].source})


def _effective(possible: list[Setting]) -> str:
    known = [one for one in possible if one.value is not None]
    return _octal(common_bits(known)) if known else ""


def _octal(value: int) -> str:
    return f"{value:03o}"


def _row(one: Setting, scope: str) -> dict[str, Any]:
    return {
        "key": f"{scope} {one.source}",
        "source": one.source,
        "value": one.text[:100] if one.value is None else _octal(one.value),
        "conditional": one.conditional,
        "scope": scope,
    }


def _of_file(
    file: File, answers: Answers, includes: Mapping[str, Sequence[Setting]] | None = None
) -> list[Setting]:
    text = answers.maybe(file)
    return list(settings(file.path, text or "", includes))


def _of_pam(answers: Answers) -> tuple[Setting, bool]:
    """What pam_umask sets, and whether it gives the group of the same name as the user all rights."""
    for path, answer in answers.children(PAM).items():
        if answer.state == "absent" or path.rpartition("/")[2] not in SESSIONS:
            continue
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        for number, line in enumerate(answer.content.decode("utf-8", "replace").split("\n"), 1):
            words = line.split("#")[0].split()
            if "pam_umask.so" not in line or words[:1] not in (["session"], ["-session"]):
                continue
            options = [word.partition("=") for word in words[2:]]
            own = next((value for name, _, value in options if name == "umask"), None)
            names = {name for name, _, _ in options}
            defs = _login_defs(answers)
            groups = defs.get("USERGROUPS_ENAB", ("no", ""))[0] == "yes" and own is None
            groups = ("usergroups" in names or groups) and "nousergroups" not in names
            text, source = (own, f"{path}:{number}") if own else defs.get("UMASK", ("", ""))
            value = bits(text)
            if value is None:
                break
            value = value & 0o707 | (value >> 3 & 0o070) if groups else value
            return Setting(source, value, False), groups
    return Setting("kernel default", KERNEL, False), False


def _login_defs(answers: Answers) -> dict[str, tuple[str, str]]:
    found = {}
    for number, line in enumerate((answers.maybe(LOGIN_DEFS) or "").split("\n"), 1):
        words = line.split()
        if len(words) > 1 and words[0] in ("UMASK", "USERGROUPS_ENAB"):
            found[words[0]] = words[1].strip('"'), f"{LOGIN_DEFS.path}:{number}"
    return found
