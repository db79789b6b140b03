"""Files of JSON lines that reports are made of: one file, or those of a folder. Format: https://jsonlines.org."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from collectors.strictyaml import DocumentError

MAX_LINE = 64 << 20  # bytes; more is no result of one subject
SUFFIXES = (".json", ".jsonl", ".ndjson")


def files(path: str) -> Sequence[str]:
    """The file, or those of the folder in order of their names. Raises DocumentError."""
    try:
        if not os.path.isdir(path):
            return [path]
        names = sorted(name for name in os.listdir(path) if name.endswith(SUFFIXES))
    except OSError as error:
        raise DocumentError(path, None, f"cannot be read: {error.strerror}") from error
    if not names:
        raise DocumentError(path, None, f"has no results; name files *{', *'.join(SUFFIXES)}")
    return [os.path.join(path, name) for name in names]


def lines(path: str, mistakes: list[DocumentError]) -> Iterator[tuple[int, bytes]]:
    """Lines that are not empty, with their numbers; after one that is too long there are no more. Raises
    DocumentError."""
    try:
        with open(path, "rb") as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                if len(line) > MAX_LINE:
                    problem = f"is longer than {MAX_LINE >> 20} MiB; no result is"
                    mistakes.append(DocumentError(path, number, problem))
                    return
                line = line.removeprefix(b"\xef\xbb\xbf") if number == 1 else line
                if line.strip():
                    yield number, line
    except OSError as error:
        raise DocumentError(path, None, f"cannot be read: {error.strerror}") from error
