"""Why a department uses more or less of what it has than the month before, in words. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from exporters.report.content.decomposition import Cause
from exporters.report.content.numbers import adding_up, signed
from exporters.report.content.words import CAUSE, USE, fill, listed, say
from rules.model import Text


def reason(
    before: float | None, now: float | None, causes: Sequence[Cause], compared: bool = True
) -> Text:
    """`before` and `now` in percent; `compared`: there is a month before at all."""
    if not compared:
        return say("no_before")
    if now is None:
        return say("unknown_both" if before is None else "unknown_now")
    if before is None:
        return say("unknown_before")
    points = adding_up([it.points for it in causes])
    told = [
        fill(
            USE[(shown > 0) - (shown < 0)] if it.what == "use" else CAUSE[it.what],
            n=it.servers,
            points=signed(shown),
        )
        for it, shown in zip(causes, points, strict=True)
    ]
    return say("change", change=signed(sum(points)), causes=listed(told))
