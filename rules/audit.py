"""One audit of one host: its facts judged by packs, as the struct that is served and printed.

As JSON: {host, time, duration, packs: [{pack, title, params, score, counts, verdicts: [...]}]}.
`/findings`, `jianwei audit --format json` and the audit child all write exactly this.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec


from rules.model import Outcome, Text, Verdict


class Host(msgspec.Struct, frozen=True):
    """Which host. `id` is stable and part of every fingerprint; `name` is for people."""

    id: str
    name: str = ""


class PackResult(msgspec.Struct, frozen=True):
    """How one pack came out. `score` is 0 to 1, null where nothing counts; `counts` are rules."""

    pack: str
    title: Text
    params: dict[str, Any]
    score: float | None
    counts: dict[Outcome, int]
    verdicts: tuple[Verdict, ...]


class AuditResult(msgspec.Struct, frozen=True):
    """One audit. `time` is when it began, in UTC; `duration` in seconds, observation included."""

    host: Host
    time: datetime
    duration: float
    packs: tuple[PackResult, ...]
