"""DNS questions, answers and rules, and any bytes."""

from __future__ import annotations

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors import strictyaml
from collectors.link import dnsmessage
from collectors.link.dns import DnsModule
from collectors.link.dnsmessage import Answer, RecordRules
from collectors.strictyaml import DocumentError, Regex

ASKED = dnsmessage.question("www.example.test", "A", "IN", recursion=True)
RECORDS = ("www.example.test.\t300\tIN\tA\t192.0.2.10", "www.example.test.\t300\tIN\tA\t192.0.2.11")


def response(*records: str, rcode: str = "NOERROR", name: str = "") -> dns.message.Message:
    made = dns.message.make_response(dns.message.from_wire(ASKED.wire))
    made.set_rcode(dns.rcode.from_text(rcode))
    for record in records:
        owner, ttl, class_, type_, data = record.split("\t", 4)
        made.answer.append(dns.rrset.from_text(owner, int(ttl), class_, type_, data))
    if name:
        made.question = dns.message.make_query(name, "A").question
    return made


def test_a_question() -> None:
    sent = dns.message.from_wire(ASKED.wire)
    assert sent.flags == dns.flags.RD
    assert (sent.edns, str(sent.question[0])) == (-1, "www.example.test. IN A")
    assert dns.message.from_wire(
        dnsmessage.question("version.bind", "TXT", "CH", recursion=False).wire
    ).flags == dns.flags.Flag(0)
    ids = {dnsmessage.question("a", "A", "IN", recursion=True).id for _ in range(20)}
    assert len(ids) > 10


def test_records_as_blackbox_exporter_writes_them() -> None:
    made = response(
        *RECORDS,
        'www.example.test.\t60\tIN\tTXT\t"a \\"b\\"" "c"',
        "www.example.test.\t60\tIN\tAAAA\t2001:db8:0:0::1",
    )
    read = dnsmessage.read(ASKED, made.to_wire())
    assert isinstance(read, Answer)
    assert read.answer == (
        *RECORDS,
        'www.example.test.\t60\tIN\tTXT\t"a \\"b\\"" "c"',
        "www.example.test.\t60\tIN\tAAAA\t2001:db8::1",
    )
    assert (read.rcode, read.truncated, read.authority, read.serial) == ("NOERROR", False, (), None)


def test_what_is_no_answer() -> None:
    good = response(*RECORDS).to_wire()
    assert isinstance(dnsmessage.read(ASKED, good), Answer)
    assert dnsmessage.read(ASKED, bytes([good[0] ^ 1]) + good[1:]) == "id"
    assert dnsmessage.read(ASKED, ASKED.wire) == "query"
    assert (
        dnsmessage.read(ASKED, response(*RECORDS, name="www.example.org").to_wire()) == "question"
    )
    assert dnsmessage.read(ASKED, good[:11]) == "malformed"
    assert dnsmessage.read(ASKED, good[:-1]) == "malformed"
    upper = response(*RECORDS, name="WWW.example.TEST").to_wire()
    assert isinstance(dnsmessage.read(ASKED, upper), Answer)


def test_a_refusal_may_leave_the_question_out() -> None:
    for rcode, read in (("REFUSED", Answer("REFUSED", truncated=False)), ("NOERROR", "question")):
        made = response(rcode=rcode)
        made.question = []
        assert dnsmessage.read(ASKED, made.to_wire()) == read


def test_an_answer_that_is_cut_short() -> None:
    made = response(*RECORDS)
    made.flags |= dns.flags.TC
    for wire in (made.to_wire(), made.to_wire()[:-7]):  # whole records, and in the middle of one
        read = dnsmessage.read(ASKED, wire)
        assert isinstance(read, Answer)
        assert (read.truncated, read.rcode) == (True, "NOERROR")


def rules(**given: str) -> RecordRules:
    return RecordRules(**{f"fail_if_{key}_regexp": (Regex(value),) for key, value in given.items()})


@pytest.mark.parametrize(
    ("given_rules", "records", "broken"),
    [
        (rules(matches="192.0.2.11"), RECORDS, "matches 192.0.2.11"),
        (rules(matches="203.0.113"), RECORDS, ""),
        (rules(not_matches="192.0.2"), RECORDS, ""),
        (rules(not_matches="192.0.2.10"), RECORDS, "192.0.2.11' does not match"),
        (rules(not_matches="."), (), "no records"),
        (rules(none_matches="192.0.2.11"), RECORDS, ""),
        (rules(none_matches="192.0.2.12"), RECORDS, "none of 2 records"),
        (rules(none_matches="."), (), "no records"),
        # as blackbox_exporter does it: every record must match
        (rules(all_match="192.0.2"), RECORDS, ""),
        (rules(all_match="192.0.2.10"), RECORDS, "192.0.2.11' does not match"),
        (rules(all_match="."), (), ""),
        (rules(matches="."), (), ""),
    ],
)
def test_rules(given_rules: RecordRules, records: tuple[str, ...], broken: str) -> None:
    told = given_rules.broken_by(records)
    assert broken in told
    assert bool(told) == bool(broken)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{}", "'query_name' is missing"),
        ("{query_name: ''}", "length"),
        ("{query_name: a..b}", "no question"),
        ("{query_name: a, query_type: NOSUCH}", "'NOSUCH' is no DNS type"),
        ("{query_name: a, query_class: NOSUCH}", "'NOSUCH' is no DNS class"),
        ("{query_name: a, valid_rcodes: [NOSUCH]}", "'NOSUCH' is no DNS rcode"),
        ("{query_name: a, dns_over_tls: true}", "needs transport_protocol: tcp"),
        ("{query_name: a, transport_protocol: quic}", "'quic' is not one of"),
        ("{query_name: a, validate_answer_rrs: {fail_if_matches_regexp: ['(']}}", "RE2"),
        ("{query_name: a, validate_answer_rrs: {fail_if_match: []}}", "did you mean"),
    ],
)
def test_settings_say_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        strictyaml.loads(text, DnsModule)
    assert problem in str(caught.value)


def test_settings_of_blackbox_exporter() -> None:
    made = strictyaml.loads("{query_name: 例子.测试, valid_rcodes: [NOTIMPL, NXDOMAIN]}", DnsModule)
    assert "xn--fsqu00a.xn--0zwm56d." in str(made.question().name)
    assert (made.query_type, made.port, made.recursion_desired) == ("ANY", 53, True)


def _mutated(wire: bytes, at: int, byte: int) -> bytes:
    at %= len(wire)
    return wire[:at] + bytes([byte]) + wire[at + 1 :]


WIRE = response(*RECORDS, "www.example.test.\t1\tIN\tMX\t10 mail.example.test.").to_wire()
HEAD = ASKED.id.to_bytes(2, "big") + b"\x81\x80"


@given(
    st.one_of(
        st.binary(max_size=600),
        st.binary(max_size=600).map(lambda rest: HEAD + rest),
        st.binary(max_size=600).map(lambda rest: WIRE[:34] + rest),
        st.builds(_mutated, st.just(WIRE), st.integers(4, 10_000), st.integers(0, 255)),
        st.integers(0, len(WIRE)).map(lambda size: WIRE[:size]),
    )
)
def test_any_bytes_are_an_answer_or_ignored(data: bytes) -> None:
    read = dnsmessage.read(ASKED, data)
    assert isinstance(read, Answer) or read in ("malformed", "id", "question", "query")
