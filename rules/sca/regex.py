"""Regular expressions of Wazuh SCA policies, run by RE2 so that no pattern can hang an agent.

Two languages: OSRegex, Wazuh's own (documented under "Regular Expression Syntax": a class has a
backslash, `+` and `*` follow a class only, `|` is on the outside, letters of either case are the
same), and PCRE2. What PCRE2 has beyond RE2 (lookaround, back references, possessive quantifiers)
cannot be judged. Both match bytes, as Wazuh does.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Literal

Engine = Literal["osregex", "pcre2"]
Semantics = Literal[4, 5]

MAX_PATTERN = 4096  # bytes

_PUNCTUATION = "()*+,-.:;<=>?[]!\"'#$%&|{}"
_CLASSES = {
    "w": "[A-Za-z0-9@_-]",
    "W": "[^A-Za-z0-9@_-]",
    "d": "[0-9]",
    "D": "[^0-9]",
    "s": " ",
    "S": "[^ ]",
    "t": r"\t",
    "p": "[" + "".join("\\" + character for character in _PUNCTUATION) + "]",
    ".": "(?s:.)",
}
_ESCAPED = "()\\$|<"  # stand for themselves after a backslash
# what a line's ends mean within a whole text: with these a text says nothing about its lines
MAX_PROGRAM = (
    1 << 20
)  # bytes that a pattern may become; large repeats would take seconds to compile
_OF_TEXTS = re.compile(r"\\[AzZG]|\(\?[a-zA-Z]*-[a-zA-Z]*m")


class Unjudged(ValueError):
    """What of a policy cannot be judged, and why: its check is unknown."""


class Regex:
    """One compiled pattern. Raises Unjudged for one that is broken or that RE2 does not know."""

    def __init__(self, text: str, engine: Engine, semantics: Semantics) -> None:
        self.text = text
        if not text:
            raise Unjudged("the regular expression is empty")
        if len(text.encode("utf-8", "surrogatepass")) > MAX_PATTERN:
            raise Unjudged(f"a regular expression is longer than {MAX_PATTERN} bytes")
        pattern = osregex(text) if engine == "osregex" else text
        folds = engine == "osregex" or semantics == 5
        self._line = _compiled(pattern, folds, text)
        whole = not _OF_TEXTS.search(pattern)
        self._text = _compiled(f"(?m){pattern}", folds, text) if whole else None

    def matches(self, line: bytes) -> bool:
        return self._line.search(line) is not None

    def may_match(self, text: bytes) -> bool:
        """False only if no line of a text matches: one call instead of one a line."""
        return self._text is None or self._text.search(text) is not None

    def captured(self, line: bytes) -> bytes | None:
        """The first group of a match, else the whole of it; None where nothing matches."""
        match = self._line.search(line)
        if match is None:
            return None
        group = match.group(1) if self._line.groups else None
        found: bytes = match.group(0) if group is None else group
        return found


@functools.lru_cache(4096)
def _compiled(pattern: str, folds: bool, text: str) -> Any:
    import re2

    options = re2.Options()
    options.max_mem = MAX_PROGRAM
    options.log_errors = False
    options.case_sensitive = not folds
    options.encoding = re2.Options.Encoding.LATIN1  # one byte is one character
    try:
        return re2.compile(pattern.encode("utf-8", "surrogateescape"), options)
    except re2.error as error:
        why = error.args[0].decode("utf-8", "replace") if error.args else "?"
        raise Unjudged(f"RE2 does not take {text[:200]!r}: {why}") from error
    except UnicodeEncodeError as error:
        raise Unjudged(f"{text[:200]!r} is no text") from error


def osregex(text: str) -> str:
    """An OSRegex in RE2's language; raises Unjudged."""
    return "|".join(_alternative(one) for one in _alternatives(text))


def osmatch(text: str) -> str:
    """An OSMatch (plain text, `^`, `$`, `|`) in RE2's language."""
    parts = []
    for one in text.split("|"):
        begin, end = one.startswith("^"), one.endswith("$")
        plain = one[begin : len(one) - end]
        parts.append("^" * begin + "".join(map(_plain, plain)) + "$" * end)
    return "|".join(parts)


def _alternatives(text: str) -> list[list[str]]:
    """The alternatives, each in parts: a character, or a backslash and a character."""
    found: list[list[str]] = [[]]
    depth = at = 0
    while at < len(text):
        part = text[at : at + 2] if text[at] == "\\" else text[at]
        at += len(part)
        if part == "|":
            if depth:
                raise Unjudged(f"{text[:200]!r}: OSRegex has no | inside of parentheses")
            found.append([])
            continue
        depth += (part == "(") - (part == ")")
        if depth not in (0, 1):
            raise Unjudged(f"{text[:200]!r}: OSRegex has parentheses of one level, closed")
        if part[0] == "\\" and (len(part) == 1 or part[1] not in (*_CLASSES, *_ESCAPED)):
            raise Unjudged(f"{text[:200]!r}: OSRegex has no {part}")
        found[-1].append(part)
    if depth:
        raise Unjudged(f"{text[:200]!r}: a parenthesis is not closed")
    return found


def _alternative(parts: list[str]) -> str:
    begin, end = parts[:1] == ["^"], len(parts) > 1 and parts[-1] == "$"
    written, classed = "^" if begin else "", False
    for part in parts[begin : len(parts) - end]:
        if part in ("(", ")") or (part in ("+", "*") and classed):
            written += part
        elif part[0] == "\\":
            written += _CLASSES.get(part[1]) or _plain(part[1])
        else:
            written += _plain(part)
        classed = part[0] == "\\"
    return written + "$" * end


def _plain(character: str) -> str:
    if not character.isascii():
        # bytes are matched: of several only the last would be meant by what follows
        return f"(?:{character})"
    return character if character.isalnum() else f"\\x{ord(character):02x}"
