"""CEL expressions as packs write them: checked when they are loaded, run under a bounded cost.

The language is CEL (cel-spec) by the Rust binding: no loops, no I/O, always ends. Beyond it:
`matches` runs under google-re2, since the native one compiles its pattern again for every row, and
a list of offenders is gathered row by row, since the native `filter` copies its result for every
hit. Only names that are declared can be used, and only the functions in `FUNCTIONS` and `MACROS`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

MAX_LENGTH = 4000  # characters
MAX_DEPTH = 32  # brackets within brackets
MAX_PATTERNS = 256  # compiled regular expressions kept

MACROS = frozenset({"all", "exists", "exists_one", "filter", "map"})
FUNCTIONS = frozenset(
    {"contains", "double", "endsWith", "has", "int", "matches", "size", "startsWith", "string"}
    | {"within"}
)
PARAMS = "params"

# Our own functions have other names inside: a native function cannot be replaced.
_RENAMED = {"matches": "re2_matches_"}
_HIT = "hit_"
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
        import cel

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
            self.program = cel.compile(self._renamed(self._tokens, 0, len(text)))
        except ValueError as error:
            raise ExpressionError(f"is not CEL: {_syntax_error(str(error))}") from error
        self._check_references({*names, PARAMS})
        self.gathers = False

    @classmethod
    def of_offenders(cls, text: str, names: Collection[str], params: Collection[str]) -> Expression:
        """As `list.filter(row, test)` costs the square of its hits, each is handed over instead."""
        import cel

        expression = cls(text, names, params)
        if gathering := expression._gathering():
            expression.program = cel.compile(gathering)
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
        ours = {*FUNCTIONS, *_RENAMED.values()}
        for name in references["functions"]:
            if re.match(r"[A-Za-z]", name):
                _known(name, ours, "function")

    def _check_patterns(self) -> None:
        """Patterns that are written out must be regular expressions."""
        for i, token in enumerate(self._tokens):
            if token.text == "matches" and self._text(i + 1) == "(":
                for argument in self._tokens[i + 2 : i + 5]:
                    if argument.kind == "string":
                        _compile(_literal(argument.text))

    def _renamed(self, tokens: Sequence[_Token], start: int, end: int) -> str:
        """The text from `start` to `end` with our own functions under their inner names."""
        parts = []
        for i, token in enumerate(tokens[:-1]):
            if not start <= token.start < end or tokens[i + 1].text != "(":
                continue
            if token.kind == "name" and token.text in _RENAMED:
                parts += [self.text[start : token.start], _RENAMED[token.text]]
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
        return f"{source}all({row.text}, ({test}\n) ? {_HIT}({row.text}) : true)"


class Evaluator:
    """Runs expressions over one set of values, which are converted for CEL once."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        import cel

        self._hits: list[Any] = []
        self._problem = ""
        self._patterns: dict[str, Callable[[str], object]] = {}
        self._context = cel.Context(
            variables=dict(values),
            functions={
                _RENAMED["matches"]: self._guarded(self._matches),
                "within": self._guarded(_within),
                _HIT: self._hit,
            },
        )

    def value(self, expression: Expression) -> Any:
        """The value, or ExpressionError."""
        self._problem = ""
        try:
            value = expression.program.execute(self._context)
        except Exception as error:  # whatever a pack's expression raises is its own fault
            raise ExpressionError(self._problem or _run_error(error)) from error
        if self._problem:
            raise ExpressionError(self._problem)
        return value

    def offenders(self, expression: Expression) -> list[Any]:
        """The rows of a list; ExpressionError also where it is no list."""
        self._hits = []
        found = self.value(expression)
        if expression.gathers:
            return self._hits
        if not isinstance(found, list):
            raise ExpressionError(f"offenders is not a list but {_type(found)}")
        return found

    def truth(self, expression: Expression, what: str) -> bool:
        """A boolean; ExpressionError where it is none."""
        value = self.value(expression)
        if not isinstance(value, bool):
            raise ExpressionError(f"{what} is not true or false but {_type(value)}")
        return value

    def _guarded(self, function: Callable[..., bool]) -> Callable[..., bool]:
        """The binding logs what a function raises, so the problem is kept instead."""

        def call(*arguments: Any) -> bool:
            try:
                return function(*arguments)
            except (TypeError, ValueError) as error:
                self._problem = self._problem or str(error)[:300]
                return False

        return call

    def _hit(self, row: Any) -> bool:
        self._hits.append(row)
        return True

    def _matches(self, text: Any, pattern: Any) -> bool:
        if not isinstance(text, str) or not isinstance(pattern, str):
            raise TypeError("matches() takes text and a pattern")
        search = self._patterns.get(pattern)
        if search is None:
            if len(self._patterns) >= MAX_PATTERNS:
                self._patterns.clear()
            search = self._patterns[pattern] = _compile(pattern)
        return search(text) is not None


def _tokens(text: str) -> Iterator[_Token]:
    for match in _TOKEN.finditer(text):
        yield _Token(str(match.lastgroup), match[0], match.start(), match.end())


def _compile(pattern: str) -> Callable[[str], object]:
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
    import cel

    try:
        return str(cel.evaluate(text))
    except ValueError as error:
        raise ExpressionError(f"{text} is not a CEL string") from error


def _within(mode: Any, limit: Any) -> bool:
    """Whether `mode` has no bit that `limit` has not; each an integer or octal text."""
    bits, allowed = _bits(mode), _bits(limit)
    return bits & ~allowed == 0


def _bits(value: Any) -> int:
    if isinstance(value, str) and re.fullmatch(r"[0-7]{1,12}", value):
        return int(value, 8)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError(f"within() takes modes such as 0640, and {value!r} is none")


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


def _run_error(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"there is no {error.args[0] if error.args else error!s}"
    if isinstance(error, TypeError) and "No such overload" in str(error):
        return "an operation is not defined for values of these types"
    lines = str(error).splitlines()
    return f"{type(error).__name__}: {lines[0] if lines else ''}"[:300]


def _type(value: Any) -> str:
    names: dict[type, str] = {
        bool: "a boolean",
        int: "a number",
        float: "a number",
        str: "a text",
        list: "a list",
        dict: "a map",
        type(None): "null",
    }
    return names.get(type(value), type(value).__name__)
