"""What all requests of one console share beside its database. Made once, at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from exporters.console.people.door import Door
from exporters.console.settings import ConsoleSettings
from rules.model import Pack, Rule


@dataclass(frozen=True)
class Services:
    """`rules` are those of the built-in packs and of the site's own by id: their texts are shown beside hits.
    `door` checks passwords, `packs` are those packs by name."""

    settings: ConsoleSettings
    rules: Mapping[str, Rule]
    packs: Mapping[str, Pack] = field(default_factory=dict)
    door: Door = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "door", Door(self.settings.people))  # of these settings, always
