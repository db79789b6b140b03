"""A receiver of webhooks over HTTPS or HTTP, that tests can steer."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple


class Hook(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class HookServer(http.server.ThreadingHTTPServer):
    """`answers` are given one a request, then 204: a status with headers, or None, which ends the connection. `body`
    is that of every answer."""

    def __init__(self, tls: ssl.SSLContext | None) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)
        self.hooks: list[Hook] = []
        self.answers: list[tuple[int, dict[str, str]] | None] = []
        self.body = b""
        self.url = f"http{'s' if tls else ''}://127.0.0.1:{self.server_address[1]}/hook"

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that does not trust us goes in the middle of a handshake."""


class _Handler(http.server.BaseHTTPRequestHandler):
    server: HookServer

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.server.hooks.append(Hook("POST", self.path, headers, body))
        answer = (
            self.server.answers.pop(0)
            if self.server.answers
            else (200 if self.server.body else 204, {})
        )
        if answer is None:
            self.close_connection = True
            return
        self.send_response(answer[0])
        for name, value in {"Content-Length": str(len(self.server.body)), **answer[1]}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(self.server.body)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def serving(tls: ssl.SSLContext | None) -> Iterator[HookServer]:
    with HookServer(tls) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
