"""`/probe`: who may be probed, what is refused, and the families of a real probe of this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Mapping

import pytest

from collectors.link import modules
from collectors.link.resolve import Resolved, Resolver
from collectors.link.settings import ProbeSettings, ProbeTarget
from collectors.model import Family, Target
from exporters.prometheus.backend import ProbeRefused
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.probe import AllowList, probe
from tests import netlab
from tests.collectors.servers import Care, receive_head, saying, serving, serving_on, silent


class Zone(Resolver):
    """Names of the test's own; literal addresses as the real one has them. Counts look-ups."""

    def __init__(self, names: Mapping[str, tuple[str, ...]] | None = None) -> None:
        super().__init__()
        self.names = names or {}
        self.asked: list[str] = []

    def look_up(self, name: str, family: str) -> Resolved:
        self.asked.append(name)
        found = tuple(a for a in self.names.get(name, ()) if (":" in a) == (family == "ipv6"))
        return Resolved(found, 0.01, "" if found else "no_address")


def allow(*entries: str, targets: Iterable[ProbeTarget] = ()) -> AllowList:
    return AllowList(ProbeSettings(allow=entries, targets=tuple(targets)))


LOCAL = allow("127.0.0.0/8", "::1/128", "local.example")
DUAL = Zone({"local.example": ("127.0.0.1", "::1"), "dead.example": ()})


def refused(
    query: Mapping[str, str],
    list_: AllowList = LOCAL,
    resolver: Resolver | None = None,
    headers: Mapping[str, str] | None = None,
) -> ProbeRefused:
    with pytest.raises(ProbeRefused) as error:
        probe(query, headers or {}, list_, resolver or Zone())
    return error.value


def can_ping(family: socket.AddressFamily) -> bool:
    address = "127.0.0.1" if family == socket.AF_INET else "::1"
    protocol = socket.IPPROTO_ICMP if family == socket.AF_INET else socket.IPPROTO_ICMPV6
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
        try:
            with socket.socket(family, kind, protocol) as opened:
                opened.bind((address, 0))
        except OSError:
            continue
        return True
    return False


pings = pytest.mark.skipif(
    not (can_ping(socket.AF_INET) and can_ping(socket.AF_INET6)),
    reason="needs ICMP sockets and both families on lo",
)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ({"module": "icmp"}, "'target' is missing"),
        ({"target": "", "module": "icmp"}, "'target' is missing"),
        ({"target": "127.0.0.1", "module": "https_2xx"}, "unknown module 'https_2xx'"),
        ({"target": "http://"}, "has no host"),
        ({"target": "http://a:b@127.0.0.1/"}, "takes no user and password"),
        ({"target": "127.0.0.1", "module": "tcp_connect"}, "has no port"),
        ({"target": "127.0.0.1:65536", "module": "tcp_connect"}, "no port from 1 to 65535"),
        ({"target": "127.0.0.1", "hostname": "a b"}, "no name of a host"),
        ({"target": "127.0.0.1", "module": "icmp", "hostname": "a"}, "means nothing"),
        ({"target": "127.0.0.1", "module": "icmp", "famly": "both"}, "unknown parameter 'famly'"),
        ({"target": "127.0.0.1", "module": "icmp", "family": "ip4"}, "is both, ipv4 or ipv6"),
        ({"target": "127.0.0.1", "module": "icmp4", "family": "both"}, "for ipv4 only"),
        ({"target": "127.0.0.1", "module": "icmp4", "family": "ipv6"}, "for ipv4 only"),
    ],
)
def test_what_is_not_a_question(query: dict[str, str], message: str) -> None:
    error = refused(query)
    assert error.status == 400
    assert message in str(error)


@pytest.mark.parametrize("value", ["x", "", "0", "-1", "nan"])
def test_a_scrape_timeout_that_is_none(value: str) -> None:
    headers = {"x-prometheus-scrape-timeout-seconds": value}
    error = refused({"target": "127.0.0.1", "module": "icmp"}, headers=headers)
    assert error.status == 400


@pytest.mark.parametrize(
    "target",
    [
        "192.0.2.1",
        "other.example",
        "127.1",
        "2130706433",
        "::ffff:127.0.0.1",
        "fe80::1%lo",
        "[::1]",
    ],
)
def test_closed_by_default_and_nothing_is_looked_up(target: str) -> None:
    zone = Zone({"other.example": ("127.0.0.1",)})
    assert refused({"target": target, "module": "icmp"}, resolver=zone).status == 403
    assert zone.asked == []


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "169.254.169.254", "224.0.0.1", "::", "::1", "fe80::1", "::ffff:127.0.0.1"],
)
def test_a_name_that_turns_to_this_machine_or_link(address: str) -> None:
    """DNS rebinding: the name is allowed, where it leads is not."""
    zone = Zone({"name.example": (address,)})
    error = refused({"target": "name.example", "module": "icmp"}, allow("name.example"), zone)
    assert error.status == 403
    assert address in str(error)


def test_permits() -> None:
    targets = [
        ProbeTarget("county-lianhu", "192.0.2.1"),
        ProbeTarget("portal", "portal.example"),
    ]
    list_ = allow("10.0.0.0/8", "2001:db8::/32", "Name.Example", targets=targets)
    gateways = [
        Target("gateway-eth0", "198.51.100.1", "ipv4"),
        Target("gateway-eth0", "fe80::1%eth0", "ipv6"),
    ]
    more = list_.with_gateways(gateways)
    for asked, meant in (
        ("county-lianhu", ("192.0.2.1",)),
        ("192.0.2.1", ("192.0.2.1",)),
        ("portal", ("portal.example",)),
        ("PORTAL.example.", ("portal.example",)),
        ("name.example", ("name.example",)),
        ("10.1.2.3", ("10.1.2.3",)),
        ("2001:DB8::0:1", ("2001:db8::1",)),
        ("gateway-eth0", ("198.51.100.1", "fe80::1%eth0")),
        ("198.51.100.1", ("198.51.100.1",)),
    ):
        assert more.permit(asked) == meant
    for asked in ("11.0.0.1", "sub.name.example", "198.51.100.2", "fe80::1%eth1", ""):
        with pytest.raises(ProbeRefused):
            more.permit(asked)
    with pytest.raises(ProbeRefused):
        list_.permit("gateway-eth0")
    assert more.permits_address("fe80::1%eth0")
    assert not more.permits_address("fe80::2%eth0")


def by_name(made: list[Family] | str) -> dict[str, dict[tuple[str, ...], float]]:
    assert not isinstance(made, str)
    return {f.name: {tuple(v for _, v in s.labels): s.value for s in f.samples} for f in made}


@pings
def test_one_family_as_blackbox_exporter_names_it() -> None:
    made = by_name(probe({"target": "local.example", "module": "icmp"}, {}, LOCAL, DUAL))
    assert made["probe_success"] == {(): 1}
    assert made["probe_ip_protocol"] == {(): 6}  # preferred where the name has it
    assert made["probe_dns_lookup_time_seconds"] == {(): 0.01}
    assert set(made["probe_icmp_duration_seconds"]) == {("resolve",), ("setup",), ("rtt",)}
    assert made["probe_icmp_duration_seconds"]["rtt",] > 0
    assert made["probe_icmp_reply_hop_limit"][()] > 0
    assert made["jianwei_probe_loss_ratio"] == {(): 0}
    assert "jianwei_probe_failure_reason" not in made
    assert 0 < made["probe_duration_seconds"][()] < 6


@pings
def test_modules_of_one_family() -> None:
    four = by_name(probe({"target": "local.example", "module": "icmp4"}, {}, LOCAL, DUAL))
    assert four["probe_ip_protocol"] == {(): 4}
    six = by_name(probe({"target": "127.0.0.1", "module": "icmp6"}, {}, LOCAL, DUAL))
    assert six["probe_success"] == {(): 0}
    assert six["probe_ip_protocol"] == {(): 0}
    assert six["jianwei_probe_failure_reason"] == {("no_address",): 1}


@pings
def test_both_families_labelled() -> None:
    query = {"target": "local.example", "module": "icmp", "family": "both"}
    made = by_name(probe(query, {}, LOCAL, DUAL))
    assert made["probe_success"] == {("ipv4",): 1, ("ipv6",): 1}
    assert made["probe_ip_protocol"] == {("ipv4",): 4, ("ipv6",): 6}
    page = Encoder().encode(probe(query, {}, LOCAL, DUAL)).decode()  # type: ignore[arg-type]
    assert 'probe_icmp_duration_seconds{family="ipv6",phase="rtt"}' in page


@pings
def test_a_name_without_an_address_has_a_reason() -> None:
    made = by_name(
        probe({"target": "dead.example", "module": "icmp"}, {}, allow("dead.example"), DUAL)
    )
    assert made["probe_success"] == {(): 0}
    assert made["probe_icmp_duration_seconds"]["rtt",] == 0
    assert made["jianwei_probe_failure_reason"] == {("no_address",): 1}


@pings
def test_the_scrape_timeout_is_kept() -> None:
    """A name server that hangs takes no more than its part of it."""

    class Hung(Zone):
        go = threading.Event()

        def look_up(self, name: str, family: str) -> Resolved:
            self.go.wait(60)
            return super().look_up(name, family)

    hung = Hung()
    headers = {"x-prometheus-scrape-timeout-seconds": "1"}
    start = time.monotonic()
    made = by_name(probe({"target": "local.example", "module": "icmp"}, headers, LOCAL, hung))
    assert time.monotonic() - start < 20
    hung.go.set()
    assert made["jianwei_probe_failure_reason"] == {("dns_timeout",): 1}


@pings
def test_its_course_for_people() -> None:
    query = {"target": "local.example", "module": "icmp", "family": "both", "debug": "true"}
    text = probe(query, {}, LOCAL, DUAL)
    assert isinstance(text, str)
    assert "ipv6\n  addresses: ::1" in text
    assert "answered: 3 of 3" in text


# --- other probers, through the same door -------------------------------------------------------


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
