"""The STAMP reflector on loopback: whom it answers, with what, and that nothing upsets it."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from collectors import strictyaml
from collectors.link import stamppacket, stampreflector
from collectors.link.reflectorsocket import parse_listen
from collectors.link.stamppacket import Reply, Request
from collectors.link.stampreflector import Reflector, ReflectorSettings
from collectors.link.stampsessions import IDLE, Sessions
from collectors.strictyaml import DocumentError, Secret
from tests.agentlab import eventually
from tests.collectors.reflecting import counts, settled

KEY = b"any length will do"
LOOPBACK = ("127.0.0.1:0", "[::1]:0")


@contextmanager
def running(given_settings: ReflectorSettings) -> Iterator[Reflector]:
    made = Reflector(given_settings)
    made.start()
    try:
        yield made
    finally:
        made.stop()


def on_loopback(key: bytes | None = None, stateful: bool = True) -> ReflectorSettings:
    secret = None if key is None else Secret(key.decode())
    return ReflectorSettings(True, LOOPBACK, key=secret, stateful=stateful)


def client(reflector: Reflector, entry: str = LOOPBACK[0]) -> socket.socket:
    address = reflector.addresses[entry]
    made = socket.socket(
        socket.AF_INET6 if ":" in address[0] else socket.AF_INET, socket.SOCK_DGRAM
    )
    made.settimeout(5)
    made.connect(address)
    return made


def request(sequence: int, key: bytes | None = None, padding: int = 0) -> bytes:
    made = Request(sequence, stamppacket.ntp(time.time_ns()), 0x8001)
    return stamppacket.pack_request(made, key, padding)


def exchange(asking: socket.socket, packet: bytes, key: bytes | None = None) -> Reply:
    asking.send(packet)
    data = asking.recv(65535)
    assert len(data) == len(packet)  # never more than was asked with, never less
    read = stamppacket.parse_reply(data, key)
    assert isinstance(read, Reply)
    return read


@pytest.mark.parametrize("entry", LOOPBACK)
@pytest.mark.parametrize("key", [None, KEY])
def test_an_answer_repeats_the_request_and_adds_its_times(entry: str, key: bytes | None) -> None:
    with running(on_loopback(key)) as reflector, client(reflector, entry) as asking:
        before = time.time_ns()
        packet = request(77, key, padding=200)
        read = exchange(asking, packet, key)
        assert read.request == stamppacket.parse_request(packet, key)
        assert before <= read.received <= read.sent <= time.time_ns()
        assert read.ttl == 64
        assert not read.error.ptp
        assert read.error.seconds


def test_a_stateful_reflector_counts_for_each_sender() -> None:
    with (
        running(on_loopback()) as reflector,
        client(reflector) as one,
        client(reflector) as other,
    ):
        assert [exchange(one, request(9)).sequence for _ in range(3)] == [0, 1, 2]
        assert exchange(other, request(9)).sequence == 0
        assert exchange(one, request(9)).sequence == 3
        (sessions,) = reflector.families()[2].samples
        assert sessions.value == 2


def test_a_stateless_reflector_copies_the_number() -> None:
    with running(on_loopback(stateful=False)) as reflector, client(reflector) as asking:
        assert [exchange(asking, request(n)).sequence for n in (5, 3, 2**32 - 1)] == [
            *(5, 3, 2**32 - 1),
        ]


def test_the_padding_comes_back() -> None:
    with running(on_loopback()) as reflector, client(reflector) as asking:
        asking.send(request(1) + b"padding of ours")
        assert asking.recv(2048)[44:] == b"padding of ours"


def test_what_another_reflector_may_have_sent_is_not_answered() -> None:
    """Else two reflectors could be set against each other by one spoofed packet."""
    with running(on_loopback()) as one, running(on_loopback()) as other:
        with client(one) as asking, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as same:
            # from the port that the reflector itself has, on another address
            same.bind(("127.0.0.2", one.addresses[LOOPBACK[0]][1]))
            same.sendto(request(1), one.addresses[LOOPBACK[0]])
            assert exchange(asking, request(2)).request.sequence == 2
        assert settled(one, 2) == {"loop": 1, "reflected": 1}
        assert counts(other) == {}


def test_networks_that_are_not_allowed() -> None:
    only = ReflectorSettings(True, LOOPBACK, allow=("127.0.0.9/32", "2001:db8::/32"))
    with running(only) as reflector:
        with client(reflector, LOOPBACK[0]) as one, client(reflector, LOOPBACK[1]) as other:
            one.send(request(1))
            other.send(request(1))
            assert settled(reflector, 2) == {"not_allowed": 2}
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as allowed:
            allowed.bind(("127.0.0.9", 0))
            allowed.settimeout(5)
            allowed.connect(reflector.addresses[LOOPBACK[0]])
            exchange(allowed, request(1))


def test_wrong_and_missing_authentication() -> None:
    with running(on_loopback(KEY)) as reflector, client(reflector) as asking:
        asking.send(request(1, b"another key"))
        asking.send(request(1))
        asking.send(request(1, padding=100))
        assert settled(reflector, 3) == {"authentication": 2, "malformed": 1}
        exchange(asking, request(1, KEY), KEY)


class Server:
    """A reflector, its key, and how many packets it has been sent."""

    def __init__(self, reflector: Reflector, key: bytes | None) -> None:
        self.reflector, self.key, self.total = reflector, key, 0


@pytest.fixture(scope="module")
def two() -> Iterator[list[Server]]:
    with running(on_loopback()) as plain, running(on_loopback(KEY)) as keyed:
        yield [Server(plain, None), Server(keyed, KEY)]


@settings(max_examples=60)
@given(
    packets=st.lists(st.one_of(st.binary(max_size=300), st.binary(min_size=1200, max_size=1400)))
)
def test_any_packets_and_it_still_answers(two: list[Server], packets: list[bytes]) -> None:
    for server in two:
        reflector, key = server.reflector, server.key
        server.total += len(packets) + 1
        with client(reflector) as asking:
            for packet in packets:
                asking.send(packet)
            asking.send(request(4711, key))
            while True:  # what was long enough without a key is answered too
                read = stamppacket.parse_reply(asking.recv(65535), key)
                assert isinstance(read, Reply)
                if read.request.sequence == 4711 and read.request.error == 0x8001:
                    break
        assert sum(settled(reflector, server.total).values()) == server.total


def test_scapy_as_the_sender() -> None:
    stamp = pytest.importorskip("scapy.contrib.stamp")
    with running(on_loopback()) as reflector, client(reflector) as asking:
        asking.send(bytes(stamp.STAMPSessionSenderTestUnauthenticated(seq=3, ts=4_000_000_000)))
        answer = stamp.STAMPSessionReflectorTestUnauthenticated(asking.recv(2048))
    assert (answer.seq, answer.seq_sender, answer.ttl_sender) == (0, 3, 64)
    assert float(answer.ts_sender) == 4_000_000_000
    assert 0 <= float(answer.ts) - float(answer.ts_rx) < 5


def test_an_address_that_is_taken_is_said_and_tried_again(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stampreflector, "RETRY", 0.05)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("127.0.0.1", 0))
        entry = f"127.0.0.1:{taken.getsockname()[1]}"
        with running(ReflectorSettings(True, (entry, LOOPBACK[1]))) as reflector:
            up = {s.labels[0][1]: s.value for s in reflector.families()[1].samples}
            assert up == {entry: 0, LOOPBACK[1]: 1}
            assert f"cannot listen on {entry}" in caplog.text
            with client(reflector, LOOPBACK[1]) as asking:
                exchange(asking, request(1))
            taken.close()
            eventually(lambda: entry in reflector.addresses)
            with client(reflector, entry) as asking:
                exchange(asking, request(1))


def test_sessions_are_bounded_and_forgotten() -> None:
    sessions = Sessions(most=2)
    assert [sessions.next("a", 0), sessions.next("a", 1), sessions.next("b", 2)] == [0, 1, 0]
    assert sessions.next("a", 3) == 2
    assert sessions.next("c", 4) == 0  # b makes room
    assert (len(sessions), sessions.next("a", 5)) == (2, 3)
    assert sessions.next("a", 5 + IDLE + 1) == 0


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("listen: ['localhost:862']", "no address to listen on"),
        ("listen: ['::1:862']", "[address]:port"),
        ("listen: ['[127.0.0.1]:862']", "[address]:port"),
        ("listen: ['127.0.0.1:66000']", "address:port"),
        ("{enable: true, listen: []}", "no address to listen on"),
        ("allow: ['10.0.0.1/8']", "host bits set"),
        ("key: secret", "!env"),
        ("keys: 1", "did you mean 'key'"),
    ],
)
def test_settings_say_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(DocumentError, match=problem.replace("[", r"\[")):
        strictyaml.loads(text, ReflectorSettings)


def test_listen_addresses() -> None:
    assert parse_listen("[2001:DB8::1]:862") == ("2001:db8::1", 862)
    assert parse_listen("192.0.2.1:0") == ("192.0.2.1", 0)
