"""Who was heard, and who has gone silent. A silent agent's hits stay as they are: nothing is known of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Connection, case, func, literal, select, update

from exporters.console.codes import Moment
from exporters.console.schema import agent_token, host, target

TWICE: Final = "it says that it is the host {key}, as does {url}: two machines with one id?"


def heard(connection: Connection, host_ids: Iterable[int], now: datetime) -> None:
    """These have just been heard, and nothing was wrong."""
    if ids := sorted(set(host_ids)):
        connection.execute(
            update(host)
            .where(host.c.id.in_(ids))
            .values(
                heard=case((host.c.heard > now, host.c.heard), else_=literal(now, Moment())),
                silent_since=None,
                problem="",
            )
        )


def troubled(connection: Connection, problems: Mapping[int, str]) -> None:
    """What was wrong when these were last asked."""
    for host_id, problem in sorted(problems.items()):
        connection.execute(update(host).where(host.c.id == host_id).values(problem=problem))


def mark_silent(connection: Connection, seconds: float, now: datetime) -> int:
    """How many have gone silent now: nothing was heard of them for so long. Since when is when they were last heard."""
    last = func.coalesce(host.c.heard, host.c.received, host.c.first_seen)
    done = connection.execute(
        update(host)
        .where(host.c.silent_since.is_(None), last < now - timedelta(seconds=seconds))
        .values(silent_since=last)
    )
    return int(done.rowcount)


def belongs_to_another(connection: Connection, key: str, url: str) -> str:
    """Why a target may not tell of the host that it says it is: another agent does; empty if none."""
    known = connection.execute(select(host.c.id, host.c.source).where(host.c.key == key)).first()
    if known is None:
        return ""
    pushes = select(agent_token.c.id).where(
        agent_token.c.host_key == key, agent_token.c.revoked.is_(None)
    )
    if known.source == "push" and connection.execute(pushes.limit(1)).first():
        return f"it says that it is the host {key:.80}, which pushes with a token of its own"
    other = connection.execute(
        select(target.c.url).where(target.c.host_id == known.id, target.c.url != url).limit(1)
    ).scalar()
    if other is None:
        return ""
    return TWICE.format(key=key[:80], url=other)
