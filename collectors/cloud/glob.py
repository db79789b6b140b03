"""Names with `*` (any characters) and `?` (one): no regular expression, so that no name is slow."""

from __future__ import annotations


def is_glob(text: str) -> bool:
    return "*" in text or "?" in text


def matches(pattern: str, text: str) -> bool:
    """Whether the whole text is of the pattern; at most len(pattern) × len(text) steps."""
    first, *rest = pattern.split("*")
    if not rest:
        return len(first) == len(text) and _at(first, text, 0)
    last = rest.pop()
    end = len(text) - len(last)
    if len(first) > end or not _at(first, text, 0) or not _at(last, text, end):
        return False
    position = len(first)
    for part in rest:  # the leftmost place leaves most for the parts after it
        position = _find(part, text, position, end)
        if position < 0:
            return False
    return True


def _at(part: str, text: str, start: int) -> bool:
    if "?" not in part:
        return text.startswith(part, start)
    return len(text) - start >= len(part) and all(
        one in ("?", other)
        for one, other in zip(part, text[start : start + len(part)], strict=True)
    )


def _find(part: str, text: str, start: int, end: int) -> int:
    """Where the part's first place after `start` ends, and before `end`; -1 without one."""
    if "?" not in part:
        found = text.find(part, start, end)
        return found if found < 0 else found + len(part)
    for place in range(start, end - len(part) + 1):
        if _at(part, text, place):
            return place + len(part)
    return -1
