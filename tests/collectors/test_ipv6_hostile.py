"""Sites that mean harm: always facts or reasons, always in time, always in little memory."""

from __future__ import annotations

import gzip
import itertools
import os
import socket
import time
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from collectors.ipv6.web.check import WEB_FACTS
from collectors.ipv6.web.dependencies import Hosts, Used, dependencies
from collectors.ipv6.web.fetch import fetch
from collectors.ipv6.web.session import Spent, Web, may_be_asked
from collectors.ipv6.web.settings import WebSettings
from collectors.link import weburl
from collectors.link.connect import Deadline, Failure
from collectors.link.resolve import Resolved
from collectors.model import AddressFamily, Fact
from tests.collectors.servers import Care, greeting, receive_head, resetting, serving, silent
from tests.collectors.weblab import answer
from tests.sitelab import SiteLab, unavailable

lab_only = pytest.mark.skipif(bool(unavailable()), reason=unavailable())
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
HOME = b"<title>Home</title><a href=/a>a</a>"
BOMB = gzip.compress(bytes(200 << 20), 1)
LOADS = "".join(f"<img src=http://{i}.other.cn/>" for i in range(40)).encode()
LINKS = "".join(f"<a href=/{i}.html>x</a>" for i in range(20_000)).encode()


def always(*parts: bytes) -> Care:
    """The same answer to every request."""

    def care(connection: socket.socket) -> None:
        receive_head(connection)
        for part in parts:
            connection.sendall(part)

    return care


def endless(head: bytes, piece: bytes, pause: float = 0) -> Care:
    def care(connection: socket.socket) -> None:
        receive_head(connection)
        connection.sendall(head)
        for _ in itertools.count():
            connection.sendall(piece)
            time.sleep(pause)

    return care


def by_path(home: Care, others: Care, path: bytes = b"/robots.txt") -> Care:
    """One care for a path and another for what is else."""

    def care(connection: socket.socket) -> None:
        head = connection.recv(65536, socket.MSG_PEEK)
        (others if head.split(b" ")[1:2] == [path] else home)(connection)

    return care


GOOD = always(answer(HOME))
# name → care, and the homepage's reason; "" where the page is good as far as it was read
HOSTILE: dict[str, tuple[Care, str]] = {
    "silent": (silent, "timeout"),
    "reset": (resetting, "connect_reset"),
    "closes": (always(b""), "http_protocol"),
    "drips-head": (endless(HEAD, b"X", 0.05), "timeout"),
    "drips-body": (endless(HEAD + b"\r\n", b"x", 0.05), "timeout"),
    "four-gigabytes": (endless(HEAD + b"Content-Length: 4294967296\r\n\r\n", bytes(65536)), ""),
    "endless-body": (endless(HEAD + b"\r\n", b"<a href=/x>" * 5000), ""),
    "endless-chunks": (endless(CHUNKED, b"10000\r\n" + b"<" * 65536 + b"\r\n"), ""),
    "gzip-bomb": (always(answer(BOMB, Content_Encoding="gzip")), ""),
    "deflate-bomb": (always(answer(zlib.compress(bytes(50 << 20)), Content_Encoding="deflate")), ""),
    "deflate-garbage": (always(answer(b"\xffgarbage" * 99, Content_Encoding="deflate")), "http_protocol"),
    "gzip-cut": (always(answer(gzip.compress(HOME * 99)[:-20], Content_Encoding="gzip")), "http_protocol"),
    "brotli": (always(answer(HOME, Content_Encoding="br")), "http_protocol"),
    "header-flood": (endless(HEAD, b"X-More: yes\r\n" * 100), "http_protocol"),
    "cookie-flood": (always(answer(HOME).replace(b"\r\n\r\n", b"\r\n" + b"Set-Cookie: \xff=1\r\n" * 2000 + b"\r\n", 1)), ""),
    "endless-interim": (endless(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"), "http_protocol"),
    "nonsense": (always(b"\0\xff nonsense\r\n\r\n"), "http_protocol"),
    "greets": (greeting(b"SSH-2.0-OpenSSH_9.2\r\n"), "timeout"),  # and says no more
    "bad-status": (always(b"HTTP/1.1 999 Odd\r\n\r\n"), "http_status"),
    "loop": (always(answer(status="302 Found", Location="/")), "http_redirect"),
    "to-nowhere": (always(answer(status="302 Found", Location="http://[")), "http_redirect"),
    "to-longer": (always(answer(status="302 Found", Location="/" + "x" * 9000)), "http_redirect"),
    "to-loopback": (always(answer(status="302 Found", Location="http://[::1]/")), "not_allowed"),
    "to-link-local": (always(answer(status="302 Found", Location="http://169.254.169.254/")), "not_allowed"),
    "nul-pages": (always(answer(b"\0" * 400_000)), ""),
    "unclosed": (always(answer(b"<div>" * 80_000 + b"<!--" + b"<a href='" * 9)), ""),
    "many-links": (by_path(always(answer(LINKS)), always(answer(status="404 None"))), ""),
    "links-that-hang": (by_path(silent, GOOD, b"/"), ""),
    "robots-without-end": (by_path(GOOD, endless(HEAD + b"\r\n", b"Disallow: /b\n" * 5000)), ""),
    "robots-that-drips": (by_path(GOOD, endless(HEAD + b"\r\n", b"D", 0.05)), ""),
}  # fmt: skip


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SiteLab]:
    with SiteLab(tmp_path_factory.mktemp("hostile")) as lab:
        for name, (care, _) in HOSTILE.items():
            lab.own(f"{name}.cn", care)
        lab.own("tls-nonsense.cn", greeting(HEAD), port=443)
        lab.own("one-family.cn", GOOD, silent)
        yield lab


# what is much is not late, however busy the machine is; what is waited for is waited for shortly
PATIENCE = {name: 0.7 if reason == "timeout" else 5 for name, (_, reason) in HOSTILE.items()}
PATIENCE |= {"links-that-hang": 1.5, "robots-that-drips": 1.5}


def check(lab: SiteLab, host: str, seconds: float = 60, timeout: float = 0.7) -> dict[str, Fact]:
    few = {"probes": 4, "second_level": 6, "third_level": 3, "links_time": 6}
    settings = lab.settings(probe_rate=200, link_rate=200, timeout=timeout, **few)
    facts = lab.check(host, settings, seconds)
    assert set(facts) == set(WEB_FACTS)
    for fact in facts.values():
        assert (fact.value is None) == bool(fact.unavailable), fact
    return facts


@pytest.fixture(scope="module")
def checked(lab: SiteLab) -> dict[str, dict[str, Fact]]:
    def found(name: str) -> dict[str, Fact]:
        return check(lab, f"{name}.cn", timeout=PATIENCE[name])

    with ThreadPoolExecutor(8) as pool:
        return dict(zip(HOSTILE, pool.map(found, HOSTILE), strict=True))


@lab_only
@pytest.mark.parametrize("name", HOSTILE)
def test_sites_that_mean_harm(checked: dict[str, dict[str, Fact]], name: str) -> None:
    reason = HOSTILE[name][1]
    facts = checked[name]
    home = facts["site_homepage"].value
    assert {row["family"] for row in home} == {"ipv4", "ipv6"}
    if reason == "not_allowed":  # of the other family the name has no address at all
        assert {row["reason"] for row in home} <= {"not_allowed", "no_address"}
    else:
        assert {row["reason"] for row in home} == {reason}, home
    assert all(row["ok"] == (not reason) for row in home)
    if reason:
        assert facts["site_probes"].value[0]["succeeded"] == 0
        assert facts["site_links"].unavailable.startswith("no_homepage")
        assert facts["site_ipv6_only"].value["works"] is False
    else:
        assert facts["site_content"].value["difference"] == 0


@lab_only
def test_links_that_mean_harm(checked: dict[str, dict[str, Fact]]) -> None:
    assert checked["robots-that-drips"]["site_links"].unavailable.startswith(
        "robots: robots.txt of"
    )
    assert checked["robots-without-end"]["site_links"].value[0]["ratio"] == 1
    assert checked["many-links"]["site_links"].value[0]["sampled"] == 6
    # robots.txt hangs as well, and what cannot be had forbids
    assert checked["links-that-hang"]["site_links"].unavailable.startswith("robots")
    assert "500000" in checked["gzip-bomb"]["site_homepage"].value[0]["detail"]


@lab_only
def test_one_family_is_silent(lab: SiteLab) -> None:
    facts = check(lab, "one-family.cn")
    by_family = {row["family"]: row for row in facts["site_homepage"].value}
    assert by_family["ipv4"]["ok"]
    assert by_family["ipv6"]["reason"] == "timeout"
    assert facts["site_links"].value[0]["ratio"] == 0


@lab_only
def test_tls_that_is_none(lab: SiteLab) -> None:
    facts = check(lab, "https://tls-nonsense.cn/")
    assert {row["reason"] for row in facts["site_homepage"].value} == {"tls_handshake"}


@lab_only
@pytest.mark.parametrize("host", ["drips-body.cn", "one-family.cn", "links-that-hang.cn"])
def test_the_end_of_the_check_is_kept(lab: SiteLab, host: str) -> None:
    """Whatever a site does, the check is over when its time is."""
    start = time.monotonic()
    facts = lab.check(host, lab.settings(timeout=5.0, probe_rate=10), seconds=1)
    assert time.monotonic() - start < 5
    assert any(fact.unavailable.startswith("budget") for fact in facts.values())


class SilentDns:
    """Look-ups that wait for nobody, in a check that has only just begun when they do."""

    def __init__(self, deadline: Deadline, wait: float) -> None:
        self._deadline, self._wait = deadline, wait
        self.names: list[str] = []

    def __call__(self, name: str, family: AddressFamily) -> Resolved:
        self._deadline.left()  # a look-up that begins behind the end is a Failure here
        self.names.append(name)
        time.sleep(self._wait)
        return Resolved((), self._wait, "dns_timeout", "nobody answers")


def test_silent_dns_does_not_outlive_the_check() -> None:
    deadline = Deadline(0.3)
    dns = SilentDns(deadline, 0.4)
    web = Web("www.a.cn", {}, dns, WebSettings(), deadline)
    hosts = [Used(f"{i}.cn", weburl.parse(f"http://{i}.cn/"), 1) for i in range(40)]
    with pytest.raises(Spent):
        dependencies(web, Hosts(hosts, 0))
    assert len(dns.names) <= 8  # those that had begun
    for _ in range(2):  # nothing of it is remembered as if it had been seen
        with pytest.raises(Spent):
            web.addresses("0.cn", "ipv4")


@lab_only
def test_where_dns_is_silent_nothing_is_told_of_what_is_loaded(
    lab: SiteLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    lab.own("loads-much.cn", always(answer(LOADS)))

    def silence(name: str, family: AddressFamily) -> Resolved:
        time.sleep(1)
        return Resolved((), 1.0, "dns_timeout", "nobody answers")

    monkeypatch.setattr(lab, "look_up", silence)
    start = time.monotonic()
    facts = lab.check("loads-much.cn", lab.settings(probes=1), seconds=3)
    assert time.monotonic() - start < 6
    assert facts["site_homepage"].value[0]["ok"]
    assert facts["site_dependencies"].unavailable.startswith("budget")
    assert facts["site_ipv6_only"].unavailable.startswith("budget")


def resident(key: str) -> int:
    """VmRSS or VmHWM in KiB."""
    text = Path("/proc/self/status").read_text()
    return int(text.partition(f"{key}:")[2].split()[0])


@lab_only
def test_hostile_sites_cost_little_memory(lab: SiteLab) -> None:
    """Many at a time; the servers' own memory is in the figure."""
    names = ["gzip-bomb", "endless-body", "many-links", "unclosed", "four-gigabytes"] * 2
    check(lab, "gzip-bomb.cn")  # what is loaded once
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = resident("VmRSS")
    with ThreadPoolExecutor(len(names)) as pool:
        list(pool.map(lambda name: check(lab, f"{name}.cn", 20), names))
    grown = (resident("VmHWM") - before) >> 10
    assert grown < 100, f"{grown} MiB for {len(names)} sites"
    print(f"{grown} MiB, {os.cpu_count()} cores")


@pytest.mark.parametrize(
    ("address", "asked"),
    [
        *(("203.0.113.1", True), ("10.1.2.3", True), ("2400:da00::1", True), ("fd00::1", True)),
        *(("64:ff9b::cb00:7101", True), ("2001:db8::1", True), ("2002:cb00:7101::1", True)),
        *(("127.0.0.1", False), ("0.0.0.7", False), ("0.1.2.3", False), ("169.254.169.254", False)),
        *(("224.0.0.1", False), ("255.255.255.255", False), ("240.0.0.1", False)),
        *(("::", False), ("::1", False), ("::ffff:203.0.113.1", False), ("fe80::1", False)),
        *(("64:ff9b::7f00:1", False), ("64:ff9b::e000:1", False), ("2002:a9fe:a9fe::", False)),
        *(("64:ff9b:1::7f00:1", False), ("64:ff9b:1:a00:0:500::", True), ("2001::1", False)),
        *(("fe80::1%eth0", False), ("ff02::1", False), ("::203.0.113.1", False), ("name", False)),
    ],
)
def test_which_addresses_may_be_asked(address: str, asked: bool) -> None:
    assert may_be_asked(address) is asked


def no_name(name: str, family: AddressFamily) -> Resolved:
    return Resolved((), 0.0, "dns_nxdomain")


def test_an_address_that_is_given_is_looked_at_as_well() -> None:
    """A page asked for at an address that no DNS told, behind a NAT64 say."""
    web = Web("localhost", {}, no_name, WebSettings(), Deadline(9))
    with serving(GOOD) as port:
        url = weburl.parse(f"http://localhost:{port}/")
        for address in ("127.0.0.1", "::ffff:127.0.0.1", "::1", "fe80::1"):
            got = fetch(web, url, "ipv6" if ":" in address else "ipv4", address)
            assert (got.ok, got.reason, got.status) == (False, "not_allowed", 0), got


@pytest.mark.parametrize(
    ("own", "led_to", "reason"),
    [
        ("203.0.113.2", "10.1.2.3", "not_allowed"),
        ("203.0.113.2", "192.168.0.1", "not_allowed"),
        ("203.0.113.2", "203.0.113.9", ""),
        ("10.0.0.2", "10.1.2.3", ""),
        ("10.0.0.2", "127.0.0.1", "not_allowed"),
        # by the IPv4 address in it
        ("2400:da00::2", "64:ff9b::a00:5", "not_allowed"),
        ("2400:da00::2", "64:ff9b::7f00:1", "not_allowed"),
        ("2400:da00::2", "64:ff9b::a9fe:a9fe", "not_allowed"),
        ("2400:da00::2", "64:ff9b::cb00:7109", ""),
        ("2400:da00::2", "2002:a00:5::1", "not_allowed"),
        ("2400:da00::2", "2002:7f00:1::1", "not_allowed"),
        ("2400:da00::2", "2002:cb00:7109::1", ""),
        ("2400:da00::2", "2001:0:cb00:7109::f5ff:fffa", "not_allowed"),  # 10.0.0.5
        ("2400:da00::2", "2001:0:cb00:7109::80ff:fffe", "not_allowed"),  # 127.0.0.1
        ("2400:da00::2", "2001:0:a00:5::34ff:8ef6", "not_allowed"),  # by way of 10.0.0.5
        ("2400:da00::2", "2001:0:cb00:7109::34ff:8ef6", ""),
        # where the IPv4 address is, is a local matter
        ("2400:da00::2", "64:ff9b:1::a00:5", "not_allowed"),
        ("2400:da00::2", "64:ff9b:1:a00:0:500::", "not_allowed"),
        ("2400:da00::2", "64:ff9b:1::cb00:7109", "not_allowed"),
        ("64:ff9b:1::cb00:7102", "64:ff9b:1::a00:5", "not_allowed"),
        # those inside may lead inside, and no more
        ("fd00::2", "64:ff9b::a00:5", ""),
        ("fd00::2", "64:ff9b:1::a00:5", ""),
        ("fd00::2", "64:ff9b:1::7f00:1", "not_allowed"),
        ("fd00::2", "2002:7f00:1::1", "not_allowed"),
        ("64:ff9b:1::a00:2", "fd00::8", ""),
        # a site says itself where it is: all of it has to be inside
        ("203.0.113.2 10.9.9.9", "fd00::8", "not_allowed"),
        ("2400:da00::2 10.9.9.9", "10.1.2.3", "not_allowed"),
        ("2400:da00::2 fd00::2 10.9.9.9", "64:ff9b::a00:5", "not_allowed"),
        ("10.9.9.9 fd00::2", "fd00::8", ""),
        ("::1 10.9.9.9", "fd00::8", ""),
        ("::1", "fd00::8", "not_allowed"),
    ],
)
def test_a_site_on_the_internet_does_not_lead_inside(own: str, led_to: str, reason: str) -> None:
    def look_up(name: str, family: AddressFamily) -> Resolved:
        return Resolved((led_to,), 0.0)

    its: dict[AddressFamily, list[str]] = {
        "ipv4": [one for one in own.split() if ":" not in one],
        "ipv6": [one for one in own.split() if ":" in one],
    }
    web = Web("www.a.cn", its, look_up, WebSettings(), Deadline(9))
    family: AddressFamily = "ipv6" if ":" in led_to else "ipv4"
    for host in ("cdn.a.cn", led_to):
        if reason:
            with pytest.raises(Failure, match=reason):
                web.addresses(host, family)
        else:
            assert web.addresses(host, family) == (led_to,)
    for family, addresses in its.items():
        if addresses and own != "::1" and "::1 " not in own:
            assert web.addresses("www.a.cn", family) == tuple(addresses)
