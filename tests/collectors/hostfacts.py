"""Facts of literal answers about a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from collectors.model import (
    Answer,
    Answers,
    Collector,
    Fact,
    Glob,
    Reading,
)
from tests import netlab
from tests.collectors.literal import Said, answer

needs_lab = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())


def facts(collector: Collector, said: Mapping[Any, Said]) -> dict[str, Fact]:
    """Facts of literal answers; readings without one are absent."""
    by_reading: dict[Reading, Answer] = {
        reading: Answer("content") if isinstance(reading, Glob) else Answer("absent")
        for reading in collector.readings()
    }
    by_reading |= {reading: answer(it) for reading, it in said.items()}
    return {it.name: it for it in collector.parse(Answers(by_reading)) if isinstance(it, Fact)}


def value(collector: Collector, said: Mapping[Any, Said]) -> Any:
    return facts(collector, said)[collector.facts[0]].value
