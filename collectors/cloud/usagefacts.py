"""The fact `usage`: how each resource was used over a month, for the pack `utilisation`.

Who keeps the history judges it and hands the fact to the audit. By itself this collector says that no
resources are known: an audit of one host does not judge any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from collectors.model import Answers, Collector, Fact, Reading


class UsageCollector(Collector, frozen=True):
    """`usage`: no rows; `jianwei audit --facts` gives them."""

    name: ClassVar[str] = "usage"
    facts: ClassVar[tuple[str, ...]] = ("usage",)

    def readings(self) -> Sequence[Reading]:
        return ()

    def parse(self, answers: Answers) -> Iterable[Fact]:
        yield Fact("usage", [])
