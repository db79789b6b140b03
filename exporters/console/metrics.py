"""/metrics and /-/ready: how the console does, in the Prometheus text format or OpenMetrics.

Figures of the city are of the database, the same from every console on it; requests, refused log-ins and database errors
are counted by this process since its start. This machine may read /metrics, others with the token or a user of
web.config; what came through a proxy is not of this machine.
"""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import anyio
import anyio.to_thread
from sqlalchemy import Connection, func, select, text
from sqlalchemy import event as listening
from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from collectors.model import Family, counter, gauge, sample
from exporters.console.codes import OPEN_STATES, SEVERITY, STATE
from exporters.console.database import Database
from exporters.console.notify import outbox
from exporters.console.pull import figures as pulling
from exporters.console.schema import hit_tally, host, message, target
from exporters.console.services import Services
from exporters.console.web.measuring import Measured
from exporters.prometheus import negotiation, webconfig
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.passwords import Passwords, credentials
from exporters.prometheus.pool import Busy
from exporters.prometheus.selfmetrics import SelfMetrics

SCRAPE: Final = 8.0  # seconds; Prometheus waits for ten
READY: Final = 2.0  # seconds in which the database must answer
_FORWARDED: Final = ("forwarded", "x-forwarded-for", "x-real-ip")
_STATES: Final = ("waiting", "delivered", "given_up", "suppressed")


def routes(database: Database, services: Services, measured: Measured) -> list[BaseRoute]:
    """Raises DocumentError for web.config."""

    @listening.listens_for(database.engine, "handle_error")
    def failed(_: Any) -> None:
        measured.failed()

    page = _Page(database, services, measured)
    return [Route("/metrics", page.metrics), Route("/-/ready", page.ready)]


class _Page:
    def __init__(self, database: Database, services: Services, measured: Measured) -> None:
        self._database, self._measured = database, measured
        settings = services.settings
        self._token = settings.metrics_token.reveal() if settings.metrics_token else ""
        self._users: Mapping[str, bytes] = (
            webconfig.load(settings.web_config).users if settings.web_config else {}
        )
        self._passwords, self._encoder, self._own = Passwords(), Encoder(), SelfMetrics()
        self._limiter: anyio.CapacityLimiter | None = None  # a loop must run to make one

    async def metrics(self, request: Request) -> Response:
        if not await self._may(request):
            headers = {"WWW-Authenticate": 'Basic realm="metrics"'} if self._users else {}
            return PlainTextResponse("Not for you: docs/console.md.\n", 401, headers)
        try:
            with anyio.fail_after(SCRAPE):
                stored = await self._in_thread(self._stored)
        except (SQLAlchemyError, TimeoutError):
            stored = [
                up(0)
            ]  # counted by the listener; what this process knows is told all the same
        families = [*stored, *self._measured.families(), *self._own.families()]
        format = negotiation.page_format(request.headers.get("accept", ""))
        content = self._encoder.encode(families, format.openmetrics)
        return Response(content, media_type=format.content_type)

    async def ready(self, _: Request) -> Response:
        try:
            with anyio.fail_after(READY):
                await self._in_thread(self._asked)
        except (SQLAlchemyError, TimeoutError):
            return PlainTextResponse("The database does not answer.\n", 503)
        return PlainTextResponse("Jianwei console is ready.\n")

    async def _in_thread(self, call: Callable[[], Any]) -> Any:
        if self._limiter is None:
            self._limiter = anyio.CapacityLimiter(2)
        # a database that hangs must not hang who asks: the thread is left behind
        return await anyio.to_thread.run_sync(call, limiter=self._limiter, abandon_on_cancel=True)

    def _asked(self) -> None:
        with self._database.reading() as connection:
            connection.execute(text("SELECT 1"))

    def _stored(self) -> list[Family]:
        with self._database.reading() as connection:
            now = datetime.now(UTC)
            return [up(1), *stored_families(connection, now), *pulling.families(connection, now)]

    async def _may(self, request: Request) -> bool:
        if _is_here(request):
            return True
        authorization = request.headers.get("authorization", "")
        scheme, _, given = authorization.partition(" ")
        if self._token and scheme.lower() == "bearer":
            return hmac.compare_digest(given.strip().encode(), self._token.encode())
        named = credentials(authorization)
        if named is None or not self._users:
            return False
        try:
            return await self._passwords.correct(named, self._users)
        except Busy:
            return False


def _is_here(request: Request) -> bool:
    if request.client is None or any(name in request.headers for name in _FORWARDED):
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False


def up(value: int) -> Family:
    return gauge("jianwei_console_database_up", "Whether the database answers.", sample(value))


def stored_families(connection: Connection, now: datetime) -> Iterable[Family]:
    """Of the database, from tallies and from tables that are never long."""
    hits = {
        (row.severity, row.state): row.n
        for row in connection.execute(
            select(
                hit_tally.c.severity, hit_tally.c.state, func.sum(hit_tally.c.hits).label("n")
            ).group_by(hit_tally.c.severity, hit_tally.c.state)
        )
    }
    yield gauge(
        "jianwei_console_hits",
        "Hits in the database, by severity and state.",
        *(
            sample(int(hits.get((code, number), 0)), severity=severity, state=state)
            for severity, code in SEVERITY.items()
            for state, number in STATE.items()
        ),
    )
    yield gauge(
        "jianwei_console_open_hits",
        "Hits that are open: new, acknowledged or regressed.",
        sample(sum(int(n) for (_, state), n in hits.items() if state in OPEN_STATES)),
    )
    hosts = connection.execute(
        select(
            func.count().label("all"),
            func.count(host.c.silent_since).label("silent"),
            func.max(host.c.received).label("received"),
        )
    ).one()
    by_source = {"pull": 0, "push": 0} | {
        row.source: row.n
        for row in connection.execute(
            select(host.c.source, func.count().label("n")).group_by(host.c.source)
        )
    }
    failing = select(func.count()).select_from(host).where(host.c.problem != "")
    yield gauge(
        "jianwei_console_hosts",
        "Hosts known, by how their audits come.",
        *(sample(n, source=source) for source, n in sorted(by_source.items())),
    )
    yield gauge(
        "jianwei_console_silent_hosts", "Hosts whose agents are silent.", sample(hosts.silent)
    )
    yield gauge(
        "jianwei_console_failing_hosts",
        "Hosts whose agents could not be asked, or whose last audit could not be taken in.",
        sample(connection.execute(failing).scalar_one()),
    )
    if hosts.received is not None:
        yield gauge(
            "jianwei_console_last_intake_age_seconds",
            "How long ago the newest audit was taken in; not there before the first one.",
            sample(max(0.0, (now - hosts.received).total_seconds())),
        )
    pulls = connection.execute(
        select(
            func.count().label("all"),
            func.coalesce(func.sum(target.c.audits), 0).label("taken"),
            func.coalesce(func.sum(target.c.unchanged), 0).label("unchanged"),
            func.coalesce(func.sum(target.c.failed), 0).label("failed"),
        )
    ).one()
    yield gauge("jianwei_console_targets", "Agents that are asked.", sample(pulls.all))
    yield counter(
        "jianwei_console_pulls_total",
        "How agents answered when they were asked, by result, by all consoles on the database, as long as each has been"
        " a target.",
        *(
            sample(int(getattr(pulls, name)), result=name)
            for name in ("taken", "unchanged", "failed")
        ),
    )
    yield from _messages(connection, now)


def _messages(connection: Connection, now: datetime) -> Iterable[Family]:
    counts = outbox.counts(connection)
    yield gauge(
        "jianwei_console_messages",
        "Messages in the outbox, by state; delivered ones of the last 90 days.",
        *(sample(counts.get(state, 0), state=state) for state in _STATES),
    )
    waiting = select(
        func.min(message.c.created).label("oldest"),
        func.count().filter(message.c.problem != "").label("failing"),
    ).where(message.c.due.is_not(None))
    row = connection.execute(waiting).one()
    yield gauge(
        "jianwei_console_messages_failing",
        "Messages that wait since their last delivery failed.",
        sample(row.failing),
    )
    yield gauge(
        "jianwei_console_oldest_message_age_seconds",
        "How long the oldest message waits; 0 where none does.",
        sample(max(0.0, (now - row.oldest).total_seconds()) if row.oldest else 0),
    )
