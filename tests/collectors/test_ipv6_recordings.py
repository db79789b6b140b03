"""Recorded hosts, one for each state of an IPv6 address."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from collectors.ipv6.addresses import Ipv6AddressesCollector
from collectors.ipv6.neighbours import Ipv6NeighboursCollector
from collectors.ipv6.routes import Ipv6RoutesCollector
from collectors.ipv6.sysctl import Ipv6SysctlCollector
from collectors.ipv6.traffic import (
    Ipv6CountersCollector,
)
from collectors.ipv6.tunnels import Ipv6TunnelsCollector
from collectors.model import (
    Collector,
)
from collectors.observe import observe
from collectors.sources.recorded import RecordedSource
from tests import ipv6recordings
from tests.collectors.hostfacts import needs_lab
from tests.ipv6recordings import MACHINES, STATES, make


def recorded(directory: Path, collector: Collector) -> Any:
    (observation,) = observe(RecordedSource(directory), [collector])
    assert not observation.failure, observation.reason
    return next(fact.value for fact in observation.facts if fact.name == collector.facts[0])


LINK = ("fe80::ff:fe00:5", "link", "preferred", "permanent")
MINE = "2400:da00:5::5"
# state → what its addresses on eth0 are, and whether there is a default route
EXPECTED: dict[str, tuple[set[tuple[str, str, str, str]], bool]] = {
    "permanent": ({LINK, (MINE, "global", "preferred", "permanent")}, True),
    "tentative": ({LINK, (MINE, "global", "tentative", "permanent tentative")}, False),
    "dadfailed": (
        {LINK, (MINE, "global", "dadfailed", "dadfailed permanent tentative")},
        False,
    ),
    "deprecated": ({LINK, (MINE, "global", "deprecated", "deprecated nodad")}, True),
    "preferred-lft-0": (
        {LINK, (MINE, "global", "deprecated", "deprecated nodad permanent")},
        True,
    ),
    "temporary": (
        {
            LINK,
            (MINE, "global", "preferred", "nodad permanent"),
            ("", "global", "preferred", "temporary"),
        },
        True,
    ),
    "link-local-only": ({LINK}, False),
    "no-ipv6": (set(), False),
}
FLAGS = ("dadfailed", "deprecated", "nodad", "permanent", "temporary", "tentative")


def check_state(state: str, directory: Path) -> None:
    expected, route = EXPECTED[state]
    rows = [r for r in recorded(directory, Ipv6AddressesCollector()) if r["device"] == "eth0"]
    assert {
        (
            row["address"] if not row["temporary"] else "",  # of a temporary one it is by lot
            row["scope"],
            row["state"],
            " ".join(flag for flag in FLAGS if row[flag]),
        )
        for row in rows
    } == expected
    (observation,) = observe(RecordedSource(directory), [Ipv6AddressesCollector()])
    (enabled,) = [f for f in observation.families if f.name == "jianwei_ipv6_enabled"]
    assert enabled.samples[0].value == (state != "no-ipv6")
    routes = recorded(directory, Ipv6RoutesCollector())
    assert [row["gateway"] for row in routes] == [ipv6recordings.ROUTER_LOCAL] * route
    neighbours = recorded(directory, Ipv6NeighboursCollector())
    assert [(row["state"], row["router"]) for row in neighbours if row["is_default_router"]] == [
        ("reachable", True)
    ] * route
    settings = {r["device"]: r for r in recorded(directory, Ipv6SysctlCollector())["interfaces"]}
    assert settings["eth0"]["seg6_enabled"] == 0
    assert settings["eth0"]["disable_ipv6"] == (state == "no-ipv6")
    assert recorded(directory, Ipv6TunnelsCollector()) == []
    assert recorded(directory, Ipv6CountersCollector())["Ip6InNoRoutes"] == 0


@pytest.mark.parametrize("state", EXPECTED)
def test_a_recorded_host(state: str) -> None:
    assert set(EXPECTED) == set(STATES)
    check_state(state, MACHINES / f"ipv6-{state}")


@needs_lab
@pytest.mark.parametrize("state", ["permanent", "tentative", "temporary"])
def test_the_recordings_can_be_made_again(state: str, tmp_path: Path) -> None:
    make(state, tmp_path / state)
    check_state(state, tmp_path / state)
