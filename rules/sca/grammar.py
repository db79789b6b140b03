"""Rules of Wazuh SCA policies, as "Creating custom SCA policies" of Wazuh's manual has them.

    rule    := ["not "] ("f" | "d" | "p" | "c" | "r") ":" target [" -> " pattern]
    target  := path {"," path} of files or directories, a command line, a process
    pattern := minterm {" && " minterm}
    minterm := ["!"] ("r:" regex | "n:" regex " compare " operator " " integer | whole line)

Of a directory the first pattern is of names, a further one of the content of those files. A rule
that is no rule at all is a RuleError; what cannot be judged is told by `problem`.
"""

from __future__ import annotations

import operator
import re
import shlex
from collections.abc import Callable
from typing import Literal

import msgspec

from rules.sca.regex import Engine, Regex, Semantics, Unjudged, osmatch

Kind = Literal["f", "d", "p", "c", "r"]
KINDS: dict[str, str] = {
    "f": "file",
    "d": "directory",
    "p": "process",
    "c": "command",
    "r": "registry",
}

MAX_RULE = 16384  # characters
MAX_TERMS = 64
MAX_PATHS = 64

_OPERATORS: dict[str, Callable[[int, int], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}
_INTEGER = re.compile(rb"\s*([+-]?\d{1,30})(?!\d)")
_ARROW = re.compile(r"->|\s!?[rn]:")
_ASIDE = re.compile(r"\s+(?=!?[rn]:)")


class RuleError(ValueError):
    """What is no rule; `str()` says how it is written."""


class Term:
    """One test of a line: a regular expression, a number's comparison, or the whole line."""

    __slots__ = ("_compare", "_limit", "_literal", "negated", "regex", "text")

    def __init__(self, text: str, engine: Engine, semantics: Semantics) -> None:
        self.text = text
        self.negated = text.startswith("!")
        body = text[self.negated :]
        if not body:
            raise Unjudged("a part of the pattern is empty")
        self.regex: Regex | None = None
        self._compare: Callable[[int, int], bool] | None = None
        self._limit = 0
        self._literal: Regex | None = None
        kind = body[:2].lower() if semantics == 4 else body[:2]
        if kind == "r:":
            self.regex = Regex(body[2:], engine, semantics)
        elif kind == "n:":
            self.regex = self._comparison(body[2:], engine, semantics)
        else:
            # 4.x: letters of either case are the same
            case = "i" if semantics == 4 else "-i"
            self._literal = Regex(f"^(?{case}:{re.escape(body)})$", "pcre2", semantics)

    def _comparison(self, text: str, engine: Engine, semantics: Semantics) -> Regex:
        regex, compare, rest = text.partition(" compare ")
        words = rest.split()
        known = ", ".join(_OPERATORS)
        if not compare or len(words) != 2 or words[0] not in _OPERATORS:
            raise Unjudged(f"n: needs `REGEX compare OPERATOR INTEGER`, OPERATOR one of {known}")
        if not re.fullmatch(r"[+-]?\d{1,30}", words[1], re.ASCII):
            raise Unjudged(f"{words[1][:50]!r} is no integer to compare with")
        self._compare, self._limit = _OPERATORS[words[0]], int(words[1])
        return Regex(regex, engine, semantics)

    def holds(self, line: bytes) -> bool:
        """Whether a line passes the test; raises Unjudged where there is no number in it."""
        return self._holds(line) != self.negated

    def captures(self, line: bytes) -> bool:
        """Whether a line has the number that is compared: it is near, even where it does not hold."""
        return bool(self._compare and self.regex and self.regex.matches(line))

    def _holds(self, line: bytes) -> bool:
        if self._literal:
            return self._literal.matches(line)
        if self.regex is None:
            return False
        if self._compare is None:
            return self.regex.matches(line)
        captured = self.regex.captured(line)
        if captured is None:
            return False
        number = _INTEGER.match(captured)
        if number is None:
            shown = captured[:50].decode("utf-8", "replace")
            raise Unjudged(f"{shown!r}, which is to be compared, is no number")
        return self._compare(int(number[1]), self._limit)


class Pattern(msgspec.Struct, frozen=True):
    """Tests of which one line must pass all."""

    text: str
    terms: tuple[Term, ...]

    @property
    def forbids(self) -> bool:
        """A lone negated test, which 4.x and 5.x take in different ways."""
        return len(self.terms) == 1 and self.terms[0].negated


class Rule(msgspec.Struct, frozen=True):
    """One rule. `problem` says why it cannot be judged; the fields may then be empty.

    `targets` are paths, or what a command or process is; `names` tests names of a directory's files.
    """

    text: str
    kind: Kind
    negated: bool = False
    targets: tuple[str, ...] = ()
    names: Regex | None = None
    pattern: Pattern | None = None
    problem: str = ""


def rule(
    text: str, engine: Engine, semantics: Semantics, replace: Callable[[str], str] = str
) -> Rule:
    """A rule, `replace` applied where variables stand; raises RuleError."""
    if len(text) > MAX_RULE:
        raise RuleError(f"is longer than {MAX_RULE} characters")
    if "\0" in text or "\n" in text:
        raise RuleError("holds a line end or a NUL")
    body = text.lstrip(" \t")
    if semantics == 5:
        body = replace(body.rstrip(" \t"))
    negated = body.startswith(("not ", "NOT "))
    if negated:
        body = body[4:].lstrip(" \t")
    kind, colon, rest = body.partition(":")
    bang = kind.startswith("!")
    name = kind[bang:]
    if not colon or name not in ("f", "d", "p", "c", "r"):
        raise RuleError("a rule begins with f:, d:, p:, c: or r:, perhaps after `not `")
    found = Rule(text, name, negated)  # type: ignore[arg-type]  # one of the five
    try:
        if bang:
            raise Unjudged("the ! before the kind means nothing to Wazuh; write `not ` instead")
        return _parsed(found, rest, engine, semantics, replace)
    except Unjudged as error:
        return msgspec.structs.replace(found, problem=str(error))


def _parsed(
    found: Rule, rest: str, engine: Engine, semantics: Semantics, replace: Callable[[str], str]
) -> Rule:
    target, arrow, pattern = rest.partition(" -> ")
    target = target.strip(" \t")
    if semantics == 4:
        target = replace(target)  # 4.x: variables stand before the arrow only
    if not target:
        raise RuleError("nothing is named after the kind")
    names: Regex | None = None
    tests = pattern if arrow else ""
    match found.kind:
        case "r":
            raise Unjudged("it is about the registry of Windows")
        case "f" | "d":
            targets = _paths(target)
            if found.kind == "d" and arrow:
                name, arrow, tests = pattern.partition(" -> ")
                names = _names(name.strip(" \t"), engine, semantics)
        case "c":
            targets = _words(target)
        case "p":
            targets = (target if not arrow else f"{target} -> {pattern}",)
            arrow, tests = " -> ", targets[0]
    made = _pattern(tests, engine, semantics) if arrow else None
    return msgspec.structs.replace(found, targets=targets, names=names, pattern=made)


def _paths(target: str) -> tuple[str, ...]:
    if _ARROW.search(target):
        raise Unjudged("there must be ` -> `, with its spaces, before what is looked for")
    paths = tuple(path.strip() for path in target.split(",") if path.strip())
    if not 0 < len(paths) <= MAX_PATHS:
        raise Unjudged(f"it needs from 1 to {MAX_PATHS} paths")
    for path in paths:
        if "$" in path:
            raise Unjudged(f"{path[:100]!r} names a variable that the policy does not have")
        if not path.startswith("/"):
            raise Unjudged(f"{path[:100]!r} is no absolute path")
        if ".." in path.split("/"):
            raise Unjudged(f"{path[:100]!r}: a path with .. may lead anywhere")
    return tuple("/" + "/".join(p for p in path.split("/") if p not in ("", ".")) for path in paths)


def _names(text: str, engine: Engine, semantics: Semantics) -> Regex:
    if not text:
        raise Unjudged("the name of a file is empty")
    if text.startswith("r:"):
        # 4.x: names are always OSRegex, whatever regex_type says
        return Regex(text[2:], "osregex" if semantics == 4 else engine, semantics)
    if semantics == 4:
        return Regex(f"(?i){osmatch(text)}", "pcre2", semantics)
    return Regex(f"^(?-i:{re.escape(text)})$", "pcre2", semantics)


def _words(command: str) -> tuple[str, ...]:
    try:
        words = tuple(shlex.split(command))
    except ValueError as error:
        raise Unjudged(f"the command cannot be taken apart: {error}") from error
    if not words or not words[0]:
        raise Unjudged("the command is empty")
    return words


def _pattern(text: str, engine: Engine, semantics: Semantics) -> Pattern:
    if text.endswith(" &&") or text.startswith("&& "):
        raise Unjudged("there must be something on both sides of &&")
    # a space too many before r: or n: would make the test a whole line that nobody means
    parts = [_ASIDE.sub("", part, 1) if part[:1] == " " else part for part in text.split(" && ")]
    if len(parts) > MAX_TERMS:
        raise Unjudged(f"the pattern has more than {MAX_TERMS} parts")
    return Pattern(text, tuple(Term(part, engine, semantics) for part in parts))
