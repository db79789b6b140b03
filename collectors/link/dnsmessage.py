"""DNS questions and answers of a probe: bytes and rules, pure.

Format: RFC 1035 section 4, by dnspython. Records are matched as text in the form that
blackbox_exporter gives them: name, TTL, class, type and data with tabs in between.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal, NamedTuple

import msgspec

from collectors.strictyaml import Regex

if TYPE_CHECKING:
    from dns.message import Message
    from dns.name import Name
    from dns.rrset import RRset

_HEADER = struct.Struct("!HHHHHH")
_QR, _TC = 0x8000, 0x0200
SOA = 6
_WITHOUT_QUESTION = {"FORMERR", "SERVFAIL", "NOTIMP", "REFUSED"}  # some servers leave it out there

Ignored = Literal["malformed", "id", "question", "query"]


class RecordRules(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What makes an answer a wrong one, by the text of its records.

    A record that matches any of `fail_if_matches_regexp`; one that misses any of
    `fail_if_not_matches_regexp`; records none of which matches any of
    `fail_if_none_matches_regexp`. No records at all break the latter two.
    `fail_if_all_match_regexp` does what blackbox_exporter does, not what the name says: every record
    has to match all of them, so that a module has the same verdict here and there.
    """

    fail_if_matches_regexp: tuple[Regex, ...] = ()
    fail_if_all_match_regexp: tuple[Regex, ...] = ()
    fail_if_not_matches_regexp: tuple[Regex, ...] = ()
    fail_if_none_matches_regexp: tuple[Regex, ...] = ()

    def broken_by(self, records: Sequence[str]) -> str:
        """Which rule is broken, empty if none is."""
        for record in records:
            for one in self.fail_if_matches_regexp:
                if _matches(one, record):
                    return f"{_short(record)} matches {one}"
            for one in self.fail_if_not_matches_regexp:
                if not _matches(one, record):
                    return f"{_short(record)} does not match {one}"
            for one in self.fail_if_all_match_regexp:
                if not _matches(one, record):
                    return f"{_short(record)} does not match {one} (fail_if_all_match_regexp)"
        if not records and self.fail_if_not_matches_regexp:
            return "no records"
        none = self.fail_if_none_matches_regexp
        if none and not any(_matches(one, record) for one in none for record in records):
            seen = f"none of {len(records)} records" if records else "no records"
            return f"{seen} to match {', '.join(none)}"
        return ""


class Question(NamedTuple):
    """A query and what its answer must repeat."""

    wire: bytes
    id: int
    name: Name
    type: int
    class_: int


class Answer(NamedTuple):
    """An answer to the question. Without `parsed` it was cut short in the middle of a record."""

    rcode: str
    truncated: bool
    answer: tuple[str, ...] = ()
    authority: tuple[str, ...] = ()
    additional: tuple[str, ...] = ()
    pseudo: int = 0  # EDNS and TSIG records, which are counted as additional
    serial: int | None = None  # of the zone, if that was the question
    parsed: bool = True


def question(name: str, type_: str, class_: str, recursion: bool) -> Question:
    """A query of `name`; ValueError says what is wrong with it."""
    import dns.exception
    import dns.flags
    import dns.message

    try:
        made = dns.message.make_query(
            name, type_, class_, flags=dns.flags.RD if recursion else dns.flags.Flag(0)
        )
        wire = made.to_wire()
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"{name!r} {class_} {type_} is no question: {error}") from error
    (asked,) = made.question
    return Question(wire, made.id, asked.name, asked.rdtype, asked.rdclass)


def known(kind: Literal["type", "class", "rcode"], name: str) -> str:
    """The name as dnspython has it; ValueError if there is none such."""
    import dns.exception
    import dns.rcode
    import dns.rdataclass
    import dns.rdatatype

    try:
        if kind == "type":
            return dns.rdatatype.to_text(dns.rdatatype.from_text(name))
        if kind == "class":
            return dns.rdataclass.to_text(dns.rdataclass.from_text(name))
        return dns.rcode.to_text(dns.rcode.from_text("NOTIMP" if name == "NOTIMPL" else name))
    except (dns.exception.DNSException, ValueError) as error:
        raise ValueError(f"{name!r} is no DNS {kind}") from error


def read(asked: Question, data: bytes) -> Answer | Ignored:
    """The answer in a message, or why it is none. A message that has the right id and is beyond
    reading is malformed; cut short by its server it is an answer without records."""
    import dns.exception
    import dns.message

    if len(data) < _HEADER.size:
        return "malformed"
    number, flags, *_ = _HEADER.unpack_from(data)
    if number != asked.id:
        return "id"
    if not flags & _QR:
        return "query"
    try:
        message = dns.message.from_wire(data, one_rr_per_rrset=True)
    except (dns.exception.DNSException, ValueError, struct.error):
        if flags & _TC:
            return Answer(_rcode(flags & 0xF), truncated=True, parsed=False)
        return "malformed"
    return _answer(asked, message, bool(flags & _TC))


def _answer(asked: Question, message: Message, truncated: bool) -> Answer | Ignored:
    rcode = _rcode(message.rcode())
    if message.question or rcode not in _WITHOUT_QUESTION:
        repeated = [(one.name, one.rdtype, one.rdclass) for one in message.question]
        if repeated != [(asked.name, asked.type, asked.class_)]:
            return "question"
    return Answer(
        rcode,
        truncated,
        _texts(message.answer),
        _texts(message.authority),
        _texts(message.additional),
        (message.edns >= 0) + message.had_tsig,
        _serial(message.answer) if asked.type == SOA else None,
    )


def _rcode(number: int) -> str:
    import dns.rcode

    return dns.rcode.to_text(dns.rcode.Rcode.make(number))


def _texts(section: Sequence[RRset]) -> tuple[str, ...]:
    import dns.rdataclass
    import dns.rdatatype

    return tuple(
        "\t".join(
            (
                str(one.name),
                str(one.ttl),
                dns.rdataclass.to_text(one.rdclass),
                dns.rdatatype.to_text(one.rdtype),
                record.to_text(),
            )
        )
        for one in section
        for record in one
    )


def _serial(section: Sequence[RRset]) -> int | None:
    found = [record for one in section if one.rdtype == SOA for record in one]
    return int(found[-1].serial) if found else None


def _matches(pattern: str, text: str) -> bool:
    import re2

    return re2.search(pattern, text) is not None


def _short(record: str) -> str:
    """A record in a line for people."""
    return repr(" ".join(record.split()))[:120]
