"""The items of GB/T 22239-2019 that packs are about, and the units of GB/T 28448-2019 that assess them.

The catalogue is gb22239.yaml beside this file: its items in the standard's order, by which units are
counted, with summaries in our own words; the text of the standard is not in it.
"""

from __future__ import annotations

import functools
import os
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from collectors import strictyaml
from rules.model import Text

STANDARD, UNITS = "gb22239", "gb28448"
CATALOGUE = os.path.join(os.path.dirname(__file__), "gb22239.yaml")

# The chapters of GB/T 22239 and what GB/T 28448 calls the units that assess them.
_CHAPTERS = {"2": "CNS1", "3": "ABS1", "4": "CES1", "5": "SMC1"}


class Clause(NamedTuple):
    """One item of one level: `id` as 8.1.4.1.a, the `unit` that assesses it, the `control` that it is part of
    and what it asks for. `other` is the same item at the other level, empty if it is not there."""

    id: str
    unit: str
    control: Text
    summary: Text
    other: str


class _Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    zh: str
    en: str
    l3: str
    l2: str | None = None


class _Section(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    level3: str
    title: Text
    items: tuple[_Item, ...]
    level2: str = ""


class _Catalogue(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    sections: tuple[_Section, ...]


@functools.cache
def catalogue() -> dict[str, Clause]:
    """All items by id, in the standard's order: those of level 2 (7.1) and of level 3 (8.1)."""
    found = strictyaml.load(CATALOGUE, _Catalogue).sections
    clauses = [*_of_level(found, 2), *_of_level(found, 3)]
    return {clause.id: clause for clause in clauses}


def _of_level(sections: tuple[_Section, ...], level: int) -> Iterator[Clause]:
    counts: Counter[str] = Counter()
    for section in sections:
        for item in section.items:
            three = _id(section.level3, item.l3)
            two = "" if item.l2 is None else _id(section.level2, item.l2)
            own, other = (three, two) if level == 3 else (two, three)
            if own:
                chapter = _CHAPTERS[own.split(".")[2]]
                counts[chapter] += 1
                unit = f"L{level}-{chapter}-{counts[chapter]:02}"
                yield Clause(own, unit, section.title, Text(item.zh, item.en), other)


def _id(section: str, letter: str) -> str:
    return f"{section}.{letter}" if letter else section


def unit(clause: str) -> str:
    """The GB/T 28448 unit that assesses a clause; empty for one that is not in the catalogue."""
    found = catalogue().get(clause)
    return found.unit if found else ""
