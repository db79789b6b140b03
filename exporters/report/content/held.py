"""What is held without use: servers that are stopped, volumes that are attached to nothing, for whatever time. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from exporters.report.content.sums import released
from exporters.report.document import Held
from exporters.usage.lives import Life
from exporters.usage.period import Period
from rules.usagejudgement import Judgement

DAY = 86400.0


def held(
    judgements: Iterable[Judgement], lives: Mapping[str, Life], period: Period, zone: ZoneInfo
) -> tuple[Held, ...]:
    """Longest first. `due` as it is judged: what is exempt is not."""
    found = []
    for one in judgements:
        life = lives.get(one.resource)
        since = _since(one, life, period.until) if life else None
        if since is None or released(one):
            continue
        found.append(
            Held(
                resource=one.resource,
                name=one.name,
                kind=one.kind,
                department=one.department,
                system=one.system,
                since=datetime.fromtimestamp(since, zone),
                days=(period.until - since) / DAY,
                amount=one.granted,
                due=one.state in ("stopped", "detached"),
            )
        )
    return tuple(sorted(found, key=lambda it: (-it.days, it.department, it.name, it.resource)))


def _since(one: Judgement, life: Life, until: float) -> float | None:
    """Since when it is stopped or attached to nothing; None of what is used, or of which that is not known."""
    if one.kind == "server":
        state = life.last("state", until)
        return state.since if state and state.value == "stopped" else None
    if one.kind == "volume":
        attached = life.at("attached", until - 1)
        return attached.since if attached and attached.value == () else None
    return None
