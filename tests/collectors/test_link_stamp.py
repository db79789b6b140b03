"""STAMP sender and reflector on a line with delay of its own each way, as root."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from collectors.link import stamppacket
from collectors.link.resolve import AF
from collectors.link.stamp import StampModule, probe
from collectors.link.stampreflector import Reflector, ReflectorSettings
from collectors.model import AddressFamily, ProbeResult, Target
from collectors.strictyaml import Duration, Secret
from tests import delaylab, netlab
from tests.collectors.reflecting import settled
from tests.delaylab import Delay, Way

pytestmark = pytest.mark.skipif(bool(delaylab.unavailable()), reason=delaylab.unavailable())

PAIRS = [("198.51.100.1/24", "198.51.100.2/24"), ("2001:db8:1::1/64", "2001:db8:1::2/64")]
PEER: dict[AddressFamily, str] = {"ipv4": "198.51.100.2", "ipv6": "2001:db8:1::2"}
OTHER: dict[AddressFamily, str] = {"ipv4": "198.51.100.3", "ipv6": "2001:db8:1::3"}
FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")
LISTEN = ("0.0.0.0:862", "[::]:862")
ALLOW = ("198.51.100.0/24", "2001:db8:1::/64")
FAST = StampModule(count=8, spacing=Duration(0.005))
KEY = Secret("correct horse battery staple")


class Line:
    """a — b with a delay each way; what is probed is b."""

    def __init__(self, lab: netlab.Lab, delay: Delay) -> None:
        self.lab, self.delay = lab, delay

    @contextmanager
    def reflector(
        self, key: Secret | None = None, stateful: bool = True, allow: tuple[str, ...] = ALLOW
    ) -> Iterator[Reflector]:
        made = Reflector(ReflectorSettings(True, LISTEN, allow, key, stateful))
        self.lab.inside("b", made.start)
        try:
            assert set(made.addresses) == set(LISTEN)
            yield made
        finally:
            made.stop()

    def probe(
        self, family: AddressFamily, settings: StampModule = FAST, timeout: float = 2.0
    ) -> ProbeResult:
        target = Target("t", PEER[family], family)
        return self.lab.inside("a", lambda: probe(target, settings, timeout))


@pytest.fixture(scope="module")
def lines() -> Iterator[Line]:
    with netlab.Lab() as lab:
        lab.namespace("a")
        lab.namespace("b")
        with Delay(lab, "a", "b", PAIRS) as delay:
            for address in OTHER.values():
                lab.run("b", "ip", "address", "add", address, "dev", "delay-a")
            yield Line(lab, delay)


@pytest.fixture
def line(lines: Line) -> Iterator[Line]:
    lines.delay.change()
    yield lines
    lines.lab.no_rules()


def value(result: ProbeResult, name: str, **labels: str) -> float | None:
    """One series of `jianwei_probe_stamp_…`, None if it is not there."""
    for family in result.families:
        if family.name == f"jianwei_probe_stamp_{name}":
            for sample in family.samples:
                if dict(sample.labels) == labels:
                    return sample.value
    return None


def lost(result: ProbeResult) -> tuple[float | None, ...]:
    ways = ("forward", "backward", "unattributed")
    return tuple(value(result, "lost_packets", direction=way) for way in ways)


@pytest.mark.parametrize("family", FAMILIES)
def test_each_direction_has_its_own_delay(line: Line, family: AddressFamily) -> None:
    with line.reflector() as reflector:
        for there, back in ((0.005, 0.025), (0.030, 0.002)):
            line.delay.change(there, back)
            result = line.probe(family)
            assert (result.success, result.sent, result.received) == (True, 8, 8), result
            shortest = {
                way: value(result, "delay_seconds", direction=way, stat="min") or 0
                for way in ("forward", "backward", "round_trip")
            }
            assert shortest["forward"] >= there
            assert shortest["backward"] >= back
            assert min(result.rtts) == shortest["round_trip"] >= there + back
            slower, faster = ("backward", "forward") if back > there else ("forward", "backward")
            assert shortest[slower] > shortest[faster]
            assert lost(result) == (0, 0, 0)
            # no router on the way
            assert (result.hop_limit, value(result, "forward_hop_limit")) == (255, 255)
        assert settled(reflector, 16) == {"reflected": 16}


@pytest.mark.parametrize("family", FAMILIES)
def test_loss_is_seen_in_its_direction(line: Line, family: AddressFamily) -> None:
    rule = (
        "table inet t {{ chain i {{ type filter hook input priority 0; "
        "udp {0} 862 numgen inc mod 4 1 drop; }}; }}"
    )
    with line.reflector():
        line.lab.nft("b", rule.format("dport"))
        there = line.probe(family, timeout=0.5)
        line.lab.no_rules()
        line.lab.nft("a", rule.format("sport"))
        back = line.probe(family, timeout=0.5)
    assert (there.received, lost(there)) == (6, (2, 0, 0))
    assert (back.received, lost(back)) == (6, (0, 2, 0))
    assert value(there, "loss_ratio", direction="forward") == 0.25
    assert value(back, "loss_ratio", direction="backward") == 0.25
    assert there.success
    assert back.loss == 0.25


def test_loss_by_a_stateless_reflector_has_no_direction(line: Line) -> None:
    line.delay.change(there=Way(lost=(2,)))
    with line.reflector(stateful=False):
        result = line.probe("ipv4", timeout=0.5)
    assert lost(result) == (None, None, 1)
    assert value(result, "reflector_stateful") == 0
    assert value(result, "delay_seconds", direction="forward", stat="median")


@pytest.mark.parametrize("family", FAMILIES)
def test_duplicates_of_either_way_and_reordering(line: Line, family: AddressFamily) -> None:
    with line.reflector():
        line.delay.change(there=Way(delay=0.002, twice=(1, 3)))
        there = line.probe(family)
        line.delay.change(back=Way(delay=0.002, twice=(2,)))
        back = line.probe(family)
        line.delay.change(there=Way(late={0: 0.05}))
        swapped = line.probe(family)
    assert (there.received, there.duplicates, lost(there)) == (8, 2, (0, 0, 0))
    assert (back.received, back.duplicates, lost(back)) == (8, 1, (0, 0, 0))
    assert value(swapped, "reordered_packets", direction="forward") == 1
    assert value(swapped, "reordered_packets", direction="backward") == 0


def test_a_late_answer_is_counted_as_late(line: Line) -> None:
    line.delay.change(back=Way(late={0: 1.5}))
    slow = StampModule(count=11, spacing=Duration(0.1))  # each packet has 1 s of the 2
    with line.reflector():
        result = line.probe("ipv6", slow)
    assert (result.sent, result.received, result.late) == (11, 10, 1)
    assert lost(result) == (0, 0, 0)


def test_the_same_key_at_both_ends(line: Line) -> None:
    keyed = StampModule(count=4, spacing=Duration(0.005), key=KEY, padding=33)
    other = StampModule(count=2, spacing=Duration(0.005), key=Secret("another"))
    with line.reflector(KEY) as reflector:
        good, bad = line.probe("ipv6", keyed), line.probe("ipv6", other, 0.3)
        plain = line.probe("ipv6", StampModule(count=1), 0.3)
        assert settled(reflector, 7) == {"reflected": 4, "authentication": 2, "malformed": 1}
    assert (good.success, good.received) == (True, 4)
    assert (bad.reason, bad.received) == ("timeout", 0)
    assert plain.reason == "timeout"
    with line.reflector(None):
        unsigned = line.probe("ipv6", keyed, 0.3)
    assert (unsigned.reason, unsigned.received) == ("stamp_authentication", 0)
    assert value(unsigned, "dropped_packets", why="authentication") == 4


def test_who_is_not_allowed_is_not_answered(line: Line) -> None:
    with line.reflector(allow=("198.51.100.2/32", "2001:db8:1::/64")) as reflector:
        assert line.probe("ipv4", timeout=0.3).reason == "timeout"
        assert line.probe("ipv6").success
        assert settled(reflector, 16) == {"not_allowed": 8, "reflected": 8}


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("", "unreachable_port"),
        ("reject with icmpx admin-prohibited", "unreachable_admin"),
        ("reject with icmpx host-unreachable", "unreachable_host"),
        ("reject with icmpx no-route", "unreachable_network"),
        ("drop", "timeout"),
    ],
)
def test_why_there_is_no_answer(line: Line, family: AddressFamily, rule: str, reason: str) -> None:
    if rule:
        hook = "type filter hook input priority 0;"
        line.lab.nft("b", f"table inet t {{ chain i {{ {hook} udp dport 862 {rule}; }}; }}")
    result = line.probe(family, timeout=0.4 if rule == "drop" else 5.0)
    assert (result.reason, result.received, result.sent) == (reason, 0, 8)
    assert result.duration < 4  # an error ends the wait


@pytest.mark.parametrize("family", FAMILIES)
def test_errors_about_earlier_packets_stop_no_later_one(line: Line, family: AddressFamily) -> None:
    result = line.probe(family, StampModule(count=200, spacing=Duration(0.001)))
    assert (result.reason, result.sent) == ("unreachable_port", 200)


def test_what_cannot_be_sent(line: Line) -> None:
    def tried(address: str, settings: StampModule = FAST) -> tuple[str, int]:
        family: AddressFamily = "ipv6" if ":" in address else "ipv4"
        result = line.lab.inside("a", lambda: probe(Target("t", address, family), settings, 1.0))
        return result.reason, result.sent

    assert tried("203.0.113.1") == ("no_route", 0)
    assert tried("2001:db8:ffff::1") == ("no_route", 0)
    assert tried("fe80::1%nosuch") == ("no_route", 0)
    assert tried(PEER["ipv4"], StampModule(source_ip_address="203.0.113.9")) == ("error", 0)
    line.lab.run("a", "ip", "route", "add", "prohibit", "203.0.113.0/24")
    assert tried("203.0.113.1") == ("unreachable_admin", 0)


@pytest.mark.parametrize(("family", "header"), [("ipv4", "ip"), ("ipv6", "ip6")])
def test_both_ways_go_in_the_traffic_class_asked_for(
    line: Line, family: AddressFamily, header: str
) -> None:
    rule = (
        "table inet t {{ chain i {{ type filter hook input priority 0; "
        "udp {0} 862 {1} dscp != ef drop; }}; }}"
    )
    line.lab.nft("b", rule.format("dport", header))
    line.lab.nft("a", rule.format("sport", header))
    with line.reflector():
        assert line.probe(family, StampModule(count=2, dscp=46, spacing=Duration(0.001))).success
        assert line.probe(family, FAST, 0.3).reason == "timeout"


@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_comes_from_the_address_that_was_asked(line: Line, family: AddressFamily) -> None:
    with line.reflector():
        target = Target("t", OTHER[family], family)
        result = line.lab.inside("a", lambda: probe(target, FAST, 2.0))
    assert (result.success, value(result, "dropped_packets", why="spoofed")) == (True, 0)


class Liar(threading.Thread):
    """A reflector whose every answer but the last of each request is a forged one."""

    def __init__(self, family: AddressFamily) -> None:
        super().__init__(daemon=True)
        self._own, self._other = (socket.socket(AF[family], socket.SOCK_DGRAM) for _ in range(2))
        self._own.bind((PEER[family], 862))
        self._other.bind((OTHER[family], 862))
        self._own.settimeout(5)
        self.problem: Exception | None = None

    def run(self) -> None:
        try:
            for number in range(4):
                data, source = self._own.recvfrom(2048)
                request = stamppacket.parse_request(data, None)
                assert not isinstance(request, str)
                good = self._answer(number, request)
                self._other.sendto(good, source)  # spoofed
                self._own.sendto(b"garbage" * 20, source)  # no timestamp of ours
                self._own.sendto(good[:40], source)  # cut short
                for forged in (
                    request._replace(sequence=request.sequence + 50),
                    request._replace(sequence=request.sequence - 1),  # a replay under its number
                    request._replace(stamp=bytes(8)),
                ):
                    self._own.sendto(self._answer(number, forged), source)
                late = self._answer(number, request, stay=3600 * 10**9)
                self._own.sendto(late, source)  # it never was with us for an hour
                self._own.sendto(good, source)
        except Exception as error:  # noqa: BLE001 - raised where the result is wanted
            self.problem = error
        finally:
            self._own.close()
            self._other.close()

    @staticmethod
    def _answer(number: int, request: stamppacket.Request, stay: int = 0) -> bytes:
        now = stamppacket.from_stamp(request.stamp, ptp=False) if any(request.stamp) else 0
        return stamppacket.pack_reply(number, now, now + stay, 1, request, 255, None)


@pytest.mark.parametrize("family", FAMILIES)
def test_forged_answers_are_dropped_and_counted(line: Line, family: AddressFamily) -> None:
    liar = line.lab.inside("b", lambda: Liar(family))
    liar.start()
    result = line.probe(family, StampModule(count=4, spacing=Duration(0.02)))
    liar.join(10)
    assert liar.problem is None
    assert (result.success, result.received, result.duplicates) == (True, 4, 0)
    dropped = {
        why: value(result, "dropped_packets", why=why)
        for why in ("spoofed", "malformed", "unasked", "implausible", "authentication")
    }
    assert dropped == {
        "spoofed": 4,
        "malformed": 4,
        "unasked": 16,
        "implausible": 4,
        "authentication": 0,
    }
