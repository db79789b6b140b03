"""What all requests of one console share beside its database. Made once, at the start."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Final

from exporters.console.people.door import Door
from exporters.console.settings import ConsoleSettings
from rules.model import Pack, Rule

AT_ONCE: Final = 2  # audits taken in
LARGE: Final = 1 << 20  # bytes; as objects they may be thirty times as many


@dataclass(frozen=True)
class Services:
    """`rules` are those of the built-in packs and of the site's own by id: their texts are shown beside hits.
    `door` checks passwords, `packs` are those packs by name. `taking` is held while an audit is unpacked, read and taken
    in, and `turn(content)` from its reading on: each needs memory, and the database has one writer."""

    settings: ConsoleSettings
    rules: Mapping[str, Rule]
    packs: Mapping[str, Pack] = field(default_factory=dict)
    door: Door = field(init=False)
    taking: threading.Semaphore = field(init=False)
    _large: threading.Lock = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "door", Door(self.settings.people))  # of these settings, always
        object.__setattr__(self, "taking", threading.Semaphore(AT_ONCE))
        object.__setattr__(self, "_large", threading.Lock())

    def turn(self, content: bytes) -> AbstractContextManager[object]:
        """Of those that are large one at once."""
        return self._large if len(content) > LARGE else nullcontext()
