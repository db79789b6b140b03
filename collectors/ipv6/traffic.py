"""How much of the traffic is IPv6, and what the kernel counts of IPv6: /proc/net/snmp6 and others.

Octets of IP packets in and out: Ip6InOctets and Ip6OutOctets of snmp6 (RFC 4293), InOctets and
OutOctets of IpExt in /proc/net/netstat. Both hold the loopback's, which says nothing of the network.
What crosses lo is counted once in and once out. IPv6 has counters by interface (dev_snmp6); a sent
packet is counted there for the interface of its address, so for lo only what came in is right, and
taken twice. IPv4 has none: its part is the bytes of lo, which are IP packets without a link header,
less those of IPv6.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Final, NamedTuple

from collectors.host.netdev import DEV
from collectors.host.netstat import NETSTAT, SNMP6
from collectors.ipv6.model import not_tested
from collectors.model import (
    Answers,
    Collector,
    Fact,
    Family,
    File,
    ParseError,
    counter,
    gauge,
    malformed,
    sample,
)

LOOPBACK6 = File("/proc/net/dev_snmp6/lo")
READINGS = (SNMP6, NETSTAT, DEV, LOOPBACK6)

COUNTERS: Final = frozenset(
    (
        *("Ip6InReceives", "Ip6InDelivers", "Ip6InHdrErrors", "Ip6InTooBigErrors"),
        *("Ip6InNoRoutes", "Ip6InAddrErrors", "Ip6InUnknownProtos", "Ip6InTruncatedPkts"),
        *("Ip6InDiscards", "Ip6OutForwDatagrams", "Ip6OutRequests", "Ip6OutDiscards"),
        *("Ip6OutNoRoutes", "Ip6ReasmTimeout", "Ip6ReasmReqds", "Ip6ReasmOKs", "Ip6ReasmFails"),
        *("Ip6FragOKs", "Ip6FragFails", "Ip6FragCreates", "Ip6InOctets", "Ip6OutOctets"),
        *("Icmp6InMsgs", "Icmp6InErrors", "Icmp6OutMsgs", "Icmp6OutErrors", "Icmp6InCsumErrors"),
        *("Icmp6InDestUnreachs", "Icmp6InPktTooBigs", "Icmp6InTimeExcds", "Icmp6InParmProblems"),
        *("Icmp6OutPktTooBigs", "Icmp6InRouterAdvertisements", "Icmp6InRouterSolicits"),
        *("Icmp6InNeighborSolicits", "Icmp6InNeighborAdvertisements", "Icmp6InRedirects"),
    )
)


class Traffic(NamedTuple):
    """Octets of IP packets in and out since the machine started, as the kernel counts them.

    `loopback` is what crossed lo of both families, `loopback6` of IPv6; None: no lo was seen.
    """

    ipv4: int
    ipv6: int
    loopback: int | None
    loopback6: int

    def apart(self) -> tuple[int, int]:
        """IPv4 and IPv6 without the loopback's. Packets may pass between two readings, so none of
        the differences is let below nothing."""
        if self.loopback is None:
            return self.ipv4, self.ipv6
        loopback4 = max(self.loopback - self.loopback6, 0)
        return max(self.ipv4 - loopback4, 0), max(self.ipv6 - self.loopback6, 0)

    @property
    def share(self) -> float | None:
        """Of IPv6 in both without the loopback's, 0 to 1; None without any traffic."""
        ipv4, ipv6 = self.apart()
        return ipv6 / (ipv4 + ipv6) if ipv4 + ipv6 else None


class Ipv6TrafficCollector(Collector, frozen=True):
    """Octets by family and of the loopback device, and the share of IPv6 without the latter.

    The loopback's are told beside the others, not taken from them: a difference of counters that
    were read one after the other may fall, and Prometheus takes that for a machine started anew.
    """

    name: ClassVar[str] = "ipv6_traffic"

    def readings(self) -> tuple[File, ...]:
        return READINGS

    def parse(self, answers: Answers) -> Iterable[Family]:
        traffic = traffic_of(answers)
        yield counter(
            "jianwei_ipv6_traffic_octets_total",
            "Bytes of IP packets received and sent by family, with those of the loopback device.",
            sample(float(traffic.ipv4), family="ipv4"),
            sample(float(traffic.ipv6), family="ipv6"),
        )
        if traffic.loopback is not None:
            yield counter(
                "jianwei_ipv6_traffic_loopback_octets_total",
                "Bytes of IP packets over the loopback device, received and sent: IPv6, and both.",
                sample(float(traffic.loopback6), family="ipv6"),
                sample(float(traffic.loopback), family="both"),
            )
        if traffic.share is not None:
            yield gauge("jianwei_ipv6_traffic_share_ratio", _SHARE, sample(traffic.share))


_SHARE = (
    "Share of IPv6 in the bytes of IP packets since boot, 0 to 1, without the loopback device. That"
    " of a while is the rate() of octets of ipv6 less that of loopback octets of ipv6, over the"
    " rates of octets of ipv4 and ipv6 less that of loopback octets of both."
)


class Ipv6CountersCollector(Collector, frozen=True):
    """`ipv6_counters`: name → number, those of snmp6 that tell of trouble or of use.

    `ipv6_traffic`: ipv4_octets, ipv6_octets, share, loopback_excluded; it has no value below
    `least_octets` bytes since the start, which are neighbour discovery and the like.
    """

    least_octets: int = 1_000_000

    name: ClassVar[str] = "ipv6_counters"
    facts: ClassVar[tuple[str, ...]] = ("ipv6_counters", "ipv6_traffic")

    def readings(self) -> tuple[File, ...]:
        return READINGS

    def parse(self, answers: Answers) -> Iterable[Fact]:
        text = answers.maybe(SNMP6)
        if text is None:
            yield Fact("ipv6_counters", None, unavailable=f"absent: {SNMP6.path}")
        else:
            numbers: dict[str, int] = parse_snmp6(text)
            found = {name: numbers[name] for name in sorted(COUNTERS & numbers.keys())}
            yield Fact("ipv6_counters", found, {"": SNMP6.path})
        traffic = traffic_of(answers)
        value: dict[str, Any] = {
            "ipv4_octets": traffic.apart()[0],
            "ipv6_octets": traffic.apart()[1],
            "share": traffic.share,
            "loopback_excluded": traffic.loopback is not None,
        }
        octets = value["ipv4_octets"] + value["ipv6_octets"]
        if octets < self.least_octets:
            yield not_tested("ipv6_traffic", "little_traffic", f"{octets} < {self.least_octets} B")
        else:
            yield Fact("ipv6_traffic", value, {"": f"{SNMP6.path}, {NETSTAT.path}"})


def parse_snmp6(text: str) -> dict[str, int]:
    """Lines of a name and a number; raises ParseError."""
    with malformed(SNMP6.path):
        words = text.split()
        return {name: _number(number) for name, number in zip(words[::2], words[1::2], strict=True)}


def traffic_of(answers: Answers) -> Traffic:
    """By the four files; raises ParseError, Unavailable."""
    ipv6 = _octets6(answers, SNMP6, "Ip6InOctets") + _octets6(answers, SNMP6, "Ip6OutOctets")
    ipv4 = _octets4(answers.content(NETSTAT))
    loopback = _LOOPBACK.search(answers.content(DEV))
    both = None
    if loopback:
        with malformed(DEV.path):
            both = sum(_number(figure.decode()) for figure in loopback.groups())
    return Traffic(ipv4, ipv6, both, 2 * _octets6(answers, LOOPBACK6, "Ip6InOctets"))


_LOOPBACK = re.compile(rb"^ *lo: *([0-9]{1,20})(?: +[0-9]+){7} +([0-9]{1,20})", re.MULTILINE)


def _octets6(answers: Answers, file: File, name: str) -> int:
    """One counter; 0 where there is no IPv6 (on that interface). A scrape has no time for all."""
    if answers.answer(file).state == "absent":
        return 0
    content = answers.content(file)
    start = content.find(name.encode())
    if start < 0 or (start and content[start - 1] != 10):
        raise ParseError(f"{file.path}: no {name}")
    end = content.find(b"\n", start)
    figure = content[start + len(name) : end if end >= 0 else None]
    with malformed(file.path):
        return _number(figure.decode("ascii", "replace"))


def _octets4(content: bytes) -> int:
    """InOctets and OutOctets of the two lines of IpExt: names, then numbers."""
    start = content.find(b"IpExt: ")
    names, _, rest = content[start:].partition(b"\n")
    columns = names.split()
    values = rest.partition(b"\n")[0].split()
    with malformed(NETSTAT.path):
        if start < 0 or values[0] != b"IpExt:" or len(values) != len(columns):
            raise ParseError(f"{NETSTAT.path}: no IpExt")
        return sum(
            _number(values[columns.index(name)].decode("ascii", "replace"))
            for name in (b"InOctets", b"OutOctets")
        )


def _number(text: str) -> int:
    """A counter of 64 bits."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 20):
        raise ValueError(f"not a counter: {text[:30]!r}")
    return int(text)
