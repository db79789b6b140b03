"""ICMPv6 packets with any ends, sent through the chains of a host or to it, and which came through.

with Lab() as lab, World(lab) as world:
    world.load(RULES)
    came_through(lab)      by row of the fact, whether all its packets do
"""

from __future__ import annotations

import ipaddress
import itertools
import json
import socket
import struct
import time
from collections.abc import Sequence
from typing import NamedTuple

from collectors.firewall.icmpv6 import TYPES, Way
from collectors.firewall.places import (
    ALL_NODES,
    ALL_ROUTERS,
    ANYWHERE,
    GLOBAL,
    LINK,
    LISTENERS,
    SOLICITED,
    UNSPECIFIED,
)
from tests.firewalllab import CLIENT, HOST
from tests.netlab import Lab

STRANGER = "2400:da00:dead::1"
OTHER = {"host": "client", "client": "host"}
GLOBALS = {"host": HOST["ipv6"], "client": CLIENT["ipv6"]}
LINKS = {"host": "fe80::a", "client": "fe80::b"}
ROUTER_ALERT = bytes((58, 0, 5, 2, 0, 0, 1, 0))
_HDRINCL = 36


class Probe(NamedTuple):
    sender: str
    target: str
    type: int
    code: int

    @property
    def counted(self) -> str:
        return (
            f"ip6 saddr {self.sender} ip6 daddr {self.target} icmpv6 type {self.type}"
            f" icmpv6 code {self.code} counter"
        )

    @property
    def packet(self) -> bytes:
        listens = self.type in (130, 131, 132, 143)
        ends = b"".join(ipaddress.ip_address(it).packed for it in (self.sender, self.target))
        message = bytes((self.type, self.code)) + bytes(46)
        pseudo = ends + struct.pack("!II", len(message), 58) + message
        total = sum(struct.unpack(f"!{len(pseudo) // 2}H", pseudo))
        total = (total & 0xFFFF) + (total >> 16)
        total = ~((total & 0xFFFF) + (total >> 16)) & 0xFFFF
        message = message[:2] + struct.pack("!H", total) + message[4:]
        before = ROUTER_ALERT if listens else b""
        size = len(before) + len(message)
        hops = 1 if listens else 255 if 133 <= self.type <= 137 else 64
        head = struct.pack("!IHBB", 6 << 28, size, 0 if listens else 58, hops)
        return head + ends + before + message


def came_through(lab: Lab) -> dict[str, bool]:
    """By name of a row, whether all packets of its type do, in and out."""
    probes = {
        (type_.name, way, number): _probe(way, number)
        for type_ in TYPES
        for one in type_.packets
        for way in one.ways
        for number in one.numbers
    }
    seen: dict[bool, set[Probe]] = {}
    for leaves, sender in ((False, "client"), (True, "host")):
        asked = sorted({probe for (_, way, _), probe in probes.items() if way.leaves == leaves})
        seen[leaves] = _counted(lab, sender, asked)
    passes: dict[str, bool] = {}
    for (name, way, _), probe in probes.items():
        passes[name] = passes.get(name, True) and probe in seen[way.leaves]
    return passes


def _probe(way: Way, number: int) -> Probe:
    near, far = ("host", "client") if way.leaves else ("client", "host")
    senders = {
        LINK: LINKS[near],
        GLOBAL: GLOBALS[near],
        UNSPECIFIED: "::",
        ANYWHERE["ipv6"]: GLOBALS[near] if way.leaves else STRANGER,
    }
    targets = {
        LINK: LINKS[far],
        GLOBAL: GLOBALS[far],
        ANYWHERE["ipv6"]: GLOBALS[far],
        ALL_NODES: "ff02::1",
        ALL_ROUTERS: "ff02::2",
        LISTENERS: "ff02::16",
        SOLICITED: f"ff02::1:ff00:{GLOBALS[far].rpartition(':')[2]}",
    }
    return Probe(senders[way.sender], targets[way.target], number >> 8, number & 0xFF)


def prepare(lab: Lab) -> None:
    """Addresses that are known, and neighbours that nobody has to ask for."""
    lab.run("host", "ip", "-6", "route", "add", "default", "via", GLOBALS["client"])
    for name, other in OTHER.items():
        device = f"to-{other}"
        lab.run(name, "ip", "address", "replace", f"{LINKS[name]}/64", "dev", device, "nodad")
        lab.run(name, "ip", "link", "set", device, "address", MACS[name])
    neighbours(lab, "permanent")


MACS = {"host": "02:00:00:00:00:0a", "client": "02:00:00:00:00:0b"}


def neighbours(lab: Lab, state: str) -> None:
    """Known for good (`permanent`), or, `stale` and flushed, to be asked for."""
    for name, other in OTHER.items():
        for address in (GLOBALS[other], LINKS[other]):
            words = ("lladdr", MACS[other], "nud", state, "dev", f"to-{other}")
            lab.run(name, "ip", "-6", "neigh", "replace", address, *words)
        if state != "permanent":
            lab.run(name, "ip", "-6", "neigh", "flush", "dev", f"to-{other}")


def _counted(lab: Lab, sender: str, probes: Sequence[Probe]) -> set[Probe]:
    """Those that come in where they are sent to, behind its filter."""
    receiver = OTHER[sender]
    # a client need not be member of a group for it to come as far as this
    hook = "input priority 400" if receiver == "host" else "prerouting priority -400"
    rules = "\n".join(f'{one.counted} comment "{n}"' for n, one in enumerate(probes))
    rules = f"table ip6 seen {{\nchain c {{\ntype filter hook {hook}\n{rules}\n}}\n}}\n"
    lab.nft(receiver, rules)
    try:
        lab.inside(sender, lambda: _send(f"to-{receiver}", probes))
        end = time.monotonic() + 0.3
        found: set[Probe] = set()
        # they come at once; a filter may stop them all
        for _ in itertools.takewhile(lambda _: time.monotonic() < end, itertools.count()):
            before, found = found, _seen(lab, receiver, probes)
            if found and found == before:
                break
            time.sleep(0.02)
        return found
    finally:
        lab.run(receiver, "nft", "delete", "table", "ip6", "seen")


def _seen(lab: Lab, name: str, probes: Sequence[Probe]) -> set[Probe]:
    told = json.loads(lab.run(name, "nft", "-j", "list", "table", "ip6", "seen"))["nftables"]
    return {
        probes[int(one["rule"]["comment"])]
        for one in told
        if "rule" in one and any(it.get("counter", {}).get("packets") for it in one["rule"]["expr"])
    }


def _send(device: str, probes: Sequence[Probe]) -> None:
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_RAW) as one:
        one.setsockopt(socket.IPPROTO_IPV6, _HDRINCL, 1)
        one.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode())
        index = socket.if_nametoindex(device)
        for probe in probes:
            try:
                one.sendto(probe.packet, (probe.target, 0, 0, index))
            except PermissionError:  # a filter's answer on the way out
                continue
