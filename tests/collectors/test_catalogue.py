"""The table of collectors says what their classes say, and imports none of those that only rules need."""

from __future__ import annotations

import subprocess
import sys

import pytest

from collectors import catalogue
from collectors.catalogue import COLLECTORS
from collectors.model import Collector


@pytest.mark.parametrize("name", COLLECTORS)
def test_the_table_is_right(name: str) -> None:
    entry = COLLECTORS[name]
    assert (entry.cls.name, entry.cls.facts) == (name, entry.facts)
    assert issubclass(entry.cls, Collector)
    assert isinstance(catalogue.collector(catalogue.Settings(), name), entry.cls)


def test_no_fact_has_two_collectors() -> None:
    facts = [fact for entry in COLLECTORS.values() for fact in entry.facts]
    assert len(facts) == len(set(facts))


def test_the_agent_imports_no_collector_that_only_rules_need() -> None:
    modules = {it.where.partition(":")[0] for it in COLLECTORS.values() if not it.metrics}
    modules -= {it.where.partition(":")[0] for it in COLLECTORS.values() if it.metrics}
    code = "import sys, agents.cli.run, agents.runtime; print('\\n'.join(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    # what the agent tells an audit by itself
    given = {"collectors.link.linefacts", "collectors.ipv6.wire.facts"}
    assert modules.intersection(done.stdout.split()) - given == set()
