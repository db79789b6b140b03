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

from collectors.model import Answers, Collector, Fact, File, Glob, Reading, Unavailable

PROFILE: Final = File("/etc/profile")
ENVIRONMENT: Final = File("/etc/environment", masked=True)
BASHRCS: Final = (File("/etc/bash.bashrc"), File("/etc/bashrc"))
SNIPPETS: Final = Glob("/etc/profile.d/*.sh")
CSH: Final = (File("/etc/csh.cshrc"), File("/etc/csh.login"))
CSH_SNIPPETS: Final = Glob("/etc/profile.d/*.csh")
NOT_SET: Final = 0

_SEPARATOR = re.compile(r"(;;|;|&&|\|\||[|&])")
_LEAD = re.compile(r"^(?:(?:then|else|do|\{|!)(?:\s+|$))+")
_OPENS = re.compile(r"^(?:case|while|until|for|select|[\w-]+\s*\(\)|function)(?:\s|\{|$)")
_CLOSES = re.compile(r"^(?:fi|esac|done|\})(?:\s|$)")
_INTERACTIVE = re.compile(r"PS1|\$-|BASH|-t 0")
_DECLARES = re.compile(r"^(export|readonly|declare|typeset)\s+((?:-\w+\s+)*)")
_WORD = r"\w+=(?:\"[^\"]*\"|'[^']*'|[^\s\"']*)"
_ASSIGNMENTS = re.compile(rf"{_WORD}(?:\s+{_WORD})*\s*$")
_TMOUT = re.compile(r"(?:^|\s)TMOUT=(\"[^\"]*\"|'[^']*'|[^\s\"']*)")
_NAMED = re.compile(r"(?:^|\s)TMOUT(?:\s|=|$)")
_AUTOLOGOUT = re.compile(r"^\s*set\s+(?:-r\s+)?autologout\s*=\s*([0-9]{1,6})\b")
_TAKES = re.compile(r"/etc/bash\.bashrc|/etc/bashrc|/etc/profile\.d")
_TELLS = re.compile(r"TMOUT|[{}]|\b(?:if|fi|else|elif|case|esac|for|while|until|select|done)\b")
_LONGEST = 1000  # of a line that is looked at
_COMMANDS = 16  # of a line


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
        return (PROFILE, ENVIRONMENT, *BASHRCS, SNIPPETS, *CSH, CSH_SNIPPETS)

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
    takes["/etc/profile.d"] = _texts(answers, SNIPPETS)
    rows = list(parse(ENVIRONMENT.path, answers.maybe(ENVIRONMENT) or ""))
    profile = answers.maybe(PROFILE) or ""
    by_line: dict[str, list[Setting]] = {}
    for row in parse(PROFILE.path, profile):
        by_line.setdefault(row.source, []).append(row)
    for number, line in enumerate(profile.split("\n"), 1):
        rows += by_line.get(f"{PROFILE.path}:{number}", [])
        for name in _TAKES.findall(_uncommented(line)):
            for path, text in takes.pop(name, ()):
                rows += parse(path, text)
            rest.pop(name, None)
    for them in rest.values():
        for path, text in them:
            rows += parse(path, text)
    return rows


def parse(path: str, text: str) -> Iterator[Setting]:
    """What a script says of TMOUT, line by line."""
    # for each construct around a line, whether it makes it doubtful that the line is run
    around: list[bool] = []
    for number, raw in enumerate(text.split("\n"), 1):
        if not _TELLS.search(raw, 0, _LONGEST):
            continue
        line = _uncommented(raw[:_LONGEST]).strip()
        before, doubtful = "", False
        interactive = bool(_INTERACTIVE.search(line))
        for piece in _SEPARATOR.split(line, _COMMANDS):
            if _SEPARATOR.fullmatch(piece):
                chained = piece in ("&&", "||") and not _sure(before, piece)
                doubtful = chained or (doubtful and piece in ("&&", "||"))
                continue
            before = piece.strip()
            command = _construct(before, around, interactive)
            made = _setting(command, doubtful or any(around), f"{path}:{number}")
            if made:
                yield made


def _sure(before: str, separator: str) -> bool:
    """Whether what follows `before && ` is run in an interactive login bash."""
    said = _NAMED.search(before) and not before.startswith(("[", "test"))
    return separator == "&&" and bool(said or _INTERACTIVE.search(before))


def _construct(piece: str, around: list[bool], interactive: bool) -> str:
    """Follow what opens and closes; the command that is left of the piece."""
    if piece.startswith(("else", "elif")) and around:
        around[-1] = True
    command = _LEAD.sub("", piece)
    if re.match(r"if(?:\s|$)", command):
        around.append(not interactive)
    elif _OPENS.match(command):
        around.append(True)
    elif _CLOSES.match(command) and around:
        around.pop()
    return command


def _setting(command: str, conditional: bool, source: str) -> Setting | None:
    if "TMOUT" not in command or not _NAMED.search(command):
        return None
    if re.match(r"unset\s", command):
        return Setting(NOT_SET, True, False, conditional, source)
    declared = _DECLARES.match(command)
    if not declared and not _ASSIGNMENTS.match(command):
        return None
    flags = declared[2] if declared else ""
    readonly = bool(declared and (declared[1] == "readonly" or re.search(r"-\w*r", flags)))
    found = _TMOUT.findall(command)
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
    texts = [*_texts(answers, CSH_SNIPPETS), *((r.path, answers.maybe(r) or "") for r in CSH)]
    for path, text in texts:
        for number, line in enumerate(text.split("\n"), 1):
            if found := _AUTOLOGOUT.match(line[:_LONGEST]):
                minutes, place = int(found[1]), f"{path}:{number}"
    return minutes, place


def _texts(answers: Answers, glob: Glob) -> list[tuple[str, str]]:
    if answers.answer(glob).state == "absent":
        return []
    texts = []
    for path, answer in sorted(answers.children(glob).items()):
        if answer.state == "absent":
            continue
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        texts.append((path, answer.content.decode("utf-8", "replace")))
    return texts
