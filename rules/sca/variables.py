"""Variables of Wazuh SCA policies: `$name: text`, put in wherever a rule names them.

A name may begin like another one, so the longest comes first. A variable may name others.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

MAX_TEXT = 65536  # characters of one variable, those it names put in


class VariableError(ValueError):
    """What is wrong with a variable, by its name."""

    def __init__(self, name: str, problem: str) -> None:
        super().__init__(problem)
        self.name = name


class Variables:
    """Checked variables; raises VariableError."""

    def __init__(self, written: Mapping[str, str]) -> None:
        self._written = written
        self._texts: dict[str, str] = {}
        for name in written:
            if not re.fullmatch(r"\$[^\s,$]+", name):
                raise VariableError(name, "a variable is named $like_this")
        longest = sorted(written, key=len, reverse=True)
        self._names = re.compile("|".join(map(re.escape, longest))) if longest else None
        for name in written:
            self._resolve(name, ())

    def put_in(self, text: str) -> str:
        """A text with the variables that it names put in; raises ValueError where it grows too long."""
        return self._replaced(text, self._texts.__getitem__)

    def _resolve(self, name: str, within: tuple[str, ...]) -> str:
        if name in self._texts:
            return self._texts[name]
        if name in within:
            circle = " → ".join((*within[within.index(name) :], name))
            raise VariableError(within[0], f"variables name one another in a circle: {circle}")
        if len(within) > 64:
            raise VariableError(within[0], "more than 64 variables name one another in a row")
        inner = (*within, name)
        try:
            text = self._replaced(self._written[name], lambda other: self._resolve(other, inner))
        except _TooLongError as error:
            raise VariableError(name, str(error)) from error
        self._texts[name] = text
        return text

    def _replaced(self, text: str, of: Callable[[str], str]) -> str:
        if self._names is None or "$" not in text:
            return text
        pieces, end, length = [], 0, len(text)
        for match in self._names.finditer(text):
            pieces += [text[end : match.start()], of(match[0])]
            end = match.end()
            length += len(pieces[-1])
            if length > MAX_TEXT:
                raise _TooLongError(f"is longer than {MAX_TEXT} characters with its variables")
        return "".join((*pieces, text[end:]))


class _TooLongError(ValueError):
    pass
