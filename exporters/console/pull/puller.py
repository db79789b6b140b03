"""Pulls the audits of all targets, on one of the consoles that share a database: who holds the lease `pull`.

Each target has its place in the interval. What is known of a target is in the table `target`, so that who takes over
goes on where the other ended. An audit is taken in before its entity tag is kept: one that was lost is asked for again.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy.exc import SQLAlchemyError

from exporters.console import leases
from exporters.console.database import Database
from exporters.console.intake.arrived import Arrived
from exporters.console.intake.decode import Refused, decoded
from exporters.console.intake.take import take
from exporters.console.pull import hearing, known, schedule
from exporters.console.pull.asking import AskError, Client
from exporters.console.pull.coming import Came, StoreLines, Take
from exporters.console.pull.known import Known
from exporters.console.pull.targets import TargetFiles
from exporters.console.services import Services

log = logging.getLogger(__name__)

PULL: Final = "pull"
SILENCE: Final = "silence"
BUDGET: Final = 20.0  # seconds in which a round begins to ask targets
SWEEP: Final = 30.0  # seconds between two looks for silent agents
RARELY: Final = 12  # intervals, between two looks for lines where there were none


class Puller:
    """`run_once` from one thread at a time; `start` has a thread that calls it until `stop`."""

    def __init__(
        self,
        database: Database,
        services: Services,
        take: Take = take,
        store_lines: StoreLines | None = None,
    ) -> None:
        self._database, self._services = database, services
        self._settings = services.settings.pull
        self._take = take
        self._store_lines = store_lines
        self._holder = leases.holder_name()
        self._files = TargetFiles(self._settings.targets_files, self._settings.scheme)
        self._lease = max(60.0, BUDGET + 2 * float(self._settings.timeout) + 10)
        self._renew: datetime | None = None  # when the lease is asked for again
        self._holds = False
        self._swept: datetime | None = None
        self._known: dict[str, Known] | None = None
        self._client: tuple[tuple[float, ...], Client] | None = None
        self._claimed: dict[
            str, str
        ] = {}  # host keys of this round, with the URLs that told of them
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    # --- the thread

    def start(self) -> None:
        self._thread = threading.Thread(target=self._loop, name="pull", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Begin no other pull; another console may go on at once."""
        self._stopping.set()
        if self._thread:
            self._thread.join(float(self._settings.timeout) + 5)
        self.close()

    def close(self) -> None:
        if self._client:
            self._client[1].close()
            self._client = None
        if self._holds:
            self._holds = False
            with contextlib.suppress(SQLAlchemyError):  # it runs out by itself
                leases.released(self._database, PULL, self._holder)

    def _loop(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            pause = 1.0
            try:
                self.run_once(datetime.now(UTC))
            except SQLAlchemyError as error:
                log.error("pulling waits for the database: %s", getattr(error, "orig", error))
                pause = 10.0
            except Exception:
                log.exception("pulling failed; it goes on")
                pause = 10.0

    # --- a round

    def run_once(self, now: datetime) -> int:
        """How many targets were asked: those that are due, if it is this console that asks."""
        self._sweep(now)
        if not self._settings.targets_files or not self._may(now):
            return 0
        if self._files.refresh() or self._known is None:
            self._known = self._read_targets(now)
        due = sorted((it for it in self._known.values() if it.due <= now), key=lambda it: it.due)
        if not due:
            return 0
        client = self._current_client()
        return self._asked(due, client, now) if client else 0

    def _may(self, now: datetime) -> bool:
        if self._renew is None or now >= self._renew:
            self._holds = leases.held(self._database, PULL, self._holder, self._lease, now)
            self._renew = now + timedelta(seconds=self._lease / 4)
            if not self._holds:
                self._known = None
        return self._holds

    def _sweep(self, now: datetime) -> None:
        if self._swept and now < self._swept + timedelta(seconds=SWEEP):
            return
        self._swept = now
        if not leases.held(self._database, SILENCE, self._holder, 3 * SWEEP, now):
            return
        with self._database.writing() as connection:
            if silent := hearing.mark_silent(connection, self._settings.silence, now):
                log.warning("%d agents have gone silent", silent)

    def _read_targets(self, now: datetime) -> dict[str, Known]:
        states = self._files.states()
        for state in states:
            if state.problem:
                log.error("targets: %s; what was known of it stays", state.problem)
        with self._database.writing() as connection:
            known.keep_files(connection, self._database, states)
            return known.synchronised(
                connection, self._files.targets(), float(self._settings.interval), now
            )

    def _current_client(self) -> Client | None:
        """A new one where the certificates have changed."""
        tls = self._settings.tls
        paths = [path for path in (tls.ca_file, tls.cert_file, tls.key_file) if path]
        mark = tuple(os.stat(path).st_mtime if os.path.exists(path) else 0.0 for path in paths)
        if self._client is None or self._client[0] != mark:
            try:
                made = Client(self._settings)
            except ValueError as error:
                log.error("pull.tls: %s", error)
                return self._client[1] if self._client else None
            if self._client:
                self._client[1].close()
            self._client = mark, made
        return self._client[1]

    def _asked(self, due: list[Known], client: Client, now: datetime) -> int:
        began = time.monotonic()
        self._claimed = {}
        waiting, came = deque(due), deque[Came]()

        def work() -> None:
            while not self._stopping.is_set() and time.monotonic() - began < BUDGET:
                try:
                    one = waiting.popleft()
                except IndexError:
                    return
                try:
                    came.append(self._ask(one, client, now, began))
                except Exception:  # a fault of ours with one target is none of the others
                    log.exception("%s could not be pulled", one.url)
                    came.append(Came(one, now, False, "the console failed; see its log"))

        workers = min(self._settings.workers, len(due))
        with ThreadPoolExecutor(workers, "pull") as pool:
            running = [pool.submit(work) for _ in range(workers)]
        for future in running:
            future.result()
        self._keep(list(came))
        return len(came)

    # --- one target

    def _ask(self, one: Known, client: Client, now: datetime, began: float) -> Came:
        def at() -> datetime:
            return now + timedelta(seconds=time.monotonic() - began)

        try:
            got = client.findings(one.url, one.etag)
        except AskError as error:
            return Came(one, at(), error.alive, str(error))
        came = Came(one, at(), True, etag=got.etag, host_id=one.host_id)
        if got.content:
            came = self._taken(one, got.content, got.etag, got.version, at())
        if not came.problem and came.host_id is not None:
            self._look_at_lines(one, client, came.host_id, at())
        return came

    def _taken(self, one: Known, content: bytes, etag: str, version: str, at: datetime) -> Came:
        with self._services.taking, self._services.turn(content):
            try:
                result = decoded(content, at)
            except Refused as error:
                return Came(one, at, False, f"what it answered is no audit: {error}")
            digest = hashlib.sha256(content).hexdigest()
            address = one.url.partition("://")[2]
            arrived = Arrived("pull", one.labels, address, version, digest)
            try:
                with self._database.reading() as connection:
                    why = hearing.belongs_to_another(connection, result.host.id, one.url)
                if (
                    not why
                    and (url := self._claimed.setdefault(result.host.id, one.url)) != one.url
                ):
                    why = hearing.TWICE.format(key=result.host.id[:80], url=url)
                if why:
                    return Came(one, at, False, why)
                taken = self._take(self._database, self._services, arrived, result, at)
            except SQLAlchemyError as error:
                log.error("%s: its audit could not be kept: %s", one.url, error)
                return Came(one, at, True, "its audit could not be kept; see the console's log")
            except ValueError as error:
                return Came(one, at, False, f"its audit is not taken in: {error!s:.200}")
        return Came(one, at, True, audit=True, etag=etag, host_id=taken.host_id)

    def _look_at_lines(self, one: Known, client: Client, host_id: int, at: datetime) -> None:
        """Failing here is told by the log alone: the audit is there."""
        if self._store_lines is None or (one.lines_due and at < one.lines_due):
            return
        one.lines_due = None
        try:
            text = client.lines(one.url)
            if not text:  # what was known of lines is no longer so
                one.lines_due = at + timedelta(seconds=RARELY * float(self._settings.interval))
            with self._database.writing() as connection:
                self._store_lines(connection, host_id, text, at)
        except (AskError, SQLAlchemyError, ValueError) as error:
            log.warning("%s: its lines are not known: %s", one.url, error)

    # --- what is kept of a round

    def _keep(self, came: list[Came]) -> None:
        interval = float(self._settings.interval)
        for it in came:
            one = it.target
            one.asked, one.problem = it.at, it.problem
            if it.alive:
                one.heard = it.at
            if it.problem:
                one.failures += 1
                one.failed += 1
                one.due = schedule.again(one.failures, interval, it.at)
                continue
            one.failures, one.etag, one.host_id = 0, it.etag, it.host_id
            one.audits += it.audit
            one.unchanged += not it.audit
            one.due = schedule.following(one.url, interval, it.at)
        with self._database.writing() as connection:
            known.keep(connection, [it.target for it in came])
            well = [it.target.host_id for it in came if it.alive and it.target.host_id]
            if well:
                hearing.heard(connection, well, max(it.at for it in came))
            hearing.troubled(
                connection,
                {it.target.host_id: it.problem for it in came if it.problem and it.target.host_id},
            )
