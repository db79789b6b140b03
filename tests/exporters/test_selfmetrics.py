"""The agent's own figures against prometheus_client's collector of the same names."""

from __future__ import annotations

import importlib.metadata
import os
import threading

from prometheus_client.process_collector import ProcessCollector

from collectors.model import Family
from exporters.prometheus.selfmetrics import SelfMetrics, version


def figures(made: SelfMetrics) -> dict[str, Family]:
    return {family.name: family for family in made.families()}


def test_names_types_and_values_are_those_of_prometheus_client() -> None:
    mine = figures(SelfMetrics())
    theirs = list(ProcessCollector(registry=None).collect())
    assert len(theirs) == 6
    for metric in theirs:
        [their] = metric.samples
        family = mine[their.name]
        assert family.kind == metric.type
        tolerance = 0.5 if metric.type == "counter" else 0.2 * their.value
        assert abs(family.samples[0].value - their.value) <= tolerance, their.name


def test_what_the_process_does_is_seen() -> None:
    made = SelfMetrics()
    before = figures(made)
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    descriptor = os.open(os.devnull, os.O_RDONLY)
    after = figures(made)
    os.close(descriptor)
    end.set()
    thread.join()
    for name in ("process_threads", "process_open_fds"):
        assert after[name].samples[0].value == before[name].samples[0].value + 1


def test_the_version_is_the_installed_one() -> None:
    assert version() == importlib.metadata.version("jianwei")
    labels = dict(figures(SelfMetrics())["jianwei_build_info"].samples[0].labels)
    assert labels["version"] == version()
