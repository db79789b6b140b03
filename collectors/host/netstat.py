"""Counters of IP, ICMP, TCP and UDP: /proc/net/netstat, /proc/net/snmp, /proc/net/snmp6.

Formats: proc(5), RFC 1213, RFC 4293; Documentation/networking/snmp_counter.rst of the kernel. The
files hold some 400 counters, of which those are taken that people watch.
"""

from __future__ import annotations

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
# snmp6 writes protocol and field as one word
FIELDS6 = {
    f"{protocol}{field}": (protocol, field)
    for protocol, fields in FIELDS.items()
    if protocol.endswith("6")
    for field in fields
}


class NetstatCollector(Collector, frozen=True):
    """Counters of the network stack; `also` names further ones, as `[TcpExt_TCPFastRetrans]`."""

    name: ClassVar[str] = "netstat"
    also: tuple[str, ...] = ()

    def readings(self) -> tuple[File, ...]:
        return (NETSTAT, SNMP, SNMP6)

    def parse(self, answers: Answers) -> Iterable[Family]:
        also = frozenset(self.also)
        for file in (NETSTAT, SNMP):
            with malformed(file.path):
                yield from _pairs(answers.text(file), also)
        # absent where IPv6 is off
        with malformed(SNMP6.path):
            yield from _words(answers.maybe(SNMP6) or "", also)


def _pairs(text: str, also: frozenset[str]) -> Iterator[Family]:
    """Pairs of lines: names, then numbers."""
    lines = text.splitlines()
    if not lines:
        raise ParseError("empty")
    for names, numbers in zip(lines[::2], lines[1::2], strict=True):
        protocol, _, rest = names.partition(": ")
        known = FIELDS.get(protocol, {})
        if not known and not also:
            continue
        values = numbers.partition(": ")[2].split(" ")
        for field, number in zip(rest.split(" "), values, strict=True):
            if field in known or (also and f"{protocol}_{field}" in also):
                yield _family(protocol, field, number)


def _words(text: str, also: frozenset[str]) -> Iterator[Family]:
    """Lines of one name and one number."""
    for line in text.splitlines():
        word, number = line.split()
        if word in FIELDS6:
            yield _family(*FIELDS6[word], number)
        elif also:
            protocol, six, field = word.partition("6")
            if f"{protocol}6_{field}" in also and six:
                yield _family(f"{protocol}6", field, number)


def _family(protocol: str, field: str, number: str) -> Family:
    help = FIELDS.get(protocol, {}).get(field, field)
    return Family(
        f"node_netstat_{protocol}_{field}",
        "untyped",
        f"{protocol} {help}.",
        (Sample((), float(number)),),
    )
