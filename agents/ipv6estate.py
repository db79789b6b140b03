"""Looks at the subjects of an estate: sites and hosts by whoever checks them, many at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Protocol

from agents.errors import UserError
from collectors.ipv6.estate.model import Estate, EstateRow
from exporters.estate.results import Results, slim
from rules.readinessmodel import Readiness, Subject

log = logging.getLogger(__name__)

Progress = Callable[[int, str], None]  # how many are done, who was the last


class CheckSites(Protocol):
    """Checks sites, at most `workers` at a time; tells each as soon as it is done, in any order,
    with the row's name as that of its subject."""

    def __call__(self, rows: Sequence[EstateRow], *, workers: int) -> Iterator[Readiness]: ...


class AuditHost(Protocol):
    """Looks at one host; raises UserError where it cannot be asked."""

    def __call__(self, row: EstateRow) -> Readiness: ...


def look(
    estate: Estate,
    check_sites: CheckSites,
    audit_host: AuditHost,
    workers: int,
    progress: Progress,
) -> Results:
    """Results by kind and name. Who could not be asked has one with the problem in it."""
    found: Results = {}
    hosts = [row for row in estate.rows if row.kind == "host"]
    sites = [row for row in estate.rows if row.kind == "site"]

    def take(kind: str, name: str, result: Readiness) -> None:
        found[kind, name] = slim(result)
        progress(len(found), name)

    pool = ThreadPoolExecutor(workers, "estate")
    try:
        waiting = {pool.submit(_asked, audit_host, row): row for row in hosts}
        while waiting:
            done, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in done:
                take("host", waiting.pop(future).name, future.result())
    finally:
        _stop(pool)
    names = {row.name for row in sites}
    if sites:
        for result in check_sites(sites, workers=workers):
            if result.subject.name in names:
                take("site", result.subject.name, result)
    return found


def _stop(pool: ThreadPoolExecutor) -> None:
    pool.shutdown(wait=False, cancel_futures=True)


def _asked(audit_host: AuditHost, row: EstateRow) -> Readiness:
    began, start = datetime.now(UTC), time.monotonic()
    try:
        return audit_host(row)
    except UserError as error:
        problem = str(error)
    except Exception as error:  # one host that shows a mistake of ours must not cost all others
        log.exception("%s could not be looked at", row.name)
        problem = f"bug: {type(error).__name__}: {error}"
    return Readiness(
        subject=Subject(row.kind, row.name, row.target),
        time=began,
        duration=time.monotonic() - start,
        score=None,
        ipv6_only_score=None,
        capped=None,
        layers=(),
        checks=(),
        problem=problem,
    )
