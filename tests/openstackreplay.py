"""The answers of a real OpenStack, as tests/openstackrecord.py recorded them, served on a loopback port.

Any of them may be twisted: what is then sent is the test's.
"""

from __future__ import annotations

import contextlib
import http.server
import json
import ssl
import threading
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

FILE = Path(__file__).parent / "fixtures/clouds/openstack/answers.json"
SECRET = "replay-secret-q4"
LEFT_OUT = ("start", "end")  # the times of a look

Handler = http.server.BaseHTTPRequestHandler
Twist = Callable[[Handler, int, bytes], None]  # may send the status and body, or something else


def key(service: str, path: str) -> str:
    """Of an answer: its service, path and query."""
    parts = urllib.parse.urlsplit(path)
    query = sorted(it for it in urllib.parse.parse_qsl(parts.query) if it[0] not in LEFT_OUT)
    return f"{service} {parts.path}" + (f"?{urllib.parse.urlencode(query)}" if query else "")


def answers() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    return found


def send(handler: Handler, status: int, body: bytes, kind: str = "application/json") -> None:
    handler.send_response(status)
    handler.send_header("Content-Type", kind)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


class Replay:
    """`twists` by the start of "service path". `asked` has every request. `tls` are its certificate
    and key."""

    def __init__(self, folder: Path, tls: tuple[Path, Path] | None = None) -> None:
        self.twists: dict[str, Twist] = {}
        self.asked: list[str] = []
        self.tokens: list[str] = []  # that were shown to a service
        self.over = threading.Event()
        owner = self

        class Answers(Handler):
            def do_GET(self) -> None:
                owner._get(self)

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers["Content-Length"]))
                owner._log_in(self)

            def log_message(self, format: str, *args: Any) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers)
        self._server.daemon_threads = True
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls)
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        scheme = "https" if tls else "http"
        self.url = f"{scheme}://127.0.0.1:{self._server.server_address[1]}"
        text = FILE.read_text(encoding="utf-8")
        for name in ("keystone", "placement", "nova", "glance", "neutron", "cinder"):
            text = text.replace(f"{{{name}}}", f"{self.url}/{name}")
        self.answers: dict[str, Any] = json.loads(text)
        self.clouds_file = folder / "clouds.yaml"
        auth = {
            "auth_url": f"{self.url}/keystone/v3",
            "username": "watcher",
            "password": SECRET,
            "project_name": "monitoring",
            "user_domain_id": "default",
            "project_domain_id": "default",
        }
        clouds = {"clouds": {"gov": {"auth": auth, "region_name": "RegionOne"}}}
        self.clouds_file.write_text(yaml.safe_dump(clouds), encoding="utf-8")
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def __enter__(self) -> Replay:
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()

    def _log_in(self, handler: Handler) -> None:
        def reply(handler: Handler, status: int, body: bytes) -> None:
            handler.send_response(status)
            handler.send_header("X-Subject-Token", "replay-token-7d")
            handler.send_header("Content-Type", "application/json")
            handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        body = json.dumps(self.answers["token"]).encode()
        self._reply("token", handler, 201, body, reply)

    def _get(self, handler: Handler) -> None:
        service, _, path = handler.path.lstrip("/").partition("/")
        name = key(service, "/" + path)
        if token := handler.headers.get("X-Auth-Token"):
            self.tokens.append(token)
        found = self.answers.get(name)
        body = json.dumps({"itemNotFound": {"message": "not recorded"}} if found is None else found)
        self._reply(name, handler, 404 if found is None else 200, body.encode(), send)

    def _reply(self, name: str, handler: Handler, status: int, body: bytes, send: Twist) -> None:
        self.asked.append(name)
        twist = next((it for start, it in self.twists.items() if name.startswith(start)), send)
        with contextlib.suppress(ConnectionError):
            twist(handler, status, body)
