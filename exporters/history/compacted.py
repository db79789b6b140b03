"""What one compaction did, as `jianwei history compact` tells it and the agent reads it."""

from __future__ import annotations

import msgspec


class Compacted(msgspec.Struct):
    """Days of series made blocks, and days that went. `dropped` went before their time, since the file was
    larger than allowed; `late` rollups came for days of which only sketches of more values are left, and
    were let go. `forgotten` resources nobody saw for as long as sketches are kept. `size` is what the
    file takes now, without free pages."""

    days: int = 0
    series: int = 0
    late: int = 0
    expired: int = 0
    expired_sketches: int = 0
    forgotten: int = 0
    dropped: list[str] = []
    dropped_sketches: list[str] = []
    size: int = 0

    def losses(self, most: int | None) -> list[str]:
        """What was lost that should not have been, a line each."""
        found = [
            f"{days[0]} to {days[-1]}: {what} were let go early, as the file may take {most} bytes"
            for what, days in (("rollups", self.dropped), ("sketches", self.dropped_sketches))
            if days
        ]
        if self.late:
            found.append(f"{self.late} rollups came too late for their days, and were let go")
        return found
