"""The files that settings of attribution name, read together: the override table and the
registry."""

from __future__ import annotations

import os
from typing import NamedTuple

from collectors.cloud.overrides import Overrides
from collectors.cloud.ownersettings import AttributionSettings
from collectors.cloud.systems import Registry
from collectors.strictyaml import DocumentError


class OwnerFiles(NamedTuple):
    table: Overrides
    registry: Registry


def load(settings: AttributionSettings) -> OwnerFiles:
    """Empty ones where none is named. Raises DocumentError, which tells every mistake of a file,
    also where the aliases of the table and of the settings contradict each other."""
    path = os.path.expanduser(settings.overrides_file)
    table = Overrides.load(path) if path else Overrides()
    try:
        aliases = settings.aliases.joined(table.aliases)
    except ValueError as error:
        raise DocumentError(path, None, f"aliases, with those of the settings: {error}") from error
    systems = os.path.expanduser(settings.systems_file)
    return OwnerFiles(table, Registry.load(systems, aliases) if systems else Registry())
