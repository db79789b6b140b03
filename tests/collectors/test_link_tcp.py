"""The tcp prober against servers of the test's own, and what routers say in between."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Callable

import pytest
import re2
from hypothesis import given
from hypothesis import strategies as st

from collectors.link import tcp
from collectors.link.connect import Deadline, Failure, connect
from collectors.link.tcp import QueryResponse, TcpModule, expand
from collectors.model import AddressFamily, Target
from collectors.strictyaml import Regex
from tests import netlab
from tests.collectors.seriesof import value
from tests.collectors.servers import (
    Care,
    greeting,
    resetting,
    serving,
    silent,
    target,
)

BOTH = pytest.mark.parametrize("address", ["127.0.0.1", "::1"])


def step(expect: str = "", send: str = "", starttls: bool = False) -> QueryResponse:
    return QueryResponse(Regex(expect), send, starttls)


def closed_port(address: str = "127.0.0.1") -> int:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, 0), family=family) as server:
        port: int = server.getsockname()[1]
    return port


@BOTH
def test_a_connection(address: str) -> None:
    with serving(silent, address) as port:
        result = tcp.probe(target(port, address), TcpModule(), 5)
    assert (result.success, result.sent, result.received) == (True, 1, 1)
    assert result.rtts == (dict(result.phases)["connect"],)
    assert value(result, "probe_failed_due_to_regex") == 0


@BOTH
def test_a_closed_port(address: str) -> None:
    start = time.monotonic()
    result = tcp.probe(target(closed_port(address), address), TcpModule(), 30)
    assert (result.reason, result.received, result.rtts) == ("connect_refused", 0, ())
    assert time.monotonic() - start < 20


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_a_machine_without_a_file_to_spare(
    family: AddressFamily, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failure that says so, and no exception of the system."""
    target = Target("x", "203.0.113.1" if family == "ipv4" else "2001:db8::1", family, 80, "x")
    with monkeypatch.context() as patched:
        patched.setattr(socket, "socket", no_file)
        with pytest.raises(Failure) as told:
            connect(target, 80, "", Deadline(5))
    assert (told.value.reason, told.value.detail) == ("error", "too many open files")


def no_file(*named: object) -> None:
    raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))


def test_from_an_address_of_ours_and_of_another() -> None:
    def care(connection: socket.socket) -> None:
        connection.sendall(f"from {connection.getpeername()[0]}\n".encode())

    with serving(care) as port:
        heard = (step("^from 127[.]9[.]9[.]9$"),)
        settings = TcpModule(source_ip_address="127.9.9.9", query_response=heard)
        good = tcp.probe(target(port), settings, 5)
        bad = tcp.probe(target(port), TcpModule(source_ip_address="192.0.2.77"), 5)
        other = tcp.probe(target(port), TcpModule(source_ip_address="::1"), 5)
    assert good.success
    assert (bad.reason, other.reason) == ("error", "error")
    assert "cannot send from 192.0.2.77" in bad.detail


def irc(connection: socket.socket) -> None:
    lines = connection.makefile("rwb", buffering=0)
    assert lines.readline() == b"NICK prober\n"
    lines.write(b":srv NOTICE\r\nPING :4711\r\n")
    assert lines.readline() == b"PONG 4711 $x\n"
    lines.write(b":srv 001 welcome\r\n")


def test_a_dialogue_with_what_was_heard_in_it() -> None:
    steps = (step(send="NICK prober"), step("PING :([^ ]+)", "PONG ${1} $$x"), step("^:[^ ]+ 001"))
    with serving(irc) as port:
        result = tcp.probe(target(port), TcpModule(query_response=steps), 5)
    assert result.success, result
    assert set(dict(result.phases)) == {"connect", "dialogue"}


@pytest.mark.parametrize(
    ("care", "reason", "regex"),
    [
        (lambda connection: connection.sendall(b"220 mail\r\n"), "response_mismatch", 1),
        (greeting(b"220 mail\r\n"), "timeout", 0),
        (silent, "timeout", 0),
        (greeting(b"x" * 200_000), "response_mismatch", 0),
    ],
    ids=["ended", "waits", "silent", "endless-line"],
)
def test_lines_that_do_not_come(care: Care, reason: str, regex: float) -> None:
    with serving(care) as port:
        start = time.monotonic()
        result = tcp.probe(target(port), TcpModule(query_response=(step("^SSH-"),)), 0.5)
        assert time.monotonic() - start < 5
    assert result.reason == reason
    assert value(result, "probe_failed_due_to_regex") == regex
    assert result.received == 1  # it did connect


def test_lines_without_end_stop_at_the_deadline() -> None:
    def care(connection: socket.socket) -> None:
        while True:
            connection.sendall(b"220 no\r\n" * 1000)

    with serving(care) as port:
        start = time.monotonic()
        result = tcp.probe(target(port), TcpModule(query_response=(step("^SSH-"),)), 0.5)
        assert time.monotonic() - start < 5
    assert result.reason == "timeout"


def test_a_reset() -> None:
    steps = (step(send="\r\n\r"), step("^SSH-"))
    with serving(resetting) as port:
        result = tcp.probe(target(port), TcpModule(query_response=steps), 5)
    assert result.reason == "connect_reset"


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("$1-${2}", "a-b"),
        ("$name", "b"),
        ("${name}x", "bx"),
        ("$1x", ""),  # a group called 1x
        ("$$1", "$1"),
        ("$9 ${nothing}", " "),
        ("$", "$"),
        ("${", "${"),
        ("$-", "$-"),
        ("$99999999999999999999", ""),
    ],
)
def test_templates(template: str, text: str) -> None:
    assert expand(template, re2.compile("(a)(?P<name>b)(c)?").search("abd")) == text


@given(st.text(alphabet="$1{}x_ \0é", max_size=30))
def test_any_template_is_one(template: str) -> None:
    expanded = expand(template, re2.compile("(1)").search("1"))
    if "$" not in template:
        assert expanded == template


def connects(address: str) -> Callable[[], str]:
    return lambda: tcp.probe(target(9, address), TcpModule(), 1).reason


@pytest.mark.skipif(bool(netlab.unavailable()), reason=netlab.unavailable() or "-")
def test_icmp_errors_and_silence() -> None:
    """An ICMP error says why, which errno alone does not; a black hole is a timeout."""
    pairs = [("192.0.2.1/24", "192.0.2.2/24"), ("2001:db8::1/64", "2001:db8::2/64")]
    addresses = ("192.0.2.2", "2001:db8::2")
    with netlab.Lab() as lab:
        lab.namespace("near")
        lab.namespace("far")
        lab.link("near", "far", pairs)
        found: dict[str, list[str]] = {}
        for what, rule in (
            ("open", ""),
            ("admin", "reject with icmpx admin-prohibited"),
            ("host", "reject with icmpx host-unreachable"),
            ("port", "reject with icmpx port-unreachable"),
            ("rst", "reject with tcp reset"),
            ("drop", "drop"),
        ):
            lab.no_rules()
            if rule:
                lab.nft(
                    "far",
                    "table inet t { chain i { type filter hook input priority 0;\n"
                    f"tcp dport 9 {rule}\n}}\n}}",
                )
            found[what] = [lab.inside("near", connects(address)) for address in addresses]
        elsewhere = ("203.0.113.1", "2001:db9::1")
        found["route"] = [lab.inside("near", connects(address)) for address in elsewhere]
    assert found == {
        "open": ["connect_refused"] * 2,
        "admin": ["unreachable_admin"] * 2,
        "host": ["unreachable_host"] * 2,
        "port": ["unreachable_port"] * 2,
        "rst": ["connect_refused"] * 2,
        "drop": ["timeout"] * 2,
        "route": ["no_route"] * 2,
    }
