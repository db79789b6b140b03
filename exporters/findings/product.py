"""Who tells: the names that security platforms show."""

from __future__ import annotations

import functools
from typing import Final

from exporters.prometheus import selfmetrics

VENDOR: Final = "Jianwei"
NAME: Final = "Jianwei"


@functools.cache
def version() -> str:
    """Asked for with each event, and read from the disk once."""
    return selfmetrics.version()
