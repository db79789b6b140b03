"""A small internet of names: zones described in Python, served by real NSD in one namespace.

`Zone` describes; the delegation in the zone above is made from it. `internet()` starts one NSD for
each `host` with that host's addresses and zones, so that parent and child differ as they do outside.
`ZONES` and `HOSTS` are what the tests here use; a bigger lab adds rows to both.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests import netlab
from tests.agentlab import eventually

Servers = Mapping[str, Sequence[str]]  # name of a name server → its addresses


class Zone(NamedTuple):
    """A zone. Names end with no dot, save the root's own.

    `servers` are its NS records, and the addresses of those within it. `records` are lines of a zone
    file. `hosts` serve it. The zone above delegates to `above` (else `servers`), with their addresses
    as `glue` unless that is given, where glue can be.
    """

    name: str
    hosts: Sequence[str]
    servers: Servers
    records: str = ""
    above: Servers | None = None
    glue: Servers | None = None


def text(zone: Zone, zones: Sequence[Zone]) -> str:
    """The zone file, with the delegations of the zones right below."""
    lines = [
        f"$ORIGIN {_dot(zone.name)}",
        "$TTL 60",
        f"@ IN SOA {_dot(next(iter(zone.servers)))} hostmaster 1 3600 600 86400 60",
        *(f"@ IN NS {_dot(name)}" for name in zone.servers),
        *_addresses(zone.servers, zone.name),
        zone.records,
    ]
    for child in zones:
        if child.name != zone.name and _parent(child, zones) == zone.name:
            named = child.servers if child.above is None else child.above
            lines += [f"{_dot(child.name)} IN NS {_dot(name)}" for name in named]
            lines += _addresses(named if child.glue is None else child.glue, zone.name)
    return "\n".join(dict.fromkeys(lines)) + "\n"


@contextlib.contextmanager
def internet(
    lab: netlab.Lab,
    namespace: str,
    folder: Path,
    zones: Sequence[Zone],
    hosts: Mapping[str, Sequence[str]],
) -> Iterator[None]:
    """The zones served in a namespace; `hosts` are the addresses, put on lo, of each NSD."""
    for address in (one for addresses in hosts.values() for one in addresses):
        nodad = ["nodad"] if ":" in address else []
        lab.run(namespace, "ip", "address", "add", address, "dev", "lo", *nodad)
    with contextlib.ExitStack() as stack:
        started = [
            _nsd(lab, namespace, folder / host, addresses, zones, stack)
            for host, addresses in hosts.items()
        ]

        def listen() -> bool:
            for process, log in started:
                assert process.poll() is None, log.read_text()
            shown = lab.run(namespace, "ss", "-Hltn")
            every = [one for addresses in hosts.values() for one in addresses]
            return all(f"{a}]:53 " in shown or f"{a}:53 " in shown for a in every)

        eventually(listen)
        yield


@contextlib.contextmanager
def unbound(
    lab: netlab.Lab, namespace: str, folder: Path, roots: Sequence[str], ipv4: bool
) -> Iterator[str]:
    """A resolver, with IPv6 only if not `ipv4`, that begins at the root servers with these
    addresses; yields the address where it listens."""
    folder.mkdir()
    hints = "".join(f"a.root. 60 {'AAAA' if ':' in one else 'A'} {one}\n" for one in roots)
    (folder / "hints").write_text(f". 60 NS a.root.\n{hints}")
    (folder / "unbound.conf").write_text(
        f"""server:
  interface: ::1
  port: {5300 + ipv4}
  do-ip4: {"yes" if ipv4 else "no"}
  username: ""
  chroot: ""
  directory: "{folder}"
  pidfile: ""
  logfile: "{folder}/log"
  use-syslog: no
  root-hints: "{folder}/hints"
  module-config: "iterator"
remote-control:
  control-enable: no
"""
    )
    started = subprocess.Popen(lab.argv(namespace, "unbound", "-d", "-c", f"{folder}/unbound.conf"))
    try:

        def listens() -> bool:
            assert started.poll() is None, (folder / "log").read_text()
            return f":{5300 + ipv4} " in lab.run(namespace, "ss", "-Hlun")

        eventually(listens)
        yield "::1"
    finally:
        started.terminate()
        started.wait(10)


def _nsd(
    lab: netlab.Lab,
    namespace: str,
    folder: Path,
    addresses: Sequence[str],
    zones: Sequence[Zone],
    stack: contextlib.ExitStack,
) -> tuple[subprocess.Popen[bytes], Path]:
    folder.mkdir()
    listed = ""
    for number, zone in enumerate(one for one in zones if folder.name in one.hosts):
        (folder / f"{number}.zone").write_text(text(zone, zones))
        listed += f'zone:\n  name: "{zone.name}"\n  zonefile: "{number}.zone"\n'
    log = folder / "nsd.log"
    (folder / "nsd.conf").write_text(
        f"""server:
{"".join(f"  ip-address: {address}{chr(10)}" for address in addresses)}  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: ""
  xfrdfile: "{folder}/xfrd.state"
  zonelistfile: "{folder}/zone.list"
  logfile: "{log}"
  server-count: 1
  rrl-ratelimit: 0
remote-control:
  control-enable: no
{listed}"""
    )
    process = subprocess.Popen(lab.argv(namespace, "nsd", "-d", "-c", str(folder / "nsd.conf")))

    def end() -> None:
        process.terminate()
        process.wait(10)

    stack.callback(end)
    return process, log


def _parent(zone: Zone, zones: Sequence[Zone]) -> str:
    above = [one.name for one in zones if one.name != zone.name and _below(zone.name, one.name)]
    return max(above, key=len, default="")


def _addresses(servers: Servers, zone: str) -> list[str]:
    return [
        f"{_dot(name)} IN {'AAAA' if ':' in address else 'A'} {address}"
        for name, addresses in servers.items()
        if _below(name, zone)
        for address in addresses
    ]


def _below(name: str, zone: str) -> bool:
    return zone == "." or f".{name}".endswith(f".{zone}")


def _dot(name: str) -> str:
    return name if name.endswith(".") else f"{name}."


def v4(number: int) -> str:
    return f"203.0.113.{number}"


def v6(number: int) -> str:
    return f"2400:da00::{number}"


def both(number: int) -> tuple[str, str]:
    return v4(number), v6(number)


def leaf(label: str, records: str = "", hosts: Sequence[str] = ("dual",), **changes: Any) -> Zone:
    """A zone in gov.cn with two good servers and a good www, but for the changes."""
    name = f"{label}.gov.cn"
    zone = Zone(name, hosts, {f"ns1.{name}": both(11), f"ns2.{name}": both(12)}, records or WWW)
    changed: Zone = zone._replace(**changes)
    return changed


@contextlib.contextmanager
def client_and_world(
    zones: Sequence[Zone], hosts: Mapping[str, Sequence[str]], folder: Path
) -> Iterator[netlab.Lab]:
    """A lab of `client` and `world`, which serves the zones; all the rest is routed there, too."""
    with netlab.Lab() as lab:
        for name in ("client", "world"):
            lab.namespace(name)
        lab.link("client", "world", [("203.0.113.249/30", "203.0.113.250/30"), LINK6])
        lab.route("client", "default", "via", "203.0.113.250")
        lab.route("client", "default", "via", LINK6[1].split("/")[0])
        with internet(lab, "world", folder, zones, hosts):
            yield lab


LINK6 = ("2400:da01::1/64", "2400:da01::2/64")
WWW = f"www IN A {v4(80)}\nwww IN AAAA {v6(80)}"
NO_TCP, NO_UDP, SILENT, GARBAGE, CUT, PICKY = 13, 14, 15, 16, 17, 18

HOSTS: Mapping[str, Sequence[str]] = {
    "root": both(1),
    "tld": both(2),
    "gov": both(3),
    "dual": [one for number in (11, 12, NO_TCP, NO_UDP, SILENT) for one in both(number)],
    "old": (v4(21), v4(22)),
}
ROOTS = {".": both(1)}
RULES = f"""table inet broken {{
  chain in {{
    type filter hook input priority 0;
    ip daddr {v4(NO_TCP)} tcp dport 53 drop
    ip6 daddr {v6(NO_TCP)} tcp dport 53 drop
    ip daddr {v4(NO_UDP)} udp dport 53 drop
    ip6 daddr {v6(NO_UDP)} udp dport 53 drop
    ip daddr {v4(SILENT)} drop
    ip6 daddr {v6(SILENT)} drop
  }}
}}
"""
ODD = f"""loopback IN AAAA ::1
mapped IN AAAA ::ffff:1.2.3.4
documentation IN AAAA 2001:db8::1
unique-local IN AAAA fd00::1
link-local IN AAAA fe80::1
sixtofour IN AAAA 2002:102:304::1
nat64 IN AAAA 64:ff9b::102:304
private IN A 10.1.2.3
mixed IN A {v4(80)}
mixed IN AAAA {v6(80)}
mixed IN AAAA ::1
"""
ZONES: Sequence[Zone] = (
    Zone(".", ["root"], {"a.root": both(1)}),
    Zone("cn", ["tld"], {"a.tld.cn": both(2)}),
    Zone("net", ["tld"], {"a.tld.net": both(2)}),
    Zone("xn--zfr164b", ["tld"], {"a.tld.cn": both(2)}),  # 政务
    Zone("gov.cn", ["gov"], {"a.gov.cn": both(3)}),
    Zone("old.cn", ["old"], {"ns1.old.cn": [v4(21)], "ns2.old.cn": [v4(22)]}),
    # glue of IPv6, and nobody below cn has IPv6 to give it
    Zone("site.old.cn", ["dual"], {"ns1.site.old.cn": both(11)}, WWW),
    Zone("hosting.net", ["dual"], {"ns1.hosting.net": both(11), "ns2.hosting.net": both(12)}),
    Zone("xn--fiq228c.xn--zfr164b", ["dual"], {"ns1.hosting.net": ()}, WWW),  # 中文.政务
    leaf("good", WWW + f"\nv4 IN A {v4(80)}\nv6 IN AAAA {v6(80)}\nbelow IN DNAME odd.gov.cn."),
    leaf("odd", ODD),
    leaf("outside", servers={"ns1.hosting.net": (), "ns2.hosting.net": ()}),
    leaf(
        "fournames",
        hosts=["old"],
        servers={"ns1.fournames.gov.cn": [v4(21)], "ns2.fournames.gov.cn": [v4(22)]},
    ),
    leaf(
        "onesix",
        hosts=["old", "dual"],
        servers={"ns1.onesix.gov.cn": [v4(21)], "ns2.onesix.gov.cn": [v6(12)]},
    ),
    leaf("deadglue", servers={"ns1.deadglue.gov.cn": (v4(11), v6(SILENT))}),
    leaf("notcp", servers={"ns1.notcp.gov.cn": both(NO_TCP)}),
    leaf("noudp", servers={"ns1.noudp.gov.cn": both(NO_UDP)}),
    leaf("silent", servers={"ns1.silent.gov.cn": both(SILENT)}),
    leaf("selfglue", servers={"ns1.selfglue.gov.cn": (v4(11), "::1")}),
    leaf("lame", hosts=[]),
    leaf("noglue", glue={}),
    leaf(
        "sixglueless", glue={"ns1.sixglueless.gov.cn": [v4(11)], "ns2.sixglueless.gov.cn": [v4(12)]}
    ),
    leaf("round1", servers={"ns.round2.gov.cn": ()}, records="ns IN A 203.0.113.11"),
    leaf("round2", servers={"ns.round1.gov.cn": ()}, records="ns IN A 203.0.113.11"),
    leaf(
        "alias",
        "www IN CNAME two\ntwo IN CNAME www.fournames.gov.cn.\n"
        "good IN CNAME www.good.gov.cn.\nloop IN CNAME pool\npool IN CNAME loop\n"
        "nowhere IN CNAME none.good.gov.cn.",
    ),
    leaf(
        "mismatch",
        f"{WWW}\nns2 IN AAAA {v6(12)}\nns2 IN A {v4(12)}",
        servers={"ns1.mismatch.gov.cn": both(11), "ns3.mismatch.gov.cn": both(12)},
        above={"ns1.mismatch.gov.cn": both(11), "ns2.mismatch.gov.cn": both(12)},
    ),
    leaf("garbage", hosts=[], servers={"ns1.garbage.gov.cn": both(GARBAGE)}),
    leaf("cut", hosts=[], servers={"ns1.cut.gov.cn": both(CUT)}),
    leaf("picky", hosts=[], servers={"ns1.picky.gov.cn": both(PICKY)}),
)
