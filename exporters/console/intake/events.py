"""What an audit or a waiver did to a hit, as rows of `hit_event`: its state, and what it shows."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from rules.model import Hit

MAX_SHOWN: Final = 2000  # characters of what it showed


def of_change(number: int, old: Hit | None, one: Hit, time: datetime) -> list[dict[str, Any]]:
    """The events of one hit, in their order; `old` is None for one never seen. An event of kind `evidence` has the
    JSON of what was shown before and is now; `text` of a state is the waiver's, or the note."""
    rows = []
    if old is None or old.state != one.state:
        text = one.waiver if one.state == "waived" else "" if one.state == "regressed" else one.note
        rows.append(_row(number, time, "state", old.state if old else "", one.state, text))
    if old is not None and old.evidence != one.evidence:
        rows.append(_row(number, time, "evidence", _short(old.actual), _short(one.actual), ""))
    return rows


def _row(
    number: int, time: datetime, kind: str, before: str, after: str, text: str
) -> dict[str, Any]:
    return {
        "hit_id": number,
        "time": time,
        "kind": kind,
        "actor": "",
        "before": before,
        "after": after,
        "text": text,
    }


def _short(text: str) -> str:
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 1] + "…"
