"""The fact `lines`: the state of every line, for the pack `link-quality`.

The resident agent knows the states and hands the fact to the audit it starts. By itself this
collector says that no lines are configured: an audit by hand does not judge any.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar

from collectors.model import Answers, Collector, Fact, Reading


class LinesCollector(Collector, frozen=True):
    """`lines`: no rows; `jianwei audit --facts` gives them."""

    name: ClassVar[str] = "lines"
    facts: ClassVar[tuple[str, ...]] = ("lines",)

    def readings(self) -> Sequence[Reading]:
        return ()

    def parse(self, answers: Answers) -> Iterable[Fact]:
        yield Fact("lines", [])
