"""A small internet with sites, each broken in one way: root to leaf zones, nginx, and servers of ours.

    with ReadinessLab(folder) as lab:
        results = lab.check()          # readiness by label, all sites at once

What each must come out as is in tests/readiness/sites.yaml. `client` looks from its own namespace;
`server` has nginx and the name servers; behind it lies `far`, over a link that is narrower.
"""

from __future__ import annotations

import gzip
import random
import socket
import string
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Final, NamedTuple

import msgspec

from collectors.ipv6.check import Checked, Checker, site_of
from collectors.ipv6.dns.settings import DnsSettings, StartZone
from collectors.ipv6.sitesettings import CheckSettings
from collectors.ipv6.web.session import FAMILIES
from collectors.ipv6.wire.nat64 import Nat64Here
from collectors.strictyaml import Duration
from rules import pack as packs
from rules.audit import judged
from rules.engine import Judge
from rules.readiness import explained
from rules.readinessmodel import PACK, Readiness, Subject
from tests import dnsv6lab, sitelab
from tests.collectors.servers import Care, receive_head, serving_on
from tests.dnsv6lab import Zone
from tests.sitelab import REFUSING, SERVER, SILENT, SiteLab, WebSite

HOSTS: Final[Mapping[str, Sequence[str]]] = {
    "root": ("198.51.100.1", "2400:da53::1"),
    "gov": ("198.51.100.3", "2400:da53::3"),
    "dual": [
        *("198.51.100.11", "2400:da53::11", "198.51.100.12", "2400:da53::12"),
        *("198.51.100.13", "2400:da53::13"),  # without TCP
    ],
    "old": ("198.51.100.21", "198.51.100.22"),
}
NS1, NS2, NO_TCP = (HOSTS["dual"][n : n + 2] for n in (0, 2, 4))
NO_PORT_80, NO_ECHO, NO_ERRORS, ULA = (
    ("203.0.113.5", "2400:da00::5"),
    ("203.0.113.6", "2400:da00::6"),
    ("203.0.113.7", "2400:da00::7"),
    ("203.0.113.8", "fd00:da::8"),
)
FAR = ("198.51.101.2", "2400:da03::2")
_DICE = random.Random(1)  # noqa: S311 - words that no gzip makes small
WORDS = " ".join("".join(_DICE.choices(string.ascii_lowercase, k=7)) for _ in range(1200))


class LabSite(NamedTuple):
    """What is broken, in a word of the table; the web site, and changes of its zone."""

    label: str
    web: WebSite | None = None
    zone: Mapping[str, object] = {}
    records: str = ""
    care: Care | None = None
    care6: Care | None = None
    tls: bool = False

    @property
    def host(self) -> str:
        return f"www.{self.label}.gov.cn"


def page(
    title: str = "市政务服务网", body: str = WORDS, links: Sequence[str] = ("/a", "/b")
) -> str:
    """A page of several packets."""
    anchors = "".join(f'<p><a href="{link}">{link}</a>' for link in links)
    return f"<!doctype html><html><title>{title}</title><body><p>{body}{anchors}</html>"


PAGES = {
    "/": page(),
    "/a/index.html": page("甲", "甲 " * 50, ("/a/one.html",)),
    "/b/index.html": page("乙", "乙 " * 50, ("/b/two.html",)),
    "/a/one.html": page("一", "一 " * 50, ()),
    "/b/two.html": page("二", "二 " * 50, ()),
}


def web(label: str, **changes: object) -> WebSite:
    given = {"host": f"www.{label}.gov.cn", "files": PAGES, **changes}
    return WebSite(**given)  # type: ignore[arg-type]


def third(path: str, family: str, count: int) -> tuple[int, Mapping[str, str], bytes]:
    """A balancer one of whose three servers is broken, over IPv6 only, and is so from the ninth
    request on: the first page comes, so that what it shows of itself is always the same."""
    if family == "ipv6" and count > 8 and count % 3 == 0:
        return 502, {}, b"bad gateway"
    return 200, {"Content-Type": "text/html"}, page(links=()).encode()


def slow(path: str, family: str, count: int) -> tuple[int, Mapping[str, str], bytes]:
    """A detour over IPv6."""
    time.sleep(0.24 if family == "ipv6" else 0.06)
    return 200, {"Content-Type": "text/html"}, page(links=()).encode()


def answering(body: bytes, head: str = "") -> Care:
    """The same answer to every request."""

    def care(connection: socket.socket) -> None:
        receive_head(connection)
        size = (
            ""
            if "Transfer" in head or "Content-Length" in head
            else f"Content-Length: {len(body)}\r\n"
        )
        connection.sendall(
            f"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n{size}{head}Connection: close\r\n\r\n".encode()
        )
        connection.sendall(body)

    return care


def never(connection: socket.socket) -> None:
    """A server that takes the request and says nothing."""
    receive_head(connection)
    connection.recv(1)


def dripping(connection: socket.socket) -> None:
    """A server that never ends."""
    receive_head(connection)
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<html>")
    while True:
        connection.sendall(b"<p>")
        time.sleep(0.2)


def endless(connection: socket.socket) -> None:
    """A body of 4 GB."""
    receive_head(connection)
    connection.sendall(
        b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 4294967296\r\n\r\n"
    )
    piece = b"<p>text</p>" * 6000
    while True:
        connection.sendall(piece)


BOMB = gzip.compress(b"<p>" * 40_000_000, 9)
MESS = b"<!--" + b"<div>" * 20_000 + b"<a href=" + b"<" * 60_000 + b"\0\xff<title>" + b"]]>" * 9000

SITES: Final[Sequence[LabSite]] = (
    LabSite("good", web("good", tls=True), tls=True),
    LabSite("plain", web("plain")),
    LabSite("no-aaaa", web("no-aaaa", aaaa=())),
    LabSite("ipv6-alone", web("ipv6-alone", a=())),
    LabSite("ipv6-silent", web("ipv6-silent", aaaa=(SILENT[1],))),
    LabSite("ipv6-refused", web("ipv6-refused", aaaa=(REFUSING[1],))),
    LabSite("one-of-two", web("one-of-two", aaaa=(SERVER[1], REFUSING[1]))),
    LabSite("loopback", web("loopback", aaaa=("::1",))),
    LabSite("mapped", web("mapped", aaaa=("::ffff:203.0.113.2",))),
    LabSite("documentation", web("documentation", aaaa=("2001:db8::2",))),
    LabSite("unique-local", web("unique-local", aaaa=(ULA[1],))),
    LabSite("other-content", web("other-content", files6={"/": page(body="old text " * 300)})),
    LabSite("other-title", web("other-title", files6={"/": page(title="Welcome to nginx")})),
    LabSite("other-status", web("other-status", ipv6="location = / { return 403; }")),
    LabSite(
        "other-redirect",
        web("other-redirect", ipv6="location = / { return 302 /a/index.html; }"),
    ),
    LabSite("redirect-loop", web("redirect-loop", both="location / { return 302 /; }")),
    LabSite(
        "other-certificate", web("other-certificate", tls=True, certificate6="other"), tls=True
    ),
    LabSite(
        "expired-over-ipv6", web("expired-over-ipv6", tls=True, certificate6="expired"), tls=True
    ),
    LabSite(
        "wrong-name-over-ipv6",
        web("wrong-name-over-ipv6", tls=True, certificate6="wrong"),
        tls=True,
    ),
    LabSite(
        "no-port-80", web("no-port-80", tls=True, a=NO_PORT_80[:1], aaaa=NO_PORT_80[1:]), tls=True
    ),
    LabSite("one-in-three", web("one-in-three", both="location / { proxy_pass @third@; }")),
    LabSite("slow-over-ipv6", web("slow-over-ipv6", both="location / { proxy_pass @slow@; }")),
    LabSite(
        "links-dead",
        web("links-dead", ipv6="location /a { return 404; } location /b { return 404; }"),
    ),
    LabSite(
        "third-level-dead",
        web("third-level-dead", ipv6="location ~ (one|two) { return 404; }"),
    ),
    LabSite(
        "ipv4-dependency",
        web(
            "ipv4-dependency",
            files={**PAGES, "/": page(body=f'{WORDS}<img src="http://cdn.good.gov.cn/x.png">')},
        ),
    ),
    LabSite(
        "ipv4-literal",
        web(
            "ipv4-literal",
            files={
                **PAGES,
                "/": page(body=f'{WORDS}<script src="http://203.0.113.2/x.js"></script>'),
            },
        ),
    ),
    LabSite(
        "robots",
        web("robots", files={**PAGES, "/robots.txt": "User-agent: *\nDisallow: /\n"}),
    ),
    LabSite("no-echo", web("no-echo", a=NO_ECHO[:1], aaaa=NO_ECHO[1:])),
    LabSite("no-errors", web("no-errors", a=NO_ERRORS[:1], aaaa=NO_ERRORS[1:])),
    LabSite(
        "ipv4-name-servers",
        web("ipv4-name-servers"),
        {
            "hosts": ["old"],
            "servers": {f"ns{n}.ipv4-name-servers.gov.cn": [HOSTS["old"][n - 1]] for n in (1, 2)},
        },
    ),
    LabSite(
        "one-name-server",
        web("one-name-server"),
        {
            "hosts": ["dual", "old"],
            "servers": {
                "ns1.one-name-server.gov.cn": NS1,
                "ns2.one-name-server.gov.cn": HOSTS["old"][1:],
            },
        },
    ),
    LabSite(
        "dns-without-tcp",
        web("dns-without-tcp"),
        {
            "servers": {
                "ns1.dns-without-tcp.gov.cn": NS1,
                "ns2.dns-without-tcp.gov.cn": NS2,
                "ns3.dns-without-tcp.gov.cn": NO_TCP,
            }
        },
    ),
    LabSite("no-such-name", None, records="other IN A 203.0.113.2"),
    LabSite("lame", web("lame"), {"hosts": []}),
    LabSite("never-answers", care=never),
    LabSite("never-ends", care=dripping),
    LabSite("four-gigabytes", care=endless),
    LabSite("gzip-bomb", care=answering(BOMB, "Content-Encoding: gzip\r\n")),
    LabSite("broken-html", care=answering(MESS)),
    LabSite("broken-over-ipv6", care=answering(page(links=()).encode()), care6=lambda it: None),
    LabSite("mtu-hole", records=f"www IN A {FAR[0]}\nwww IN AAAA {FAR[1]}"),
)


class ReadinessLab:
    """Everything above, running. Use it as a context manager."""

    def __init__(self, folder: Path, sites: Sequence[LabSite] = SITES) -> None:
        self.sites = sites
        self._folder = folder
        (folder / "web").mkdir()
        (folder / "dns").mkdir()
        webs = [one.web for one in sites if one.web]
        self.web = SiteLab(folder / "web", webs, {"third": third, "slow": slow})
        self._stack = ExitStack()
        self._pack = packs.load(PACK)
        self._judge = Judge(self._pack, "site")

    def __enter__(self) -> ReadinessLab:
        with self._stack as stack:
            stack.enter_context(self.web)
            for one in self.sites:
                if one.care:
                    self.web.own(one.host, one.care, one.care6)
            self._addresses()
            self._far()
            stack.enter_context(
                dnsv6lab.internet(
                    self.web.net, "server", self._folder / "dns", self._zones(), HOSTS
                )
            )
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def settings(self, seconds: float = 60) -> CheckSettings:
        roots = (StartZone(".", tuple(HOSTS["root"])),)
        web = self.web.settings(
            timeout=Duration(2), link_rate=50, probe_rate=100, links_time=Duration(10)
        )
        dns = DnsSettings(roots=roots, timeout=Duration(0.5))
        return CheckSettings(timeout=Duration(seconds), dns=dns, web=web)

    def check(
        self, labels: Sequence[str] = (), settings: CheckSettings | None = None
    ) -> dict[str, Readiness]:
        """The readiness of the sites, or of some, by label; all at once, from the client."""
        wanted = [one for one in self.sites if not labels or one.label in labels]
        sites = [site_of(f"{'https' if s.tls else 'http'}://{s.host}/", s.label) for s in wanted]

        def run() -> list[Checked]:
            return list(Checker(settings or self.settings(), Nat64Here()).check_all(sites))

        done = self.web.net.begin("client", run).end(300)
        return {one.site.name: self.readiness(one) for one in done}

    def readiness(self, checked: Checked) -> Readiness:
        site, facts = checked.site, checked.facts
        # forty servers and their client share two cores: less than this says nothing of a family
        params = {**self._pack.params, "fast": 0.2, "dns_fast": 0.2}
        result = judged(self._judge, facts, params, site.url)
        subject = Subject("site", site.name, site.url)
        return explained(self._pack, result, facts, subject, checked.began, checked.duration)

    def _zones(self) -> list[Zone]:
        zones = [
            Zone(".", ["root"], {"a.root": HOSTS["root"]}),
            Zone("cn", ["root"], {"a.tld.cn": HOSTS["root"]}),
            Zone("gov.cn", ["gov"], {"a.gov.cn": HOSTS["gov"]}),
        ]
        for one in self.sites:
            name = f"{one.label}.gov.cn"
            lines = [one.records] if one.records else []
            for family, kind in zip(FAMILIES, ("A", "AAAA"), strict=True):
                addresses = self.web.names.get((one.host, family), ())
                lines += [f"www IN {kind} {address}" for address in addresses]
            if one.label == "good":
                lines.append(f"cdn IN A {SERVER[0]}")
            zone = Zone(name, ["dual"], {f"ns1.{name}": NS1, f"ns2.{name}": NS2}, "\n".join(lines))
            zones.append(zone._replace(**one.zone))  # type: ignore[arg-type]
        return zones

    def _addresses(self) -> None:
        """Addresses of nginx that are broken on the way."""
        net = self.web.net
        for pair in (NO_PORT_80, NO_ECHO, NO_ERRORS, ULA):
            for address in pair:
                prefix, more = ("64", ["nodad"]) if ":" in address else ("24", [])
                argv = ["ip", "address", "add", f"{address}/{prefix}", "dev", "to-client", *more]
                net.run("server", *argv)
        own = {"ip": [p[0] for p in (NO_PORT_80, NO_ECHO, NO_ERRORS, ULA)]}
        own["ip6"] = [p[1] for p in (NO_PORT_80, NO_ECHO, NO_ERRORS, ULA)]
        to = dict(zip(own, (SERVER[0], f"[{SERVER[1]}]"), strict=True))
        nat = "".join(
            f"{family} daddr {{ {', '.join(addresses)} }} tcp dport {{ 80, 443 }}"
            f" dnat {family} to {to[family].strip('[]')};"
            for family, addresses in own.items()
        )
        net.nft(
            "server",
            f"""table inet broken {{
  chain before {{ type filter hook prerouting priority -150;
    ip6 daddr {NO_PORT_80[1]} tcp dport 80 drop;
    ip6 daddr {NO_ECHO[1]} icmpv6 type echo-request drop;
    ip daddr {NO_TCP[0]} tcp dport 53 drop;
    ip6 daddr {NO_TCP[1]} tcp dport 53 drop;
  }}
  chain nat {{ type nat hook prerouting priority -100; {nat} }}
  chain out {{ type filter hook output priority 0;
    ip6 saddr {NO_ERRORS[1]} icmpv6 type {{ destination-unreachable, parameter-problem }} drop;
  }}
}}""",
        )

    def _far(self) -> None:
        """client — server — narrow — far; what is too big between the two is dropped silently."""
        net = self.web.net
        net.namespace("narrow", router=True)
        net.namespace("far")
        net.sysctl("server", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        net.link(
            "server",
            "narrow",
            [("198.51.102.1/24", "198.51.102.2/24"), ("2400:da02::1/64", "2400:da02::2/64")],
        )
        net.link(
            "narrow",
            "far",
            [("198.51.101.1/24", f"{FAR[0]}/24"), ("2400:da03::1/64", f"{FAR[1]}/64")],
        )
        for name, device in (("server", "to-narrow"), ("narrow", "to-server")):
            net.run(name, "ip", "link", "set", device, "mtu", "1300")
            net.nft(
                name,
                "table ip6 hole { chain o { type filter hook output priority 0;"
                " icmpv6 type packet-too-big drop; }; }",
            )
        net.route("server", "198.51.101.0/24", "via", "198.51.102.2")
        net.route("server", "2400:da03::/64", "via", "2400:da02::2")
        net.route("narrow", "default", "via", "198.51.102.1")
        net.route("narrow", "default", "via", "2400:da02::1")
        net.route("far", "default", "via", "198.51.101.1")
        net.route("far", "default", "via", "2400:da03::1")
        care = answering(page(links=()).encode())
        for address in FAR:
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            make: Callable[[], socket.socket] = lambda at=address, of=family: socket.create_server(  # type: ignore[misc]  # noqa: E731
                (at, 80), family=of, backlog=64
            )
            self._stack.enter_context(serving_on(net.inside("far", make), care))


def unavailable() -> str:
    """Why there can be no lab here, empty if there can."""
    return sitelab.unavailable()


def read_table(content: bytes) -> dict[str, Expected]:
    """What each site must come out as, by label."""
    import yaml

    return msgspec.convert(yaml.safe_load(content), dict[str, Expected])


class Expected(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Scores, and the checks that fail, were not tested or do not apply; all others pass."""

    score: float
    ipv6_only: float
    fail: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    not_applicable: tuple[str, ...] = ()


def seen(readiness: Readiness) -> Expected:
    """A result as the table has it."""
    by_verdict: dict[str, list[str]] = {}
    for check in readiness.checks:
        by_verdict.setdefault(check.verdict, []).append(check.id.removeprefix("ipv6."))
    return Expected(
        score=readiness.score or 0.0,
        ipv6_only=readiness.ipv6_only_score or 0.0,
        fail=tuple(by_verdict.get("fail", ())),
        unknown=tuple(by_verdict.get("unknown", ())),
        not_applicable=tuple(by_verdict.get("not_applicable", ())),
    )
