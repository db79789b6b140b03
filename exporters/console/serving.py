"""The console's process: its sockets, its background work, its end. Uvicorn serves; TLS is of the agent's web.config."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import Final

import bcrypt
import uvicorn
from sqlalchemy import func, select

from exporters.console import auditlog
from exporters.console.app import application
from exporters.console.database import Database
from exporters.console.schema import user
from exporters.console.services import Services
from exporters.console.settings import ConsoleSettings
from exporters.prometheus import listen, webconfig
from rules import pack as packs
from rules.model import by_id
from rules.settings import built_in

ADMINISTRATOR: Final = "admin"


class ConsoleServer:
    """`prepare`, then `run` until SIGTERM or SIGINT."""

    def __init__(self, settings: ConsoleSettings) -> None:
        self._settings = settings
        self._database = Database(settings.db)
        self._services = services_of(settings)

    def prepare(self) -> str:
        """Migrate; returns the administrator's password where this is the first start, else nothing. Raises
        DatabaseError."""
        self._database.migrate()
        with self._database.writing() as connection:
            if connection.execute(select(func.count()).select_from(user)).scalar_one():
                return ""
            password = secrets.token_urlsafe(12) + "-1aA"
            now = datetime.now(UTC)
            connection.execute(
                user.insert().values(
                    name=ADMINISTRATOR,
                    role="administrator",
                    password_hash=bcrypt.hashpw(password.encode(), bcrypt.gensalt()).decode(),
                    password_changed=now,
                    must_change=True,
                    created=now,
                )
            )
            auditlog.record(connection, "", "users.first", ADMINISTRATOR, now=now)
        return password

    def run(self) -> None:
        """Raises listen.ListenError, DocumentError."""
        sockets = [one for address in self._settings.listen for one in listen.listen(address, 128)]
        config = uvicorn.Config(
            application(self._database, self._services),
            log_config=None,
            server_header=False,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
        )
        if self._settings.web_config:
            config.load()
            config.ssl = webconfig.load(self._settings.web_config).context
        try:
            uvicorn.Server(config).run(sockets)
        finally:
            self._database.close()


def services_of(settings: ConsoleSettings) -> Services:
    """Raises DocumentError for a pack."""
    loaded = [packs.outline(name) for name in built_in()]
    loaded += [packs.load(name) for name in settings.packs]
    return Services(settings, by_id(loaded), {one.pack: one for one in loaded})
