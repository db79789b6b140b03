"""From configured targets and gateways to addresses, and from results to metrics."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.link.gateways import READINGS, default_gateways
from collectors.link.resolve import NotAnAddress, Resolved, Resolver, Wanted, literal, valid_name
from collectors.link.settings import ProbeSettings, ProbeTarget
from collectors.link.targets import Targets
from collectors.model import Answer, Answers, ParseError, ProbeResult, Target
from collectors.sources.recorded import RecordedSource
from collectors.strictyaml import DocumentError, loads

MACHINE = Path(__file__).parent.parent / "fixtures/machines/debian12"


# --- names and addresses


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("192.0.2.1", ("192.0.2.1", "ipv4")),
        ("2001:DB8:0::1", ("2001:db8::1", "ipv6")),
        ("fe80::1%eth0", ("fe80::1%eth0", "ipv6")),
    ],
)
def test_literal_addresses(text: str, found: tuple[str, str]) -> None:
    assert literal(text) == found


@pytest.mark.parametrize(
    "text", ["127.1", "2130706433", "0x7f000001", "0x7f.1", "192.0.2.300", "1.2.3.4.", "a.1"]
)
def test_numbers_in_disguise_are_neither_address_nor_name(text: str) -> None:
    """getaddrinfo takes several of these for addresses, past every allow-list."""
    with pytest.raises(NotAnAddress):
        literal(text)
    assert not valid_name(text)


@pytest.mark.parametrize("text", ["a", "a.b.", "xn--fiqs8s", "政务.中国", "_x.a-b.cn", "3com.com"])
def test_names(text: str) -> None:
    assert valid_name(text)


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", "-a", "a-", "a b", "a/b", "a\n", "a" * 64, "a." * 127 + "aa", "é" * 99],
)
def test_no_names(text: str) -> None:
    assert not valid_name(text)


@given(st.text(max_size=30))
def test_any_text_is_a_name_or_not(text: str) -> None:
    assert valid_name(text) in (True, False)


def test_this_machine_by_name_and_both_families_of_a_literal() -> None:
    wanted: list[Wanted] = [
        ("localhost", "ipv4"),
        ("192.0.2.1", "ipv4"),
        ("192.0.2.1", "ipv6"),
        ("no name", "ipv4"),
        ("nosuch.invalid", "ipv4"),
    ]
    found = Resolver().resolve(wanted)
    assert found["localhost", "ipv4"].addresses == ("127.0.0.1",)
    assert found["192.0.2.1", "ipv4"].addresses == ("192.0.2.1",)
    assert found["192.0.2.1", "ipv6"].reason == "no_address"
    assert found["no name", "ipv4"].reason == "dns_error"
    # without any resolver it may be an error instead
    assert found["nosuch.invalid", "ipv4"].reason.startswith("dns_")


class _Slow(Resolver):
    """Its look-ups wait until they are let go."""

    def __init__(self, threads: int) -> None:
        super().__init__(threads)
        self.go = threading.Event()

    def look_up(self, name: str, family: str) -> Resolved:
        self.go.wait(30)
        return Resolved(("192.0.2.9",), 0.0)


def test_a_hung_look_up_is_given_up_and_not_piled_up() -> None:
    resolver = _Slow(threads=2)
    names: list[Wanted] = [(f"n{i}.example", "ipv4") for i in range(5)]
    start = time.monotonic()
    found = resolver.resolve(names, timeout=0.1)
    assert {r.reason for r in found.values()} == {"dns_timeout"}
    before = threading.active_count()
    again = resolver.resolve(names, timeout=60)  # every thread hangs: no use waiting
    assert {r.reason for r in again.values()} == {"dns_timeout"}
    assert threading.active_count() <= before
    assert time.monotonic() - start < 30
    resolver.go.set()
    for _ in range(100):
        if resolver.resolve(names[:1], timeout=1)[names[0]].addresses:
            break
        time.sleep(0.02)
    else:
        pytest.fail("the threads never came back")


# --- settings


def settings(text: str) -> ProbeSettings:
    return loads(text, ProbeSettings)


def test_settings_as_a_person_writes_them() -> None:
    made = settings(
        "{interval: 30s, window: 3, targets: [{name: a, address: 192.0.2.1},"
        " {name: b, address: portal.example.gov.cn, family: ipv6}],"
        " allow: [10.0.0.0/8, '2001:db8::/32', other.example]}"
    )
    assert float(made.interval) == 30
    assert [t.family for t in made.targets] == ["both", "ipv6"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{interval: 1ms}", "must be 10ms or more"),
        ("{timeout: 2m}", "must be 1m or less"),
        ("{timeout: 0s}", "must be above 0"),
        ("{window: 0}", "window"),
        ("{targets: [{name: a, address: '127.1'}]}", "no address and no DNS name"),
        ("{targets: [{name: a, address: '::1', family: ipv4}]}", "is no ipv4 address"),
        ("{targets: [{name: a, address: b.c}, {name: a, address: d.e}]}", "'a' is there twice"),
        ("{targets: [{name: a, address: b.c, dscp: 64}]}", "dscp"),
        ("{targets: [{name: a, address: '::1', source: 192.0.2.1}]}", "is no ipv6 address"),
        ("{targets: [{name: a, address: b.c, source: d.e}]}", "is no address"),
        ("{targets: [{name: gateway-eth0, address: b.c}]}", "gateway-"),
        ("{allow: [10.0.0.1/8]}", "no network and no DNS name"),
        ("{allow: ['*']}", "no network and no DNS name"),
        ("{targets: [{name: a, adress: b.c}]}", "did you mean 'address'"),
    ],
)
def test_mistakes_in_settings(text: str, message: str) -> None:
    with pytest.raises(DocumentError) as error:
        settings(text)
    assert message in str(error.value)


# --- targets


class _Names(Resolver):
    """A resolver of a small zone that may change; it counts what it is asked."""

    def __init__(self, zone: Mapping[str, tuple[str, ...]]) -> None:
        super().__init__()
        self.zone = dict(zone)
        self.asked: list[Wanted] = []

    def resolve(self, wanted: Iterable[Wanted], timeout: float = 3.0) -> Mapping[Wanted, Resolved]:
        del timeout
        self.asked = list(wanted)
        answers: dict[Wanted, Resolved] = {}
        for name, family in self.asked:
            found = tuple(a for a in self.zone.get(name, ()) if (":" in a) == (family == "ipv6"))
            answers[name, family] = Resolved(found, 0.1, "" if found else "no_address")
        return answers


def test_a_name_has_both_families_and_a_literal_its_own() -> None:
    specs = [
        ProbeTarget("name", "a.example"),
        ProbeTarget("four", "192.0.2.1"),
        ProbeTarget("six", "b.example", "ipv6"),
    ]
    zone = {"a.example": ("192.0.2.7",), "b.example": ("2001:db8::1",), "192.0.2.1": ("192.0.2.1",)}
    located = Targets(specs, _Names(zone)).locate()
    assert located[0] == Target("name", "192.0.2.7", "ipv4")
    missing = located[1]
    assert isinstance(missing, ProbeResult)
    assert (missing.target, missing.family, missing.reason) == ("name", "ipv6", "no_address")
    assert located[2:] == [
        Target("four", "192.0.2.1", "ipv4"),
        Target("six", "2001:db8::1", "ipv6"),
    ]


def test_an_address_is_kept_as_long_as_the_name_has_it() -> None:
    names = _Names({"a.example": ("192.0.2.1", "192.0.2.2")})
    targets = Targets([ProbeTarget("a", "a.example", "ipv4")], names, ttl=-1)  # always again
    first = Target("a", "192.0.2.1", "ipv4")
    assert targets.locate() == [first]
    names.zone["a.example"] = ("192.0.2.2", "192.0.2.1")
    assert targets.locate() == [first]
    names.zone["a.example"] = ("192.0.2.2",)
    assert targets.locate() == [Target("a", "192.0.2.2", "ipv4")]


def test_only_what_has_no_address_is_asked_again_before_its_time() -> None:
    names = _Names({"a.example": ("192.0.2.1",)})
    specs = [ProbeTarget("a", "a.example", "ipv4"), ProbeTarget("b", "b.example", "ipv4")]
    targets = Targets(specs, names, ttl=3600)
    targets.locate()
    assert len(names.asked) == 2
    names.zone["b.example"] = ("192.0.2.5",)
    assert targets.locate()[1] == Target("b", "192.0.2.5", "ipv4")
    assert names.asked == [("b.example", "ipv4")]
    names.asked = []
    targets.locate()
    assert names.asked == []


# --- gateways


def gateways(route: str, ipv6_route: str = "") -> list[Target]:
    content = (Answer("content", text.encode()) for text in (route, ipv6_route))
    return default_gateways(Answers(dict(zip(READINGS, content, strict=True))))


HEAD = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\tWindow\tIRTT\n"


def test_gateways_of_the_recorded_machine() -> None:
    assert default_gateways(Answers(RecordedSource(MACHINE).answer(READINGS))) == [
        Target("gateway-eth0", "10.20.1.1", "ipv4"),
        Target("gateway-eth0", "2001:db8:20:1::1", "ipv6"),
        Target("gateway-eth0-fe80::5054:ff:fe20:101", "fe80::5054:ff:fe20:101%eth0", "ipv6"),
    ]


def test_which_ipv4_routes_have_a_default_gateway() -> None:
    rows = (
        "eth0 00000000 010200C0 0003 0 0 0 00000000 0 0 0\n"
        "eth0 00000000 010200C0 0003 0 0 9 00000000 0 0 0\n"  # the same again
        "eth0 00000000 020200C0 0003 0 0 9 00000000 0 0 0\n"
        "ppp0 00000000 00000000 0001 0 0 0 00000000 0 0 0\n"  # no gateway
        "eth1 00000000 010200C0 0203 0 0 0 00000000 0 0 0\n"  # reject
        "eth1 000200C0 00000000 0001 0 0 0 00FFFFFF 0 0 0\n"
    )
    assert gateways(HEAD + rows.replace(" ", "\t")) == [
        Target("gateway-eth0", "192.0.2.1", "ipv4"),
        Target("gateway-eth0-192.0.2.2", "192.0.2.2", "ipv4"),
    ]


def test_a_machine_without_either_family() -> None:
    absent = Answer("absent", reason="no such file")
    assert default_gateways(Answers(dict.fromkeys(READINGS, absent))) == []


@given(st.text(max_size=200), st.text(max_size=200))
def test_any_text_gives_gateways_or_the_parse_error(route: str, ipv6_route: str) -> None:
    for before in ("", HEAD):
        try:
            found = gateways(before + route, ipv6_route)
        except ParseError:
            continue
        assert all(isinstance(target, Target) for target in found)


# --- metrics
