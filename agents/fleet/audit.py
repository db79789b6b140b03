"""Audits of many hosts over SSH: several are asked at a time, each is judged as its facts come, and one
that cannot be asked costs no other.
"""

from __future__ import annotations

import contextlib
import ctypes
import logging
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from agents.config import Config
from agents.errors import UserError
from agents.fleet.audited import Audited
from agents.fleet.judging import Judges
from agents.inventories import slow_facts
from agents.readiness import LOCAL_DEADLINE
from agents.scapolicies import Asking, Sorted, merged
from agents.sources import observe_with, open_source
from collectors import catalogue
from collectors.model import Collector
from rules.audit import Auditor, facts_of, host_of, needed
from rules.model import AuditResult, Pack

log = logging.getLogger(__name__)

M_ARENA_MAX = -8  # malloc.h
MAX_LANES = 4  # more of them are idle: a host takes longer to be asked than to be judged


class HostResult(msgspec.Struct, frozen=True):
    """One host of an inventory: its audit, or why there is none. `department` and `owner` are the
    inventory's."""

    name: str
    target: str
    department: str = ""
    owner: str = ""
    result: AuditResult | None = None
    problem: str = ""


class _Task(NamedTuple):
    """What all hosts are asked and judged by. `commands`: those of policies may be run."""

    config: Config
    collectors: Sequence[Collector]
    wanted: set[str]
    policies: Sorted
    scan: bool
    commands: bool
    judges: Judges


def audit_all(
    config: Config,
    hosts: Sequence[Audited],
    loaded: Sequence[Pack],
    params: Mapping[str, Mapping[str, Any]],
    workers: int,
    policies: Sorted,
    scan: bool = False,
    commands: bool = False,
) -> Iterator[HostResult]:
    """Each host as it is done, in any order. Hosts are asked by threads, which mostly wait, and judged
    by children, by expressions that are compiled once. `scan`: slow inventories are taken as well;
    `commands`: those of policies may be run, on this machine."""
    wanted = needed(loaded)
    collectors = catalogue.for_facts(wanted, config.collectors.settings)
    auditor = Auditor(loaded, params)
    lanes = min(len(os.sched_getaffinity(0)), MAX_LANES, len(hosts))
    _share_memory()
    with Judges(auditor, config.audit.deadline, "audit.deadline", lanes) as judges:
        allowed = commands or config.audit.allow_commands
        task = _Task(config, collectors, wanted, policies, scan, allowed, judges)
        pool = ThreadPoolExecutor(workers, "fleet")
        try:
            waiting = {pool.submit(_done, task, row) for row in hosts}
            while waiting:
                done, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                while done:
                    yield done.pop().result()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


def _share_memory() -> None:
    """Threads share two heaps: with one each, as mallopt(3) has it, every heap grows to the largest host
    that it has met."""
    with contextlib.suppress(OSError, AttributeError):  # another C library has no such thing
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, 2)


def _done(task: _Task, row: Audited) -> HostResult:
    result, problem = None, ""
    try:
        result = _result(task, row)
    except UserError as error:
        problem = str(error)
    except Exception as error:  # one host that shows a mistake of ours must not cost all others
        log.exception("%s could not be asked", row.name)
        problem = f"bug: {type(error).__name__}: {error}"
    return HostResult(row.name, row.target, row.department, row.owner, result, problem)


def _result(task: _Task, row: Audited) -> AuditResult:
    config = task.config
    began, start = datetime.now(UTC), time.monotonic()
    with open_source(*row.asked, config.root, row.ssh) as source:
        asking = Asking(task.policies, source, task.commands, config.root)
        facts = facts_of(observe_with(asking.source, task.collectors, LOCAL_DEADLINE))
        host, recorded = row.asked
        asked = source if task.scan or recorded else None
        facts |= slow_facts(config, task.wanted, asked, elsewhere=host is not None)
        more = asking.results(host_of(facts).id, config.audit.deadline * 0.7)
    result = task.judges.audit(facts, began, time.monotonic() - start)
    return msgspec.structs.replace(result, packs=merged(result.packs, more))
