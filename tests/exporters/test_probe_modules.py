"""`/probe` with modules: families, fallbacks, redirects and timeouts of connections."""

from __future__ import annotations

import socket
import time

import pytest

from collectors.link import modules
from collectors.link.settings import ProbeTarget
from exporters.prometheus.backend import ProbeRefused
from exporters.prometheus.probe import probe
from tests import netlab
from tests.collectors.servers import Care, receive_head, saying, serving, serving_on, silent
from tests.exporters.test_probe import DUAL, LOCAL, Zone, allow, by_name, refused


def answering(text: bytes) -> Care:
    return saying(b"HTTP/1.1 " + text + b"\r\nContent-Length: 0\r\n\r\n")


def test_http_is_the_default() -> None:
    with serving(answering(b"200 OK")) as port:
        made = by_name(probe({"target": f"127.0.0.1:{port}/a"}, {}, LOCAL, Zone()))
    assert made["probe_success"] == {(): 1}
    assert made["probe_http_status_code"] == {(): 200}
    assert set(made["probe_http_duration_seconds"]) == {
        (phase,) for phase in ("resolve", "connect", "tls", "processing", "transfer")
    }


def test_the_look_up_is_a_phase() -> None:
    with serving(answering(b"200 OK")) as port:
        query = {"target": f"http://local.example:{port}", "family": "ipv4"}
        made = by_name(probe(query, {}, LOCAL, DUAL))
        query = {"target": f"local.example:{port}", "module": "tcp_connect", "family": "ipv4"}
        tcp = by_name(probe(query, {}, LOCAL, DUAL))
    assert made["probe_http_duration_seconds"]["resolve",] == 0.01
    assert tcp["jianwei_probe_phase_seconds"]["resolve",] == 0.01
    assert set(tcp["jianwei_probe_phase_seconds"]) == {("resolve",), ("connect",)}


def test_both_families_of_a_connection() -> None:
    """One of them is served, the other is not: neither hides the other."""
    with serving(answering(b"200 OK")) as port:
        for module, target in (("tcp_connect", ""), ("http_2xx", "http://")):
            query = {
                "target": f"{target}local.example:{port}",
                "module": module,
                "family": "both",
            }
            made = by_name(probe(query, {}, LOCAL, DUAL))
            assert made["probe_success"] == {("ipv4",): 1, ("ipv6",): 0}
            assert made["probe_ip_protocol"] == {("ipv4",): 4, ("ipv6",): 6}
            assert made["jianwei_probe_failure_reason"] == {("connect_refused", "ipv6"): 1}
            assert made["probe_failed_due_to_regex"] == {("ipv4",): 0, ("ipv6",): 0}


@pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable() or "-")
def test_a_black_hole_in_one_family_takes_nothing_from_the_other() -> None:
    pairs = [("192.0.2.1/24", "192.0.2.2/24"), ("2001:db8::1/64", "2001:db8::2/64")]
    zone = Zone({"far.example": ("192.0.2.2", "2001:db8::2")})
    query = {"target": "far.example:8080", "family": "both"}
    headers = {"x-prometheus-scrape-timeout-seconds": "1.5"}
    with netlab.Lab() as lab:
        lab.namespace("near")
        lab.namespace("far")
        lab.link("near", "far", pairs)
        lab.nft(
            "far",
            "table ip6 t { chain i { type filter hook input priority 0;\ntcp dport 8080 drop\n}\n}",
        )
        listening = lab.inside("far", lambda: listen_on_both(8080))
        with serving_on(listening, answering(b"200 OK")):
            start = time.monotonic()
            made = by_name(
                lab.inside("near", lambda: probe(query, headers, allow("far.example"), zone))
            )
            assert time.monotonic() - start < 10
    assert made["probe_success"] == {("ipv4",): 1, ("ipv6",): 0}
    assert made["probe_http_status_code"] == {("ipv4",): 200, ("ipv6",): 0}
    assert made["jianwei_probe_failure_reason"] == {("timeout", "ipv6"): 1}


def listen_on_both(port: int) -> socket.socket:
    return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)


def test_a_fallback_is_said() -> None:
    zone = Zone({"local.example": ("127.0.0.1",)})
    with serving(answering(b"200 OK")) as port:
        target = f"http://local.example:{port}"
        made = by_name(probe({"target": target}, {}, LOCAL, zone))
        assert made["probe_success"] == {(): 1}
        assert made["probe_ip_protocol"] == {(): 4}
        assert made["jianwei_probe_fallback"] == {("ipv6", "no_address"): 1}
        for quiet in ({"target": target, "family": "ipv4"}, {"target": f"127.0.0.1:{port}"}):
            assert "jianwei_probe_fallback" not in by_name(probe(quiet, {}, LOCAL, zone))
        six = by_name(probe({"target": target, "family": "ipv6"}, {}, LOCAL, zone))
        assert six["jianwei_probe_failure_reason"] == {("no_address",): 1}
    dead = by_name(probe({"target": "http://dead.example"}, {}, allow("dead.example"), DUAL))
    assert dead["probe_ip_protocol"] == {(): 0}
    assert dead["probe_http_status_code"] == {(): 0}
    assert "jianwei_probe_fallback" not in dead


MODULES = modules.loads(
    """
modules:
  four: {prober: http, http: {preferred_ip_protocol: ip4}}
  only4: {prober: tcp, tcp: {preferred_ip_protocol: ip4, ip_protocol_fallback: false}}
  brief: {prober: tcp, timeout: 300ms, tcp: {query_response: [{expect: never}]}}
  patient: {prober: tcp, timeout: 60s, tcp: {query_response: [{expect: never}]}}
  hosted: {prober: http, http: {headers: {Host: a.example}}}
"""
)


def test_the_modules_family() -> None:
    query = {"target": "http://local.example:1", "module": "four"}
    made = by_name(probe(query, {}, LOCAL, DUAL, MODULES))
    assert made["probe_ip_protocol"] == {(): 4}
    query = {"target": "[::1]:1", "module": "only4"}
    made = by_name(probe(query, {}, LOCAL, DUAL, MODULES))
    assert made["probe_ip_protocol"] == {(): 0}
    assert made["probe_failed_due_to_regex"] == {(): 0}


@pytest.mark.parametrize(
    ("module", "scrape"), [("brief", None), ("brief", "60"), ("patient", "0.5")]
)
def test_the_shorter_timeout_counts(module: str, scrape: str | None) -> None:
    headers = {"x-prometheus-scrape-timeout-seconds": scrape} if scrape else {}
    with serving(silent) as port:
        start = time.monotonic()
        query = {"target": f"127.0.0.1:{port}", "module": module}
        made = by_name(probe(query, headers, LOCAL, DUAL, MODULES))
        assert time.monotonic() - start < 10
    assert made["jianwei_probe_failure_reason"] == {("timeout",): 1}


@pytest.mark.parametrize(
    ("location", "words"),
    [
        ("http://192.0.2.1/", "not on the allow-list"),
        ("http://other.example/", "not on the allow-list"),
        ("http://rebound.example/", "leads to 169.254.169.254"),
        ("http://169.254.169.254/latest/", "not on the allow-list"),
        ("http://127.0.0.1.nip.example/", "not on the allow-list"),
        ("http://2130706433/", "leads nowhere"),
    ],
)
def test_a_redirect_is_no_springboard(location: str, words: str) -> None:
    zone = Zone({"rebound.example": ("169.254.169.254",), "other.example": ("127.0.0.1",)})
    list_ = allow("127.0.0.0/8", "rebound.example")
    with serving(answering(f"302 Found\r\nLocation: {location}".encode())) as port:
        query = {"target": f"127.0.0.1:{port}", "debug": "true"}
        text = probe(query, {}, list_, zone)
    assert isinstance(text, str)
    assert "reason: not_allowed" in text or "reason: http_redirect" in text
    assert words in text
    assert "other.example" not in zone.asked


def test_a_redirect_to_what_is_allowed() -> None:
    zone = Zone({"next.example": ("127.0.0.1",)})
    with serving(answering(b"200 OK")) as there:
        location = f"http://next.example:{there}/x"
        with serving(answering(f"302 Found\r\nLocation: {location}".encode())) as port:
            list_ = allow("127.0.0.0/8", "Next.Example")
            made = by_name(probe({"target": f"127.0.0.1:{port}"}, {}, list_, zone))
    assert made["probe_success"] == {(): 1}
    assert made["probe_http_redirects"] == {(): 1}


@pytest.mark.parametrize(
    "target", ["http://192.0.2.1/", "http://127.0.0.1@192.0.2.1/", "192.0.2.1"]
)
def test_urls_are_closed_by_default_too(target: str) -> None:
    assert refused({"target": target}).status in (400, 403)


def test_a_configured_target_by_its_name() -> None:
    heads: list[bytes] = []

    def care(connection: socket.socket) -> None:
        heads.append(receive_head(connection))
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    list_ = allow(targets=[ProbeTarget("county-lianhu", "127.0.0.1")])
    with serving(care) as port:
        for target in (f"county-lianhu:{port}", f"http://county-lianhu:{port}/"):
            made = by_name(probe({"target": target}, {}, list_.with_gateways([]), Zone()))
            assert made["probe_success"] == {(): 1}
        assert all(f"Host: 127.0.0.1:{port}\r\n".encode() in head for head in heads)
        by_name(probe({"target": f"127.0.0.1:{port}", "hostname": "a.example"}, {}, list_, Zone()))
        assert b"\r\nHost: a.example\r\n" in heads[-1]
        query = {"target": f"127.0.0.1:{port}", "module": "hosted", "hostname": "b.example"}
        with pytest.raises(ProbeRefused):
            probe(query, {}, list_, Zone(), MODULES)


def test_the_course_of_a_connection() -> None:
    with serving(answering(b"500 Oops")) as port:
        query = {"target": f"http://127.0.0.1:{port}/", "debug": "true"}
        text = probe(query, {}, LOCAL, Zone())
    assert isinstance(text, str)
    assert "reason: http_status status 500" in text
    assert "processing" in text
    assert "probe_http_status_code 500.0" in text
