"""The grammar of sudoers(5): lines, lists, tags, user specifications; what they say, unresolved."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from collectors.model import ParseError

MAX_LINES = 100_000
TAGS = (
    *("NOPASSWD", "PASSWD", "NOEXEC", "EXEC", "NOSETENV", "SETENV", "NOFOLLOW", "FOLLOW"),
    *("NOLOG_INPUT", "LOG_INPUT", "NOLOG_OUTPUT", "LOG_OUTPUT", "NOMAIL", "MAIL"),
    *("NOINTERCEPT", "INTERCEPT"),
)

_MARK = "\1"  # stands for the colon of a tag, which is no separator
DIGEST = "\2"  # stands before a command that is meant only with a certain content
_TAG = re.compile(rf"(?<![\w/.-])({'|'.join(TAGS)})[ \t]*:")
_LEADING_TAG = re.compile(rf"({'|'.join(TAGS)}){_MARK}[ \t]*")
_OPTION = re.compile(
    r"(ROLE|TYPE|PRIVS|LIMITPRIVS|TIMEOUT|NOTBEFORE|NOTAFTER|CWD|CHROOT|APPARMOR_PROFILE)"
    r'[ \t]*=[ \t]*(?:"[^"]*"|[^ \t]+)[ \t]*'
)
# With these a line holds at some times, or in some place, alone.
_LIMITS = ("NOTBEFORE", "NOTAFTER", "CHROOT")
_NEGATED = re.compile(rf"^({DIGEST}?!+)[ \t]+")
_DIGEST = re.compile(r"sha(?:224|256|384|512)[ \t]*:[ \t]*[A-Za-z0-9+/=]+[ \t,]*")
_INCLUDE = re.compile(r"[#@](include|includedir)[ \t]+(.+)")
# a user or group by number is the one thing that # begins beside comments
_COMMENT = re.compile(r'(?:[^#"\\]|\\.|"(?:[^"\\]|\\.)*"|["\\]|(?<![^\s,!%(:>=])#-?\d)*', re.DOTALL)
_WORDS = re.compile(r'(?:\\.|"[^"]*"|[^ \t\\"]|["\\])+')
_DEFAULTS = re.compile(
    r"Defaults(?:([@:!>])[ \t]*((?:[^ \t,]+[ \t]*,[ \t]*)*[^ \t]+))?(?:[ \t]+|$)"
)
_GROUPING = re.compile(r'["\\()]')
_ALIAS = re.compile(r"(User|Runas|Host|Cmnd|Cmd)_Alias[ \t]+")


class Line(NamedTuple):
    """One line with its continuations and without its comment."""

    source: str
    text: str


class Commands(NamedTuple):
    """What may be run as whom, by one list: as in `(root) NOPASSWD: /bin/a, /bin/b`, one command each."""

    runas: str | None  # None: not written; else users, perhaps a colon and groups
    tags: frozenset[str]
    command: str
    limited: bool  # holds only at some times or in some place


class Specification(NamedTuple):
    source: str
    users: list[str]
    hosts: list[str]
    commands: list[Commands]


def lines(path: str, text: str) -> Iterator[Line]:
    """Lines as sudo joins them: a backslash at the end continues one, unless it is in a comment."""
    whole: list[str] = []
    start = 1
    raw = text.split("\n")
    if len(raw) > MAX_LINES:
        raise ParseError(f"{path}: more than {MAX_LINES} lines")
    for number, line in enumerate(raw, 1):
        line = line.removesuffix("\r")
        whole.append(line.removesuffix("\\"))
        if line.endswith("\\") and number < len(raw) and uncommented(line) == line.strip():
            continue
        joined = " ".join(whole).strip()
        if joined:
            bare = joined if include(joined) else uncommented(joined)
            if bare:
                yield Line(f"{path}:{start}", bare)
        whole, start = [], number + 1


def uncommented(line: str) -> str:
    match = _COMMENT.match(line)
    return match[0].strip() if match else ""


def include(line: str) -> tuple[str, str] | None:
    """`include` or `includedir`, and the path."""
    match = _INCLUDE.fullmatch(line)
    if match is None:
        return None
    path = match[2].strip()
    if path[0] == '"':
        path = path.strip('"')
    elif blank := re.search(r"(?<!\\)[ \t]", path):
        path = path[: blank.start()]
    return match[1], path.replace("\\ ", " ")


def split(text: str, separator: str) -> list[str]:
    """Parts between separators that are not in quotes, parentheses or behind a backslash."""
    if not _GROUPING.search(text):
        return [part.strip() for part in text.split(separator)]
    parts: list[str] = []
    start = depth = 0
    quoted = escaped = False
    for i, char in enumerate(text):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = True
        elif char == '"':
            quoted = not quoted
        elif quoted:
            continue
        elif char == "(":
            depth += 1
        elif char == ")":
            depth = max(0, depth - 1)
        elif char == separator and not depth:
            parts.append(text[start:i].strip())
            start = i + 1
    return [*parts, text[start:].strip()]


def names(text: str) -> list[str]:
    """A list of users, hosts or commands; `! x` is written `!x`."""
    found = (_NEGATED.sub(r"\1", part) for part in split(text, ","))
    return [part.replace('"', "").replace("\\ ", " ") for part in found if part]


def alias(line: Line) -> tuple[str, dict[str, list[str]]] | None:
    """The kind and the members by name of an alias line; raises ParseError."""
    match = _ALIAS.match(line.text)
    if match is None:
        return None
    kind = "Cmnd" if match[1] == "Cmd" else match[1]
    found = {}
    for definition in split(_marked_digests(line.text[match.end() :]), ":"):
        name, equals, members = definition.partition("=")
        if not equals or not re.fullmatch(r"[A-Z][A-Z0-9_]*", name.strip()):
            raise ParseError(f"{line.source}: no alias")
        found[name.strip()] = names(members)
    return kind, found


def defaults(line: Line) -> tuple[str, str, list[str]] | None:
    """The sign (`:` users, `>` runas, `!` commands, `@` hosts, or none), for whom, the settings."""
    match = _DEFAULTS.match(line.text)
    if match is None:
        return None
    return match[1] or "", match[2] or "", [p for p in split(line.text[match.end() :], ",") if p]


def specifications(line: Line) -> list[Specification]:
    """`users hosts = commands : hosts = commands`; none where the line is not of that shape."""
    text = _TAG.sub(rf"\1{_MARK}", _marked_digests(line.text))
    first, *others = split(text, ":")
    left, *right = split(first, "=")
    words = _WORDS.findall(re.sub(r"[ \t]*,[ \t]*", ",", re.sub(r"![ \t]+", "!", left)))
    if len(words) != 2:
        return []
    users, hosts = (names(word) for word in words)
    found = [Specification(line.source, users, hosts, list(_commands("=".join(right))))]
    for other in others:
        left, *right = split(other, "=")
        found.append(
            Specification(line.source, users, names(left), list(_commands("=".join(right))))
        )
    whole = all(spec.users and spec.hosts and spec.commands for spec in found)
    return found if whole else []


def _marked_digests(text: str) -> str:
    return _DIGEST.sub(DIGEST, text)


def _commands(text: str) -> Iterator[Commands]:
    """Who to run as, the tags and the limits of one command hold for those that follow it."""
    runas: str | None = None
    tags: set[str] = set()
    limited = False
    for part in split(text, ","):
        rest = part
        if rest.startswith("("):
            inner, closing, rest = rest[1:].partition(")")
            if not closing:
                continue
            runas = inner.strip()
            rest = rest.strip()
        while option := _OPTION.match(rest):
            limited = limited or option[1] in _LIMITS
            rest = rest[option.end() :]
        while tag := _LEADING_TAG.match(rest):
            tags.discard(tag[1].removeprefix("NO") if tag[1].startswith("NO") else f"NO{tag[1]}")
            tags.add(tag[1])
            rest = rest[tag.end() :]
        command = _NEGATED.sub(r"\1", rest.strip())
        if command:
            yield Commands(runas, frozenset(tags), command, limited)
