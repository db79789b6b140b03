"""A TCP proxy on loopback that makes a server slow: it passes on every byte, later."""

from __future__ import annotations

import contextlib
import socket
import threading


class SlowProxy:
    """To `port`; what is answered is held back while `held` is set, and for `delay` seconds.

    `asked` is set with the first connection, so that a test may act in the middle.
    """

    def __init__(self, port: int, delay: float = 0.0) -> None:
        self.delay, self.held, self.asked = delay, threading.Event(), threading.Event()
        self._to, self._over = port, threading.Event()
        self._sockets: list[socket.socket] = []
        self._server = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._server.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def __enter__(self) -> SlowProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for one in (self._server, *self._sockets):
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._server.accept()
                self._sockets.append(client)
                self.asked.set()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        address = ("127.0.0.1", self._to)
        with contextlib.suppress(OSError), client, socket.create_connection(address) as server:
            self._sockets.append(server)
            threading.Thread(target=_copy, args=(client, server), daemon=True).start()
            while data := server.recv(1 << 16):
                self._over.wait(self.delay)
                while self.held.is_set() and not self._over.wait(0.05):
                    pass
                client.sendall(data)


def _copy(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(1 << 16):
            target.sendall(data)
