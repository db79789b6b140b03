"""Whether lines are as a pattern wants them, and which line decides it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from rules.sca.grammar import Pattern
from rules.sca.regex import Semantics

MAX_SHOWN = 300  # bytes of a line that is told

# crypt(5) and GRUB: what stands in for a password is never told
_HASH = re.compile(rb"(\$[A-Za-z0-9-]{1,16}\$|grub\.pbkdf2\.[a-z0-9]+\.)[^\s:\"']{6,}")
# what stands behind such a word, in a URL before the host, or in the body of a key
_VALUE = re.compile(
    rb"(?i)((?:pass(?:wd|word|phrase)?|pwd|secret|token|api_?key|access_?key)[\"']?[ \t]*[=:][ \t]*[\"']?)[^\s\"',;]+"
    rb"|(\br[ow]community6?[ \t]+|\bcom2sec6?[ \t]+\S+[ \t]+\S+[ \t]+)\S+|(://[^\s/:@]*:)[^\s/@]+(?=@)"
)
_BODY = re.compile(rb"[A-Za-z0-9+/]{40,}={0,2}")


class Content(NamedTuple):
    """Some text and where it is from. `secret`: its lines are not to be told."""

    source: str
    data: bytes
    secret: bool = False

    def lines(self) -> list[bytes]:
        lines = self.data.split(b"\n")
        if lines[-1] == b"":
            lines.pop()
        return [line.rstrip(b"\r") for line in lines] if b"\r" in self.data else lines

    def text(self) -> bytes:
        """The lines as one text, so that their ends are where `$` looks for them."""
        return b"\n".join(self.lines()) if b"\r" in self.data else self.data


class Line(NamedTuple):
    """One line that decides: its text, empty where it must not be told, and its place. `long` is a hash of
    one that is cut."""

    text: str
    source: str
    long: str = ""


class Looked(NamedTuple):
    """Whether a pattern is found; `line` decided it, or came nearest."""

    found: bool
    line: Line | None


def look(pattern: Pattern, contents: Sequence[Content], semantics: Semantics) -> Looked:
    """Look for a pattern; raises Unjudged.

    A lone negated test is found in 4.x where some line lacks it, in 5.x where no line has it, which
    needs a line at all.
    """
    if pattern.forbids and semantics == 5:
        return _none_has(pattern, contents)
    nearest: Line | None = None
    most = 0
    for content in contents:
        if not _may(pattern, content):
            continue
        for number, line in enumerate(content.lines(), 1):
            passed = positive = 0
            for term in pattern.terms:
                if not term.holds(line):
                    break
                passed += 1
                positive += not term.negated
            if passed == len(pattern.terms):
                return Looked(True, _line(content, number, line))
            compared = pattern.terms[passed].captures(line)
            if (near := positive + compared) > most:
                nearest, most = _line(content, number, line), near
    return Looked(False, nearest)


def _none_has(pattern: Pattern, contents: Sequence[Content]) -> Looked:
    term = pattern.terms[0]
    there = False
    for content in contents:
        there = there or bool(content.data)
        if term.regex and not term.regex.may_match(content.text()):
            continue
        for number, line in enumerate(content.lines(), 1):
            if not term.holds(line):
                return Looked(False, _line(content, number, line))
    return Looked(there, None)


def _may(pattern: Pattern, content: Content) -> bool:
    """False only if no line can pass: the first test that wants something finds it nowhere."""
    wanting = (term.regex for term in pattern.terms if not term.negated and term.regex)
    regex = next(wanting, None)
    return regex is None or regex.may_match(content.text())


def _line(content: Content, number: int, line: bytes) -> Line:
    source = f"{content.source}:{number}"
    if content.secret:
        return Line("", source)
    text = masked(line)
    long = hashlib.sha256(text).hexdigest() if len(text) > MAX_SHOWN else ""
    return Line(shown(line), source, long)


def shown(line: bytes) -> str:
    """A line as it may be told: hashes, passwords and keys left out, not too long."""
    text = masked(line)
    cut = text[:MAX_SHOWN].decode("utf-8", "replace")
    return cut + "…" if len(text) > MAX_SHOWN else cut


def masked(line: bytes) -> bytes:
    """The same, however long."""
    text = line.strip()
    if _BODY.fullmatch(text):
        return b"..."
    return _VALUE.sub(rb"\1\2\3...", _HASH.sub(rb"\1...", text))
