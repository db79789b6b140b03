"""The DNS prober against a real name server and against one that lies, as root."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator

import dns.flags
import dns.message
import dns.rcode
import dns.rrset
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors.link.dns import DnsModule
from collectors.link.dnsmessage import RecordRules
from collectors.link.resolve import AF
from collectors.link.tlsconfig import TlsConfig
from collectors.model import AddressFamily
from collectors.strictyaml import Regex
from tests import netlab
from tests.collectors.dnslab import (
    FAMILIES,
    REAL,
    SCRIPTED,
    SILENT,
    Line,
    framed,
    name_servers,
    value,
)

pytestmark = [
    pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable()),
    pytest.mark.skipif(not shutil.which("nsd"), reason="needs nsd"),
]


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Line]:
    with name_servers(tmp_path_factory.mktemp("nsd")) as made:
        yield made


@pytest.fixture
def line(lines: Line) -> Iterator[Line]:
    yield lines
    lines.lab.no_rules()


def ask(
    name: str = "www.example.test",
    type_: str = "A",
    by: str = "udp",
    answer: RecordRules | None = None,
    rcodes: tuple[str, ...] = ("NOERROR",),
    tls: TlsConfig | None = None,
) -> DnsModule:
    return DnsModule(
        query_name=name,
        query_type=type_,
        transport_protocol="udp" if by == "udp" else "tcp",
        dns_over_tls=by == "tls",
        tls_config=tls or TlsConfig(),
        valid_rcodes=rcodes,
        validate_answer_rrs=answer or RecordRules(),
    )


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("by", ["udp", "tcp", "tls"])
def test_a_good_server(line: Line, family: AddressFamily, by: str) -> None:
    tls = TlsConfig(ca_file=str(line.ca), server_name="ns1.example.test")
    result = line.probe(ask(by=by, tls=tls), REAL, family)
    assert (result.success, result.reason, result.received) == (True, "", 1), result
    assert len(result.rtts) == 1
    assert [name for name, _ in result.phases] == ["connect", "request"]
    counts = [value(result, f"probe_dns_{s}_rrs") for s in ("answer", "authority", "additional")]
    assert counts == [2, 2, 2]
    assert value(result, "probe_dns_query_succeeded") == 1
    assert (value(result, "probe_dns_duration_seconds", phase="request") or 0) > 0
    assert value(result, "probe_dns_serial") is None
    assert value(result, "probe_tls_version_info", version="TLS 1.3") == (
        1 if by == "tls" else None
    )


def test_the_serial_of_a_zone(line: Line) -> None:
    result = line.probe(ask("example.test", "SOA"), REAL)
    assert value(result, "probe_dns_serial") == 2026112501


def test_tls_that_is_not_to_be_trusted(line: Line) -> None:
    ours = TlsConfig(ca_file=str(line.ca))
    unknown = line.probe(ask(by="tls"), REAL, host="ns1.example.test")
    named = line.probe(ask(by="tls", tls=ours), REAL, host="ns1.example.test")
    other = line.probe(ask(by="tls", tls=ours), REAL, host="ns2.example.test")
    skipped = line.probe(ask(by="tls", tls=TlsConfig(insecure_skip_verify=True)), REAL)
    plain = line.probe(ask(by="tls", tls=ours), SCRIPTED, host="ns1.example.test", port=53)
    assert (unknown.reason, unknown.received) == ("tls_untrusted", 0)
    assert value(unknown, "probe_ssl_earliest_cert_expiry")  # told although it is not trusted
    assert named.success
    assert other.reason == "tls_name_mismatch"
    assert skipped.success
    assert plain.reason in ("tls_handshake", "connect_reset")


def test_an_answer_too_long_for_udp(line: Line) -> None:
    cut = line.probe(ask("big.example.test", "TXT"), REAL)
    assert (cut.reason, cut.received, len(cut.rtts)) == ("dns_truncated", 1, 1)
    assert "tcp" in cut.detail
    whole = line.probe(ask("big.example.test", "TXT", "tcp"), REAL)
    assert (whole.success, value(whole, "probe_dns_answer_rrs")) == (True, 20)


def test_an_rcode(line: Line) -> None:
    bad = line.probe(ask("nosuch.example.test"), REAL)
    assert (bad.reason, bad.received) == ("dns_rcode", 1)
    assert "NXDOMAIN" in bad.detail
    assert value(bad, "probe_dns_query_succeeded") == 1
    assert value(bad, "probe_dns_authority_rrs") == 1
    assert line.probe(ask("nosuch.example.test", rcodes=("NXDOMAIN",)), REAL).success
    assert "REFUSED" in line.probe(ask("elsewhere.test"), REAL).detail


def test_rules_about_the_answer(line: Line) -> None:
    right = RecordRules(fail_if_not_matches_regexp=(Regex(r"\tA\t192\.0\.2\.1[01]$"),))
    wrong = RecordRules(fail_if_none_matches_regexp=(Regex(r"203\.0\.113\."),))
    assert line.probe(ask(answer=right), REAL).success
    result = line.probe(ask(answer=wrong), REAL)
    assert (result.reason, result.received) == ("dns_answer", 1)
    assert "203" in result.detail


# --- a server that lies ---------------------------------------------------------------------------


def reply(query: bytes, address: str = "192.0.2.10", change: str = "") -> bytes:
    """An answer to a query, with something wrong in it."""
    asked = dns.message.from_wire(query)
    made = dns.message.make_response(asked)
    made.answer.append(dns.rrset.from_text(asked.question[0].name, 60, "IN", "A", address))
    if change == "id":
        made.id ^= 0x5555
    elif change == "question":
        made.question = dns.message.make_query("other.example.test", "A").question
    elif change == "truncated":
        made.flags |= dns.flags.TC
    return made.to_wire()


HONEST = RecordRules(fail_if_not_matches_regexp=(Regex(r"192\.0\.2\.10$"),))


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("by", ["udp", "tcp"])
def test_a_server_that_lies(line: Line, family: AddressFamily, by: str) -> None:
    frame = framed if by == "tcp" else bytes
    line.scripts(lambda query: [frame(reply(query, "203.0.113.66"))])
    result = line.probe(ask(by=by, answer=HONEST), SCRIPTED, family)
    assert (result.reason, result.received) == ("dns_answer", 1)
    assert "203.0.113.66" in result.detail


@pytest.mark.parametrize("by", ["udp", "tcp"])
def test_what_is_no_answer_is_waited_past(line: Line, by: str) -> None:
    frame = framed if by == "tcp" else bytes
    line.scripts(
        lambda query: [
            *(frame(reply(query, "203.0.113.66", change)) for change in ("id", "question")),
            frame(query),
            frame(b"x"),
            frame(reply(query)),
        ]
    )
    result = line.probe(ask(by=by, answer=HONEST), SCRIPTED)
    assert result.success, result
    for why in ("id", "question", "query", "malformed"):
        assert value(result, "jianwei_probe_dns_ignored_messages", why=why) == 1


@pytest.mark.parametrize("by", ["udp", "tcp"])
@pytest.mark.parametrize(
    ("script", "reason", "words"),
    [
        (lambda query: [], "dns_timeout", "no answer in time"),
        (lambda query: [reply(query, change="id")], "dns_timeout", "1 with another id"),
        (lambda query: [reply(query, change="question")], "dns_timeout", "to another question"),
        (lambda query: [query], "dns_timeout", "a query"),
        (lambda query: [b"garbage"], "dns_malformed", "1 unreadable"),
        (lambda query: [reply(query)[:-3]], "dns_malformed", "unreadable"),
        (lambda query: [reply(query, change="truncated")], "dns_truncated", "cut short"),
        (lambda query: [reply(query, change="truncated")[:-3]], "dns_truncated", "cut short"),
    ],
)
def test_reasons_in_words(
    line: Line, by: str, script: Callable[[bytes], list[bytes]], reason: str, words: str
) -> None:
    line.scripts(lambda query: [(framed if by == "tcp" else bytes)(m) for m in script(query)])
    result = line.probe(ask(by=by), SCRIPTED, timeout=0.4)
    assert (result.reason, result.success) == (reason, False)
    assert words in result.detail
    assert result.duration < 3


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_from_elsewhere_is_none(line: Line, family: AddressFamily) -> None:
    """Off the path somebody may guess the port and the id: the address still tells."""
    server = line.scripted[family]

    def elsewhere() -> socket.socket:
        made = socket.socket(AF[family], socket.SOCK_DGRAM)
        made.bind((SILENT[family], 53))
        return made

    with line.lab.inside("b", elsewhere) as forger:

        def script(query: bytes) -> list[bytes]:
            forger.sendto(reply(query, "203.0.113.66"), server.asker)
            return []

        line.scripts(script)
        result = line.probe(ask(answer=HONEST), SCRIPTED, family, timeout=0.4)
    assert (result.reason, result.received) == ("dns_timeout", 0)
    assert "1 from elsewhere" in result.detail


def test_a_connection_that_ends(line: Line) -> None:
    line.scripts(lambda query: [b"\x00\x50half a message"])
    assert line.probe(ask(by="tcp"), SCRIPTED, timeout=0.4).reason == "dns_timeout"
    refused = line.probe(ask(by="tcp"), SILENT)
    assert (refused.reason, refused.received) == ("connect_refused", 0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("rule", "udp", "tcp"),
    [
        ("", "unreachable_port", "connect_refused"),
        ("reject with icmpx admin-prohibited", "unreachable_admin", "unreachable_admin"),
        ("reject with icmpx host-unreachable", "unreachable_host", "unreachable_host"),
        ("drop", "dns_timeout", "timeout"),
    ],
)
def test_what_is_on_the_way(
    line: Line, family: AddressFamily, rule: str, udp: str, tcp: str
) -> None:
    if rule:
        line.lab.nft(
            "b",
            "table inet t { chain i { type filter hook input priority 0; "
            f"meta l4proto {{ tcp, udp }} th dport 53 {rule}; }}; }}",
        )
    limit = 0.4 if rule == "drop" else 3.0
    for by, reason in (("udp", udp), ("tcp", tcp)):
        result = line.probe(ask(by=by), SILENT, family, limit)
        assert (result.reason, result.received) == (reason, 0), (by, result)
        assert value(result, "probe_dns_query_succeeded") == 0


@pytest.mark.parametrize("by", ["udp", "tcp"])
def test_any_answers(line: Line, by: str) -> None:
    """Whatever comes, one result with a reason of ours, in time."""
    frame = framed if by == "tcp" else bytes

    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.one_of(st.binary(max_size=200), st.none()), min_size=1, max_size=4))
    def check(messages: list[bytes | None]) -> None:
        def script(query: bytes) -> list[bytes]:
            head = query[:2] + b"\x81\x80"  # None: this with nothing after it
            return [frame(head + message if message else head) for message in messages]

        line.scripts(script)
        result = line.probe(ask(by=by), SCRIPTED, timeout=0.05)
        assert result.reason in ("dns_malformed", "dns_timeout", "timeout", "dns_rcode"), result

    check()
