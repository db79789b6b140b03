"""Whether an LDAP directory still vouches for those who are logged in: background work of the console.

Who was taken out, or has no role any more, is logged out, and their API tokens end. Who cannot be asked about for the
time of `recheck` is logged out too, and their tokens do not count meanwhile: a directory that is down is no way to
stay in.
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import NamedTuple

import msgspec
from sqlalchemy import exists, select

from exporters.console import auditlog
from exporters.console.database import Database
from exporters.console.people import sessions
from exporters.console.people.directory.identity import DirectoryDown, Identity, provision
from exporters.console.people.directory.ldapsettings import LdapSettings
from exporters.console.schema import api_token, session, user

log = logging.getLogger(__name__)


class _Inside(NamedTuple):
    id: int
    name: str
    subject: str
    vouched: datetime | None


class Recheck:
    """`run_once` every `interval` seconds. Several consoles may do it: each does the same."""

    def __init__(self, database: Database, settings: LdapSettings) -> None:
        self._database, self._settings = database, settings
        self.interval = settings.recheck / 3

    def run_once(self, now: datetime) -> None:
        from exporters.console.people.directory import ldap

        for n, row in enumerate(rows := self._inside(now)):
            try:
                self._told(row, ldap.still(self._settings, row.subject, row.name), now)
            except DirectoryDown as error:
                log.warning("the directory (ldap) cannot be asked: %s", error)
                self._unasked(rows[n:], now)
                return
            except Exception:
                # of one user: those after them are asked about all the same
                log.exception("%s cannot be asked about in the directory (ldap)", row.name)
                self._unasked([row], now)

    def _told(self, row: _Inside, identity: Identity | None, now: datetime) -> None:
        with self._database.writing() as connection:
            if identity is not None:
                # however the directory writes the DN that it was asked for
                same = msgspec.structs.replace(identity, subject=row.subject)
                provision(connection, same, now)
            elif sessions.end_all(connection, row.id):
                auditlog.record(connection, "", "users.directory_gone", row.name, now=now)

    def _inside(self, now: datetime) -> list[_Inside]:
        """Who has a session or an API token."""
        has = exists().where(session.c.user_id == user.c.id, session.c.expires > now)
        token = exists().where(api_token.c.user_id == user.c.id, api_token.c.expires > now)
        with self._database.reading() as connection:
            found = connection.execute(
                select(user.c.id, user.c.name, user.c.subject, user.c.vouched)
                .where(user.c.origin == "ldap", has | token)
                .order_by(user.c.id)
            )
            return [_Inside(*row) for row in found]

    def _unasked(self, rows: list[_Inside], now: datetime) -> None:
        """The next time may be too late."""
        oldest = now - timedelta(seconds=self._settings.recheck - self.interval)
        with self._database.writing() as connection:
            for row in rows:
                late = row.vouched is None or row.vouched <= oldest
                if late and sessions.end_sessions(connection, row.id):
                    auditlog.record(connection, "", "users.directory_down", row.name, now=now)
