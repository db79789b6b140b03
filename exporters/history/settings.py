"""Settings of the agent's own history."""

from __future__ import annotations

from typing import Annotated

import msgspec

from collectors.strictyaml import Duration
from exporters.history.schema import KEEP, KEEP_SKETCHES, ZONE, check_zone

MIN_BYTES = 10 << 20


class HistorySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`file` is empty for `history.db` in the state folder. `zone` is that of the days of a new file; one
    that is there keeps its own. Rollups are kept for `rollup_days`, what days were like for
    `sketch_days`, and the oldest are let go early, which is told, where the file would be above `max_bytes`
    (docs/history.md says what a resource takes)."""

    enable: bool = True
    file: str = ""
    zone: str = ZONE
    sample_interval: Duration = Duration(30)
    rollup_days: Annotated[int, msgspec.Meta(ge=2, le=400)] = KEEP
    sketch_days: Annotated[int, msgspec.Meta(ge=2, le=4000)] = KEEP_SKETCHES
    max_bytes: int = 2 << 30

    def __post_init__(self) -> None:
        if not 1 <= self.sample_interval <= 60:
            raise ValueError(
                f"the sample_interval of {self.sample_interval:g} s must be from 1s to 1m"
            )
        if self.max_bytes < MIN_BYTES:
            raise ValueError(f"max_bytes must be {MIN_BYTES} or more")
        check_zone(self.zone)
