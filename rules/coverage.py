"""Which items of GB/T 22239 a pack covers: by rules that judge, by questions to a person, or not."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from rules import clauses
from rules.clauses import Clause
from rules.model import Pack, Rule

How = Literal["automatic", "partly", "manual", "off", "missing"]


class Covered(NamedTuple):
    """One item: its rules that judge, those that ask a person, those switched off."""

    clause: Clause
    automatic: tuple[Rule, ...]
    manual: tuple[Rule, ...]
    off: tuple[Rule, ...]

    @property
    def how(self) -> How:
        """`partly`: what a host shows is judged, and a person attests the rest."""
        if self.automatic:
            return "partly" if self.manual else "automatic"
        if self.manual:
            return "manual"
        return "off" if self.off else "missing"


def levels(pack: Pack) -> list[str]:
    """The levels that a pack is about, as their clauses begin: `7.`, `8.`."""
    found = {c[:2] for rule in pack.rules for c in rule.maps.get(clauses.STANDARD, ())}
    return sorted(found)


def coverage(pack: Pack, level: str) -> Iterator[Covered]:
    """Every item of a level, in the standard's order."""
    for clause in clauses.catalogue().values():
        if clause.id.startswith(level):
            rules = [r for r in pack.rules if clause.id in r.maps.get(clauses.STANDARD, ())]
            off = tuple(rule for rule in rules if rule.id in pack.off)
            on = [rule for rule in rules if rule.id not in pack.off]
            yield Covered(
                clause,
                tuple(rule for rule in on if not rule.manual),
                tuple(rule for rule in on if rule.manual),
                off,
            )
