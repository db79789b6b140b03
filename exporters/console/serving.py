"""The console's process: its sockets, its background work, its end. Uvicorn serves; TLS is of the agent's web.config."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp
from uvicorn.server import ServerState

from collectors.strictyaml import Duration
from exporters.console.app import application
from exporters.console.attest.maintenancefile import MaintenanceFile
from exporters.console.background import Background, Task
from exporters.console.database import Database
from exporters.console.hosts import linestatus
from exporters.console.intake.housekeeping import Housekeeping
from exporters.console.notify.notifier import Notifier
from exporters.console.people.directory.recheck import Recheck
from exporters.console.people.first import first_administrator
from exporters.console.pull.puller import Puller
from exporters.console.services import Services
from exporters.console.settings import ConsoleSettings
from exporters.prometheus import listen, webconfig
from exporters.prometheus.gate import Refusals
from exporters.prometheus.protocol import Connection
from exporters.prometheus.settings import WebSettings
from rules import pack as packs
from rules.model import by_id
from rules.settings import built_in

CONNECTIONS: Final = 512  # at once; who comes then is told 503
_CLIENTS: Final = WebSettings(head_timeout=Duration(60), send_timeout=Duration(60))


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
        return first_administrator(
            self._database,
            self._services.door,
            self._settings.people.password,
            datetime.now(UTC),
        )

    def run(self) -> None:
        """Raises listen.ListenError, DocumentError."""
        sockets = [one for address in self._settings.listen for one in listen.listen(address, 128)]
        config = configuration(application(self._database, self._services))
        if self._settings.web_config:
            config.load()
            config.ssl = webconfig.load(self._settings.web_config).context
        puller, background = self._puller(), Background(self._tasks())
        background.start()
        puller.start()
        try:
            uvicorn.Server(config).run(sockets)
        finally:
            puller.stop()
            background.stop()
            self._database.close()

    def _puller(self) -> Puller:
        return Puller(self._database, self._services, store_lines=linestatus.store)

    def _tasks(self) -> list[Task]:
        database, services, settings = self._database, self._services, self._settings
        tasks = [Task("housekeeping", 60, Housekeeping(database, services).run_once)]
        notifier = Notifier(database, services)
        if notifier.wanted:
            tasks.append(Task("notify", 10, notifier.run_once))
        if settings.maintenance_file:
            tasks.append(Task("maintenance", 60, MaintenanceFile(database, settings).run_once))
        if settings.ldap:
            recheck = Recheck(database, settings.ldap)
            tasks.append(Task("directory", recheck.interval, recheck.run_once))
        return tasks


def configuration(app: ASGIApp) -> uvicorn.Config:
    """Few connections at once, none of which may be slow without end."""
    return uvicorn.Config(
        app,
        http=_connection,  # type: ignore[arg-type]  # what makes one will do
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=5,
    )


def _connection(config: uvicorn.Config, server_state: ServerState, **_: Any) -> Connection:
    return Connection(config, server_state, _CLIENTS, Refusals(), frozenset(), over=False)


def services_of(settings: ConsoleSettings) -> Services:
    """Raises DocumentError for a pack."""
    loaded = [packs.outline(name) for name in built_in()]
    loaded += [packs.load(name) for name in settings.packs]
    return Services(settings, by_id(loaded), {one.pack: one for one in loaded})
