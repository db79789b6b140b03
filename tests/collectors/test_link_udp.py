"""The UDP prober: what is answered, what is silent, and what errors say, as root."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from collectors import strictyaml
from collectors.link.resolve import AF
from collectors.link.udp import UdpModule, probe
from collectors.model import AddressFamily, ProbeResult, Target
from collectors.strictyaml import DocumentError
from tests import netlab

LAB = pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable())

PAIRS = [("198.51.100.1/24", "198.51.100.2/24"), ("2001:db8:1::1/64", "2001:db8:1::2/64")]
PEER: dict[AddressFamily, str] = {"ipv4": "198.51.100.2", "ipv6": "2001:db8:1::2"}
OTHER: dict[AddressFamily, str] = {"ipv4": "198.51.100.3", "ipv6": "2001:db8:1::3"}
FAMILIES: tuple[AddressFamily, ...] = ("ipv4", "ipv6")
PORT, CLOSED = 5000, 5001

Answerer = Callable[[bytes], Sequence[bytes]]


class Server(threading.Thread):
    """Answers a datagram with what `answer` makes of it, and `elsewhere` from another address."""

    def __init__(self, family: AddressFamily) -> None:
        super().__init__(daemon=True)
        self.answer: Answerer = lambda data: [data]
        self.elsewhere: Answerer = lambda data: []
        self._own, self._other = (socket.socket(AF[family], socket.SOCK_DGRAM) for _ in range(2))
        self._own.bind((PEER[family], PORT))
        self._other.bind((OTHER[family], PORT))
        self._own.settimeout(0.1)
        self._stopping = threading.Event()

    def run(self) -> None:
        while not self._stopping.is_set():
            with contextlib.suppress(TimeoutError):
                data, source = self._own.recvfrom(65535)
                for one in self.elsewhere(data):
                    self._other.sendto(one, source)
                for one in self.answer(data):
                    self._own.sendto(one, source)

    def close(self) -> None:
        self._stopping.set()
        self.join(5)
        self._own.close()
        self._other.close()


class Line:
    def __init__(self, lab: netlab.Lab, servers: dict[AddressFamily, Server]) -> None:
        self.lab, self.servers = lab, servers

    def probe(
        self,
        text: str,
        family: AddressFamily = "ipv6",
        timeout: float = 3.0,
        port: int = PORT,
    ) -> ProbeResult:
        module = strictyaml.loads(text, UdpModule)
        target = Target("t", PEER[family], family, port=port)
        return self.lab.inside("a", lambda: probe(target, module, timeout))


@pytest.fixture(scope="module")
def lines() -> Iterator[Line]:
    with netlab.Lab() as lab:
        lab.namespace("a")
        lab.namespace("b")
        lab.link("a", "b", PAIRS)
        for address in OTHER.values():
            nodad = ["nodad"] if ":" in address else []
            lab.run("b", "ip", "address", "add", address, "dev", "to-a", *nodad)
        servers = lab.inside("b", lambda: {family: Server(family) for family in FAMILIES})
        for server in servers.values():
            server.start()
        try:
            yield Line(lab, servers)
        finally:
            for server in servers.values():
                server.close()


@pytest.fixture
def line(lines: Line) -> Iterator[Line]:
    for server in lines.servers.values():
        server.answer = lambda data: [data]
        server.elsewhere = lambda data: []
    yield lines
    lines.lab.no_rules()


def value(result: ProbeResult, name: str) -> list[float]:
    return [s.value for f in result.families if f.name == name for s in f.samples]


@LAB
@pytest.mark.parametrize("family", FAMILIES)
def test_any_answer_will_do(line: Line, family: AddressFamily) -> None:
    for text in ("{payload: hello}", "{}", "query_response: [{send_hex: 00ff}]"):
        result = line.probe(text, family)
        assert (result.success, result.received, len(result.rtts)) == (True, 1, 1), result


@LAB
@pytest.mark.parametrize("family", FAMILIES)
def test_a_dialogue(line: Line, family: AddressFamily) -> None:
    seen: list[bytes] = []

    def script(data: bytes) -> list[bytes]:
        seen.append(data)
        return (
            [b"nothing of interest", b"cookie=42 \xe8\xa7\x81"]
            if data == b"hello"
            else [b"\xff\xfe ok"]
        )

    line.servers[family].answer = script
    result = line.probe(
        "query_response: [{send: hello}, {expect: 'cookie=(\\d+) 见', send: 'say $1'}, {expect: ' ok$'}]",
        family,
    )
    assert (result.success, seen) == (True, [b"hello", b"say 42"]), result
    assert value(result, "probe_failed_due_to_regex") == [0]


@LAB
def test_an_answer_that_is_not_the_one_expected(line: Line) -> None:
    line.servers["ipv6"].answer = lambda data: [b"first", b"second"]
    result = line.probe("{payload: x, query_response: [{expect: third}]}", timeout=0.3)
    assert (result.reason, result.received) == ("response_mismatch", 1)
    assert "'second'" in result.detail
    assert value(result, "probe_failed_due_to_regex") == [1]


@LAB
def test_silence_is_a_failure_unless_the_module_says_otherwise(line: Line) -> None:
    line.servers["ipv6"].answer = lambda data: []
    lost = line.probe("{payload: x}", timeout=0.3)
    assert (lost.reason, lost.received, lost.detail) == ("timeout", 0, "no answer")
    quiet = line.probe("{payload: x, silence_is_success: true}", timeout=0.3)
    assert (quiet.success, quiet.reason, quiet.rtts) == (True, "", ())
    assert quiet.detail == "no answer and no error"
    closed = line.probe("{payload: x, silence_is_success: true}", port=CLOSED)
    assert (closed.reason, closed.success) == ("unreachable_port", False)


@LAB
def test_a_link_local_address(line: Line) -> None:
    shown = json.loads(line.lab.run("b", "ip", "-j", "-6", "address", "show", "to-a"))
    (local,) = (a["local"] for a in shown[0]["addr_info"] if a["scope"] == "link")
    target = Target("t", f"{local}%to-b", "ipv6", port=CLOSED)
    closed = line.lab.inside("a", lambda: probe(target, UdpModule(), 2.0))
    assert closed.reason == "unreachable_port"
    echo = line.lab.inside("b", lambda: socket.socket(socket.AF_INET6, socket.SOCK_DGRAM))
    with echo:
        echo.bind(("::", CLOSED))
        echo.settimeout(5)
        asking = line.lab.begin("a", lambda: probe(target, UdpModule(), 5.0))
        data, source = echo.recvfrom(100)
        echo.sendto(data + b"!", source)
        assert asking.end().success


@LAB
@pytest.mark.parametrize("family", FAMILIES)
def test_an_answer_from_elsewhere_is_none(line: Line, family: AddressFamily) -> None:
    server = line.servers[family]
    server.answer, server.elsewhere = (lambda data: []), (lambda data: [data])
    result = line.probe("{payload: x}", family, timeout=0.3)
    assert (result.reason, result.received) == ("timeout", 0)
    assert value(result, "jianwei_probe_udp_ignored_datagrams") == [1]
    server.answer = lambda data: [data]
    assert line.probe("{payload: x}", family).success


@LAB
@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        ("", "unreachable_port"),
        ("reject with icmpx port-unreachable", "unreachable_port"),
        ("reject with icmpx admin-prohibited", "unreachable_admin"),
        ("reject with icmpx host-unreachable", "unreachable_host"),
        ("reject with icmpx no-route", "unreachable_network"),
        ("drop", "timeout"),
    ],
)
def test_what_is_on_the_way(line: Line, family: AddressFamily, rule: str, reason: str) -> None:
    port = PORT if rule else CLOSED
    if rule:
        line.lab.nft(
            "b",
            "table inet t { chain i { type filter hook input priority 0; "
            f"udp dport {PORT} {rule}; }}; }}",
        )
    result = line.probe("{payload: x}", family, 0.3 if rule == "drop" else 3.0, port)
    assert (result.reason, result.received) == (reason, 0), result
    assert result.duration < 2.5


@LAB
def test_what_cannot_be_sent(line: Line) -> None:
    def tried(address: str, text: str = "{payload: x}") -> str:
        family: AddressFamily = "ipv6" if ":" in address else "ipv4"
        module = strictyaml.loads(text, UdpModule)
        target = Target("t", address, family, port=9)
        return line.lab.inside("a", lambda: probe(target, module, 1.0)).reason

    assert tried("203.0.113.1") == "no_route"
    assert tried("2001:db8:ffff::1") == "no_route"
    assert tried("fe80::1%nosuch") == "no_route"
    assert tried(PEER["ipv4"], "{source_ip_address: 203.0.113.9}") == "error"
    assert tried(PEER["ipv4"], "{source_ip_address: '2001:db8::1'}") == "error"
    line.lab.nft(
        "a",
        "table inet t { chain o { type filter hook output priority 0; udp dport 9 drop; }; }",
    )
    assert tried(PEER["ipv6"]) == "unreachable_admin"  # this machine's own filter says no


@LAB
def test_any_answers(line: Line) -> None:
    @settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])
    @given(st.lists(st.binary(max_size=300), max_size=4))
    def check(messages: list[bytes]) -> None:
        line.servers["ipv6"].answer = lambda data: messages
        result = line.probe("{payload: x, query_response: [{expect: '^never: .$'}]}", timeout=0.05)
        assert result.reason in ("response_mismatch", "timeout")
        assert line.probe("{payload: x}", timeout=0.05).success or not messages

    check()


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("query_response: [{expect: hello}]", "nobody speaks first"),
        ("query_response: [{}]", "needs expect, send or send_hex"),
        ("query_response: [{send: a, send_hex: '00'}]", "either send or send_hex"),
        ("query_response: [{send_hex: xy}]", "hexadecimal"),
        ("{payload: x, query_response: [{expect: '('}]}", "RE2"),
        ("{payload: x, query_response: [{expect: a}], silence_is_success: true}", "is expected"),
    ],
)
def test_settings_say_what_is_wrong(text: str, problem: str) -> None:
    with pytest.raises(DocumentError) as caught:
        strictyaml.loads(text, UdpModule)
    assert problem in str(caught.value)
