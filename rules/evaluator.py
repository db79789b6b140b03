"""Runs compiled expressions over values, with our own functions and the gathering of offenders."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from rules import celbinding
from rules.expression import HIT, RENAMED, Expression, ExpressionError, compile_pattern

MAX_PATTERNS = 256  # compiled regular expressions kept


class Evaluator:
    """Runs expressions over one set of values, which are converted for CEL once."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._hits: list[Any] = []
        self._problem = ""
        self._patterns: dict[str, Callable[[str], object]] = {}
        self._context = celbinding.engine().Context(
            variables=dict(values),
            functions={
                RENAMED["matches"]: self._guarded(self._matches),
                "within": self._guarded(_within),
                HIT: self._hit,
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
            search = self._patterns[pattern] = compile_pattern(pattern)
        return search(text) is not None


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
