"""Continuous probes by modules, on this machine's loopback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator

import pytest

from agents.connections import Connections, tasks_of
from collectors.link import modules
from collectors.link.lines import Line, Lines, ModuleProbe, probes_of
from collectors.link.resolve import Resolver
from collectors.link.settings import ProbeSettings
from collectors.model import Family
from collectors.sources.local import LocalSource
from exporters.prometheus.allowlist import AllowList
from exporters.prometheus.encoder import Encoder
from tests.agents.test_probing import quick, schedule_of, until
from tests.exporters.test_probe import pings


@pytest.fixture
def port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def closed_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def line(name: str, *targets: str, module: str = "tcp_connect") -> Line:
    return Line(
        name=name,
        site=name,
        targets=("127.0.0.1",),
        probes=("icmp", *(ModuleProbe(module, target) for target in targets)),
    )


def connections(*lines: Line, allow: bool = True) -> Connections:
    tasks = tasks_of([p for one in lines for p in probes_of(one)], modules.built_in())
    hosts = {task.asked.host for task in tasks} if allow else set()
    return Connections(tasks, 0.1, 4, AllowList(ProbeSettings(), hosts=hosts), Resolver())


def run(made: Connections, enough: Callable[[], bool]) -> None:
    made.start()
    try:
        until(enough)
    finally:
        made.stop()


def values(families: Iterator[Family], name: str) -> dict[tuple[str, ...], float]:
    """Empty where nothing of the kind is told yet."""
    found = [f for f in families if f.name == name]
    assert len(found) <= 1
    return {tuple(value for _, value in s.labels): s.value for f in found for s in f.samples}


def test_what_answers_and_what_does_not(port: int) -> None:
    closed = f"127.0.0.1:{closed_port()}"
    made = connections(line("up", f"127.0.0.1:{port}"), line("down", closed))
    run(made, lambda: all(abs(m.streak) >= 4 for m in made.measures()))
    measures = {m.target: m for m in made.measures()}
    up, down = measures["up/tcp_connect"], measures["down/tcp_connect"]
    assert (up.family, up.prober, up.loss, up.reason) == ("ipv4", "tcp", 0, "")
    assert up.streak >= 4
    assert up.median is not None
    assert (down.loss, down.reason, down.median) == (1, "connect_refused", None)
    assert down.streak <= -4
    assert 0 < up.since <= down.since + 1
    assert values(made.families(), "jianwei_probe_success") == {
        ("up/tcp_connect", "ipv4", "tcp"): 1,
        ("down/tcp_connect", "ipv4", "tcp"): 0,
    }
    assert values(made.families(), "jianwei_probe_failure_reason") == {
        ("down/tcp_connect", "ipv4", "tcp", "connect_refused"): 1
    }
    again = connections(line("up", f"127.0.0.1:{port}"))
    again.adopt(made)
    sent = values(again.families(), "jianwei_probe_packets_sent_total")
    assert sent["up/tcp_connect", "ipv4", "tcp"] == up.streak


def test_nothing_is_probed_that_is_not_allowed(port: int) -> None:
    made = connections(line("up", f"localhost:{port}"), allow=False)
    run(made, lambda: all(m.streak for m in made.measures()))
    for measure in made.measures():
        assert (measure.sent, measure.reason) == (0, "not_allowed")


def test_both_families_of_a_name_and_the_one_of_an_address() -> None:
    lines = [line("a", "portal.example:80"), line("b", "192.0.2.1:80", "[2001:db8::1]:80")]
    tasks = tasks_of([p for one in lines for p in probes_of(one)], modules.built_in())
    assert [(t.name, t.family) for t in tasks] == [
        ("a/tcp_connect", "ipv4"),
        ("a/tcp_connect", "ipv6"),
        ("b/tcp_connect", "ipv4"),
        ("b/tcp_connect#2", "ipv6"),
    ]
    with pytest.raises(ValueError, match="has no port"):
        tasks_of(list(probes_of(line("c", "192.0.2.1"))), modules.built_in())


@pings
def test_echoes_and_connections_share_their_families(port: int) -> None:
    lines = Lines((line("a", f"127.0.0.1:{port}"),))
    schedule = schedule_of(quick([]), LocalSource(), lines)
    schedule.start()
    try:
        until(lambda: len(values(iter(schedule.families()), "jianwei_probe_rtt_seconds")) == 8)
    finally:
        schedule.stop()
    families = schedule.families()
    assert len({family.name for family in families}) == len(families)
    page = Encoder().encode(families).decode()
    assert page.count("# TYPE jianwei_probe_success gauge") == 1
    assert 'jianwei_probe_success{family="ipv4",prober="icmp",target="a"} 1.0' in page
    assert 'jianwei_probe_success{family="ipv4",prober="tcp",target="a/tcp_connect"} 1.0' in page
