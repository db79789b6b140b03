"""What all requests of one console share beside its database. Made once, at the start."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from exporters.console.people.door import Door
from exporters.console.settings import ConsoleSettings
from rules.model import Rule


@dataclass(frozen=True)
class Services:
    """`rules` are those of the built-in packs and of the site's own by id: their texts are shown beside hits. `door` checks
    passwords."""

    settings: ConsoleSettings
    rules: Mapping[str, Rule]
    door: Door
