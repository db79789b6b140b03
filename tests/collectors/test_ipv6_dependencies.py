"""What pages load from other hosts: what a client without IPv4 misses, and what nobody has seen."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from collectors.ipv6.model import Site, SiteAddress
from collectors.ipv6.web.check import WEB_FACTS, check_web
from collectors.ipv6.web.dependencies import Hosts, Looked, Used, dependencies, used
from collectors.ipv6.web.page import WebPage
from collectors.ipv6.web.session import Web
from collectors.ipv6.web.settings import WebSettings
from collectors.link import weburl
from collectors.link.connect import Deadline, Failure, Stream
from collectors.link.resolve import Resolved
from collectors.model import AddressFamily, Reason

OPEN: Reason = ""


class Pretended(Web):
    """Where each family of a host comes out as given: a reason of DNS or of the connection."""

    def __init__(self, hosts: dict[str, tuple[Reason, Reason]]) -> None:
        self._hosts = hosts
        own = {"ipv4": ["203.0.113.2"], "ipv6": ["2400:da00::2"]}
        super().__init__("www.a.cn", own, self._told, WebSettings(), Deadline(30))  # type: ignore[arg-type]

    def _outcome(self, host: str, family: AddressFamily) -> Reason:
        return self._hosts[host][family == "ipv6"]

    def _told(self, host: str, family: AddressFamily) -> Resolved:
        reason = self._outcome(host, family)
        if reason.startswith("dns") or reason == "no_address":
            return Resolved((), 0.0, reason)
        if reason == "not_allowed":
            return Resolved(("127.0.0.1" if family == "ipv4" else "::1",), 0.0)
        return Resolved(("203.0.113.9" if family == "ipv4" else "2400:da00::9",), 0.0)

    def open(
        self, host: str, address: str, family: AddressFamily, port: int, deadline: Deadline
    ) -> Stream:
        if reason := self._outcome(host, family):
            raise Failure(reason, "pretended")
        return Closable()


class Closable(Stream):
    def __init__(self) -> None:
        pass

    def close(self) -> None:
        pass


def looked(hosts: dict[str, tuple[Reason, Reason]], more: int = 0) -> Looked:
    first = [Used(host, weburl.parse(f"http://{host}/"), 1) for host in hosts]
    return dependencies(Pretended(hosts), Hosts(first, more))


@pytest.mark.parametrize(
    ("host", "ipv4", "ipv6", "missing", "unseen"),
    [
        ("both.cn", OPEN, OPEN, False, False),
        ("four.cn", OPEN, "no_address", True, False),
        ("broken6.cn", OPEN, "timeout", True, False),
        ("no-aaaa-told.cn", OPEN, "dns_timeout", True, False),
        ("aaaa-of-nobody.cn", OPEN, "not_allowed", True, False),
        ("six.cn", "no_address", OPEN, False, False),
        ("a-of-nobody.cn", "not_allowed", OPEN, False, False),
        ("refuses.cn", "connect_refused", "connect_refused", False, False),
        ("silent.cn", "timeout", "timeout", False, False),
        ("four-that-refuses.cn", "connect_refused", "no_address", True, False),
        ("203.0.113.7", "connect_refused", "no_address", True, False),
        ("nowhere.cn", "dns_nxdomain", "dns_nxdomain", False, False),
        ("empty.cn", "no_address", "no_address", False, False),
        ("lame.cn", "dns_error", "dns_error", False, False),
        ("inside.cn", "not_allowed", "no_address", False, True),
        ("127.0.0.1", "not_allowed", "no_address", False, True),
        ("10.1.2.3", "not_allowed", "no_address", False, True),
        ("[::1]", "no_address", "not_allowed", False, True),
        ("silent-dns.cn", "dns_timeout", "dns_timeout", False, True),
        ("of-no-file.cn", "error", "error", False, True),
        ("half-silent-dns.cn", "connect_refused", "dns_timeout", False, True),
    ],
)
def test_what_a_client_without_ipv4_misses(
    host: str, ipv4: Reason, ipv6: Reason, missing: bool, unseen: bool
) -> None:
    host = host.strip("[]")
    url = weburl.parse(f"http://[{host}]/" if ":" in host else f"http://{host}/")
    found = dependencies(Pretended({host: (ipv4, ipv6)}), Hosts([Used(host, url, 1)], 0))
    (row,) = found.rows
    assert (row.ipv4, row.ipv6) == (not ipv4, not ipv6)
    assert row.unseen is unseen
    assert found.missing == ((host,) if missing else ())
    assert bool(found.blind()) is unseen
    if unseen:
        assert row.reason in ("not_allowed", "dns_timeout", "error")


def test_hosts_beyond_the_limit_are_told() -> None:
    found = looked({"a.cn": (OPEN, OPEN)}, more=3)
    row = found.rows[-1]
    assert (row.host, row.ipv4, row.ipv6, row.reason) == ("…and 3 more", False, False, "")
    assert (row.detail, row.uses, row.unseen) == ("not looked at", 3, True)
    assert found.blind() == ("budget", "3 hosts not looked at")
    both = looked({"a.cn": ("not_allowed", "no_address")}, more=3)
    assert both.blind() == ("budget", "4 hosts not looked at")


def test_why_nobody_can_tell() -> None:
    refused: tuple[Reason, Reason] = ("not_allowed", "no_address")
    assert looked({"a.cn": refused}).blind() == ("no_address", "a.cn")
    silent: tuple[Reason, Reason] = ("dns_timeout", "dns_timeout")
    assert looked({"a.cn": refused, "b.cn": silent}).blind() == ("no_answer", "a.cn, b.cn")
    ours: tuple[Reason, Reason] = ("error", "error")
    assert looked({"a.cn": silent, "b.cn": ours}).blind() == ("error", "a.cn, b.cn")


def test_a_machine_without_a_file_to_spare(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is not the site that has failed."""

    def no_file(*named: object) -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    site = Site("a", "http://www.a.cn/", "www.a.cn", 80, False)
    addresses = [SiteAddress("203.0.113.2", "ipv4", "global")]
    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", no_file)
        web = Pretended({})
        facts = check_web(site, addresses, web._told, WebSettings(), Deadline(9))
    assert [fact.name for fact in facts] == list(WEB_FACTS)
    assert {fact.unavailable for fact in facts} == {"error: no socket: too many open files"}


def test_the_most_used_are_looked_at() -> None:
    urls = [weburl.parse(f"http://{i}.cn/") for i in range(9)]
    page = WebPage(urls[8], "", (), tuple((url, 1 + (i == 7)) for i, url in enumerate(urls)))
    hosts = used([page], "8.cn", 2)
    assert [one.host for one in hosts.first] == ["7.cn", "0.cn"]
    assert hosts.more == 6
    assert used([page], "8.cn", 50).more == 0
