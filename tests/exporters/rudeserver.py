"""A server of raw bytes in a thread: each connection is answered by the next of its answers, the last one for ever."""

from __future__ import annotations

import socket
import ssl
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Act = Callable[[socket.socket, threading.Event], None]
Reply = bytes | Act
TLS = b"\x16\x03"  # how a client begins that takes this for TLS


class Rude:
    def __init__(self, replies: tuple[Reply, ...], tls: ssl.SSLContext | None) -> None:
        self._replies, self._tls = replies, tls
        self._over = threading.Event()
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listening.getsockname()[1]
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.port}"
        self.requests: list[str] = []
        self._threads = [threading.Thread(target=self._serve)]
        self._threads[0].start()

    def close(self) -> None:
        self._over.set()
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()
        for thread in self._threads:
            thread.join()

    def _serve(self) -> None:
        while not self._over.is_set():
            try:
                connection = self._listening.accept()[0]
            except OSError:
                return
            reply = self._replies[min(len(self._threads), len(self._replies)) - 1]
            thread = threading.Thread(target=self._answer, args=(connection, reply))
            self._threads.append(thread)
            thread.start()

    def _answer(self, plain: socket.socket, reply: Reply) -> None:
        plain.settimeout(10)
        try:
            with self._tls.wrap_socket(plain, server_side=True) if self._tls else plain as one:
                self.requests.append(_request(one))
                if isinstance(reply, bytes):
                    one.sendall(reply)
                else:
                    reply(one, self._over)
        except OSError:
            return  # the client has seen enough


def _request(connection: socket.socket) -> str:
    read = b""
    while b"\r\n\r\n" not in read and not read.startswith(TLS):
        read += connection.recv(65536) or b"\r\n\r\n"
    head, _, body = read.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    while len(body) < length and (more := connection.recv(65536)):
        body += more
    return (head + b"\r\n\r\n" + body).decode("utf-8", "replace")


@contextmanager
def rude(*replies: Reply, tls: ssl.SSLContext | None = None) -> Iterator[Rude]:
    server = Rude(replies, tls)
    try:
        yield server
    finally:
        server.close()


def http(status: int, body: bytes | str, *headers: str, kind: str = "application/json") -> bytes:
    content = body.encode() if isinstance(body, str) else body
    head = [
        f"HTTP/1.1 {status} Whatever",
        f"Content-Type: {kind}",
        f"Content-Length: {len(content)}",
        *headers,
    ]
    return "\r\n".join([*head, "", ""]).encode() + content


def reset(connection: socket.socket, _: threading.Event) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def trickling(first: bytes, drop: bytes) -> Act:
    """Begins well, then a drop now and then until the client is gone."""

    def act(connection: socket.socket, over: threading.Event) -> None:
        connection.sendall(first)
        while not over.wait(0.05):
            connection.sendall(drop)

    return act
