"""Name servers that lie, and any bytes at all as their answers; kinds of addresses, total."""

from __future__ import annotations

import ipaddress
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from typing import get_args

import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.ipv6.addresskind import kind
from collectors.ipv6.dns.cache import DelegationCache, Found, Start, Zone
from collectors.ipv6.dns.check import check_dns
from collectors.ipv6.dns.delegation import BOTH, Walker
from collectors.ipv6.dns.exchange import Allowance, Spent
from collectors.ipv6.dns.reply import (
    MOST_SERVERS,
    Alias,
    Answer,
    Nothing,
    Referral,
    Reply,
    Server,
    Truncated,
    Useless,
    question,
    read,
)
from collectors.ipv6.dns.settings import DnsSettings, StartZone
from collectors.ipv6.model import AddressKind
from collectors.link.connect import Deadline
from collectors.model import Reason
from collectors.strictyaml import Duration, loads
from tests import netlab
from tests.collectors.dnslab import ScriptedServer, framed

ZONE, HOST = dns.name.from_text("gov.cn"), dns.name.from_text("www.x.gov.cn")
ADDRESS = "2400:da00::53"
SETTINGS = DnsSettings(
    roots=(StartZone(".", (ADDRESS,)),), timeout=Duration(0.3), questions=60, walk=Duration(5)
)


@given(st.binary(max_size=600), st.booleans())
def test_any_bytes_as_an_answer(data: bytes, ours: bool) -> None:
    asked = question(HOST, dns.rdatatype.AAAA, True)
    if ours:  # with the right id, as an answer
        data = asked.id.to_bytes(2, "big") + b"\x84\x00" + data
    reply = read(asked, data, ZONE)
    assert reply is None or isinstance(reply, Reply)
    if isinstance(reply, Useless):
        assert reply.reason in get_args(Reason)


@settings(max_examples=400)
@given(st.data())
def test_a_broken_real_answer(data: st.DataObject) -> None:
    asked = question(HOST, dns.rdatatype.AAAA, True)
    wire = bytearray(referral(asked.wire, "x.gov.cn.", "ns.x.gov.cn.", ADDRESS))
    for _ in range(data.draw(st.integers(1, 6))):
        wire[data.draw(st.integers(2, len(wire) - 1))] = data.draw(st.integers(0, 255))
    reply = read(asked, bytes(wire[: data.draw(st.integers(0, len(wire)))]), ZONE)
    assert reply is None or isinstance(reply, Reply)


@given(st.integers(0, (1 << 128) - 1) | st.integers(0, (1 << 32) - 1))
def test_every_address_has_a_kind(number: int) -> None:
    assert kind(str(ipaddress.IPv6Address(number))) in get_args(AddressKind)
    assert kind(str(ipaddress.IPv4Address(number & 0xFFFFFFFF))) in get_args(AddressKind)


KINDS: dict[AddressKind, str] = {
    "global": "2400:da00::1 2001:1::1 2001:4:112::1 2620:4f:8000::1 8.8.8.8 192.0.0.9 223.5.5.5",
    "unique_local": "fc00:: fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff",
    "link_local": "fe80::1 febf::1 fe80::1%eth0 169.254.1.1",
    "loopback": "::1 127.0.0.1 127.255.255.255",
    "unspecified": ":: 0.0.0.0",
    "multicast": "ff02::1 ff0e::1 224.0.0.1 239.255.255.255",
    "mapped": "::ffff:1.2.3.4 ::ffff:0:0",
    "documentation": "2001:db8::1 3fff:fff::1 192.0.2.1 198.51.100.1 203.0.113.255",
    "sixtofour": "2002:102:304::1",
    "teredo": "2001:0:1::1",
    "nat64": "64:ff9b::1.2.3.4 64:ff9b:1:2::1",
    "private": "10.0.0.1 172.31.255.255 192.168.0.1 100.64.0.1 100.127.255.255",
    "reserved": "::1.2.3.4 100::1 fec0::1 4000::1 2001:2::1 2001:20::1 5f00::1 64:ff9c::1 fe00::1"
    " 0.1.2.3 192.0.0.1 198.18.0.1 198.19.255.255 240.0.0.1 255.255.255.255 192.88.99.1",
}


def test_nothing_heavy_is_imported() -> None:
    code = "import sys, collectors.ipv6.dns.check; print([m for m in sys.modules if m == 'dns'])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert shown.stdout == b"[]\n"


@pytest.mark.parametrize("expected", KINDS)
def test_kinds(expected: AddressKind) -> None:
    for address in KINDS[expected].split():
        assert kind(address) == expected, address
    assert set(KINDS) == set(get_args(AddressKind))


def test_kinds_next_to_each_other() -> None:
    """The neighbours of private ranges are global."""
    for address in ("9.255.255.255", "11.0.0.0", "172.15.255.255", "172.32.0.0", "100.63.255.255"):
        assert kind(address) == "global"
    for address in ("100.128.0.0", "192.167.255.255", "192.169.0.0", "2001:200::1", "3ffe::1"):
        assert kind(address) == "global"
    with pytest.raises(ValueError, match="does not appear"):
        kind("www.example.cn")


def made(query: bytes, **sections: Sequence[dns.rrset.RRset]) -> dns.message.Message:
    answer = dns.message.make_response(dns.message.from_wire(query))
    for name, rrsets in sections.items():
        getattr(answer, name).extend(rrsets)
    return answer


def rr(name: str, type_: str, *texts: str) -> dns.rrset.RRset:
    return dns.rrset.from_text_list(name, 60, "IN", type_, list(texts))


def final(message: dns.message.Message) -> bytes:
    message.flags |= dns.flags.AA
    return message.to_wire()


def referral(query: bytes, zone: str, server: str, address: str) -> bytes:
    glue = [rr(server, "AAAA", address)]
    return made(query, authority=[rr(zone, "NS", server)], additional=glue).to_wire()


SOA = "ns.x. h.x. 1 2 3 4 60"
MEANINGS: dict[str, tuple[Callable[[bytes], bytes], Reply | None]] = {
    "an address": (
        lambda q: final(made(q, answer=[rr("www.x.gov.cn.", "AAAA", "2400::2", "2400::1")])),
        Answer(("2400::1", "2400::2"), 60),
    ),
    "without authority": (
        lambda q: made(q, answer=[rr("www.x.gov.cn.", "AAAA", "2400::1")]).to_wire(),
        Useless("dns_error", "lame: answers without authority"),
    ),
    "of another name": (
        lambda q: final(made(q, answer=[rr("evil.cn.", "AAAA", "2400::1")])),
        Nothing(True, None),
    ),
    "an alias": (
        lambda q: final(
            made(q, answer=[rr("www.x.gov.cn.", "CNAME", "B.cn."), rr("b.cn.", "AAAA", "2400::1")])
        ),
        Alias(dns.name.from_text("b.cn")),
    ),
    "DNAME alone": (
        lambda q: final(made(q, answer=[rr("x.gov.cn.", "DNAME", "y.net.")])),
        Alias(dns.name.from_text("www.y.net")),
    ),
    "a referral": (
        lambda q: referral(q, "X.gov.cn.", "NS.x.gov.cn.", "2400::1"),
        Referral(
            dns.name.from_text("x.gov.cn"),
            (Server(dns.name.from_text("ns.x.gov.cn"), (), ("2400::1",)),),
            60,
        ),
    ),
    "glue of somebody else's": (
        lambda q: referral(q, "x.gov.cn.", "ns.bank.com.", "2400::1"),
        Referral(dns.name.from_text("x.gov.cn"), (Server(dns.name.from_text("ns.bank.com")),), 60),
    ),
    "a referral upwards": (
        lambda q: referral(q, ".", "a.root.", "2400::1"),
        Useless("dns_error", "lame: knows nothing of the zone and refers elsewhere"),
    ),
    "a referral to itself": (
        lambda q: referral(q, "gov.cn.", "a.gov.cn.", "2400::1"),
        Useless("dns_error", "lame: knows nothing of the zone and refers elsewhere"),
    ),
    "a referral to a zone of others": (
        lambda q: referral(q, "bank.com.", "ns.bank.com.", "2400::1"),
        Useless("dns_error", "lame: knows nothing of the zone and refers elsewhere"),
    ),
    "no data": (
        lambda q: final(made(q, authority=[rr("x.gov.cn.", "SOA", SOA)])),
        Nothing(True, dns.name.from_text("x.gov.cn"), 60),
    ),
    "SOA of others": (
        lambda q: final(made(q, authority=[rr("bank.com.", "SOA", SOA)])),
        Nothing(True, None),
    ),
    "refused": (
        lambda q: with_rcode(q, dns.rcode.REFUSED),
        Useless("dns_rcode", "REFUSED", "REFUSED"),
    ),
    "another id": (lambda q: b"\x00\x00" + final(made(q))[2:], None),
    "a query": (lambda q: q, None),
    "nothing": (lambda q: b"", None),
    "an update": (lambda q: q[:2] + b"\xac\x00" + final(made(q))[4:], None),
    "glue and data of another class": (
        lambda q: made(
            q,
            authority=[rr("x.gov.cn.", "NS", "ns.x.gov.cn.")],
            additional=[
                dns.rrset.from_text("ns.x.gov.cn.", 60, "CH", "A", "zz. 1"),
            ],
        ).to_wire(),
        Referral(dns.name.from_text("x.gov.cn"), (Server(dns.name.from_text("ns.x.gov.cn")),), 60),
    ),
    "cut in a record": (
        lambda q: q[:2] + b"\x86\x00\x00\x01\x00\x09\x00\x00\x00\x00" + q[12:40],
        Truncated(),
    ),
}


def with_rcode(query: bytes, rcode: dns.rcode.Rcode) -> bytes:
    message = made(query)
    message.set_rcode(rcode)
    return message.to_wire()


@pytest.mark.parametrize("case", MEANINGS)
def test_what_an_answer_means(case: str) -> None:
    answer, expected = MEANINGS[case]
    asked = question(HOST, dns.rdatatype.AAAA, False)
    if case == "another id":
        asked = asked._replace(id=1, wire=b"\x00\x01" + asked.wire[2:])
    assert read(asked, answer(asked.wire), ZONE) == expected


def test_servers_of_a_zone_are_bounded() -> None:
    names = [f"n{number:04}.gov.cn." for number in range(2000)]
    asked = question(HOST, dns.rdatatype.AAAA, False)
    reply = read(asked, made(asked.wire, authority=[rr("x.gov.cn.", "NS", *names)]).to_wire(), ZONE)
    assert isinstance(reply, Referral)
    assert len(reply.servers) == MOST_SERVERS


def test_records_are_bounded() -> None:
    addresses = [f"2400::{number:x}" for number in range(1, 500)]
    asked = question(HOST, dns.rdatatype.AAAA, False)
    many = final(made(asked.wire, answer=[rr("www.x.gov.cn.", "AAAA", *addresses)]))
    reply = read(asked, many, ZONE)
    assert isinstance(reply, Answer)
    assert len(reply.records) == 64


def test_a_cache_forgets_and_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr("collectors.ipv6.dns.cache.MOST_ENTRIES", 10)
    cache = DelegationCache(keep=100, clock=lambda: now[0])
    zones = [Zone(dns.name.from_text(f"z{number}.cn"), ()) for number in range(20)]
    for zone in zones:
        cache.keep_zone(BOTH, zone, 50)
    assert [cache.zone(BOTH, zone.name) for zone in zones] == [None] * 10 + zones[10:]
    assert cache.zone(("ipv6",), zones[-1].name) is None
    now[0] = 50
    assert cache.zone(BOTH, zones[-1].name) is None


def test_what_nobody_told_counts_from_the_third_time_on() -> None:
    """Before that a silent server is put last for a few seconds, and nothing else is kept."""
    now = [0.0]
    cache = DelegationCache(keep=100, clock=lambda: now[0])
    name = dns.name.from_text("ns1.gov.cn")
    lost = Found((), "dns_timeout", "no answer", "gov.cn")

    def silences() -> list[tuple[bool, bool, bool]]:
        """Right after each of three times, and six seconds later: server, name, start."""
        seen = []
        for _ in range(3):
            cache.keep_silent("203.0.113.1", True)
            cache.keep_found(BOTH, name, 28, lost)
            cache.keep_start(BOTH, name, Start(("dns_timeout", "no answer")))
            for seconds in (0, 6):
                now[0] += seconds
                found, start = cache.found(BOTH, name, 28), cache.start(BOTH, name)
                seen.append((cache.silent("203.0.113.1"), found is not None, start is not None))
        return seen

    expected = [
        *[(True, False, True), (False, False, False)] * 2,
        *[(True, True, True), (True, True, True)],
    ]
    assert silences() == expected
    cache.keep_silent("203.0.113.1", False)  # it answers: all begins anew
    cache.keep_found(BOTH, name, 28, Found(("2400::1",), told=True))
    cache.keep_start(BOTH, name, Start())
    assert not cache.silent("203.0.113.1")
    now[0] += 100
    assert silences() == expected


def test_what_an_allowance_ends() -> None:
    allowance = Allowance(Deadline(10), 10, 2, 100)
    allowance.ask()
    allowance.ask()
    with pytest.raises(Spent, match="2 questions"):
        allowance.ask()
    with pytest.raises(Spent, match="bytes"):
        allowance.got(101)
    with pytest.raises(Spent) as mine:
        Allowance(Deadline(10), 0, 2, 100).left()
    with pytest.raises(Spent) as callers:
        Allowance(Deadline(0), 10, 2, 100).left()
    assert (mine.value.budget, callers.value.budget) == (False, True)


def test_settings_as_they_are_written() -> None:
    text = b"roots: [{zone: gov.cn, servers: [10.1.1.1, 'fd00::1']}]\ntimeout: 500ms\n"
    written = loads(text, DnsSettings, "dns.yaml")
    assert written.roots == (StartZone("gov.cn", ("10.1.1.1", "fd00::1")),)
    assert written.timeout == 0.5
    for wrong in (
        b"roots: []",
        b"roots: [{zone: gov.cn, servers: [ns1.gov.cn]}]",
        b"roots: [{zone: 'a b', servers: [10.1.1.1]}]",
        b"port: 0",
        b"samples: 0",
        b"colour: red",
    ):
        with pytest.raises(Exception, match=r"dns\.yaml"):
            loads(wrong, DnsSettings, "dns.yaml")
    for root in DnsSettings().roots:
        assert {kind(address) for address in root.servers} == {"global"}
        assert len(root.servers) == 26


class Liar:
    """One server that is root and everything, over UDP and TCP, and counts its questions."""

    def __init__(self, lab: netlab.Lab) -> None:
        self.lab, self.asked = lab, 0
        self._server = ScriptedServer(lab, "b", ADDRESS)
        self._lock = threading.Lock()

    def find(self, answer: Callable[[bytes], Sequence[bytes]], host: str = "www.x.gov.cn") -> Found:
        self.asked = 0

        def counted(query: bytes) -> Sequence[bytes]:
            with self._lock:
                self.asked += 1
            return answer(query)

        self._server.answer = counted
        walker = Walker(SETTINGS)
        return self.lab.inside("a", lambda: walker.find(host, "AAAA", Deadline(20)))

    def close(self) -> None:
        self._server.close()


@pytest.fixture(scope="module")
def liar() -> Iterator[Liar]:
    if netlab.unavailable():
        pytest.skip(netlab.unavailable())
    with netlab.Lab() as lab:
        lab.namespace("a")
        lab.namespace("b")
        lab.link("a", "b", [("2400:da00::1/64", f"{ADDRESS}/64")])
        made_liar = Liar(lab)
        try:
            yield made_liar
        finally:
            made_liar.close()


def asked_name(query: bytes) -> dns.name.Name:
    return dns.message.from_wire(query).question[0].name


def test_a_server_for_everything(liar: Liar) -> None:
    found = liar.find(
        lambda q: [final(made(q, answer=[rr(str(asked_name(q)), "AAAA", "2400::1")]))]
    )
    assert (found.records, found.source, liar.asked) == (("2400::1",), ADDRESS, 1)


def test_edns_is_left_out_where_it_is_not_known(liar: Liar) -> None:
    def answer(query: bytes) -> list[bytes]:
        if dns.message.from_wire(query).edns >= 0:
            return [with_rcode(query, dns.rcode.FORMERR)[:2] + b"\x80\x01" + b"\0" * 8]
        return [final(made(query, answer=[rr(str(asked_name(query)), "AAAA", "2400::1")]))]

    assert liar.find(answer).records == ("2400::1",)
    assert liar.asked == 2


def test_a_flood_of_other_answers_is_waited_past(liar: Liar) -> None:
    def answer(query: bytes) -> list[bytes]:
        right = final(made(query, answer=[rr(str(asked_name(query)), "AAAA", "2400::1")]))
        other = bytes([query[0] ^ 1]) + right[1:]
        return [other] * 50 + [right]

    assert liar.find(answer).records == ("2400::1",)


def test_endless_names_of_servers_end(liar: Liar) -> None:
    """Each delegation needs 30 more names, each of which needs 30 more."""
    count = [0]

    def answer(query: bytes) -> list[bytes]:
        count[0] += 1
        names = [f"n{number}.d{count[0]}.evil{number}.cn." for number in range(30)]
        zone = asked_name(query)
        return [made(query, authority=[rr(str(zone), "NS", *names)]).to_wire()]

    start = time.monotonic()
    found = liar.find(answer)
    assert time.monotonic() - start < SETTINGS.walk + 3
    assert (found.records, found.told) == ((), False)
    assert found.reason in ("dns_timeout", "dns_error")
    assert liar.asked <= SETTINGS.questions


def test_an_endless_chain_of_aliases_ends(liar: Liar) -> None:
    count = [0]

    def answer(query: bytes) -> list[bytes]:
        count[0] += 1
        alias = rr(str(asked_name(query)), "CNAME", f"n{count[0]}.gov.cn.")
        return [final(made(query, answer=[alias]))]

    found = liar.find(answer)
    assert (found.reason, found.records) == ("dns_error", ())
    assert "too many aliases" in found.detail
    assert liar.asked <= 12


def test_a_name_that_grows_for_ever_ends(liar: Liar) -> None:
    def answer(query: bytes) -> list[bytes]:
        return [final(made(query, answer=[rr("cn.", "DNAME", "a-long-label-that-grows.cn.")]))]

    found = liar.find(answer)
    assert found.reason == "dns_error"


def test_a_server_that_is_us_is_not_asked(liar: Liar) -> None:
    found = liar.find(lambda q: [referral(q, "x.gov.cn.", "ns.x.gov.cn.", "::1")])
    assert (found.reason, found.zone) == ("not_allowed", "x.gov.cn")
    assert liar.asked == 1


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(answers=st.lists(st.binary(max_size=100), max_size=3), ours=st.booleans())
def test_any_answer_has_a_reason(liar: Liar, answers: list[bytes], ours: bool) -> None:
    def answer(query: bytes) -> list[bytes]:
        return [query[:2] + b"\x84\x00" + one if ours else one for one in answers]

    found = liar.find(lambda query: answer(query) or [b"\0"])
    assert found.records == ()
    assert found.reason in get_args(Reason)
    assert found.reason


def test_facts_of_a_liar_are_data(liar: Liar) -> None:
    """What a server makes up is text in a fact, and nothing raises."""
    name = "\\000\\255<script>.x.gov.cn."

    def answer(query: bytes) -> list[bytes]:
        message = dns.message.from_wire(query)
        if message.question[0].rdtype == dns.rdatatype.NS:
            ns = rr(str(asked_name(query)), "NS", name)
            return [final(made(query, answer=[ns])), framed(final(made(query, answer=[ns])))]
        soa = rr(".", "SOA", SOA)
        return [final(made(query, authority=[soa]))]

    liar.find(answer)
    facts = liar.lab.inside(
        "a", lambda: check_dns("www.x.gov.cn", SETTINGS, DelegationCache(), Deadline(20))
    )
    assert msgspec.json.encode([fact.value for fact in facts])
    assert [fact.name for fact in facts if fact.value is not None] != []
