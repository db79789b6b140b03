"""Answers written as literals, and the families that a collector makes of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import msgspec

from collectors.model import Answer, Answers, Collector, Family, Reading

Said = Answer | str | Iterable[msgspec.Struct] | Mapping[str, Answer | str]
Values = dict[tuple[str, ...], float]


def answer(said: Said) -> Answer:
    if isinstance(said, Answer):
        return said
    if isinstance(said, str):
        return Answer("content", said.encode())
    if isinstance(said, Mapping):
        children = tuple((path, answer(child)) for path, child in said.items())
        return Answer("content", children=children)
    return Answer("content", msgspec.json.encode(list(said)))


def parse(collector: Collector, said: Mapping[Reading, Said]) -> dict[str, Family]:
    made = list(collector.parse(Answers({r: answer(it) for r, it in said.items()})))
    return {it.name: it for it in made if isinstance(it, Family) and it.samples}


def values(family: Family) -> Values:
    """Values by the values of their labels."""
    return {
        tuple(v for _, v in it.labels) + (it.suffix,) * bool(it.suffix): it.value
        for it in family.samples
    }
