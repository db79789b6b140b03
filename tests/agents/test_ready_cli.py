"""`jianwei ready` against real agents, and what it says of what is no agent."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import bcrypt
import pytest
from click.testing import CliRunner, Result

from agents.cli.ready import NotReadyError, Served, ask, command, where
from agents.errors import UserError
from tests.agentlab import agent
from tests.exporters.certificates import Authority
from tests.sshlab import free_port


def ready(config: Path, timeout: str = "20s") -> Result:
    return CliRunner().invoke(command, ["--config", str(config), "--timeout", timeout])


@pytest.fixture
def web(tmp_path: Path) -> Path:
    """A web.config with TLS, to be added to."""
    Authority().issue("agent").write(tmp_path, "agent")
    path = tmp_path / "web.yaml"
    path.write_text("tls_server_config: {cert_file: agent.crt, key_file: agent.key}\n")
    return path


def test_an_agent_that_runs_and_one_that_does_not(tmp_path: Path) -> None:
    listen = f"web: {{listen: ['127.0.0.1:{free_port()}']}}\n"
    with agent(tmp_path, listen) as running:
        assert ready(running.config).output == f"ready: {running.url}/-/ready: ready\n"
    result = ready(running.config, "300ms")
    assert result.exit_code == 1
    assert result.output == f"not ready: {running.url}/-/ready: Connection refused\n"


def test_an_agent_that_is_waited_for(tmp_path: Path) -> None:
    listen = f"web: {{listen: ['127.0.0.1:{free_port()}']}}\n"
    config = tmp_path / "first.yaml"
    config.write_text(listen)
    results: list[Result] = []
    waiting = threading.Thread(target=lambda: results.append(ready(config, "60s")))
    waiting.start()
    with agent(tmp_path, listen):
        waiting.join()
    assert results[0].exit_code == 0


@pytest.mark.parametrize("refuses", ["nobody", "without password", "without certificate"])
def test_an_agent_with_tls_that_lets_not_everybody_in(
    tmp_path: Path, web: Path, refuses: str
) -> None:
    said = "ready"
    if refuses == "without password":
        hashed = bcrypt.hashpw(b"secret", bcrypt.gensalt(4)).decode()
        web.write_text(f"{web.read_text()}basic_auth_users: {{someone: {hashed}}}\n")
        said = "it serves, and wants a password"
    elif refuses == "without certificate":
        (tmp_path / "ca.crt").write_bytes(Authority().pem)
        more = "client_auth_type: RequireAndVerifyClientCert, client_ca_file: ca.crt}"
        web.write_text(web.read_text().replace("}", f", {more}"))
        said = "it serves, and wants a client certificate"
    listen = f"listen: ['127.0.0.1:{free_port()}'], config_file: {web}"
    with agent(tmp_path, f"web: {{{listen}}}\n") as running:
        result = ready(running.config)
    assert result.output == f"ready: {running.url}/-/ready: {said}\n"
    assert result.exit_code == 0


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        (
            b"HTTP/1.1 503 Unavailable\r\n\r\nthe first\x1b round",
            r"status 503: the first\x1b round",
        ),
        (b"HTTP/1.1 404 No\r\n\r\n<!DOCTYPE HTML>", "status 404: a page of another program"),
        (b"SSH-2.0-OpenSSH\r\n", "no HTTP"),
        (b"", "no HTTP"),
    ],
)
def test_what_is_not_ready_says_why(server: socket.socket, answer: bytes, why: str) -> None:
    def serve() -> None:
        with server.accept()[0] as connection:
            connection.recv(4096)
            connection.sendall(answer)

    serving = threading.Thread(target=serve)
    serving.start()
    with pytest.raises(NotReadyError) as error:
        ask(Served("127.0.0.1", server.getsockname()[1], tls=False), 5)
    serving.join()
    assert str(error.value) == why


def test_one_that_says_nothing_is_left(server: socket.socket) -> None:
    for tls in (False, True):
        with pytest.raises(NotReadyError, match="no answer in time"):
            ask(Served("127.0.0.1", server.getsockname()[1], tls), 0.1)


def test_where_it_serves(tmp_path: Path) -> None:
    config = tmp_path / "jianwei.yaml"
    for listen, url in {
        "[':9808']": "http://127.0.0.1:9808/-/ready",
        "['0.0.0.0:1', '[::1]:2']": "http://127.0.0.1:1/-/ready",
        "['[::]:9808']": "http://[::1]:9808/-/ready",
        "['[fd00::1]:9808']": "http://[fd00::1]:9808/-/ready",
    }.items():
        config.write_text(f"web: {{listen: {listen}}}\nconsole: {{token: !env NOT_SET}}\n")
        assert str(where(str(config))) == url
    assert str(where(None)) == "http://127.0.0.1:9808/-/ready"
    config.write_text("web: {listen: [nonsense]}\n")
    with pytest.raises(UserError, match=r"web\.listen: 'nonsense' is not an address"):
        where(str(config))


def test_bad_input_is_told(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["--timeout", "soon"])
    assert isinstance(result.exception, UserError)
    assert "--timeout: 'soon' is not a duration" in str(result.exception)


def test_one_that_drips_is_left(server: socket.socket) -> None:
    stop = threading.Event()

    def serve() -> None:
        with server.accept()[0] as connection:
            while not stop.wait(0.02):
                try:
                    connection.sendall(b"H")
                except OSError:
                    return

    serving = threading.Thread(target=serve)
    serving.start()
    asked: list[str] = []

    def asking() -> None:
        try:
            ask(Served("127.0.0.1", server.getsockname()[1], tls=False), 0.2)
        except NotReadyError as error:
            asked.append(str(error))

    waiting = threading.Thread(target=asking)
    waiting.start()
    waiting.join(10)
    stop.set()
    serving.join()
    waiting.join()
    assert asked == ["no answer in time"]
