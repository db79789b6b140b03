"""The DNS of a site as facts: addresses, name servers over IPv6, an IPv6-only walk, times.

Delegations are followed by us (delegation.py), so that no cache between flatters. What cannot be told
from here (no root, no IPv6, no time) is no fact about the site: it has a reason instead.
"""

from __future__ import annotations

import ipaddress
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from collectors.ipv6.addresskind import kind
from collectors.ipv6.dns.cache import DelegationCache, Found
from collectors.ipv6.dns.delegation import Walker
from collectors.ipv6.dns.exchange import Allowance, Spent
from collectors.ipv6.dns.failures import SILENCE, UNSEEN, Unanswered
from collectors.ipv6.dns.names import to_name
from collectors.ipv6.dns.reply import Useless
from collectors.ipv6.dns.settings import DnsSettings
from collectors.ipv6.dns.zoneservers import (
    Holder,
    NoIpv6,
    holder,
    ipv6_here,
    name_servers,
)
from collectors.ipv6.model import DnsTimes, Ipv6OnlyDns, LookUp, SiteAddress, not_tested, site_fact
from collectors.link.connect import Deadline, Failure
from collectors.link.resolve import NotAnAddress, Resolved, Resolver, literal, valid_name
from collectors.model import AddressFamily, Fact, Reason

if TYPE_CHECKING:
    from dns.rdatatype import RdataType

FACTS: Final = ("site_addresses", "site_nameservers", "site_ipv6_only_dns", "site_dns_times")
FAMILIES: Final[tuple[AddressFamily, ...]] = ("ipv4", "ipv6")
_SYSTEM = "system resolver"
_TIMED_SERVERS = 3  # at most
_TRIED_SERVERS = 6


def check_dns(
    host: str, settings: DnsSettings, cache: DelegationCache, deadline: Deadline
) -> list[Fact]:
    """The four facts in `FACTS`, by the deadline. The cache may be shared by many sites."""
    try:
        literal(host)
    except NotAnAddress:
        pass
    else:
        return [not_tested(name, "no_name", f"{host} is an address") for name in FACTS]
    if not valid_name(host):
        return [not_tested(name, "error", f"{host!r} is no DNS name") for name in FACTS]
    return _Check(host, settings, cache, deadline).facts()


def look_up(walker: Walker, deadline: Deadline | None = None) -> LookUp:
    """Addresses of other hosts by the same way, remembered; by the system where no root answers.

    Each takes what one walk may, and all together end by the deadline.
    """
    system, settings = Resolver(), walker.settings

    def one(host: str, family: AddressFamily) -> Resolved:
        start = time.perf_counter()
        try:
            address, own = literal(host)
        except NotAnAddress:
            pass
        else:
            if own == family:
                return Resolved((address,), 0.0)
            return Resolved((), 0.0, "no_address", f"is an {own} address")
        if not valid_name(host):
            return Resolved((), 0.0, "dns_error", "is no DNS name")
        try:
            outer = deadline or Deadline(settings.walk)
            outer.left()
            found = walker.find_kept(host, _TYPES[family], outer)
            if found.no_root:
                patience = settings.timeout * 2
                patience = min(patience, deadline.left()) if deadline else patience
                return system.resolve([(host, family)], patience)[host, family]
        except Spent as error:
            return Resolved((), time.perf_counter() - start, "dns_timeout", error.detail)
        except Failure:
            words = "the time of the check is over"
            return Resolved((), time.perf_counter() - start, "dns_timeout", words)
        seconds = time.perf_counter() - start
        if found.told:
            return Resolved(found.records, seconds, found.reason, found.detail)
        reason: Reason = "dns_timeout" if found.reason in SILENCE else "dns_error"
        return Resolved((), seconds, reason, f"{found.zone}: {found.reason}: {found.detail}")

    return one


_TYPES: Final[dict[AddressFamily, str]] = {"ipv4": "A", "ipv6": "AAAA"}


class _Check:
    """One host."""

    def __init__(
        self, host: str, settings: DnsSettings, cache: DelegationCache, deadline: Deadline
    ) -> None:
        self._host, self._settings, self._deadline = host, settings, deadline
        self._walker = Walker(settings, cache=cache)
        self._only6 = Walker(settings, ("ipv6",), cache)
        self._held: Holder | None = None

    def facts(self) -> list[Fact]:
        with ThreadPoolExecutor(4) as threads:
            try:
                a = threads.submit(self._find, "ipv4")
                # The way is known then, and spares the others questions; but what has to wait for
                # silent servers waits side by side.
                wait([a], self._settings.timeout / 4)
                aaaa = threads.submit(self._find, "ipv6")
                only = threads.submit(self._bounded, "site_ipv6_only_dns", self._ipv6_only)
                servers = threads.submit(self._bounded, "site_nameservers", self._servers)
                found: dict[AddressFamily, Found] = {"ipv4": a.result(), "ipv6": aaaa.result()}
            except Spent as error:
                return [not_tested(name, "budget", error.detail) for name in FACTS]
        # alone, so that nothing of ours is in the way of what is timed
        times = self._bounded("site_dns_times", self._times)
        others = [servers.result(), only.result(), times]
        if not all(one.no_root for one in found.values()):
            return [self._addresses(found), *others]
        # an alias may lead from a zone that can be looked at to one that cannot
        why = found["ipv4"].detail
        blind = [f if f.value is not None else not_tested(f.name, "no_root", why) for f in others]
        return [self._by_the_system(), *blind]

    def _find(self, family: AddressFamily) -> Found:
        return self._walker.find(self._host, _TYPES[family], self._deadline)

    def _bounded(self, name: str, work: Callable[[], Fact]) -> Fact:
        try:
            return work()
        except Spent as error:
            return not_tested(name, "budget" if error.budget else "no_answer", error.detail)
        except NoIpv6:
            return not_tested(name, "no_ipv6_here", "no route to any of the name servers")
        except Unanswered as error:
            return not_tested(name, "no_answer", error.detail)

    def _addresses(self, found: dict[AddressFamily, Found]) -> Fact:
        """Rows are what servers told; a question for the AAAA that nobody answered tells nothing."""
        unseen = [f for f in FAMILIES if not found[f].told and found[f].reason in UNSEEN]
        if "ipv6" in unseen or (unseen and not any(one.told for one in found.values())):
            return not_tested("site_addresses", "no_answer", _unseen(found, unseen))
        rows = [(one, f, found[f].source) for f in FAMILIES for one in found[f].records]
        return _rows(rows)

    def _by_the_system(self) -> Fact:
        timeout = self._settings.timeout * 2
        answers = Resolver().resolve([(self._host, f) for f in FAMILIES], timeout)
        unseen = [
            f for (_, f), got in answers.items() if got.reason in ("dns_timeout", "dns_error")
        ]
        if "ipv6" in unseen:
            detail = answers[self._host, "ipv6"].detail
            return not_tested("site_addresses", "no_answer", f"{_SYSTEM}: AAAA: {detail}")
        return _rows([(a, f, _SYSTEM) for (_, f), got in answers.items() for a in got.addresses])

    def _zone(self) -> Holder:
        if self._held is None:
            allowance = self._walker.allowance(self._deadline)
            self._held = holder(self._walker, to_name(self._host), allowance)
        return self._held

    def _servers(self) -> Fact:
        rows = name_servers(self._walker, self._zone(), self._deadline)
        if not rows:
            return not_tested("site_nameservers", "no_answer", "nobody tells the name servers")
        return site_fact("site_nameservers", rows)

    def _ipv6_only(self) -> Fact:
        name = "site_ipv6_only_dns"
        start = self._only6.start(to_name(self._host))
        addresses = [one for server in start.servers for one in server.ipv6] if start else []
        if not addresses:
            return not_tested(name, "no_root", "no IPv6 address of a server to begin with")
        if not ipv6_here(addresses):
            return not_tested(name, "no_ipv6_here", "no route to a server to begin with")
        found = self._only6.find(self._host, "AAAA", self._deadline)
        if found.reason in SILENCE and not found.told:  # a verdict about one family: asked anew
            with suppress(Spent, Failure):  # in half of what is left, the rest is for others
                half = Deadline(self._deadline.left() / 2)
                found = self._only6.find(self._host, "AAAA", half)
        if found.no_root:
            return not_tested(name, "no_root", found.detail)
        failed_at = "" if found.told else found.zone
        return site_fact(
            name, Ipv6OnlyDns(bool(found.records), failed_at, found.reason, found.detail)
        )

    def _times(self) -> Fact:
        import dns.rdatatype

        settings, held = self._settings, self._zone()
        if held.below is None:
            return not_tested("site_dns_times", "no_answer", "no server of the zone answers")
        pairs = settings.samples + 1
        most = settings.questions + 2 * _TRIED_SERVERS * pairs
        allowance = Allowance(self._deadline, settings.walk, most, settings.bytes)
        times: dict[str, list[float]] = {"A": [], "AAAA": []}
        servers = 0
        addresses = self._walker.addresses(held.zone, allowance)
        for address in addresses[:_TRIED_SERVERS]:
            for number in range(pairs):
                a = self._time(address, dns.rdatatype.A, allowance)
                aaaa = self._time(address, dns.rdatatype.AAAA, allowance)
                if a is None or aaaa is None:
                    if number == 0:
                        break  # it does not answer
                elif number:
                    times["A"].append(a)
                    times["AAAA"].append(aaaa)
            else:
                servers += 1
            if servers == _TIMED_SERVERS:
                break
        if not times["A"]:
            return not_tested("site_dns_times", "no_answer", "no server of the zone answers both")
        a, aaaa = (statistics.median(times[one]) for one in ("A", "AAAA"))
        return site_fact("site_dns_times", DnsTimes(a, aaaa, len(times["A"])))

    def _time(self, address: str, type_: RdataType, allowance: Allowance) -> float | None:
        name = to_name(self._host)
        try:
            got = self._walker.asker.ask(address, name, type_, self._zone().apex, allowance)
        except Failure:  # of this pair nothing is counted; the other facts tell why
            return None
        return None if isinstance(got.reply, Useless) else got.seconds


def _unseen(found: dict[AddressFamily, Found], unseen: list[AddressFamily]) -> str:
    """What nobody answered, and who did answer the other question: a server may drop one type
    (RFC 4074, section 4.1), and so may what stands between."""
    words = "; ".join(f"{_TYPES[f]}: {found[f].detail}" for f in unseen)
    others = [f"{found[f].source} answers {_TYPES[f]}" for f in FAMILIES if found[f].told]
    return "; ".join([words, *others])


def _rows(rows: list[tuple[str, AddressFamily, str]]) -> Fact:
    """Addresses of IPv4 first, in order."""
    ordered = sorted(rows, key=lambda row: (row[1], ipaddress.ip_address(row[0])))
    return site_fact(
        "site_addresses",
        [
            SiteAddress(address, family, kind(address), source)
            for address, family, source in ordered
        ],
    )
