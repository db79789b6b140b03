"""`jianwei ready`: wait until the agent of this machine answers /-/ready with 200.

It imports no more than it must: host.sh runs it on every look. Of the configuration it reads where the
agent serves, nothing else.

An agent that wants a password or a client certificate cannot be asked: one that says so serves, and
counts as ready; systemd knows the rest (READY=1, which host.sh asks for too). Its certificate is not
verified, so no secret is sent, and what is asked is this machine: the connection has one address at
both ends.
"""

from __future__ import annotations

import os
import socket
import time
from typing import Any, NamedTuple

import click

from agents.errors import UserError
from collectors import strictyaml
from collectors.strictyaml import Document, Duration
from exporters.findings.text import neutral
from exporters.prometheus.listen import parse

PAUSE = 0.2  # seconds between two tries
PATIENCE = 5.0  # seconds for one answer
DEFAULT_LISTEN = "127.0.0.1:9808"
CERTIFIED = "it serves, and wants a client certificate"
_WANTS_CERTIFICATE = ("CERTIFICATE_REQUIRED", "HANDSHAKE_FAILURE", "BAD_CERTIFICATE")


class Served(NamedTuple):
    """Where the agent serves; `certified`: only those with a client certificate."""

    host: str
    port: int
    tls: bool
    certified: bool = False

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' * self.tls}://{host}:{self.port}/-/ready"


class NotReadyError(Exception):
    """Why not, in words."""


@click.command(name="ready")
@click.option("--config", "path", type=click.Path(dir_okay=False), help="Configuration file.")
@click.option(
    "--timeout", default="60s", show_default=True, help="How long to wait, as 500ms, 3s, 1m."
)
def command(path: str | None, timeout: str) -> None:
    """Wait until the agent of this machine is ready, as /-/ready has it.

    One that keeps strangers out by a password or a client certificate counts as ready when it says so.

    \b
    Examples:
      jianwei ready --config /etc/jianwei/jianwei.yaml
      jianwei ready --timeout 2m && echo up
    Exit codes: 0 ready, 1 not ready in time, 2 bad input.
    """
    try:
        deadline = time.monotonic() + Duration.parse(timeout)
    except ValueError as error:
        raise UserError(f"--timeout: {error}") from error
    served = where(path)
    while True:
        try:
            said = ask(served, max(min(PATIENCE, deadline - time.monotonic()), 0.05))
        except NotReadyError as error:
            if time.monotonic() + PAUSE >= deadline:
                click.echo(f"not ready: {served}: {error}", err=True)
                raise SystemExit(1) from error
            time.sleep(PAUSE)
        else:
            click.echo(f"ready: {served}: {said}")
            return


def where(path: str | None) -> Served:
    """Where an agent with this configuration serves first. Raises DocumentError, UserError."""
    web = _section(path, "web") if path else {}
    listen = web.get("listen", DEFAULT_LISTEN)
    first = listen[0] if isinstance(listen, list) and listen else listen
    try:
        host, port = parse(str(first))
    except ValueError as error:
        raise UserError(f"{path}: web.listen: {error}") from error
    tls: dict[str, Any] = {}
    if file := web.get("config_file"):
        tls = _section(os.path.expanduser(str(file)), "tls_server_config")
    host = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104
    certified = str(tls.get("client_auth_type", "")).startswith("Require")
    return Served(host, port, bool(tls), certified)


def _section(path: str, name: str) -> dict[str, Any]:
    """One section of a document, whatever else is in it."""
    document = Document(strictyaml.read(path), path).data
    section = document.get(name) if isinstance(document, dict) else None
    return section if isinstance(section, dict) else {}


def ask(served: Served, seconds: float) -> str:
    """What the agent says. Raises NotReadyError."""
    try:
        with socket.create_connection((served.host, served.port), seconds) as connection:
            if connection.getsockname()[0] != connection.getpeername()[0]:
                raise NotReadyError("this is no address of this machine")
            answer = _answer(connection, served, time.monotonic() + seconds)
            # it may hang up after the handshake without an alert
            return CERTIFIED if not answer and served.certified else _judged(answer)
    except TimeoutError as error:
        raise NotReadyError("no answer in time") from error
    except OSError as error:
        reason = getattr(error, "reason", None) or ""  # of ssl.SSLError
        if any(word in reason for word in _WANTS_CERTIFICATE):
            return CERTIFIED
        raise NotReadyError(error.strerror or str(error)) from error


def _answer(connection: socket.socket, served: Served, deadline: float) -> bytes:
    if served.tls:
        import ssl  # takes a fifth of the whole command, and few need it

        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    request = f"GET /-/ready HTTP/1.1\r\nHost: {served.host}\r\nConnection: close\r\n\r\n"
    connection.sendall(request.encode())
    answer = b""
    while len(answer) < 4096:
        # of all of it, not of each piece: anybody may hold the port
        connection.settimeout(max(deadline - time.monotonic(), 0.001))
        if not (piece := connection.recv(4096)):
            break
        answer += piece
    return answer


def _judged(answer: bytes) -> str:
    status = answer[9:12] if answer.startswith(b"HTTP/1.") else b""
    if status == b"200":
        return "ready"
    if status in (b"401", b"403"):
        return "it serves, and wants a password"
    words = neutral(answer.partition(b"\r\n\r\n")[2][:200].decode("utf-8", "replace").strip())
    if words.startswith("<"):
        words = "a page of another program"
    raise NotReadyError(
        " ".join(f"status {status.decode('ascii', 'replace')}: {words}".split())
        if status
        else "no HTTP"
    )
