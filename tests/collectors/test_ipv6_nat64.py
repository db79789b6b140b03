"""NAT64 prefixes against RFC 6052's own table, and a real NAT64 and DNS64."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import ipaddress
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.ipv6.addresskind import kind
from collectors.ipv6.model import NEVER_ASKED, Nat64, Site
from collectors.ipv6.wire.nat64 import (
    LENGTHS,
    WELL_KNOWN_PREFIX,
    Nat64Here,
    check_nat64,
    detect,
    embed,
    extract,
    prefixes,
)
from collectors.model import Fact, Reason
from tests import nat64lab, netlab
from tests.nat64lab import GATE, PREFIX, SERVER

needs_lab = pytest.mark.skipif(bool(nat64lab.unavailable()), reason=nat64lab.unavailable())
SITE = Site("portal", "http://www.example.test/", "www.example.test", 80, tls=False)
HERE = Nat64Here((PREFIX,), dns64=True)
ONLY = ("192.0.0.170", "192.0.0.171")


# --- RFC 6052


@pytest.mark.parametrize(
    ("prefix", "address"),
    [  # section 2.4
        ("2001:db8::/32", "2001:db8:c000:221::"),
        ("2001:db8:100::/40", "2001:db8:1c0:2:21::"),
        ("2001:db8:122::/48", "2001:db8:122:c000:2:2100::"),
        ("2001:db8:122:300::/56", "2001:db8:122:3c0:0:221::"),
        ("2001:db8:122:344::/64", "2001:db8:122:344:c0:2:2100::"),
        ("2001:db8:122:344::/96", "2001:db8:122:344::192.0.2.33"),
        (WELL_KNOWN_PREFIX, "64:ff9b::192.0.2.33"),
    ],
)
def test_the_table_of_the_rfc(prefix: str, address: str) -> None:
    made = embed(prefix, "192.0.2.33")
    assert ipaddress.ip_address(made) == ipaddress.ip_address(address)
    assert extract(made, int(prefix.partition("/")[2])) == (prefix, "192.0.2.33")


@st.composite
def networks(draw: st.DrawFn) -> str:
    length = draw(st.sampled_from(LENGTHS))
    packed = bytearray(draw(st.binary(min_size=16, max_size=16)))
    packed[8] = 0
    return str(ipaddress.IPv6Network((bytes(packed), length), strict=False))


@given(networks(), st.ip_addresses(v=4))
def test_what_is_embedded_is_extracted(prefix: str, ipv4: ipaddress.IPv4Address) -> None:
    made = embed(prefix, str(ipv4))
    network = ipaddress.IPv6Network(prefix)
    assert ipaddress.IPv6Address(made) in network
    assert ipaddress.IPv6Address(made).packed[8] == 0
    assert extract(made, network.prefixlen) == (prefix, str(ipv4))


@given(networks())
def test_the_prefix_is_found_by_the_well_known_addresses(prefix: str) -> None:
    usable = kind(embed(prefix, ONLY[0])) not in NEVER_ASKED
    assert (prefix in prefixes(embed(prefix, only) for only in ONLY)) is usable


@pytest.mark.parametrize(
    "prefix", ["::ffff:0:0/96", "::/96", "fe80::/96", "ff02::/96", "fec0::/64", "::/32"]
)
def test_no_translator_is_where_nobody_can_be(prefix: str) -> None:
    """A resolver that answers so would have us ask IPv4 addresses of this machine's own way."""
    made = [embed(prefix, only) for only in ONLY]
    assert prefixes(made) == ()
    assert prefixes([*made, embed(PREFIX, ONLY[0])]) == (PREFIX,)


@given(st.lists(st.ip_addresses(v=6).map(str), max_size=5))
def test_any_addresses_may_be_answered(addresses: list[str]) -> None:
    for prefix in prefixes(addresses):
        assert any(embed(prefix, only) for only in ONLY)


def test_the_prefix_that_both_addresses_have_is_the_true_one() -> None:
    # 192.0.0.170 is at bits 32 to 63 as well
    true = "2001:db8:c000:aa::/96"
    assert prefixes(embed(true, only) for only in ONLY) == (true,)
    assert prefixes(["2001:db8::1"]) == ()


@pytest.mark.parametrize("prefix", ["2001:db8::/65", "2001:db8::/128", "192.0.2.0/24", "x", ""])
def test_another_length_is_refused(prefix: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        embed(prefix, "192.0.2.1")


# --- what is told of a site


def told(fact: Fact) -> Nat64:
    assert not fact.unavailable
    return msgspec.convert(fact.value, Nat64)


def page(answers: dict[str, tuple[bool, Reason, str]], asked: list[str]) -> object:
    def try_page(address: str) -> tuple[bool, Reason, str]:
        asked.append(address)
        return answers.get(address, (False, "timeout", "silence"))

    return try_page


def test_through_the_prefix_or_not() -> None:
    asked: list[str] = []
    good = embed(PREFIX, SERVER)
    try_page = page({good: (True, "", "")}, asked)
    found = told(check_nat64(SITE, ["203.0.113.9", SERVER], (), HERE, try_page))  # type: ignore[arg-type]
    assert found == Nat64(works=True, tested=True, prefix=PREFIX)
    assert asked == [embed(PREFIX, "203.0.113.9"), good]
    failed = told(check_nat64(SITE, ["203.0.113.9"], (), HERE, try_page))  # type: ignore[arg-type]
    assert failed == Nat64(
        works=False, tested=True, prefix=PREFIX, reason="timeout", detail="silence"
    )
    native = check_nat64(SITE, ["203.0.113.9"], (), HERE, try_page, native=True)  # type: ignore[arg-type]
    assert told(native).works


def test_literals_break_it_whatever_the_page_does() -> None:
    try_page = page({embed(PREFIX, SERVER): (True, "", "")}, [])
    for here in (HERE, Nat64Here()):
        found = told(check_nat64(SITE, [SERVER], ["192.0.2.7"], here, try_page))  # type: ignore[arg-type]
        assert (found.works, found.literals) == (False, ("192.0.2.7",))
        assert "1 IPv4 addresses" in found.detail


def test_without_a_nat64_nothing_was_tested() -> None:
    found = told(check_nat64(SITE, [SERVER], (), Nat64Here(), None))
    assert (found.works, found.tested, found.detail) == (True, False, "no NAT64 here")
    unknown = Nat64Here(reason="dns_timeout", detail="no answer in time")
    assert "not known" in told(check_nat64(SITE, [SERVER], (), unknown, None)).detail
    fact = check_nat64(SITE, (), (), HERE, None)
    assert (fact.value, fact.unavailable.partition(":")[0]) == (None, "no_address")


def test_the_well_known_prefix_is_for_global_addresses() -> None:
    asked: list[str] = []
    here = Nat64Here((WELL_KNOWN_PREFIX,), dns64=True)
    found = told(check_nat64(SITE, ["10.0.0.1"], (), here, page({}, asked)))  # type: ignore[arg-type]
    assert (found.works, found.tested, asked) == (False, False, [])
    assert "global" in found.detail


# --- the real one


class _Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b"hello")

    def log_message(self, *words: object) -> None:
        pass


@contextlib.contextmanager
def web(lab: netlab.Lab) -> Iterator[None]:
    server = lab.inside("server", lambda: http.server.HTTPServer((SERVER, 80), _Page))
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def fetch(address: str) -> tuple[bool, Reason, str]:
    asking = http.client.HTTPConnection(f"[{address}]", timeout=5)
    try:
        asking.request("GET", "/")
        status = asking.getresponse().status
    except OSError as error:
        return False, "error", str(error)
    finally:
        asking.close()
    return status == 200, "", f"{status}"


@needs_lab
def test_a_real_nat64_is_found_and_used(tmp_path: Path) -> None:
    with (
        netlab.Lab() as lab,
        nat64lab.nat64(lab, tmp_path, {"www.example.test": SERVER}),
        web(lab),
        nat64lab.resolv_conf(lab, "client", GATE),
    ):
        here = lab.inside("client", lambda: detect(GATE))
        assert here == Nat64Here((PREFIX,), dns64=True)
        code = "from collectors.ipv6.wire.nat64 import detect\nprint(*detect().prefixes)"
        asked = subprocess.run(
            lab.argv("client", sys.executable, "-c", code), capture_output=True, text=True
        )
        assert asked.stdout == f"{PREFIX}\n", asked.stderr
        found = lab.inside("client", lambda: told(check_nat64(SITE, [SERVER], (), here, fetch)))
        assert found == Nat64(works=True, tested=True, prefix=PREFIX)
        closed = lab.inside(
            "client", lambda: told(check_nat64(SITE, ["198.18.0.7"], (), here, fetch))
        )
        assert (closed.works, closed.tested, closed.reason) == (False, True, "error")


@needs_lab
def test_a_resolver_without_dns64_has_no_prefix(tmp_path: Path) -> None:
    with (
        netlab.Lab() as lab,
        nat64lab.nat64(lab, tmp_path, {"www.example.test": SERVER}, dns64=False),
    ):
        here = lab.inside("client", lambda: detect(GATE))
        assert (here.prefixes, here.dns64, here.reason) == ((), False, "")


def test_a_resolver_that_is_silent_or_no_address() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        here = detect("127.0.0.1" if silent.getsockname()[1] == 53 else "192.0.2.1", timeout=0.3)
    assert here.reason in ("dns_timeout", "dns_rcode", "dns_error")
    assert detect("no address", timeout=0.3).reason == "dns_error"
