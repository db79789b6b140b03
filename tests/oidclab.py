"""An identity provider on loopback that lies: its discovery, keys and ID tokens are what a test wants them to be."""

from __future__ import annotations

import functools
import json
import ssl
import threading
import time
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import ECKey, KeySet, RSAKey


@functools.cache
def rsa(kid: str, which: int = 0) -> RSAKey:
    """Making one takes long: the same for the same `which`."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig"})


class Liar:
    """`claims` go into the ID token beside those of a good one (None takes one out), `header` into its header;
    `token`, if any, is sent instead. `metadata` and `answers` (by path: status, body) change the rest."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self.key = rsa("one")
        self.signer: RSAKey | ECKey = self.key
        self.published: list[RSAKey | ECKey] = [self.key]
        self.claims: dict[str, Any] = {}
        self.header: dict[str, Any] = {"alg": "RS256", "kid": "one"}
        self.token = ""
        self.metadata: dict[str, Any] = {}
        self.answers: dict[str, tuple[int, bytes]] = {}
        self.asked: dict[str, str] = {}  # what the browser brought
        self.given: dict[str, str] = {}  # what came to the token endpoint

    def __enter__(self) -> Liar:
        liar = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._answer(*liar._got(self.path))

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                form = {key: values[0] for key, values in parse_qs(body).items()}
                form["authorization"] = self.headers.get("Authorization", "")
                self._answer(*liar._posted(form))

            def _answer(self, status: int, content: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        if self._tls:
            self._server.socket = self._tls.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        scheme = "https" if self._tls else "http"
        self.issuer = f"{scheme}://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    def agreed(self, url: str) -> dict[str, str]:
        """The browser comes, and somebody logs in: the parameters that it goes back with."""
        self.asked = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        return {"code": "a-code", "state": self.asked["state"]}

    def good(self) -> dict[str, Any]:
        now = int(time.time())
        return {
            "iss": self.issuer,
            "sub": "17",
            "aud": "console",
            "exp": now + 300,
            "iat": now,
            "nonce": self.asked.get("nonce", ""),
            "preferred_username": "zhang",
            "groups": ["analysts"],
        }

    def made(self, claims: Mapping[str, Any]) -> str:
        kept = {key: value for key, value in claims.items() if value is not None}
        return jwt.encode(self.header, kept, self.signer, algorithms=[self.header["alg"]])

    def _got(self, path: str) -> tuple[int, bytes]:
        if path in self.answers:
            return self.answers[path]
        if path == "/.well-known/openid-configuration":
            found = {
                "issuer": self.issuer,
                "authorization_endpoint": f"{self.issuer}/authorize",
                "token_endpoint": f"{self.issuer}/token",
                "jwks_uri": f"{self.issuer}/keys",
            }
            return 200, json.dumps(found | self.metadata).encode()
        if path == "/keys":
            return 200, json.dumps(KeySet(list(self.published)).as_dict(private=False)).encode()
        return 404, b"{}"

    def _posted(self, form: dict[str, str]) -> tuple[int, bytes]:
        self.given = form
        if "/token" in self.answers:
            return self.answers["/token"]
        mark = sha256(form.get("code_verifier", "").encode()).digest()
        if urlsafe_b64encode(mark).decode().rstrip("=") != self.asked["code_challenge"]:
            return 400, b'{"error": "invalid_grant"}'
        token = self.token or self.made(self.good() | self.claims)
        return 200, json.dumps({"id_token": token, "access_token": "access"}).encode()
