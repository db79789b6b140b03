"""Counters of IP, ICMP, TCP and UDP: /proc/net/netstat, /proc/net/snmp, /proc/net/snmp6.

Formats: proc(5), RFC 1213, RFC 4293; Documentation/networking/snmp_counter.rst of the kernel. The
files hold some 400 counters, of which those are taken that people watch.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator
from typing import ClassVar

from collectors.model import (
    Answers,
    Collector,
    Family,
    File,
    ParseError,
    Sample,
    malformed,
)

NETSTAT = File("/proc/net/netstat")
SNMP = File("/proc/net/snmp")
SNMP6 = File("/proc/net/snmp6")

ICMP = {
    "InMsgs": "messages received",
    "OutMsgs": "messages sent",
    "InErrors": "faulty messages received",
}
UDP = {
    "InDatagrams": "datagrams delivered",
    "OutDatagrams": "datagrams sent",
    "NoPorts": "datagrams for a port where nobody listens",
    "InErrors": "datagrams that could not be delivered",
    "RcvbufErrors": "datagrams dropped because the receive buffer was full",
    "SndbufErrors": "datagrams not sent because the send buffer was full",
}
OCTETS = {"InOctets": "bytes received", "OutOctets": "bytes sent"}
FIELDS: dict[str, dict[str, str]] = {
    "Ip": {"Forwarding": "forwarding: 1 yes, 2 no"},
    "IpExt": OCTETS,
    "Ip6": OCTETS,
    "Icmp": ICMP,
    "Icmp6": ICMP,
    "Udp": UDP,
    "Udp6": UDP,
    "UdpLite": {"InErrors": UDP["InErrors"]},
    "UdpLite6": {"InErrors": UDP["InErrors"]},
    "Tcp": {
        "MaxConn": "connections that can be open; -1: no fixed limit",
        "ActiveOpens": "connections opened from here",
        "PassiveOpens": "connections opened from elsewhere",
        "CurrEstab": "connections established now",
        "InSegs": "segments received",
        "OutSegs": "segments sent, without those sent again",
        "RetransSegs": "segments sent again",
        "InErrs": "faulty segments received",
        "OutRsts": "resets sent",
    },
    "TcpExt": {
        "ListenDrops": "connection requests dropped",
        "ListenOverflows": "connections dropped because the accept queue was full",
        "SyncookiesSent": "SYN cookies sent",
        "SyncookiesRecv": "SYN cookies received",
        "SyncookiesFailed": "SYN cookies received that were not valid",
        "TCPSynRetrans": "connection requests sent again",
        "TCPTimeouts": "retransmission timeouts",
        "TCPOFOQueue": "segments that came out of order and were queued",
        "TCPRcvQDrop": "segments dropped because the receive queue was full",
    },
}


class NetstatCollector(Collector, frozen=True):
    """Counters of the network stack; `also` names further ones, as `[TcpExt_TCPFastRetrans]`."""

    name: ClassVar[str] = "netstat"
    also: tuple[str, ...] = ()

    def readings(self) -> tuple[File, ...]:
        return (NETSTAT, SNMP, SNMP6)

    def parse(self, answers: Answers) -> Iterable[Family]:
        plan = _plan(self.also)
        for file in (NETSTAT, SNMP):
            with malformed(file.path):
                yield from _pairs(answers.text(file), plan)
        # absent where IPv6 is off
        with malformed(SNMP6.path):
            yield from _words(answers.maybe(SNMP6) or "", plan)


# Protocol → field → name and help of its family.
Plan = dict[str, dict[str, tuple[str, str]]]


@functools.lru_cache(8)
def _plan(also: tuple[str, ...]) -> Plan:
    wanted = [(protocol, field) for protocol, fields in FIELDS.items() for field in fields]
    wanted += [(protocol, field) for protocol, _, field in (it.partition("_") for it in also)]
    plan: Plan = {}
    for protocol, field in wanted:
        help = FIELDS.get(protocol, {}).get(field, field)
        described = f"node_netstat_{protocol}_{field}", f"{protocol} {help}."
        plan.setdefault(protocol, {})[field] = described
    return plan


def _pairs(text: str, plan: Plan) -> Iterator[Family]:
    """Pairs of lines: names, then numbers."""
    lines = text.splitlines()
    if not lines:
        raise ParseError("empty")
    for names, numbers in zip(lines[::2], lines[1::2], strict=True):
        protocol, _, rest = names.partition(": ")
        if fields := plan.get(protocol):
            columns = _columns(rest)
            values = numbers.partition(": ")[2].split(" ")
            if len(values) != len(columns):
                raise ValueError(f"{protocol}: {len(columns)} names, {len(values)} numbers")
            for field, (name, help) in fields.items():
                if field in columns:
                    number = float(values[columns[field]])
                    yield Family(name, "untyped", help, (Sample((), number),))


@functools.lru_cache(64)  # a kernel's names stay the same
def _columns(names: str) -> dict[str, int]:
    return {name: column for column, name in enumerate(names.split(" "))}


def _words(text: str, plan: Plan) -> Iterator[Family]:
    """Lines of one name, protocol and field as one word, and one number."""
    words = text.split()
    table = dict(zip(words[::2], words[1::2], strict=True))
    for protocol, fields in plan.items():
        if protocol.endswith("6"):
            for field, (name, help) in fields.items():
                if number := table.get(protocol + field):
                    yield Family(name, "untyped", help, (Sample((), float(number)),))
