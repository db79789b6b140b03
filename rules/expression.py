"""CEL expressions as packs write them: checked when they are loaded, run under a bounded cost.

The language is CEL (cel-spec) by the Rust binding: no loops, no I/O, always ends. Beyond it:
`matches` runs under google-re2, since the native one compiles its pattern again for every row, and
a list of offenders is gathered row by row, since the native `filter` copies its result for every
hit. Only names that are declared can be used, and only the functions in `FUNCTIONS` and `MACROS`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from typing import NamedTuple

from rules import celbinding

MAX_LENGTH = 4000  # characters
MAX_DEPTH = 32  # brackets within brackets

MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
FUNCTIONS = frozenset(
    {"contains", "double", "endsWith", "has", "int", "matches", "size", "startsWith", "string"}
    | {"within"}
)
PARAMS = "params"

# Our own functions have other names inside: a native function cannot be replaced.
RENAMED = {"matches": "re2_matches_"}
HIT = "hit_"
_KEYWORDS = frozenset({"true", "false", "null", "in"})

_TOKEN = re.compile(
    r"""
      (?P<string> [bB]?[rR][bB]?(?: \"{3}.*?\"{3} | '{3}.*?'{3} | "[^"\n]*" | '[^'\n]*' )
                | [bB]?(?: \"{3}(?:\\.|.)*?\"{3} | '{3}(?:\\.|.)*?'{3}
                         | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*' ) )
    | (?P<space>  \s+ | //[^\n]* )
    | (?P<number> \d[\w.]* )
    | (?P<name>   [A-Za-z_]\w* )
    | (?P<other>  . )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)


class ExpressionError(ValueError):
    """What is wrong with an expression, in words for whoever wrote it; `part` is its key."""

    part = ""


class _Token(NamedTuple):
    kind: str
    text: str
    start: int
    end: int


class Expression:
    """One compiled expression. Raises ExpressionError.

    `names` are the facts that it may see (and `params`), `params` the names of the pack's
    parameters. `gathers` is set for an expression whose hits are gathered one by one.
    """

    def __init__(self, text: str, names: Collection[str], params: Collection[str] = ()) -> None:
        self.text = text
        if len(text) > MAX_LENGTH:
            raise ExpressionError(f"is longer than {MAX_LENGTH} characters")
        self._tokens = [t for t in _tokens(text) if t.kind != "space"]
        if not self._tokens:
            raise ExpressionError("is empty")
        self._check_brackets()
        self.used = self._check_names({*names, PARAMS}, params)
        self._check_patterns()
        try:
            self.program = celbinding.engine().compile(self._renamed(self._tokens, 0, len(text)))
        except ValueError as error:
            raise ExpressionError(f"is not CEL: {_syntax_error(str(error))}") from error
        self._check_references({*names, PARAMS})
        self.gathers = False

    @classmethod
    def of_offenders(cls, text: str, names: Collection[str], params: Collection[str]) -> Expression:
        """As `list.filter(row, test)` costs the square of its hits, each is handed over instead."""
        expression = cls(text, names, params)
        if gathering := expression._gathering():
            expression.program = celbinding.engine().compile(gathering)
            expression.gathers = True
        return expression

    def fact_keys(self) -> Iterator[tuple[str, str]]:
        """(fact, key) wherever a key of a fact is named: `sshd.port`, `sysctl["a.b"]`."""
        for i, token in enumerate(self._tokens):
            if token.kind != "name" or self._text(i - 1) == ".":
                continue
            if self._text(i + 1) == "." and self._text(i + 3) != "(":
                yield token.text, self._text(i + 2)
            elif self._text(i + 1) == "[" and self._kind(i + 2) == "string":
                yield token.text, _literal(self._text(i + 2))

    def _text(self, index: int) -> str:
        return self._tokens[index].text if 0 <= index < len(self._tokens) else ""

    def _kind(self, index: int) -> str:
        return self._tokens[index].kind if 0 <= index < len(self._tokens) else ""

    def _check_brackets(self) -> None:
        depth = 0
        for token in self._tokens:
            depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
            if depth > MAX_DEPTH:
                raise ExpressionError(f"is nested more than {MAX_DEPTH} deep")

    def _check_names(self, names: Collection[str], params: Collection[str]) -> frozenset[str]:
        """Every name is declared, or is bound by a macro around it; returns the declared ones."""
        used: set[str] = set()
        scopes: list[str] = []  # one entry an open bracket: the name that it binds, or ""
        self._bound: set[str] = set()
        for i, (kind, text, *_) in enumerate(self._tokens):
            if text in ("(", "[", "{"):
                scopes.append(self._binds(i, names))
            elif text in (")", "]", "}") and scopes:
                scopes.pop()
            if kind != "name" or text in _KEYWORDS:
                continue
            following = self._text(i + 1)
            if following == "(":
                _known(text, FUNCTIONS | MACROS, "function")
            elif following == "{":
                raise ExpressionError(f"messages ({text}{{…}}) are not supported")
            elif self._text(i - 1) != "." and text not in scopes:
                _known(text, names, "name", "; declare it under facts")
                used.add(text)
                if text == PARAMS and following == ".":
                    _known(self._text(i + 2), params, "parameter")
        return frozenset(used)

    def _binds(self, bracket: int, names: Collection[str]) -> str:
        if self._text(bracket) != "(" or self._text(bracket - 1) not in MACROS:
            return ""
        if self._text(bracket - 2) != "." or self._text(bracket + 2) != ",":
            return ""
        variable = self._text(bracket + 1)
        if variable in names:
            raise ExpressionError(f"{variable!r} is the name of a fact; call the row otherwise")
        if variable.startswith("__"):
            raise ExpressionError(f"{variable!r} is reserved; call the row otherwise")
        self._bound.add(variable)
        return variable

    def _check_references(self, names: Collection[str]) -> None:
        """What the parser saw must agree with what we saw."""
        references = self.program.references()
        for name in references["variables"]:
            _known(name, {*names, *self._bound}, "name", "; declare it under facts")
        ours = {*FUNCTIONS, *RENAMED.values()}
        for name in references["functions"]:
            if re.match(r"[A-Za-z]", name):
                _known(name, ours, "function")

    def _check_patterns(self) -> None:
        """Patterns that are written out must be regular expressions."""
        for i, token in enumerate(self._tokens):
            if token.text == "matches" and self._text(i + 1) == "(":
                for argument in self._tokens[i + 2 : i + 5]:
                    if argument.kind == "string":
                        compile_pattern(_literal(argument.text))

    def _renamed(self, tokens: Sequence[_Token], start: int, end: int) -> str:
        """The text from `start` to `end` with our own functions under their inner names."""
        parts = []
        for i, token in enumerate(tokens[:-1]):
            if not start <= token.start < end or tokens[i + 1].text != "(":
                continue
            if token.kind == "name" and token.text in RENAMED:
                parts += [self.text[start : token.start], RENAMED[token.text]]
                start = token.end
        return "".join([*parts, self.text[start:end]])

    def _gathering(self) -> str | None:
        """`LIST.filter(row, test)` as `LIST.all(row, test ? hit_(row) : true)`, or None."""
        tokens, depth = self._tokens, 0
        opening = len(tokens) - 1
        if tokens[opening].text != ")":
            return None
        while opening >= 0:
            text = tokens[opening].text
            depth += (text in (")", "]", "}")) - (text in ("(", "[", "{"))
            if depth == 0:
                break
            opening -= 1
        if opening < 3 or self._text(opening - 1) != "filter" or self._text(opening - 2) != ".":
            return None
        # the list must be all that stands before, not the last operand of something
        for token in tokens[: opening - 2]:
            depth += (token.text in ("(", "[", "{")) - (token.text in (")", "]", "}"))
            plain = token.kind == "name" and token.text not in _KEYWORDS
            if depth == 0 and not plain and token.text not in (".", ")", "]"):
                return None
        row, comma = tokens[opening + 1], tokens[opening + 2]
        source = self._renamed(tokens, 0, tokens[opening - 1].start)
        test = self._renamed(tokens, comma.end, tokens[-1].start)
        return f"{source}all({row.text}, ({test}\n) ? {HIT}({row.text}) : true)"


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        yield _Token(str(match.lastgroup), match[0], match.start(), match.end())


def compile_pattern(pattern: str) -> Callable[[str], object]:
    """A search for an RE2 pattern; raises ExpressionError."""
    import re2

    options = re2.Options()
    options.log_errors = False
    try:
        search: Callable[[str], object] = re2.compile(pattern, options).search
    except re2.error as error:
        raise ExpressionError(f"{pattern!r} is not an RE2 regular expression: {error}") from error
    return search


def _literal(text: str) -> str:
    """The value of a string literal."""
    try:
        return str(celbinding.engine().evaluate(text))
    except ValueError as error:
        raise ExpressionError(f"{text} is not a CEL string") from error


def _known(name: str, names: Collection[str], what: str, hint: str = "") -> None:
    if name not in names:
        near = difflib.get_close_matches(name, sorted(names), 1)
        hint = hint or f"; there are: {', '.join(sorted(names)) or 'none'}"
        raise ExpressionError(
            f"no {what} {name!r}" + (f"; did you mean {near[0]!r}?" if near else hint)
        )


def _syntax_error(message: str) -> str:
    match = re.search(r"ERROR: <input>:\d+:(\d+): (.*)", message)
    return f"column {match[1]}: {match[2]}" if match else message.splitlines()[0]
