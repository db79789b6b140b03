"""Audits of many hosts over SSH: several are asked at a time, each is judged as its facts come, and one
that cannot be asked costs no other.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from agents.config import Config
from agents.errors import UserError
from agents.inventories import slow_facts
from agents.limits import limited
from agents.readiness import LOCAL_DEADLINE
from agents.scapolicies import Asking, Sorted, merged
from agents.sources import observe_with, open_source
from collectors import catalogue
from collectors.ipv6.estate.model import EstateRow
from collectors.model import Collector, Fact
from rules.audit import Auditor, facts_of, host_of, needed
from rules.model import AuditResult, Pack, PackResult

log = logging.getLogger(__name__)


class HostResult(msgspec.Struct, frozen=True):
    """One host of an inventory: its audit, or why there is none. `department` and `owner` are the
    inventory's."""

    name: str
    target: str
    department: str = ""
    owner: str = ""
    result: AuditResult | None = None
    problem: str = ""


class Facts(NamedTuple):
    """What was seen of a host, from `began` on and for `seconds`; or the problem. `more` are results
    of SCA policies."""

    facts: Mapping[str, Fact]
    more: tuple[PackResult, ...]
    began: datetime
    seconds: float
    problem: str = ""


def audit_all(
    config: Config,
    hosts: Sequence[EstateRow],
    loaded: Sequence[Pack],
    params: Mapping[str, Mapping[str, Any]],
    workers: int,
    policies: Sorted,
    scan: bool = False,
) -> Iterator[HostResult]:
    """Each host as it is done, in any order. Hosts are asked by threads, which mostly wait; all are
    judged here, by expressions that are compiled once. `scan`: slow inventories are taken as well."""
    wanted = needed(loaded)
    collectors = catalogue.for_facts(wanted, config.collectors.settings)
    auditor = Auditor(loaded, params)
    pool = ThreadPoolExecutor(workers, "fleet")
    try:
        waiting = {
            pool.submit(_asked, config, row, collectors, wanted, policies, scan): row
            for row in hosts
        }
        for future in as_completed(waiting):
            row = waiting.pop(future)
            seen = future.result()
            result = None
            if not seen.problem:
                with limited(config.audit.deadline, "audit.deadline"):
                    result = auditor.audit(seen.facts, seen.began, seen.seconds)
                result = msgspec.structs.replace(result, packs=merged(result.packs, seen.more))
            yield HostResult(row.name, row.target, row.department, row.owner, result, seen.problem)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def _asked(
    config: Config,
    row: EstateRow,
    collectors: Sequence[Collector],
    wanted: set[str],
    policies: Sorted,
    scan: bool,
) -> Facts:
    began, start = datetime.now(UTC), time.monotonic()
    facts: dict[str, Fact] = {}
    more: tuple[PackResult, ...] = ()
    problem = ""
    try:
        with open_source(*row.asked, config.root, config.ssh) as source:
            asking = Asking(policies, source, config.audit.allow_commands, config.root)
            facts = facts_of(observe_with(asking.source, collectors, LOCAL_DEADLINE))
            host, recorded = row.asked
            asked = source if scan or recorded else None
            facts |= slow_facts(config, wanted, asked, elsewhere=host is not None)
            more = asking.results(host_of(facts).id, config.audit.deadline * 0.7)
    except UserError as error:
        problem = str(error)
    except Exception as error:  # one host that shows a mistake of ours must not cost all others
        log.exception("%s could not be asked", row.name)
        problem = f"bug: {type(error).__name__}: {error}"
    return Facts(facts, more, began, time.monotonic() - start, problem)
