"""`/probe` with modules of the probers dns, udp and stamp, on loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator

import dns.message
import dns.rrset
import pytest

from collectors.link import asked, modules
from collectors.link.resolve import Resolver
from collectors.link.settings import ProbeSettings
from collectors.link.stampreflector import Reflector, ReflectorSettings
from collectors.model import Family
from exporters.prometheus.probe import AllowList, probe

MODULES = modules.loads(
    """
modules:
  dns:
    prober: dns
    timeout: 2s
    dns:
      query_name: www.example.test
      query_type: A
      validate_answer_rrs: {fail_if_not_matches_regexp: ['192\\.0\\.2\\.1$']}
  dot: {prober: dns, dns: {query_name: a, transport_protocol: tcp, dns_over_tls: true}}
  udp: {prober: udp, timeout: 2s, udp: {payload: ping, query_response: [{expect: ^pong}]}}
  stamp: {prober: stamp, timeout: 2s, stamp: {count: 3, spacing: 5ms}}
  far: {prober: stamp, stamp: {port: 8620}}
"""
)
LOOPBACK = {"ipv4": "127.0.0.1", "ipv6": "[::1]"}


def answered(module: str, port: int) -> dict[str, Family]:
    """Both families of a probe, by name of the metric family."""
    made: dict[str, Family] = {}
    for version, host in LOOPBACK.items():
        query = {"target": f"{host}:{port}", "module": module, "family": version}
        allow = AllowList(ProbeSettings(allow=("127.0.0.0/8", "::1/128")))
        families = probe(query, {}, allow, Resolver(), MODULES)
        assert not isinstance(families, str)
        made = {family.name: family for family in families}
        assert value(made, "probe_success") == 1, made
        assert "jianwei_probe_failure_reason" not in made
    return made


def value(made: dict[str, Family], name: str, **labels: str) -> float:
    (found,) = (s.value for s in made[name].samples if dict(s.labels) == labels)
    return found


@pytest.fixture
def server() -> Iterator[Callable[[Callable[[bytes], bytes]], int]]:
    """Serves UDP on one port of both loopback addresses until the test ends; gives the port."""
    stop = threading.Event()
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(one: socket.socket, answer: Callable[[bytes], bytes]) -> None:
        while not stop.is_set():
            try:
                data, source = one.recvfrom(4096)
            except TimeoutError:
                continue
            one.sendto(answer(data), source)

    def start(answer: Callable[[bytes], bytes]) -> int:
        v6 = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        v6.bind(("::1", 0))
        port = int(v6.getsockname()[1])
        v4 = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        v4.bind(("127.0.0.1", port))
        for one in (v4, v6):
            one.settimeout(0.1)
            opened.append(one)
            threads.append(threading.Thread(target=serve, args=(one, answer), daemon=True))
            threads[-1].start()
        return port

    yield start
    stop.set()
    for thread in threads:
        thread.join(5)
    for one in opened:
        one.close()


def test_dns(server: Callable[[Callable[[bytes], bytes]], int]) -> None:
    def reply(query: bytes) -> bytes:
        asked = dns.message.from_wire(query)
        made = dns.message.make_response(asked)
        made.answer.append(dns.rrset.from_text("www.example.test.", 1, "IN", "A", "192.0.2.1"))
        return made.to_wire()

    made = answered("dns", server(reply))
    assert value(made, "probe_dns_answer_rrs") == 1
    assert value(made, "probe_dns_query_succeeded") == 1
    phases = {dict(s.labels)["phase"] for s in made["probe_dns_duration_seconds"].samples}
    assert phases == {"resolve", "connect", "request"}


def test_udp(server: Callable[[Callable[[bytes], bytes]], int]) -> None:
    made = answered("udp", server(lambda data: b"pong " + data))
    assert value(made, "probe_failed_due_to_regex") == 0


def test_stamp() -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as free:
        free.bind(("::1", 0))
        port = free.getsockname()[1]
    reflector = Reflector(ReflectorSettings(True, (f"127.0.0.1:{port}", f"[::1]:{port}")))
    reflector.start()
    try:
        made = answered("stamp", port)
    finally:
        reflector.stop()
    assert value(made, "jianwei_probe_stamp_packets", state="received") == 3
    assert value(made, "jianwei_probe_stamp_lost_packets", direction="forward") == 0


def test_the_port_of_a_target_that_names_none() -> None:
    ports = {
        name: asked.split(module.prober, "192.0.2.1", module.port).port
        for name, module in MODULES.items()
        if name != "udp"
    }
    assert ports == {"dns": 53, "dot": 853, "stamp": 862, "far": 8620}
    assert asked.split("dns", "192.0.2.1:5300", MODULES["dot"].port).port == 5300
    with pytest.raises(ValueError, match="has no port"):
        asked.split("udp", "192.0.2.1", MODULES["udp"].port)


def test_a_target_without_an_address_has_the_series_all_the_same() -> None:
    allow = AllowList(ProbeSettings(allow=("name.invalid",)))
    families = probe({"target": "name.invalid", "module": "dns"}, {}, allow, Resolver(), MODULES)
    assert not isinstance(families, str)
    made = {family.name: family for family in families}
    assert value(made, "probe_success") == 0
    assert value(made, "probe_dns_query_succeeded") == 0
