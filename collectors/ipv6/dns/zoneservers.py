"""The zone that holds a name, its name servers by the zone above and by itself, and who of them
answers over IPv6 for it with authority, by UDP and by TCP."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

from collectors.ipv6.addresskind import kind
from collectors.ipv6.dns.cache import Zone
from collectors.ipv6.dns.delegation import Walker
from collectors.ipv6.dns.exchange import ASKED_LONG, Allowance, Spent, Transport
from collectors.ipv6.dns.failures import SILENCE, Unanswered
from collectors.ipv6.dns.names import shown, upwards
from collectors.ipv6.dns.reply import MOST_SERVERS, Answer, Nothing, Useless
from collectors.ipv6.model import NEVER_ASKED, NameServer
from collectors.link.connect import Deadline, Failure

if TYPE_CHECKING:
    from dns.name import Name

_AT_ONCE = 32  # all of most zones, so that silence costs its time once
_MOST_ASKED = 8  # addresses of a server
_LEAST = 3  # silences that are a verdict
_LEFT_OUT = Failure("not_allowed", "not asked, it has too many addresses")
_TRANSPORTS: tuple[Transport, ...] = ("udp", "tcp")
_DISCARD = 9  # any port: nothing is sent


class Holder(NamedTuple):
    """The zone `apex` that holds a name, reached by its delegation `zone`.

    `above` are its servers by the zone above, None where that was not seen (the walk began there, or
    the same servers have both); `below` those by itself, None where nobody answers for it.
    """

    apex: Name
    zone: Zone
    above: frozenset[Name] | None
    below: frozenset[Name] | None


def holder(walker: Walker, name: Name, allowance: Allowance) -> Holder:
    """The zone that holds a name; raises Unanswered where a zone above does not answer, Spent."""
    import dns.rdatatype

    try:
        apex, zone = _apex(walker, name, allowance)
    except Unanswered as error:
        if error.zone is None or error.zone.start:
            raise
        servers = frozenset(server.name for server in error.zone.servers)
        return Holder(error.zone.name, error.zone, servers, None)
    above = None
    if apex == zone.name and not zone.start:
        above = frozenset(server.name for server in zone.servers)
    below: frozenset[Name] | None = None
    try:
        told = walker.ask(apex, dns.rdatatype.NS, allowance)
        if isinstance(told.reply, Answer):
            below = frozenset(_names(told.reply.records))
    except Unanswered:  # its servers answer for the SOA and not for this; `above` has them
        pass
    return Holder(apex, zone, above, below)


def _apex(walker: Walker, name: Name, allowance: Allowance) -> tuple[Name, Zone]:
    import dns.rdatatype

    for candidate in upwards(name):
        told = walker.ask(candidate, dns.rdatatype.SOA, allowance)
        if isinstance(told.reply, Answer) or candidate == told.zone.name:
            return candidate, told.zone
        if isinstance(told.reply, Nothing) and told.reply.apex is not None:
            return told.reply.apex, told.zone
        # an alias, or a negative answer that does not say of which zone
    raise AssertionError("the root is the start of every zone")


def _names(records: Iterable[str]) -> list[Name]:
    import dns.name

    return sorted(dns.name.from_text(one).canonicalize() for one in records)[:MOST_SERVERS]


def name_servers(walker: Walker, held: Holder, deadline: Deadline) -> tuple[NameServer, ...]:
    """Every server of the zone, each of its IPv6 addresses asked; raises Spent, NoIpv6."""
    glue = {server.name: server.ipv6 for server in held.zone.servers}
    if held.above is None:  # the names of servers to begin with are not known
        glue = {}
    names = sorted((held.above or frozenset()) | (held.below or frozenset()))[:MOST_SERVERS]

    def addresses(name: Name) -> tuple[Sequence[str], str]:
        """With words where they cannot be looked up."""
        if held.below is None and name.is_subdomain(held.apex):
            return glue.get(name, ()), ""  # who would tell?
        found = walker.find_kept(shown(name), "AAAA", deadline)
        every = {*glue.get(name, ()), *found.records}
        problem = "" if found.told else f"AAAA: {found.detail}"
        if found.told and not found.records and glue.get(name):
            problem = "the AAAA is in the delegation only"
        return sorted(every, key=ipaddress.IPv6Address), problem

    with ThreadPoolExecutor(_AT_ONCE) as threads:
        known = dict(zip(names, threads.map(addresses, names), strict=True))
        askable = sorted({one for every, _ in known.values() for one in _askable(every)})
        if askable and not ipv6_here(askable):
            raise NoIpv6
        wanted = [(address, by) for address in askable for by in _TRANSPORTS]
        settings = walker.settings
        most = max(settings.questions, 2 * len(ASKED_LONG) * len(wanted))
        allowance = Allowance(deadline, settings.walk, most, settings.bytes)

        def asked(one: tuple[str, Transport]) -> Failure | None:
            return _asked(walker, held.apex, one[0], one[1], allowance)

        outcomes = dict(zip(wanted, threads.map(asked, wanted), strict=True))
    return tuple(_row(held, name, *known[name], glue, outcomes) for name in names)


def _askable(addresses: Iterable[str]) -> list[str]:
    return [one for one in addresses if kind(one) not in NEVER_ASKED][:_MOST_ASKED]


class NoIpv6(Exception):
    """This machine has no way to any of the addresses."""


def ipv6_here(addresses: Iterable[str]) -> bool:
    """Whether this machine has a route to any of these IPv6 addresses."""
    for address in addresses:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as tried:
            try:
                tried.connect((address, _DISCARD))
            except OSError:
                continue
            return True
    return False


def _asked(
    walker: Walker, apex: Name, address: str, by: Transport, allowance: Allowance
) -> Failure | None:
    """Why an address does not answer for the zone, None if it does; silence is asked again."""
    import dns.rdatatype

    last: Failure | None = None
    for number, share in enumerate(ASKED_LONG if by == "udp" else (1.0,) * _LEAST):
        try:
            type_ = dns.rdatatype.SOA
            asker = walker.asker.patient(share)
            reply = asker.ask(address, apex, type_, apex, allowance, by).reply
        except Failure as error:
            if error.reason not in SILENCE:
                return error
            last = Failure(error.reason, f"{error.detail}, asked {number + 1} times")
            continue
        except Spent:
            if last is None or number < _LEAST:
                raise
            break
        if isinstance(reply, Answer):
            return None
        if isinstance(reply, Useless):
            return Failure(reply.reason, reply.detail)
        return Failure("dns_error", "lame: has no such zone")
    return last


def _row(
    held: Holder,
    name: Name,
    addresses: Sequence[str],
    problem: str,
    glue: Mapping[Name, Sequence[str]],
    outcomes: Mapping[tuple[str, Transport], Failure | None],
) -> NameServer:
    words = [problem] if problem else []
    works = dict.fromkeys(_TRANSPORTS, False)
    first: Failure | None = None
    for address in addresses:
        found = kind(address)
        if found in NEVER_ASKED:
            first = first or Failure("not_allowed", found)
            words.append(f"{address} is {found}: not asked")
            continue
        for by in _TRANSPORTS:
            failure = outcomes.get((address, by), _LEFT_OUT)
            if failure:
                first = first or failure
                words.append(f"{address} by {by}: {failure.detail}")
            else:
                works[by] = True
    if not addresses:
        first = Failure("no_address", "no IPv6 address")
        words.insert(0, "no IPv6 address")
    below = name.is_subdomain(held.apex)
    if addresses and held.above and name in held.above and below and not glue.get(name):
        words.append("no IPv6 address in the delegation")
    if held.above is not None and held.below is not None:
        if name not in held.above:
            words.append("not in the delegation by the zone above")
        elif name not in held.below:
            words.append("in the delegation only, the zone itself does not name it")
    both = works["udp"] and works["tcp"]
    return NameServer(
        shown(name),
        shown(held.apex),
        tuple(addresses),
        works["udp"],
        works["tcp"],
        "" if both or first is None else first.reason,
        "; ".join(words),
    )
