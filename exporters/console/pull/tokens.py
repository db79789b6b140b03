"""Tokens of agents: each may tell of one host, so often an hour. Random; the table has their hashes alone."""

from __future__ import annotations

import math
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Connection, Row, select, update

from exporters.console.people.sessions import hashed
from exporters.console.schema import agent_token
from exporters.console.web.asker import Asker
from exporters.console.web.refusals import Forbidden, TooMany, Unknown

BURST: Final = 10  # calls at once


def issue(connection: Connection, key: str, labels: Mapping[str, str], now: datetime) -> str:
    """A new token of a host; those that it had are worth nothing from now."""
    revoke(connection, key, now)
    token = secrets.token_urlsafe(32)
    connection.execute(
        agent_token.insert().values(
            token_hash=hashed(token), host_key=key, labels=dict(labels), created=now
        )
    )
    return token


def revoke(connection: Connection, key: str, now: datetime) -> int:
    """How many a host had."""
    done = connection.execute(
        update(agent_token)
        .where(agent_token.c.host_key == key, agent_token.c.revoked.is_(None))
        .values(revoked=now)
    )
    return int(done.rowcount)


def known(asker: Asker) -> None:
    """Raises Unknown and Forbidden for a token that is worth nothing. It only reads: strangers keep nobody waiting."""
    with asker.database.reading() as connection:
        _row(asker, connection)


def admitted(asker: Asker) -> Row[Any]:
    """The row of the token that an agent calls with; it is used once more. Raises Unknown, Forbidden and TooMany."""
    known(asker)
    pace = timedelta(hours=1) / asker.services.settings.pull.push_rate
    with asker.database.writing() as connection:
        row = _row(asker, connection, lock=True)
        paid = max(row.paced or asker.now, asker.now)
        if paid - asker.now > pace * BURST:
            wait = paid - asker.now - pace * BURST
            raise TooMany("too_many", max(1, math.ceil(wait.total_seconds())))
        connection.execute(
            update(agent_token)
            .where(agent_token.c.id == row.id)
            .values(used=asker.now, paced=paid + pace)
        )
    return row


def _row(asker: Asker, connection: Connection, *, lock: bool = False) -> Row[Any]:
    if not asker.token:
        raise Unknown("fleet.token_missing")
    statement = select(agent_token).where(agent_token.c.token_hash == hashed(asker.token))
    row = connection.execute(statement.with_for_update() if lock else statement).first()
    if row is None:
        raise Unknown("fleet.token_unknown")
    if row.revoked is not None:
        raise Forbidden("fleet.token_revoked")
    return row
