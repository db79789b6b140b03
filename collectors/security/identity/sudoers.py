"""Who may do what as whom by sudo: /etc/sudoers and what it includes, sudoers(5).

Aliases are resolved, tags and Defaults taken into account; of two rules for the same user the later
one wins, as in sudo. Rules of LDAP and SSSD (sudoers.ldap(5)) are not seen. The grammar is in
sudoerslines.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import ClassVar

from collectors.model import (
    Answers,
    Collector,
    Fact,
    File,
    Glob,
    Inventory,
    NeedMore,
    ParseError,
    Reading,
    Unavailable,
)
from collectors.rows import Uname
from collectors.security.identity import sudoerslines
from collectors.security.identity.accounts import GROUP, PASSWD
from collectors.security.identity.sudoerslines import Line
from collectors.security.identity.sudoerspeople import People
from collectors.security.identity.sudoersrules import Policy

MAIN = File("/etc/sudoers")
UNAME = Inventory("uname")
MAX_DEPTH = 128  # as sudo's own
MAX_FILES = 1000


class SudoersCollector(Collector, frozen=True):
    """`sudo` and `sudo_rules`.

    sudo: installed (false without /etc/sudoers, and then nothing else), defaults (what holds for
    all: name → value, those below given even if nobody sets them), scoped (rows of Defaults for
    some: scope, settings, source), not_understood (rows of source).
    sudo_rules: rows, one for each user and command list of one kind: key, who (name, %group, #uid, +netgroup,
    ALL), except (of these not), hosts, runas, runas_groups, root (whether it can be root, under
    whatever name, or be everybody else), commands, denied (`!` ones), all (whether every command),
    nopasswd, noexec, setenv, limited (holds at some times or for a certain content alone).
    """

    name: ClassVar[str] = "sudo"
    facts: ClassVar[tuple[str, ...]] = ("sudo", "sudo_rules")

    def readings(self) -> tuple[Reading, ...]:
        return (MAIN, UNAME, PASSWD, GROUP, Glob("/etc/sudoers.d/*"))

    def parse(self, answers: Answers) -> Iterable[Fact]:
        text = answers.maybe(MAIN)
        if text is None:
            yield Fact("sudo", {"installed": False}, {"": MAIN.path})
            yield Fact("sudo_rules", [], {"": MAIN.path})
            return
        files = {MAIN.path: list(sudoerslines.lines(MAIN.path, text))}
        _read_includes(files, answers)
        policy = Policy(People(answers.maybe(PASSWD) or "", answers.maybe(GROUP) or ""))
        for line in _in_order(files, answers):
            policy.add(line)
        sources = {"": MAIN.path, **{f"defaults.{n}": s for n, s in policy.sources.items()}}
        value = {
            "installed": True,
            "defaults": policy.defaults,
            "scoped": policy.scoped,
            "not_understood": policy.not_understood,
        }
        yield Fact("sudo", value, sources)
        yield Fact("sudo_rules", policy.rules(), {"": MAIN.path})


def _read_includes(files: dict[str, list[Line]], answers: Answers) -> None:
    """Read all that is included, asking for everything of one depth at once."""
    new = list(files)
    while new:
        more: list[Reading] = []
        found: list[str] = []
        for line in [line for path in new for line in files[path]]:
            if wanted := _wanted(line, answers):
                try:
                    texts = _texts(wanted, answers)
                except NeedMore as need:
                    more += need.readings
                    continue
                for path, text in texts.items():
                    if path not in files:
                        files[path] = list(sudoerslines.lines(path, text))
                        found.append(path)
        if more:
            raise NeedMore(*dict.fromkeys(more))
        if len(files) > MAX_FILES:
            raise ParseError(f"{MAIN.path}: includes more than {MAX_FILES} files")
        new = found


def _wanted(line: Line, answers: Answers) -> File | Glob | None:
    included = sudoerslines.include(line.text)
    if included is None:
        return None
    kind, path = included
    if "%h" in path:
        host = next((row.nodename for row in answers.rows(UNAME, Uname)), "")
        path = path.replace("%h", host.partition(".")[0])
    if not path.startswith("/"):
        path = f"{line.source.rpartition('/')[0]}/{path}"
    if kind == "include":
        return File(path)
    # a wildcard in the name of a folder is none to sudo
    quoted = "".join(f"[{char}]" if char in "*?[" else char for char in path.rstrip("/"))
    return Glob(f"{quoted}/*")


def _texts(wanted: File | Glob, answers: Answers) -> dict[str, str]:
    """Texts by path, in sudo's order; what cannot be read makes the whole unknown."""
    if isinstance(wanted, File):
        text = answers.maybe(wanted)
        return {} if text is None else {wanted.path: text}
    if answers.answer(wanted).state == "absent":
        return {}
    texts = {}
    for path, answer in sorted(answers.children(wanted).items()):
        name = path.rpartition("/")[2]
        if "." in name or name.endswith("~") or answer.state == "absent":
            continue
        if answer.state == "failed" and answer.reason in (
            "Is a directory",
            "is not a regular file",
        ):
            continue
        if answer.state != "content":
            raise Unavailable(File(path), answer)
        texts[path] = answer.content.decode("utf-8", "replace")
    return texts


def _in_order(files: dict[str, list[Line]], answers: Answers) -> Iterator[Line]:
    """All lines, those of an included file where it is included."""
    stack: list[Iterator[Line]] = [iter(files[MAIN.path])]
    visited = 0
    while stack:
        for line in stack[-1]:
            visited += 1
            if visited > sudoerslines.MAX_LINES:
                raise ParseError(f"{line.source}: more than {sudoerslines.MAX_LINES} lines in all")
            wanted = _wanted(line, answers)
            if wanted is None:
                yield line
                continue
            if len(stack) >= MAX_DEPTH:
                raise ParseError(f"{line.source}: too many levels of includes")
            below = [files[path] for path in _texts(wanted, answers)]
            stack.append(chain.from_iterable(below))
            break
        else:
            stack.pop()
