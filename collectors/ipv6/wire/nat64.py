"""NAT64 and DNS64: whether they are here, and whether a site is seen behind them.

RFC 6052 (IPv4 addresses in IPv6 ones), RFC 7050 (the prefix by the AAAA of `ipv4only.arpa`, which has
none but what a DNS64 makes), RFC 6147.
"""

from __future__ import annotations

import functools
import ipaddress
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

import msgspec

from collectors.ipv6.addresskind import kind
from collectors.ipv6.model import NEVER_ASKED, Nat64, Site, not_tested, site_fact
from collectors.model import Fact, Reason

TryPage = Callable[[str], tuple[bool, Reason, str]]

WELL_KNOWN_NAME: Final = "ipv4only.arpa."
WELL_KNOWN_PREFIX: Final = "64:ff9b::/96"
LENGTHS: Final = (96, 64, 56, 48, 40, 32)
TRIED = 4  # addresses behind a NAT64 at most
_ONLY = (bytes((192, 0, 0, 170)), bytes((192, 0, 0, 171)))
_U_OCTET = 8  # bits 64 to 71 are always zero
_MOST_ADDRESSES = 64


class Nat64Here(msgspec.Struct, frozen=True):
    """What this machine's resolver, or another one, makes of names without AAAA. `reason` says why
    that is not known."""

    prefixes: tuple[str, ...] = ()
    dns64: bool = False
    reason: Reason = ""
    detail: str = ""


def embed(prefix: str, ipv4: str) -> str:
    """An IPv4 address behind a NAT64 prefix; raises ValueError for a prefix of another length."""
    network = ipaddress.IPv6Network(prefix)
    packed = bytearray(network.network_address.packed)
    for at, octet in zip(
        _places(network.prefixlen), ipaddress.IPv4Address(ipv4).packed, strict=True
    ):
        packed[at] = octet
    return str(ipaddress.IPv6Address(bytes(packed)))


def extract(address: str, length: int) -> tuple[str, str]:
    """The prefix of this length and the IPv4 address behind it; raises ValueError where there can be
    none."""
    packed = ipaddress.IPv6Address(address).packed
    places = _places(length)
    if length < 96 and packed[_U_OCTET]:
        raise ValueError(f"{address}: bits 64 to 71 are not zero")
    ipv4 = bytes(packed[at] for at in places)
    prefix = ipaddress.IPv6Network((packed, length), strict=False)
    return str(prefix), str(ipaddress.IPv4Address(ipv4))


def _places(length: int) -> list[int]:
    """The octets of an IPv6 address that hold the IPv4 address."""
    if length not in LENGTHS:
        raise ValueError(f"a NAT64 prefix has a length of {', '.join(map(str, LENGTHS))} bits")
    first = length // 8
    places = [first + number for number in range(4)]
    return [at + (first <= _U_OCTET <= at) for at in places]


def prefixes(addresses: Iterable[str]) -> tuple[str, ...]:
    """The NAT64 prefixes that the AAAA of `ipv4only.arpa` show, most certain first.

    Both well-known addresses stand behind a true prefix; what looks like one of them elsewhere in an
    address stands alone, unless there is but one answer. No translator is where nobody's site can be:
    behind ::ffff:0:0/96 it is plain IPv4 of this machine.
    """
    seen: dict[str, set[bytes]] = {}
    for address in list(addresses)[:_MOST_ADDRESSES]:
        for length in LENGTHS:
            try:
                prefix, ipv4 = extract(address, length)
            except ValueError:
                continue
            packed = ipaddress.IPv4Address(ipv4).packed
            if packed in _ONLY and kind(address) not in NEVER_ASKED:
                seen.setdefault(prefix, set()).add(packed)
    counts = Counter({prefix: len(found) for prefix, found in seen.items()})
    most = max(counts.values(), default=0)
    return tuple(prefix for prefix, count in counts.most_common() if count == most)


def detect(resolver: str | None = None, timeout: float = 3.0) -> Nat64Here:
    """Ask the system's name servers, or the one at an address, for the AAAA of `ipv4only.arpa`."""
    import dns.exception
    import dns.resolver

    try:
        asking = dns.resolver.Resolver(configure=resolver is None)
        if resolver is not None:
            asking.nameservers = [resolver]
        asking.timeout = max(timeout / 3, 0.1)  # of one attempt
        answer = asking.resolve(WELL_KNOWN_NAME, "AAAA", search=False, lifetime=timeout)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return Nat64Here(detail="ipv4only.arpa has no AAAA here")
    except dns.exception.Timeout:
        return Nat64Here(reason="dns_timeout", detail="no answer in time")
    except dns.resolver.NoNameservers as error:
        return Nat64Here(reason="dns_rcode", detail=_first_line(error))
    except (dns.exception.DNSException, OSError, ValueError) as error:
        return Nat64Here(reason="dns_error", detail=_first_line(error))
    found = prefixes(str(row.address) for row in answer)
    if not found:
        return Nat64Here(detail="the AAAA of ipv4only.arpa hold no well-known address")
    return Nat64Here(found, dns64=True)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:200]


def check_nat64(
    site: Site,
    ipv4_addresses: Sequence[str],
    literals: Sequence[str],
    here: Nat64Here,
    try_page: TryPage | None,
    native: bool | None = None,
) -> Fact:
    """`site_nat64`: whether a client that has only IPv6, and a NAT64, sees the homepage.

    `literals` are IPv4 addresses written in what the page loads; `native` whether the homepage came
    over an AAAA of its own. `try_page` asks for the homepage at an address; it is called where a
    NAT64 is here.
    """
    if not ipv4_addresses and not native:
        return not_tested("site_nat64", "no_address", "neither IPv4 nor IPv6 that answers")
    found = Nat64(works=not literals, literals=tuple(literals))
    change = functools.partial(msgspec.structs.replace, found)
    words = f"{len(literals)} IPv4 addresses in what it loads" if literals else ""
    if not (here.prefixes and ipv4_addresses and try_page):
        if here.reason:
            words = _joined(words, f"NAT64 not known: {here.detail}")
        elif not here.prefixes:
            words = _joined(words, "no NAT64 here")
        return site_fact("site_nat64", change(detail=words))
    tried: dict[str, Any] = {}
    for prefix, ipv4 in _ways(here.prefixes, ipv4_addresses):
        ok, reason, detail = try_page(embed(prefix, ipv4))
        if ok:
            return site_fact("site_nat64", change(tested=True, prefix=prefix, detail=words))
        tried = tried or {"prefix": prefix, "reason": reason, "detail": _joined(words, detail)}
    if not tried:
        only = f"{WELL_KNOWN_PREFIX} is for global IPv4 addresses only"  # RFC 6052, 3.1
        return site_fact("site_nat64", change(works=bool(native), detail=_joined(words, only)))
    # by its own AAAA it is seen without the NAT64
    return site_fact(
        "site_nat64", change(works=bool(native) and not literals, tested=True, **tried)
    )


def _ways(known: Sequence[str], addresses: Sequence[str]) -> list[tuple[str, str]]:
    return [
        (prefix, ipv4)
        for ipv4 in addresses
        for prefix in known
        if prefix != WELL_KNOWN_PREFIX or ipaddress.IPv4Address(ipv4).is_global
    ][:TRIED]


def _joined(one: str, other: str) -> str:
    return f"{one}; {other}" if one and other else one or other
