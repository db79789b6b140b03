"""Evidence as text for a terminal or a log: what an attacker wrote cannot steer either."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from typing import Any


def neutral(text: str) -> str:
    """The text with control, format and line-breaking characters written as escapes."""
    if text.isprintable():
        return text  # nearly all; none of those characters is
    return "".join(
        character
        if character == " " or (character.isprintable() and not _hidden(character))
        else character.encode("unicode_escape", "backslashreplace").decode("ascii")
        for character in text
    )


def words(value: Any) -> str:
    """A value of JSON in few characters: `uid=0 shell=/bin/sh`, `no, prohibit-password`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return " ".join(f"{words(key)}={_inner(item)}" for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_inner(item) for item in value)
    return neutral(str(value))


def width(text: str) -> int:
    """Columns on a terminal."""
    return sum(
        0
        if unicodedata.combining(character)
        else 2
        if unicodedata.east_asian_width(character) in "WF"
        else 1
        for character in text
    )


def cut(text: str, columns: int) -> str:
    """The text in at most so many columns, `…` at its end where something is missing."""
    if 2 * len(text) <= columns or width(text) <= columns:
        return text
    end = taken = 0
    while (taken := taken + width(text[end])) < columns:
        end += 1
    return f"{text[:end]}…"


def _inner(value: Any) -> str:
    text = words(value)
    if isinstance(value, (list, tuple)):
        return f"[{text}]"
    return f"{{{text}}}" if isinstance(value, Mapping) else text


def _hidden(character: str) -> bool:
    # marks that turn the direction of writing, and others that show as nothing
    return unicodedata.category(character) in ("Cf", "Cc", "Co", "Cs", "Zl", "Zp")
