"""The table of collectors: every one by name, and whether it is on by default.

`metrics` collectors are observed at each scrape. Those without are asked only when a rule needs
their facts.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import msgspec

from collectors.host.loadavg import LoadavgCollector
from collectors.model import Collector


class Entry(NamedTuple):
    """One collector: its class, whether it is on by default, whether it has metrics at all."""

    cls: type[Collector]
    on: bool = True
    metrics: bool = True


_ENTRIES = (Entry(LoadavgCollector),)

COLLECTORS: dict[str, Entry] = {entry.cls.name: entry for entry in _ENTRIES}

# One optional key a collector, its value that collector's own settings.
Settings: Any = msgspec.defstruct(
    "Settings",
    [
        (name, entry.cls, msgspec.field(default_factory=entry.cls))
        for name, entry in COLLECTORS.items()
    ],
    frozen=True,
    forbid_unknown_fields=True,
    rename=None,
)


def for_facts(names: set[str], settings: Any) -> list[Collector]:
    """The collectors that supply these facts."""
    return [
        getattr(settings, name)
        for name, entry in COLLECTORS.items()
        if names.intersection(entry.cls.facts)
    ]
