"""What one reading may bring at most, from whatever source: anybody on a host can make files, and many
of them must cost a reading that meets them, not the others beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sized

from collectors.model import Answer, ParseError

MATCHES = 10_000  # paths that match a pattern
BYTES = 16 << 20  # of all files of a Glob

TOO_MANY = f"more than {MATCHES} paths match"
TOO_LONG = f"the files are longer than {BYTES >> 20} MiB together"


def check_matches(found: Sized) -> None:
    """Raises ParseError for more matches than a reading may have."""
    if len(found) > MATCHES:
        raise ParseError(TOO_MANY)


def of_children(children: Iterable[tuple[str, Answer]]) -> Answer:
    """The answer to a Glob; of children that are too long together no more are taken."""
    kept: list[tuple[str, Answer]] = []
    size = 0
    for path, answer in children:
        size += len(answer.content)
        if size > BYTES:
            return Answer("failed", reason=TOO_LONG)
        kept.append((path, answer))
    return Answer("content", children=tuple(kept))
