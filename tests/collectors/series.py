"""The series that a collector makes of literal answers; readings without one are absent."""

from __future__ import annotations

from collections.abc import Mapping

from collectors.model import Answer, Answers, Collector, Family, Glob, Labels, Reading
from tests.collectors.literal import Said, answer

Series = dict[tuple[str, Labels], float]


def series(collector: Collector, said: Mapping[Reading, Said]) -> Series:
    """Values by name and labels, the labels sorted."""

    def one(reading: Reading) -> Answer:
        if reading in said:
            return answer(said[reading])
        return Answer("content") if isinstance(reading, Glob) else Answer("absent")

    made = collector.parse(Answers({reading: one(reading) for reading in collector.readings()}))
    return {
        (family.name, tuple(sorted(it.labels))): it.value
        for family in made
        if isinstance(family, Family)
        for it in family.samples
    }


def of(found: Series, name: str) -> dict[Labels, float]:
    return {labels: value for (family, labels), value in found.items() if family == name}


def plain(found: Series) -> dict[str, float]:
    """Values of the families without labels."""
    return {name: value for (name, labels), value in found.items() if not labels}
