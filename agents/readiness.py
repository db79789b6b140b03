"""IPv6 readiness of hosts and sites: observed or checked, judged, explained."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from agents.config import Config
from agents.limits import limited
from agents.sources import observe_with, open_source
from collectors import catalogue
from collectors.ipv6.model import Site
from collectors.ipv6.sitesettings import CheckSettings
from collectors.model import Fact
from rules.audit import facts_of, host_of, judged, needed
from rules.engine import Judge
from rules.model import Pack
from rules.readiness import explained
from rules.readinessmodel import Readiness, Subject

LOCAL_DEADLINE = 10.0  # seconds for one collector


def host(
    config: Config,
    pack: Pack,
    params: Mapping[str, Any],
    address: str | None = None,
    recorded: str | None = None,
    instead: Mapping[str, Fact] | None = None,
    name: str = "",
) -> Readiness:
    """This machine, one over SSH or a recording; `instead` are facts that are given, not collected.
    Raises SourceError."""
    began, start = datetime.now(UTC), time.perf_counter()
    collectors = catalogue.for_facts(needed([pack]), config.collectors.settings)
    with open_source(address, recorded, config.root, config.ssh) as source:
        facts = facts_of(observe_with(source, collectors, LOCAL_DEADLINE))
    facts = {**facts, **(instead or {})}
    known = host_of(facts)
    with limited(config.audit.deadline, "audit.deadline"):
        result = judged(Judge(pack, "host"), facts, params, known.id)
    target = address or recorded or "local"
    subject = Subject("host", name or known.name or target, target)
    return explained(pack, result, facts, subject, began, time.perf_counter() - start)


def sites(
    settings: CheckSettings, pack: Pack, params: Mapping[str, Any], wanted: Iterable[Site]
) -> Iterator[Readiness]:
    """Each site as it is done."""
    from collectors.ipv6.check import Checker

    judge = Judge(pack, "site")
    for site, facts, began, duration in Checker(settings).check_all(wanted):
        result = judged(judge, facts, params, site.url)
        subject = Subject("site", site.name, site.url)
        yield explained(pack, result, facts, subject, began, duration)
