"""Lines that cannot be used: counted by reason, the first few quoted, or all of it refused."""

from __future__ import annotations

import codecs
from collections import Counter
from typing import Final

from exporters.findings.text import cut, neutral

QUOTED: Final = 5
_COLUMNS: Final = 60


class ImportRefused(Exception):
    """Nothing is kept. `str()` says why and what to do."""


class BadLines:
    """Those of all files of an import; `file` is the one that is read."""

    def __init__(self, strict: bool) -> None:
        self.strict, self.file = strict, ""
        self.count = 0
        self.reasons: Counter[str] = Counter()
        self.quoted: list[str] = []

    def tell(self, number: int, line: bytes, reason: str) -> None:
        """One more; with `strict` raises ImportRefused."""
        self.count += 1
        self.reasons[reason if len(self.reasons) < 100 else "other"] += 1
        if len(self.quoted) >= QUOTED and not self.strict:
            return
        told = f"{neutral(self.file)}:{number}: {reason}"
        if line:
            told += f": {cut(neutral(_text(line)), _COLUMNS)}"
        if self.strict:
            raise ImportRefused(f"{told}; nothing is imported")
        self.quoted.append(told)


def _text(line: bytes) -> str:
    """The start of a line, whatever its encoding."""
    start = line[: 4 * _COLUMNS].rstrip(b"\r\n")
    try:
        return codecs.getincrementaldecoder("utf-8")().decode(start)  # may end within a character
    except UnicodeDecodeError:
        return start.decode("gb18030", "replace")
