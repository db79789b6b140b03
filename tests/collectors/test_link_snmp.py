"""Interfaces from a real snmpd: v2c, v3, every reason, restarts, traffic; and from odd agents."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.link.devices import (
    BandwidthSettings,
    Device,
    InterfaceRef,
    MeteredLine,
    SnmpAccess,
)
from collectors.link.interfaces import DevicePoll, DeviceReason, InterfaceCounters, Missing
from collectors.link.polling import Poller
from collectors.link.rates import rate
from collectors.link.utilisation import Meter
from collectors.sources.local import LocalSource
from collectors.sources.ssh.settings import SshSettings
from collectors.strictyaml import Duration, Secret
from tests import netlab
from tests.snmplab import AUTH, NARROW, Snmpd, free_udp_port, needs_snmpd

QUICK = BandwidthSettings(timeout=Duration(0.4), deadline=Duration(8))
WRONG = Secret("not-the-secret")


@pytest.fixture(scope="module")
def agent(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Snmpd]:
    snmpd = Snmpd(tmp_path_factory.mktemp("snmp") / "one")
    yield snmpd
    snmpd.close()


def poll(
    access: SnmpAccess | Mapping[str, SnmpAccess],
    wanted: Sequence[str] | None = ("lo",),
    hints: Mapping[str, int] | None = None,
    limits: BandwidthSettings = QUICK,
) -> list[DevicePoll]:
    accesses = {"r1": access} if isinstance(access, SnmpAccess) else access
    return Poller(limits, SshSettings(), LocalSource()).poll(
        {name: Device(snmp=one) for name, one in accesses.items()},
        dict.fromkeys(accesses, wanted),
        {name: hints or {} for name in accesses},
    )


def lo(found: DevicePoll) -> InterfaceCounters:
    assert (found.reason, found.detail) == ("", "")
    (row,) = found.interfaces
    assert row.name == "lo"
    return row


def octets(device: str) -> int:
    return int(Path(f"/sys/class/net/{device}/statistics/rx_bytes").read_text())


@needs_snmpd
def test_v2c_and_every_kind_of_user_tell_the_same(agent: Snmpd) -> None:
    before = octets("lo")
    polls = poll(
        {
            "v2c": agent.v2c(),
            "strong": agent.v3(),
            "medium": agent.v3("medium", auth="SHA", priv="none", priv_secret=None),
            "weak": agent.v3("weak", auth="MD5", priv="DES"),
        }
    )
    for found in polls:
        row = lo(found)
        assert row.device == found.device
        assert (row.bits, row.oper, row.admin, row.index) == (64, "up", "up", 1)
        assert 0 < row.in_octets <= octets("lo")
        assert row.uptime is not None
        assert row.boots
        assert row.in_errors == row.out_discards == 0
    assert before


@needs_snmpd
def test_without_a_list_all_interfaces_are_told(agent: Snmpd) -> None:
    (found,) = poll(agent.v2c(), None)
    assert {row.name for row in found.interfaces} == {
        path.name for path in Path("/sys/class/net").iterdir() if (path / "statistics").exists()
    }


@needs_snmpd
def test_an_agent_without_ifxtable_has_32_bit_counters(agent: Snmpd) -> None:
    row = lo(*poll(agent.v2c(NARROW)))
    assert (row.bits, row.alias, row.discontinuity) == (32, "", None)
    assert row.in_octets == octets("lo") % 2**32 or row.in_octets > 0
    assert row.speed == 10_000_000  # of ifSpeed


@needs_snmpd
def test_an_interface_that_is_not_there_costs_itself_only(agent: Snmpd) -> None:
    (found,) = poll(agent.v2c(), ("lo", "ge9"))
    assert lo(found)
    assert found.missing == (Missing("ge9", "no_interface"),)


@needs_snmpd
@pytest.mark.parametrize(
    ("access", "reason"),
    [
        (lambda a: a.v2c("wrong"), "community"),
        (lambda a: a.v3("nobody"), "unknown_user"),
        (lambda a: a.v3(auth_secret=WRONG), "wrong_digest"),
        (lambda a: a.v3(auth="SHA-512"), "wrong_digest"),
        (lambda a: a.v3(priv_secret=WRONG), "decryption"),
        (lambda a: a.v3(priv="none", priv_secret=None), "not_permitted"),
        (lambda a: a.v3("medium", auth="SHA"), "security_level"),
        (lambda a: a.v3(context="elsewhere"), "not_permitted"),  # which snmpd drops
        (lambda a: a.v2c(port=free_udp_port()), "refused"),
        (lambda a: a.v2c(address="nosuch.invalid"), "no_address"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_why_a_device_does_not_answer(
    agent: Snmpd, access: Callable[[Snmpd], SnmpAccess], reason: DeviceReason
) -> None:
    (found,) = poll(access(agent), ("lo", "eth0"))
    assert (found.reason, found.interfaces) == (reason, ()), found.detail
    assert [one.reason for one in found.missing] == ["unread", "unread"]
    assert AUTH not in repr(found)


def test_a_silent_device_times_out_within_its_bounds() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        access = SnmpAccess("127.0.0.1", silent.getsockname()[1], community=Secret("any"))
        start = time.monotonic()
        (found,) = poll(access)
        assert time.monotonic() - start < QUICK.deadline
        assert found.reason == "timeout"
        assert "community" in found.detail
        (found,) = poll(access, limits=BandwidthSettings(timeout=Duration(1), deadline=Duration(1)))
        assert (found.reason, found.missing) == ("timeout", (Missing("lo", "unread"),))


@needs_snmpd
def test_one_dead_device_costs_its_own_rows_only(agent: Snmpd) -> None:
    found = poll({"dead": agent.v2c(port=free_udp_port()), "alive": agent.v2c()})
    assert [one.reason for one in found] == ["refused", ""]
    assert lo(found[1])


@needs_snmpd
def test_two_users_of_one_name_have_each_their_own_secrets(agent: Snmpd) -> None:
    found = poll({"wrong": agent.v3(auth_secret=WRONG), "right": agent.v3(), "v2c": agent.v2c()})
    assert [one.reason for one in found] == ["wrong_digest", "", ""]


@needs_snmpd
def test_hints_are_checked_before_they_are_believed(agent: Snmpd) -> None:
    for hint in (1, 2, 999):
        assert lo(*poll(agent.v2c(), hints={"lo": hint})).index == 1


@needs_snmpd
def test_ipv6(tmp_path: Path) -> None:
    snmpd = Snmpd(tmp_path / "six", "::1")
    try:
        assert lo(*poll(snmpd.v2c()))
        assert lo(*poll(snmpd.v3()))
    finally:
        snmpd.close()


@needs_snmpd
def test_a_restart_has_no_rate_and_the_next_reading_has(tmp_path: Path) -> None:
    snmpd = Snmpd(tmp_path / "again")
    try:
        time.sleep(1)  # it answers within a moment of its start, before and after
        before = lo(*poll(snmpd.v2c()))
        snmpd.restart()
        after = lo(*poll(snmpd.v2c()))
        assert rate(before, after) == (None, "restarted")
        again = lo(*poll(snmpd.v2c()))
        judged = rate(after, again)
        assert judged.rate
        assert judged.rate.in_bits >= 0
    finally:
        snmpd.close()


@needs_snmpd
@pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable() or "")
def test_traffic_on_a_line_is_its_utilisation(tmp_path: Path) -> None:
    line = MeteredLine("town/main", InterfaceRef("r1", "to-a"), 10e6)
    with netlab.Lab() as lab:
        lab.namespace("a")
        lab.namespace("r")
        lab.link("a", "r", [("192.0.2.1/24", "192.0.2.2/24")])
        snmpd = Snmpd(tmp_path / "lab", "192.0.2.2", lab.argv("r"))
        try:
            meter = Meter([line], 10)

            def reading() -> list[DevicePoll]:
                return lab.inside(
                    "a", lambda: poll(snmpd.v2c(), ("to-a",), meter.hints().get("r1"))
                )

            def send() -> None:
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as source:
                    for _ in range(1000):
                        source.sendto(bytes(1372), ("192.0.2.2", 9))  # 1414 octets with all headers

            earlier = reading()
            (first,) = meter.add(earlier)
            assert (first.reason, first.oper, first.speed) == ("first", "up", 10e9)
            lab.inside("a", send)
            time.sleep(3.5)  # snmpd renews its figures every 3 s
            later = reading()
            (used,) = meter.add(later)
            seconds = later[0].interfaces[0].at - earlier[0].interfaces[0].at
            assert used.reason == ""
            assert used.in_bits is not None
            assert used.out_bits is not None
            # our own questions, and answers that nobody listens there, are traffic too
            assert 1_414_000 <= used.in_bits * seconds / 8 < 1_450_000
            assert 0 < used.out_bits < used.in_bits
            assert used.in_ratio == used.in_p95 == used.in_bits / 10e6
            assert used.slower is False
            lab.run("a", "ip", "link", "set", "to-r", "down")
            time.sleep(3.5)
            local = lab.inside("r", lambda: poll(snmpd.v2c(), ("to-a",)))
            assert local[0].interfaces[0].oper == "down"
        finally:
            snmpd.close()


class OddAgent:
    """Answers every packet with what `answer` makes of it."""

    def __init__(self, answer: Callable[[bytes], bytes]) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._answer = answer
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                packet, peer = self._socket.recvfrom(1 << 16)
                if not packet:
                    return
                self._socket.sendto(self._answer(packet), peer)
            except OSError:
                return

    def close(self) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as waker:
            waker.sendto(b"", ("127.0.0.1", self.port))
        self._socket.close()


FAST = BandwidthSettings(timeout=Duration(0.05), deadline=Duration(2))


@settings(max_examples=12)
@given(st.binary(max_size=200), st.integers(0, 200), st.sampled_from(["raw", "mixed", "echo"]))
def test_an_odd_agent_is_a_reason_and_nothing_else(junk: bytes, at: int, how: str) -> None:
    def answer(packet: bytes) -> bytes:
        if how == "raw":
            return junk or b"\0"
        if how == "echo":
            return packet
        return packet[:at] + junk + packet[at + len(junk) :] or b"\0"

    agent = OddAgent(answer)
    try:
        access = SnmpAccess("127.0.0.1", agent.port, community=Secret("any"))
        (found,) = poll(access, limits=FAST)
        assert found.reason
        assert found.interfaces == ()
    finally:
        agent.close()
