"""Which of several consoles does what only one may do: a lease in the database, renewed while its holder lives.

One statement takes or renews it, so that no two hold it at once, as long as the consoles' clocks differ by less than
the lease is long.
"""

from __future__ import annotations

import secrets
import socket
from datetime import datetime, timedelta

from sqlalchemy import delete, or_

from exporters.console.database import Database
from exporters.console.schema import lease


def holder_name() -> str:
    """A name for this console that no other one has, not even the one before it on this machine."""
    return f"{socket.gethostname()[:60]}-{secrets.token_hex(6)}"


def held(database: Database, name: str, holder: str, seconds: float, now: datetime) -> bool:
    """Whether `holder` has the lease `name` from now for `seconds`: it had it, or nobody has it any longer."""
    until = now + timedelta(seconds=seconds)
    row = database.upsert(lease).values(name=name, holder=holder, until=until)
    taken = row.on_conflict_do_update(
        index_elements=[lease.c.name],
        set_={"holder": holder, "until": until},
        where=or_(lease.c.holder == holder, lease.c.until <= now),
    ).returning(lease.c.holder)
    with database.writing() as connection:
        return connection.execute(taken).first() is not None


def released(database: Database, name: str, holder: str) -> None:
    """Another one may have it at once."""
    with database.writing() as connection:
        connection.execute(delete(lease).where(lease.c.name == name, lease.c.holder == holder))
