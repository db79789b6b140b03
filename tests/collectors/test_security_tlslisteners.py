"""What listeners say to a TLS client: real servers of openssl, and what is none."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest

from collectors.crypto.tlslisteners import Probing, TlsListener, observe_listeners, rows

HOST = "127.0.0.1"


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
        quick = Probing(timeout=0.2, exclude_ports=(1,))
        found = observe_listeners([(HOST, port), (HOST, gone), (HOST, 1)], quick)
        assert sorted(found, key=lambda one: one.error) == [
            TlsListener(HOST, port),
            TlsListener(HOST, gone, error="Connection refused"),
        ]
        late = observe_listeners([(HOST, port)], Probing(deadline=-1.0))
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
