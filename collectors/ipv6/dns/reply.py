"""What the answer of a name server means to somebody who follows delegations: bytes in, pure.

Formats: RFC 1035 section 4, EDNS RFC 6891, referrals RFC 1034 section 4.3.2, DNAME RFC 6672, NXDOMAIN
and no data RFC 2308. A server is believed only about names within the zone it was asked for.
"""

from __future__ import annotations

import secrets
import struct
from typing import TYPE_CHECKING, Final, NamedTuple

from collectors.model import Reason

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rdatatype import RdataType
    from dns.rrset import RRset

_HEADER = struct.Struct("!HHHHHH")
_QR, _OPCODE, _TC = 0x8000, 0x7800, 0x0200
_PAYLOAD = 1232  # of EDNS: no fragments on any path of IPv6
MOST_SERVERS: Final = 32  # of a zone; the first by name
_MOST_ADDRESSES = 16  # of a server and family
_MOST_RECORDS = 64  # of an answer; the first in order


class Question(NamedTuple):
    """A query and what its answer must repeat."""

    wire: bytes
    id: int
    name: Name
    type: RdataType


class Server(NamedTuple):
    """A name server and the addresses that its delegation gives."""

    name: Name
    ipv4: tuple[str, ...] = ()
    ipv6: tuple[str, ...] = ()


class Answer(NamedTuple):
    """Records of the type asked for, as text, sorted."""

    records: tuple[str, ...]
    ttl: int


class Alias(NamedTuple):
    """The name is another one (CNAME, DNAME)."""

    target: Name


class Referral(NamedTuple):
    """Ask the servers of a zone below."""

    zone: Name
    servers: tuple[Server, ...]
    ttl: int


class Nothing(NamedTuple):
    """No such name, or no record of this type; `apex` is the zone that says so, if it tells."""

    exists: bool
    apex: Name | None
    ttl: int = 0


class Truncated(NamedTuple):
    """Cut short: ask over TCP."""


class Useless(NamedTuple):
    """An answer that leads nowhere, and why."""

    reason: Reason
    detail: str
    rcode: str = ""


Reply = Answer | Alias | Referral | Nothing | Truncated | Useless


def question(name: Name, type_: RdataType, edns: bool) -> Question:
    """A query without recursion, with a new id; raises ValueError where the name is too long."""
    import dns.exception
    import dns.flags
    import dns.message

    number = secrets.randbelow(1 << 16)
    try:
        made = dns.message.make_query(
            name,
            type_,
            flags=dns.flags.Flag(0),
            use_edns=0 if edns else False,
            payload=_PAYLOAD,
            id=number,
        )
        return Question(made.to_wire(), number, name, type_)
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"{name} is no question: {error}") from error


def read(asked: Question, data: bytes, zone: Name) -> Reply | None:
    """What a message of a server of `zone` means; None where it is no answer to the question."""
    import dns.exception
    import dns.message

    if len(data) < _HEADER.size:
        return None
    number, flags, *_ = _HEADER.unpack_from(data)
    if number != asked.id or not flags & _QR or flags & _OPCODE:
        return None
    try:
        message = dns.message.from_wire(data)
        rcode = message.rcode()
    except (dns.exception.DNSException, ValueError, struct.error) as error:
        if flags & _TC:
            return Truncated()
        return Useless("dns_malformed", f"unreadable answer: {error}"[:200])
    if message.question:
        (repeated, *more) = message.question
        if more or (repeated.name, repeated.rdtype) != (asked.name, asked.type):
            return None
    return _meaning(asked, message, zone, rcode, bool(flags & _TC))


def _meaning(asked: Question, message: Message, zone: Name, rcode: int, cut: bool) -> Reply:
    import dns.flags
    import dns.rcode

    told = dns.rcode.to_text(dns.rcode.Rcode.make(rcode))
    if rcode not in (dns.rcode.NOERROR, dns.rcode.NXDOMAIN):
        return Useless("dns_rcode", told, told)
    if not message.question:
        return Useless("dns_malformed", "an answer without its question")
    if cut:
        return Truncated()
    final = bool(message.flags & dns.flags.AA)
    found = _found(asked, message.answer)
    if isinstance(found, Useless):
        return found
    if found:
        return found if final else Useless("dns_error", "lame: answers without authority")
    apex, ttl = _apex(asked, message.authority, zone)
    if rcode == dns.rcode.NXDOMAIN:
        if final:
            return Nothing(False, apex, ttl)
        return Useless("dns_error", "lame: NXDOMAIN without authority")
    if apex is None and (referral := _referral(asked, message, zone)):
        return referral
    if final:
        return Nothing(True, apex, ttl)
    return Useless("dns_error", "lame: knows nothing of the zone and refers elsewhere")


def _found(asked: Question, section: list[RRset]) -> Answer | Alias | Useless | None:
    """What the answer section says of the name asked for; other names in it are not looked at."""
    import dns.name
    import dns.rdatatype

    ours = _internet(section)
    for one in ours:
        if one.name == asked.name and one.rdtype == asked.type:
            records = {record.to_text(origin=None, relativize=False) for record in one}
            return Answer(tuple(sorted(records))[:_MOST_RECORDS], one.ttl)
    for one in ours:
        if one.name == asked.name and one.rdtype == dns.rdatatype.CNAME:
            return Alias(one[0].target.canonicalize())
    for one in ours:
        above = asked.name.is_subdomain(one.name) and asked.name != one.name
        if above and one.rdtype == dns.rdatatype.DNAME:
            try:
                target = asked.name.relativize(one.name).concatenate(one[0].target)
            except dns.name.NameTooLong:
                return Useless("dns_error", "DNAME makes a name that is too long")
            return Alias(target.canonicalize())
    return None


def _internet(section: list[RRset]) -> list[RRset]:
    """Records of class IN: others of the same type may have other data."""
    import dns.rdataclass

    return [one for one in section if one.rdclass == dns.rdataclass.IN and len(one) > 0]


def _apex(asked: Question, section: list[RRset], zone: Name) -> tuple[Name | None, int]:
    """The zone by its SOA, which a negative answer carries."""
    import dns.rdatatype

    for one in _internet(section):
        within = one.name.is_subdomain(zone) and asked.name.is_subdomain(one.name)
        if one.rdtype == dns.rdatatype.SOA and within:
            return one.name.canonicalize(), min(one.ttl, one[0].minimum)
    return None, 0


def _referral(asked: Question, message: Message, zone: Name) -> Referral | None:
    """A delegation of a zone between the one asked and the name."""
    import dns.rdatatype

    for one in _internet(message.authority):
        below = one.name.is_subdomain(zone) and one.name != zone
        if one.rdtype == dns.rdatatype.NS and below and asked.name.is_subdomain(one.name):
            names = sorted({record.target.canonicalize() for record in one})[:MOST_SERVERS]
            glue = _glue(message, zone)
            servers = tuple(
                Server(
                    name,
                    tuple(sorted(glue.get((name, dns.rdatatype.A), ())))[:_MOST_ADDRESSES],
                    tuple(sorted(glue.get((name, dns.rdatatype.AAAA), ())))[:_MOST_ADDRESSES],
                )
                for name in names
            )
            return Referral(one.name.canonicalize(), servers, one.ttl)
    return None


def _glue(message: Message, zone: Name) -> dict[tuple[Name, int], set[str]]:
    """Addresses in the additional section of names within the zone: of others it cannot know."""
    import dns.rdatatype

    found: dict[tuple[Name, int], set[str]] = {}
    for one in _internet(message.additional):
        if one.rdtype in (dns.rdatatype.A, dns.rdatatype.AAAA) and one.name.is_subdomain(zone):
            addresses = found.setdefault((one.name.canonicalize(), one.rdtype), set())
            addresses.update(record.address for record in one)
    return found
