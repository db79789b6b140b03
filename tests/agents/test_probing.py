"""The continuous probes: rounds on real sockets of this machine's loopback."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from agents.probing import ProbeSchedule, Probing
from collectors.link.devices import BandwidthSettings
from collectors.link.lines import Lines
from collectors.link.path import PathSettings
from collectors.link.settings import ProbeSettings, ProbeTarget
from collectors.model import Answer, Family, Reading, Source
from collectors.sources.local import LocalSource
from collectors.strictyaml import Duration
from exporters.prometheus.backend import ProbeRefused
from tests.exporters.test_probe import pings

LOCAL = (ProbeTarget("lo", "127.0.0.1"), ProbeTarget("lo6", "::1"))


def schedule_of(
    settings: ProbeSettings, source: Source, lines: Lines | None = None
) -> ProbeSchedule:
    probing = Probing.load(settings, PathSettings(enabled=False), BandwidthSettings())
    return ProbeSchedule(probing._replace(lines=lines or Lines()), source)


def quick(
    targets: Sequence[ProbeTarget] = LOCAL, gateways: bool = False, interval: float = 0.1
) -> ProbeSettings:
    return ProbeSettings(gateways, Duration(interval), Duration(0.2), 5, targets=tuple(targets))


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
def test_echoes_go_on_and_add_up(tmp_path: Path) -> None:
    schedule = schedule_of(quick(), LocalSource(str(tmp_path)))
    assert not schedule.results()
    schedule.start()
    try:
        until(lambda: answered(schedule).get("lo", 0) >= 5)
    finally:
        schedule.stop()
    families = schedule.families()
    assert samples(families, "success") == {
        ("lo", "ipv4", "icmp"): 1,
        ("lo6", "ipv6", "icmp"): 1,
    }
    sent = samples(families, "packets_sent_total")["lo", "ipv4", "icmp"]
    received = samples(families, "packets_received_total")["lo", "ipv4", "icmp"]
    assert 5 <= received <= sent <= received + 1
    assert samples(families, "loss_ratio") == {
        ("lo", "ipv4", "icmp"): 0,
        ("lo6", "ipv6", "icmp"): 0,
    }
    assert samples(families, "failures_total") == {(): 0}
    assert {result.target for result in schedule.results()} == {"lo", "lo6"}


def answered(schedule: ProbeSchedule) -> dict[str, int]:
    """By target, in whichever family it answers."""
    found: dict[str, int] = {}
    for result in schedule.results():
        found[result.target] = found.get(result.target, 0) + result.received
    return found


@pings
def test_it_stops_and_another_one_goes_on_counting(tmp_path: Path) -> None:
    schedule = schedule_of(quick(), LocalSource(str(tmp_path)))
    schedule.start()
    until(lambda: answered(schedule).get("lo", 0) >= 3)
    schedule.stop()
    time.sleep(0.5)
    before = answered(schedule)
    time.sleep(0.5)
    assert answered(schedule) == before
    following = schedule_of(quick([*LOCAL, ProbeTarget("again", "127.0.0.1")]), LocalSource())
    following.adopt(schedule)
    following.start()
    try:
        until(lambda: answered(following).get("again", 0) >= 1)
        now = answered(following)
        assert now["lo"] > before["lo"]
        assert now["again"] < now["lo"]
    finally:
        following.stop()


@pings
def test_a_name_is_looked_up_and_one_that_is_none_is_a_reason() -> None:
    names = [ProbeTarget("here", "localhost"), ProbeTarget("nowhere", "no-such-host.invalid")]
    schedule = schedule_of(quick(names), LocalSource())
    schedule.start()
    try:
        until(lambda: answered(schedule).get("here", 0) > 0)
        until(lambda: ("nowhere", "ipv4") in reasons(schedule))
    finally:
        schedule.stop()
    assert reasons(schedule)["nowhere", "ipv4"] in ("dns_nxdomain", "dns_error", "dns_timeout")
    info = samples(schedule.families(), "target_info")
    assert ("here", "ipv4", "icmp", "127.0.0.1") in info
    assert not any(labels[0] == "nowhere" for labels in info)


def reasons(schedule: ProbeSchedule) -> dict[tuple[str, str], str]:
    return {(r.target, r.family): r.reason for r in schedule.results() if r.reason}


@pings
def test_gateways_as_the_machine_has_them(tmp_path: Path) -> None:
    table = tmp_path / "proc/net/route"
    table.parent.mkdir(parents=True)
    head = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"
    table.write_text(head)
    schedule = schedule_of(quick([], gateways=True), LocalSource(str(tmp_path)))
    schedule.start()
    try:
        time.sleep(0.5)
        assert not schedule.results()
        with pytest.raises(ProbeRefused):
            schedule.probe({"target": "gateway-lo", "module": "icmp"}, {})
        table.write_text(f"{head}lo\t00000000\t0100007F\t0003\t0\t0\t0\t00000000\t0\t0\t0\n")
        until(lambda: bool(answered(schedule).get("gateway-lo")))
        (result,) = schedule.results()
        assert (result.target, result.address, result.success) == ("gateway-lo", "127.0.0.1", True)
        families = schedule.probe({"target": "gateway-lo", "module": "icmp"}, {})
        assert not isinstance(families, str)
        table.write_text("Iface\nwhat is this\n")
        until(lambda: not schedule.results())
        assert samples(schedule.families(), "failures_total") == {(): 0}
    finally:
        schedule.stop()


class Broken:
    """A source with a bug."""

    def answer(self, readings: Sequence[Reading]) -> Mapping[Reading, Answer]:
        raise RuntimeError("a bug in a source")


@pings
def test_a_bug_in_a_source_is_logged_and_costs_no_target(caplog: pytest.LogCaptureFixture) -> None:
    schedule = schedule_of(quick(gateways=True), Broken())
    with caplog.at_level(logging.ERROR):
        schedule.start()
        try:
            until(lambda: samples(schedule.families(), "failures_total")[()] >= 2)
            until(lambda: bool(answered(schedule).get("lo")))
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


@pings
def test_a_source_that_hangs_holds_up_neither_targets_nor_readers() -> None:
    source = Hung()
    schedule = schedule_of(quick(gateways=True), source)
    schedule.start()
    assert source.asked.wait(30)
    until(lambda: bool(answered(schedule).get("lo")))
    assert not source.go.is_set()
    schedule.stop()
    source.go.set()
