"""What listeners say to a TLS client: real servers of openssl, and what is none."""

from __future__ import annotations

import contextlib
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from collectors.crypto.tlslisteners import TlsListenersCollector
from collectors.model import Answer, Answers, Handshakes, ParseError, Reading, describe
from collectors.observe import observe
from collectors.rows import Clock, TlsListener
from collectors.sources.handshakes import observe_listeners
from collectors.sources.listeners import listeners
from collectors.sources.local import LocalSource, encode_rows
from collectors.sources.recorded import RecordedSource
from collectors.sources.recorder import record
from tests.shellhost import SHELLS, ask

HOST = "127.0.0.1"
COLLECTOR = TlsListenersCollector()


def parsed(listeners: object, now: float) -> dict[str, Any]:
    clock, reading = COLLECTOR.readings()
    content = listeners if isinstance(listeners, bytes) else msgspec.json.encode(listeners)
    told: dict[Reading, Answer] = {clock: Answer("content", encode_rows([Clock(now, "UTC", 0)]))}
    (fact,) = COLLECTOR.parse(Answers({**told, reading: Answer("content", content)}))
    return cast(dict[str, Any], fact.value)


def rows(listeners: list[TlsListener], now: float) -> list[dict[str, Any]]:
    return cast(list[dict[str, Any]], parsed(listeners, now)["rows"])


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tls") / "both.pem"
    made = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "30"]
    made += ["-subj", "/CN=listener", "-keyout", str(path), "-out", f"{path}.crt"]
    subprocess.run(made, check=True, capture_output=True)
    path.write_text(path.read_text() + Path(f"{path}.crt").read_text())
    return path


def free_port() -> int:
    with socket.create_server((HOST, 0)) as server:
        return int(server.getsockname()[1])


@contextmanager
def server(key: Path, *options: str) -> Iterator[int]:
    port = free_port()
    words = [
        "openssl",
        "s_server",
        "-accept",
        f"{HOST}:{port}",
        "-cert",
        str(key),
        "-quiet",
        *options,
    ]
    process = subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(200):
            with closing(socket.socket()) as attempt:
                if attempt.connect_ex((HOST, port)) == 0:
                    break
            time.sleep(0.02)
        yield port
    finally:
        process.kill()
        process.wait()
        if process.stdin:
            process.stdin.close()


def test_servers_of_openssl(key: Path) -> None:
    weak = "ALL:@SECLEVEL=0"
    with ExitStack() as stack:
        new = stack.enter_context(server(key))
        old = stack.enter_context(server(key, "-cipher", weak, "-tls1_1"))
        every = stack.enter_context(server(key, "-cipher", weak, "-min_protocol", "TLSv1"))
        found = {
            one.port: one for one in observe_listeners([(HOST, new), (HOST, old), (HOST, every)])
        }
    assert [found[port].error for port in (new, old, every)] == ["", "", ""]
    assert found[new].protocols == ("TLSv1.2", "TLSv1.3")
    assert found[new].cipher.startswith("TLS_")
    assert found[new].weak_cipher == ""
    assert found[old].protocols == ("TLSv1.1",)
    assert found[every].protocols == ("TLSv1", "TLSv1.1", "TLSv1.2", "TLSv1.3")
    assert found[every].weak_cipher
    now = time.time()
    row = rows([found[new]], now)[0]
    assert (row["key"], row["subject"], row["self_signed"]) == (
        f"tcp/{HOST}:{new}",
        "CN=listener",
        True,
    )
    assert (row["key_type"], row["key_bits"], row["error"]) == ("rsa", 2048, "")
    assert row["days_left"] in (29, 30)
    assert rows([found[new]], now + 40 * 86400)[0]["days_left"] < 0


def test_what_speaks_no_tls() -> None:
    """One that is silent, one that greets, one that is gone, one that there was no time for."""
    with socket.create_server((HOST, 0)) as silent:
        port = silent.getsockname()[1]
        gone = free_port()
        quick = Handshakes(timeout=0.2, exclude_ports=(1,))
        found = observe_listeners([(HOST, port), (HOST, gone), (HOST, 1)], quick)
        assert sorted(found, key=lambda one: one.error) == [
            TlsListener(HOST, port),
            TlsListener(HOST, gone, error="Connection refused"),
        ]
        late = observe_listeners([(HOST, port)], Handshakes(deadline=-1.0))
    assert [one.error for one in late] == ["not looked at in time"]
    # what speaks no TLS is no row
    assert {row["error"] for row in rows([*found, *late], 0.0)} == {
        "Connection refused",
        "not looked at in time",
    }


def test_a_certificate_that_is_none() -> None:
    odd = TlsListener("::1", 443, tls=True, protocols=("TLSv1.2",), certificate="30")
    (row,) = rows([odd], 0.0)
    assert row["key"] == "tcp/[::1]:443"
    assert "not a certificate" in row["error"]
    assert (row["days_left"], row["not_after"]) == (0, "")


def test_a_machine_and_its_recording(
    key: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The real thing, and a recording tells the same. Other people's servers here are left alone."""
    with server(key) as port, socket.create_server((HOST, 0)) as other:
        ours = (port, other.getsockname()[1])
        own = [one for one in listeners() if one.port in ours]
        assert len(own) == 2
        monkeypatch.setattr("collectors.sources.handshakes.listeners", lambda: iter(own))
        left = TlsListenersCollector(exclude_ports=(ours[1],))
        (seen,) = observe(LocalSource(), [left])
        record(LocalSource(), left.readings(), tmp_path / "here")
    (fact,) = seen.facts
    (row,) = fact.value["rows"]
    assert (row["port"], row["protocols"]) == (port, ["TLSv1.2", "TLSv1.3"])
    assert row["certificate"]
    assert row["loopback"]
    assert fact.value["age"] == 0
    (again,) = observe(RecordedSource(tmp_path / "here"), [left])
    assert [row["port"] for row in again.facts[0].value["rows"]] == [port]


def test_another_root_is_not_this_machine(tmp_path: Path) -> None:
    (seen,) = observe(LocalSource(str(tmp_path)), [COLLECTOR])
    assert f"cannot be seen through {tmp_path}" in seen.facts[0].unavailable


@pytest.mark.parametrize("shell", sorted(SHELLS))
def test_a_host_over_ssh_is_never_asked(shell: str) -> None:
    reading = Handshakes()
    answer = ask(SHELLS[shell], reading)[reading]
    assert (answer.state, answer.reason) == (
        "failed",
        "only listeners of this machine are asked, not those of others",
    )


def test_an_address_that_is_elsewhere_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def no(*_: object) -> None:
        raise AssertionError("it was asked")

    monkeypatch.setattr("socket.create_connection", no)
    (found,) = observe_listeners([("192.0.2.1", 443)])
    assert found.error == "is bound to an address that this machine does not have"


def test_more_than_are_looked_at_are_told() -> None:
    with socket.create_server((HOST, 0)) as one, socket.create_server((HOST, 0)) as two:
        ports = sorted(it.getsockname()[1] for it in (one, two))
        found = observe_listeners([(HOST, port) for port in ports], Handshakes(timeout=0.2, most=1))
    assert [it.port for it in found] == ports
    assert "too many" in found[1].error
    assert describe(Handshakes()) == "TLS handshakes with own listeners"


@given(st.binary() | st.text().map(str.encode), st.floats())
def test_any_answer(content: bytes, now: float) -> None:
    with contextlib.suppress(ParseError):
        parsed(content, now)


@given(st.binary(max_size=200))
def test_any_certificate(der: bytes) -> None:
    listener = TlsListener("::1", 1, tls=True, protocols=("TLSv1.2",), certificate=der.hex())
    rows([listener], 1.7e9)
