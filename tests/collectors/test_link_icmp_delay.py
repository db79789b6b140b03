"""Echoes over a path that delays, doubles and loses what the test says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from collectors.link.icmp import EchoOptions, IcmpProber
from collectors.link.statistics import rtt_statistics
from collectors.model import ProbeResult, Target
from tests import delaylab, netlab
from tests.delaylab import Delay, Way

pytestmark = pytest.mark.skipif(bool(delaylab.unavailable()), reason=delaylab.unavailable())

PAIRS = [("198.51.100.1/24", "198.51.100.2/24"), ("2001:db8:1::1/64", "2001:db8:1::2/64")]
TARGETS = [Target("b", "198.51.100.2", "ipv4"), Target("b", "2001:db8:1::2", "ipv6")]


@pytest.fixture(scope="module")
def relay() -> Iterator[tuple[netlab.Lab, Delay]]:
    with netlab.Lab() as lab:
        lab.namespace("a")
        lab.namespace("b")
        with delaylab.Delay(lab, "a", "b", PAIRS, 0.020, 0.005) as delay:
            yield lab, delay


def probe(lab: netlab.Lab, count: int, timeout: float = 1.0) -> list[ProbeResult]:
    prober = IcmpProber(EchoOptions(count, 0.02, timeout))
    return lab.inside("a", lambda: prober.probe(TARGETS))


def test_the_delay_is_what_is_measured(relay: tuple[netlab.Lab, Delay]) -> None:
    lab, delay = relay
    delay.change(0.020, 0.005)
    for result in probe(lab, 50):
        assert (result.sent, result.received) == (50, 50)
        statistics = rtt_statistics(result.rtts)
        assert statistics["min"] >= 0.025
        assert statistics["median"] == pytest.approx(0.025, abs=0.004)


def test_doubles_losses_and_what_comes_late(relay: tuple[netlab.Lab, Delay]) -> None:
    lab, delay = relay
    delay.change(Way(0.005, lost=(2, 5)), Way(0.005, twice=(0, 3), late={1: 0.6}))
    for result in probe(lab, 10, timeout=0.3):
        # of ten requests two are lost on the way there and one answer comes after its time
        assert (result.sent, result.received) == (10, 7)
        assert result.duplicates == 2
        assert result.loss == pytest.approx(0.3)
