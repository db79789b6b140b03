"""The configuration of OpenSSH's server as sshd itself reads it: sshd_config(5).

The first value of a keyword wins (of MaxStartups the last), and what a `Match` block that applies
says goes before all else; `Match all` applies to everyone. `Include` is read where it stands and keeps the `Match` block around
it; a `Match` in an included file ends with that file.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import msgspec

from collectors.model import ParseError
from collectors.security.sshserver.sshdkeywords import (
    ADDING,
    ALIASES,
    COMMON,
    LAST,
    NUMBERS,
    SYNONYMS,
    TIMES,
    UPPER,
    WHOLE,
    WORDS,
)

MAX_DEPTH = 16  # as sshd's own
MAX_FILES = 1000
MAX_SETTINGS = 50_000

_KEYWORD = re.compile(
    r'[ \t\r]*(?:"([^"]*)"[ \t\r]*|([^ \t\r="]+)[ \t\r]*=?[ \t\r]*)(.*)', re.DOTALL
)
_TIME = re.compile(r"([0-9]{1,9})([smhdw]?)", re.IGNORECASE)
_SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}


class Line(NamedTuple):
    """One directive: where it stands, its keyword in small letters, its arguments."""

    source: str
    keyword: str
    arguments: list[str]


class Block(msgspec.Struct):
    """What holds under one condition; no criteria = for everyone."""

    criteria: str = ""
    settings: dict[str, Any] = {}
    sources: dict[str, str] = {}
    source: str = ""

    def set(self, line: Line) -> None:
        keyword, value = line.keyword, _value(line)
        if keyword in ADDING:
            self.settings.setdefault(keyword, []).extend(value)
        elif keyword in LAST:
            self.settings[keyword] = value
            self.sources[keyword] = line.source
        else:
            self.settings.setdefault(keyword, value)
        self.sources.setdefault(keyword, line.source)


class Config(NamedTuple):
    """What is said before any `Match`, by `Match all`, and by each other `Match` in their order."""

    common: Block
    everyone: Block
    matches: list[Block]

    def settings(self) -> dict[str, Any]:
        """What holds for whoever no other `Match` is about."""
        return self.common.settings | self.everyone.settings

    def sources(self) -> dict[str, str]:
        return self.common.sources | self.everyone.sources


Include = Callable[[str], dict[str, str]]


def lines(path: str, text: str) -> Iterator[Line]:
    """The directives of one file; raises ParseError where sshd would refuse the file."""
    for number, raw in enumerate(text.split("\n"), 1):
        source = f"{path}:{number}"
        line = raw.partition("\0")[0].rstrip(" \t\r\f")
        match = _KEYWORD.match(line)
        keyword = (match[1] or match[2] or "").lower() if match else ""
        if match is None or not keyword or keyword.startswith("#"):
            continue
        whole = keyword in WHOLE and match[3]
        arguments = [match[3]] if whole else split(match[3], source)
        if not arguments:
            raise ParseError(f"{source}: {keyword} has no value")
        yield Line(source, ALIASES.get(keyword, keyword), arguments)


def split(text: str, source: str) -> list[str]:
    """Words of a line: quotes of both kinds, escapes, a comment at the end."""
    words: list[str] = []
    word: list[str] | None = None
    quote = ""
    i = 0
    while i < len(text):
        char, following = text[i], text[i + 1 : i + 2]
        if word is None and char in " \t":
            pass
        elif word is None and char == "#":
            break
        elif not quote and char in " \t":
            words.append("".join(word or ()))
            word = None
        else:
            word = [] if word is None else word
            if char == "\\" and (following in ("'", '"', "\\") or (following == " " and not quote)):
                word.append(following)
                i += 1
            elif not quote and char in "'\"":
                quote = char
            elif char == quote:
                quote = ""
            else:
                word.append(char)
        i += 1
    if quote:
        raise ParseError(f"{source}: a quote is not closed")
    return words if word is None else [*words, "".join(word)]


def parse(path: str, text: str, include: Include) -> Config:
    """The configuration; `include` gives the files that match a pattern, by path.

    Raises ParseError where sshd would refuse it, and whatever `include` raises.
    """
    config = Config(Block(), Block(), [])
    _Reader(config, include).file(path, text, config.common, 0)
    return config


def patterns(path: str, text: str, folder: str) -> list[str]:
    """What a file includes, as absolute patterns."""
    return [
        pattern
        for line in lines(path, text)
        if line.keyword == "include"
        for pattern in _absolute(line, folder)
    ]


class _Reader:
    def __init__(self, config: Config, include: Include) -> None:
        self._config = config
        self._include = include
        self._files = self._settings = 0

    def file(self, path: str, text: str, block: Block, depth: int) -> None:
        self._files += 1
        if depth > MAX_DEPTH or self._files > MAX_FILES:
            raise ParseError(f"{path}: too many includes")
        outer = block
        for line in lines(path, text):
            self._settings += 1
            if self._settings > MAX_SETTINGS:
                raise ParseError(f"{line.source}: too many lines")
            if line.keyword == "include":
                for pattern in _absolute(line, "/etc/ssh"):
                    for name, content in sorted(self._include(pattern).items()):
                        self.file(name, content, block, depth + 1)
            elif line.keyword == "match":
                block = self._match(line, outer)
            elif block is self._config.everyone and line.keyword in COMMON:
                self._config.common.set(line)
            else:
                block.set(line)

    def _match(self, line: Line, outer: Block) -> Block:
        if [word.lower() for word in line.arguments] == ["all"]:
            return outer if outer.criteria else self._config.everyone
        criteria = " ".join(line.arguments)
        if outer.criteria:
            criteria = f"{outer.criteria} && {criteria}"
        block = Block(criteria, source=line.source)
        self._config.matches.append(block)
        return block


def _absolute(line: Line, folder: str) -> list[str]:
    return [p if p.startswith("/") else f"{folder}/{p}" for p in line.arguments]


def _value(line: Line) -> Any:
    keyword, first = line.keyword, line.arguments[0]
    try:
        if keyword in NUMBERS:
            return _integer(first)
        if keyword in TIMES:
            return _seconds(first)
    except ValueError as error:
        raise ParseError(f"{line.source}: {keyword}: {error}") from error
    if keyword == "port":
        return [int(first) if first.isascii() and first.isdigit() and len(first) < 6 else first]
    if keyword == "listenaddress":
        return [first]
    if keyword == "subsystem":
        return [" ".join(line.arguments)]
    if keyword in ADDING:
        return line.arguments
    text = " ".join(line.arguments)
    if keyword in WORDS:
        text = first.lower()
    elif keyword in UPPER:
        text = first.upper()
    return SYNONYMS.get((keyword, text), text)


def _integer(text: str) -> int:
    if not re.fullmatch(r"-?[0-9]{1,9}", text):
        raise ValueError(f"{text!r} is not a number")
    return int(text)


def _seconds(text: str) -> int:
    if text.lower() == "none":
        return 0
    parts = _TIME.findall(text)
    if not parts or "".join(n + u for n, u in parts) != text:
        raise ValueError(f"{text!r} is not a time")
    return sum(int(number) * _SECONDS[unit.lower()] for number, unit in parts)
