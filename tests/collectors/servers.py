"""Small TCP servers on loopback that do as a test wants: each connection gets a function's care."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from collectors.model import Target
from tests.exporters.certificates import Pair

Care = Callable[[socket.socket], None]
HEAD_END = b"\r\n\r\n"


@contextmanager
def serving(care: Care, address: str = "127.0.0.1") -> Iterator[int]:
    """A server that gives every connection to `care`, on a port that is the value."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with serving_on(socket.create_server((address, 0), family=family, backlog=64), care) as port:
        yield port


@contextmanager
def serving_on(listening: socket.socket, care: Care) -> Iterator[int]:
    """The same on a socket that listens already."""
    with listening as server:
        threading.Thread(target=_accept, args=(server, care), daemon=True).start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)  # wakes the thread that accepts


def _accept(server: socket.socket, care: Care) -> None:
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        threading.Thread(target=_care, args=(connection, care), daemon=True).start()


def _care(connection: socket.socket, care: Care) -> None:
    connection.settimeout(20)
    with connection, suppress(OSError):  # clients go away in the middle, on purpose
        care(connection)


def saying(*parts: bytes) -> Care:
    """Answer each piece that comes with the next part, then close."""

    def care(connection: socket.socket) -> None:
        for part in parts:
            receive_head(connection)
            connection.sendall(part)

    return care


def greeting(text: bytes) -> Care:
    """Say something at once, then close once the client is gone."""

    def care(connection: socket.socket) -> None:
        connection.sendall(text)
        while connection.recv(65536):
            pass

    return care


def receive_head(connection: socket.socket) -> bytes:
    """A request's head."""
    got = b""
    while HEAD_END not in got:
        part = connection.recv(65536)
        if not part:
            break
        got += part
    return got


def silent(connection: socket.socket) -> None:
    """Read, and never say a word."""
    while connection.recv(65536):
        pass


def resetting(connection: socket.socket) -> None:
    """RST instead of an answer."""
    receive_head(connection)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def over_tls(pair: Pair, folder: Path, care: Care) -> Care:
    """The same over TLS with a certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair.write(folder, f"server-{pair.serial}"))

    def secured(connection: socket.socket) -> None:
        with context.wrap_socket(connection, server_side=True) as over:
            care(over)

    return secured


def target(port: int, address: str = "127.0.0.1", text: str = "", host: str = "") -> Target:
    family = "ipv6" if ":" in address else "ipv4"
    return Target("test", address, family, port, host, text)  # type: ignore[arg-type]


def web_target(port: int, path: str = "/", address: str = "127.0.0.1", host: str = "") -> Target:
    """A target of the http prober; a name as `host` has the address as well."""
    authority = host or (f"[{address}]" if ":" in address else address)
    scheme, path = ("https", path[6:]) if path.startswith("https:") else ("http", path)
    return target(port, address, f"{scheme}://{authority}:{port}{path}", host or address)
