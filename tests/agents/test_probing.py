"""The continuous probes: rounds on real sockets of this machine's loopback."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from agents.probing import ProbeSchedule
from collectors.link.settings import ProbeSettings, ProbeTarget
from collectors.model import Answer, Family, Reading
from collectors.sources.local import LocalSource
from collectors.strictyaml import Duration
from exporters.prometheus.backend import ProbeRefused
from tests.exporters.test_probe import pings

LOCAL = (ProbeTarget("lo", "127.0.0.1"), ProbeTarget("lo6", "::1"))


def quick(
    targets: Sequence[ProbeTarget] = LOCAL, gateways: bool = False, interval: float = 0.3
) -> ProbeSettings:
    return ProbeSettings(
        gateways, Duration(interval), 2, Duration(0.01), Duration(0.2), tuple(targets)
    )


def until(true: Callable[[], bool]) -> None:
    for _ in range(600):
        if true():
            return
        time.sleep(0.05)
    pytest.fail("it did not happen within 30 s")


def samples(families: Sequence[Family], name: str) -> dict[tuple[str, ...], float]:
    (family,) = (f for f in families if f.name == f"jianwei_probe_{name}")
    return {tuple(value for _, value in s.labels): s.value for s in family.samples}


@pings
def test_rounds_go_on_and_add_up(tmp_path: Path) -> None:
    schedule = ProbeSchedule(quick(), LocalSource(str(tmp_path)))
    assert schedule.results() == ()
    assert samples(schedule.families(), "rounds_total") == {(): 0}
    schedule.start()
    try:
        until(lambda: samples(schedule.families(), "rounds_total")[()] >= 3)
    finally:
        schedule.stop()
    families = schedule.families()
    assert samples(families, "success") == {
        ("lo", "ipv4", "icmp"): 1,
        ("lo6", "ipv6", "icmp"): 1,
    }
    assert samples(families, "packets_sent_total")["lo", "ipv4", "icmp"] >= 4
    assert samples(families, "round_failures_total") == {(): 0}
    assert {result.target for result in schedule.results()} == {"lo", "lo6"}


@pings
def test_it_stops(tmp_path: Path) -> None:
    schedule = ProbeSchedule(quick(), LocalSource(str(tmp_path)))
    schedule.start()
    until(lambda: bool(schedule.results()))
    schedule.stop()
    time.sleep(1)  # a round takes at most 0.21 s
    rounds = samples(schedule.families(), "rounds_total")
    time.sleep(1)
    assert samples(schedule.families(), "rounds_total") == rounds


@pings
def test_gateways_as_the_machine_has_them_at_each_round(tmp_path: Path) -> None:
    table = tmp_path / "proc/net/route"
    table.parent.mkdir(parents=True)
    head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    table.write_text(head)
    schedule = ProbeSchedule(quick([], gateways=True), LocalSource(str(tmp_path)))
    schedule.start()
    try:
        until(lambda: samples(schedule.families(), "rounds_total")[()] >= 2)
        assert schedule.results() == []
        with pytest.raises(ProbeRefused):
            schedule.probe({"target": "gateway-lo", "module": "icmp"}, {})
        table.write_text(f"{head}lo\t00000000\t0100007F\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")
        until(lambda: bool(schedule.results()))
        (result,) = schedule.results()
        assert (result.target, result.address, result.success) == ("gateway-lo", "127.0.0.1", True)
        families = schedule.probe({"target": "gateway-lo", "module": "icmp"}, {})
        assert not isinstance(families, str)
        table.write_text("Iface\nwhat is this\n")
        until(lambda: schedule.results() == [])
        assert samples(schedule.families(), "round_failures_total") == {(): 0}
    finally:
        schedule.stop()


class Broken:
    """A source with a bug."""

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        raise RuntimeError("a bug in a source")


def test_a_failing_round_is_logged_and_the_next_one_comes(
    caplog: pytest.LogCaptureFixture,
) -> None:
    schedule = ProbeSchedule(quick(gateways=True), Broken())
    with caplog.at_level(logging.ERROR):
        schedule.start()
        try:
            until(lambda: samples(schedule.families(), "round_failures_total")[()] >= 2)
        finally:
            schedule.stop()
    assert "a bug in a source" in caplog.text


class Hung:
    """A source that answers when it is let go."""

    def __init__(self) -> None:
        self.asked, self.go = threading.Event(), threading.Event()

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        self.asked.set()
        self.go.wait(60)
        return dict.fromkeys(readings, Answer("absent"))


def test_a_round_that_hangs_does_not_hold_up_readers() -> None:
    source = Hung()
    schedule = ProbeSchedule(quick([], gateways=True), source)
    schedule.start()
    assert source.asked.wait(30)
    assert schedule.results() == ()
    assert samples(schedule.families(), "rounds_total") == {(): 1}
    assert not source.go.is_set()
    schedule.stop()
    source.go.set()
    until(lambda: schedule.results() == [])
