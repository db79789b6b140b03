"""`/probe`: who may be probed, what is refused, and the families of a real probe of this machine."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterable, Mapping

import pytest

from collectors.link.resolve import Resolved, Resolver
from collectors.link.settings import ProbeSettings, ProbeTarget
from collectors.model import Family, Target
from exporters.prometheus.backend import ProbeRefused
from exporters.prometheus.encoder import Encoder
from exporters.prometheus.probe import AllowList, probe


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
