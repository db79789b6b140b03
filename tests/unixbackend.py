"""A small HTTP server on a Unix socket, for nginx to stand before: answers made by a function."""

from __future__ import annotations

import http.server
import os
import socketserver
import threading
from collections.abc import Callable, Mapping

# path, family and how many requests of this family there were → status, headers, body
Answer = Callable[[str, str, int], tuple[int, Mapping[str, str], bytes]]


def serve(path: str, answer: Answer) -> Callable[[], None]:
    """A server on a Unix socket that answers what `answer(path, family, count)` says; its end."""
    lock, counts = threading.Lock(), {"ipv4": 0, "ipv6": 0}

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            family = self.headers.get("X-Family", "")
            with lock:
                counts[family] = counts.get(family, 0) + 1
                count = counts[family]
            status, headers, body = answer(self.path, family, count)
            self.send_response(status)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:
            """Says nothing."""

    class Server(socketserver.ThreadingUnixStreamServer):
        daemon_threads = True
        request_queue_size = 128

        def handle_error(self, request: object, client_address: object) -> None:
            """Clients that go away in the middle mean nothing."""

    if os.path.exists(path):
        os.unlink(path)
    server = Server(path, Handler)
    threading.Thread(target=server.serve_forever, args=(0.1,), daemon=True).start()

    def end() -> None:
        server.shutdown()
        server.server_close()

    return end
