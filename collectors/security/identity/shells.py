"""Shells that end by themselves: TMOUT of bash(1) over all files a login reads, autologout of tcsh(1).

/etc/environment (pam_env) comes first, then /etc/profile, which takes bash's own file and profile.d where
it names them, then the bashrc of the RPM family, which ~/.bashrc takes. Each line is followed: an
assignment to a readonly fails, one under a condition may hold or not, so that several values remain
possible. Conditions that are true of an interactive bash (PS1, `$-`, BASH_VERSION) are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import ClassVar, Final, NamedTuple

from collectors.model import Answers, Collector, Fact, File, Glob, Reading
from collectors.security.identity.shellscript import Script, follow
from collectors.security.identity.snippets import texts

PROFILE: Final = File("/etc/profile")
ENVIRONMENT: Final = File("/etc/environment", masked=True)
BASHRCS: Final = (File("/etc/bash.bashrc"), File("/etc/bashrc"))
SNIPPETS: Final = Glob("/etc/profile.d/*.sh")
LOCAL: Final = File("/etc/profile.d/sh.local")  # of the RPM family, behind the others
CSH: Final = (File("/etc/csh.cshrc"), File("/etc/csh.login"))
CSH_SNIPPETS: Final = Glob("/etc/profile.d/*.csh")
NOT_SET: Final = 0

_PREFIX = re.compile(r"^(?:(?:builtin|command)\s+|\\)+")
_SETS_OTHERWISE = re.compile(r"(?:eval|let|read|printf|mapfile|readarray|\(\(|:)(?:\s|\b|$)")
_DECLARES = re.compile(r"^(export|readonly|declare|typeset)\s+((?:-\w+\s+)*)")
_WORD = r"\w+=(?:\"[^\"]*\"|'[^']*'|[^\s\"']*)"
_ASSIGNMENTS = re.compile(rf"{_WORD}(?:\s+{_WORD})*\s*$")
_SHELL_WORD = re.compile(r"(?:\"[^\"]*\"|'[^']*'|[^\s\"'])+")
_AUTOLOGOUT = re.compile(r"^\s*set\s+(?:-r\s+)?autologout\s*=\s*([0-9]{1,6})\b")
# sh.local stands behind the others, where one loop names both
_TAKES = re.compile(
    r"/etc/bash\.bashrc|/etc/bashrc|/etc/profile\.d/sh\.local|/etc/profile\.d(?!/sh\.local)"
)
_LONGEST = 1000  # of a line that is looked at


class Setting(NamedTuple):
    """One line about TMOUT: what it assigns (None: nothing it can tell), whether it locks it."""

    value: int | None
    assigns: bool
    readonly: bool
    conditional: bool
    source: str


class ShellsCollector(Collector, frozen=True):
    """`shell_timeout`: configured, seconds (0: never), possible (all values that may hold; null:
    one that could not be told), readonly, settings (rows: value, assigns, readonly, conditional,
    source), autologout (minutes of tcsh, 0: not set)."""

    name: ClassVar[str] = "shells"
    facts: ClassVar[tuple[str, ...]] = ("shell_timeout",)

    def readings(self) -> tuple[Reading, ...]:
        return (PROFILE, ENVIRONMENT, *BASHRCS, SNIPPETS, LOCAL, *CSH, CSH_SNIPPETS)

    def parse(self, answers: Answers) -> Iterable[Fact]:
        found = list(_settings(answers))
        possible, readonly, source = outcome(found)
        autologout, place = _csh(answers)
        values = sorted(v for v in possible if v is not None)
        value = {
            "configured": bool(found),
            # the worst that may hold: 0 is never
            "seconds": 0 if 0 in values or not values else values[-1],
            "possible": [*values, *([None] if None in possible else [])],
            "readonly": readonly,
            "settings": [row._asdict() for row in found],
            "autologout": autologout,
        }
        sources = {"": source or PROFILE.path, **({"autologout": place} if place else {})}
        yield Fact("shell_timeout", value, sources)


def outcome(settings: Iterable[Setting]) -> tuple[set[int | None], bool, str]:
    """The values that may hold in the end, whether users cannot change them, who said it last."""
    possible: set[int | None] = {NOT_SET}
    # what holds while it is locked, and whether it certainly is
    locked, certain, source = False, False, ""
    for row in settings:
        if row.assigns and not certain:
            free = possible if row.conditional or locked else set()
            possible = free | {row.value}
            source = row.source
        if row.readonly:
            locked = True
            certain = certain or not row.conditional
    return possible, certain, source


def _settings(answers: Answers) -> list[Setting]:
    """What all files say, in the order in which a login bash comes by it."""
    takes = {reading.path: [(reading.path, answers.maybe(reading) or "")] for reading in BASHRCS}
    rest = dict(takes)
    takes["/etc/profile.d"] = texts(answers, SNIPPETS)
    takes[LOCAL.path] = [(LOCAL.path, answers.maybe(LOCAL) or "")]
    rows = list(parse(ENVIRONMENT.path, answers.maybe(ENVIRONMENT) or ""))
    profile = answers.maybe(PROFILE) or ""
    script = follow(profile)
    by_line: dict[int, list[Setting]] = {}
    line_number = re.compile(r":([0-9]+)$")
    for row in _of_script(PROFILE.path, script) if "TMOUT" in profile else ():
        place = line_number.search(row.source)
        by_line.setdefault(int(place[1]) if place else 0, []).append(row)
    for number, line in enumerate(profile.split("\n"), 1):
        rows += by_line.pop(number, [])
        before = [ran.sure for ran in script.leaves if ran.number < number]
        for name in _TAKES.findall(_uncommented(line)):
            taken = takes.pop(name, [])
            rest.pop(name, None)
            if True in before:
                continue  # /etc/profile ends before it
            for path, text in taken:
                found = parse(path, text)
                rows += (row._replace(conditional=True) for row in found) if before else found
    rows += (row for them in by_line.values() for row in them)
    for them in rest.values():
        for path, text in them:
            rows += parse(path, text)
    return rows


def parse(path: str, text: str) -> Iterator[Setting]:
    """What a script says of TMOUT, in its order."""
    if "TMOUT" in text:
        yield from _of_script(path, follow(text))


def _of_script(path: str, script: Script) -> Iterator[Setting]:
    for ran in script.commands:
        if ran.sure is not False:
            made = _setting(ran.command, ran.sure is None, f"{path}:{ran.number}")
            if made:
                yield made
    if not script.whole:
        # what stands behind the place where it was lost is not known
        yield Setting(None, True, False, True, path)


def _setting(command: str, conditional: bool, source: str) -> Setting | None:
    if "TMOUT" not in command:
        return None
    command = _PREFIX.sub("", command)
    words = [word for word in _SHELL_WORD.findall(command) if re.match(r"TMOUT(?:=|$)", word)]
    if words and re.match(r"unset\s", command):
        return Setting(NOT_SET, True, False, conditional, source)
    declared = _DECLARES.match(command)
    if not declared and not _ASSIGNMENTS.match(command):
        sets = _SETS_OTHERWISE.match(command)
        return Setting(None, True, False, conditional, source) if sets else None
    if not words:
        return None
    flags = declared[2] if declared else ""
    readonly = bool(declared and (declared[1] == "readonly" or re.search(r"-\w*r", flags)))
    found = [word.partition("=")[2] for word in words if "=" in word]
    return Setting(_value(found[-1]) if found else None, bool(found), readonly, conditional, source)


def _value(text: str) -> int | None:
    plain = text.strip("\"'")
    if not plain:
        return NOT_SET
    return int(plain) if plain.isascii() and plain.isdigit() and len(plain) < 10 else None


def _uncommented(line: str) -> str:
    return re.sub(r"(?:^|\s)#.*", "", line)


def _csh(answers: Answers) -> tuple[int, str]:
    minutes, place = 0, ""
    said = [*texts(answers, CSH_SNIPPETS), *((r.path, answers.maybe(r) or "") for r in CSH)]
    for path, text in said:
        for number, line in enumerate(text.split("\n"), 1):
            if found := _AUTOLOGOUT.match(line[:_LONGEST]):
                minutes, place = int(found[1]), f"{path}:{number}"
    return minutes, place
