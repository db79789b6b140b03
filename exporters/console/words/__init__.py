"""The console's catalogue: what people read, in Chinese and English. Each room has its words in a module of its own."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from exporters.console.words import (
    actions,
    attest,
    common,
    directory,
    fleet,
    hosts,
    manual,
    notify,
    overview,
    people,
    problems,
    reports,
    review,
    windows,
)
from rules.model import Text

_ROOMS: Final = (
    actions,
    attest,
    common,
    directory,
    fleet,
    hosts,
    manual,
    notify,
    overview,
    people,
    problems,
    reports,
    review,
    windows,
)


def _joined() -> Mapping[str, Text]:
    found: dict[str, Text] = {}
    for room in _ROOMS:
        if twice := found.keys() & room.WORDS.keys():
            raise ValueError(f"{room.__name__}: {sorted(twice)} are words of another room")
        found |= room.WORDS
    return MappingProxyType(found)


WORDS: Final = _joined()


def say(key: str, language: str, **values: Any) -> str:
    """KeyError for a key that is not there: a page with a hole in it is no page. A value may be a Text itself."""
    text = WORDS[key].of(language)
    said = {
        name: one.of(language) if isinstance(one, Text) else one for name, one in values.items()
    }
    return text.format(**said) if said else text
