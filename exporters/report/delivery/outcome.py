"""How a delivery came out."""

from __future__ import annotations

from datetime import datetime
from typing import Literal, NamedTuple

from exporters.findings.text import neutral
from exporters.report.delivery.plan import NOTHING, Parcel
from exporters.report.delivery.words import say
from rules.model import Text


class DeliveryError(Exception):
    """A parcel that was not taken, and why."""

    def __init__(self, why: Text) -> None:
        super().__init__(why.en)
        self.why = why


class Outcome(NamedTuple):
    """`already`: it was delivered at `at`, by an earlier run; `other` figures then."""

    parcel: Parcel
    state: Literal["delivered", "already", "failed"]
    why: Text = NOTHING
    at: datetime | None = None
    other: bool = False

    def line(self, language: str) -> str:
        """For a person, in one line."""
        it = self.parcel
        whose = f" ({neutral(it.department)})" if it.department else ""
        return (
            f"{say(it.channel).of(language)} {neutral(it.to)}{whose}: {self._told().of(language)}"
        )

    def _told(self) -> Text:
        if self.state == "failed":
            return say("failed", self.why)
        if self.state == "already" and self.at:
            day = self.at.strftime("%Y-%m-%d %H:%M")
            return say("already_other" if self.other else "already", day)
        return say("delivered")
