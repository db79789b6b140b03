"""Golden output of every collector on the recorded machine, and docs/metrics.md made from it.

`make golden` rewrites both; their diff is what to review when a collector changes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from agents.auditing import AuditSchedule
from agents.runtime import config_families
from collectors.catalogue import COLLECTORS, Settings, for_facts
from collectors.link.metrics import families, pace_families
from collectors.link.settings import ProbeSettings
from collectors.model import Family
from collectors.observe import Observation, observe
from collectors.sources.local import LocalSource
from collectors.sources.recorded import RecordedSource
from exporters.findings.metrics import audit_families
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.families import with_scrape_series
from exporters.prometheus.lines import families as families_of_lines
from exporters.prometheus.selfmetrics import SelfMetrics
from exporters.prometheus.server import WebServer
from exporters.prometheus.settings import WebSettings
from rules.audit import audit, check_params, facts_of, needed
from rules.pack import load
from rules.settings import AuditSettings
from tests import metricdocs
from tests.agents.test_probing import schedule_of
from tests.collectors.echoes import some_flows
from tests.exporters.httpserver import SmallBackend
from tests.rules.test_linestate import PAIR, T0, drive, states_of

TESTS = Path(__file__).parent
MACHINE = TESTS / "fixtures/machines/debian12"
GOLDEN = TESTS / "fixtures/golden"
DOCUMENT = TESTS.parent / "docs/metrics.md"
NAMES = [name for name, entry in COLLECTORS.items() if entry.metrics]

Golden = Callable[[Path, str], None]


@pytest.fixture(scope="module")
def recorded() -> dict[str, Observation]:
    """What each collector sees on the recorded machine."""
    seen = observe(RecordedSource(MACHINE), [COLLECTORS[name].cls() for name in NAMES])
    return {observation.collector: observation for observation in seen}


@pytest.mark.golden
@pytest.mark.parametrize("name", NAMES)
def test_the_page_of_the_recorded_machine(
    name: str, recorded: dict[str, Observation], golden: Golden
) -> None:
    observation = recorded[name]
    assert not observation.failure, observation.reason
    golden(GOLDEN / f"{name}.prom", Encoder().encode(observation.families).decode())


def test_no_golden_file_is_left_over() -> None:
    assert sorted(path.stem for path in GOLDEN.iterdir()) == sorted(NAMES)


def probes() -> Sequence[Family]:
    """What the continuous probes tell of one target that answers and one that does not."""
    schedule = schedule_of(ProbeSettings(), RecordedSource(MACHINE))
    pace = pace_families({"ipv4": "raw"}, 3.0, 0.0, 0.0, 0)
    return [*families(*some_flows()), *pace, *schedule.families()]


def audits() -> Sequence[Family]:
    """What the last audit on schedule tells."""
    pack = load("host-basics")
    facts = facts_of(observe(RecordedSource(MACHINE), for_facts(needed([pack]), Settings())))
    result = audit([pack], facts, check_params([pack], {}), datetime.now(UTC))
    schedule = AuditSchedule("", AuditSettings())
    return [*audit_families(result), *schedule.families()]


def agents_own() -> list[metricdocs.Row]:
    """What the agent tells of itself, by part."""
    nothing_seen = with_scrape_series([Observation("cpu", 0.1, failure="absent")])
    return [
        *metricdocs.rows("every", nothing_seen),
        *metricdocs.rows("config", config_families(True, 0.0)),
        *metricdocs.rows("audit", audits()),
        *metricdocs.rows("agent", SelfMetrics().families()),
        *metricdocs.rows("web", WebServer(SmallBackend(), WebSettings()).families()),
        *metricdocs.rows("probe", probes()),
        *metricdocs.rows("lines", lines()),
    ]


def lines() -> Sequence[Family]:
    """What is told of a pair of lines after a failover and back."""
    states = states_of(*PAIR)
    drive(states, [(True, True)] * 3 + [(False, True)] * 3 + [(True, True)] * 3)
    drive(states, [(False, True)] * 3, T0 + 9)
    return list(families_of_lines(states))


@pytest.mark.golden
def test_the_document_is_what_the_recorded_machine_and_the_agent_give(
    recorded: dict[str, Observation], golden: Golden
) -> None:
    rows = [row for name in NAMES for row in metricdocs.rows(name, recorded[name].families)]
    golden(DOCUMENT, metricdocs.document([*rows, *agents_own()]))


def test_what_this_machine_gives_is_in_the_document() -> None:
    documented = metricdocs.read(DOCUMENT.read_text(encoding="utf-8"))
    seen = observe(LocalSource(), [COLLECTORS[name].cls() for name in NAMES])
    assert sum(len(observation.families) for observation in seen) > 100
    missing = [
        row
        for observation in seen
        for family in observation.families
        if metricdocs.named(observation.collector, family)
        for row in [metricdocs.exact(observation.collector, family)]
        if not any(documented_row.describes(row) for documented_row in documented)
    ]
    assert not missing
