"""How a time-series database that speaks the Prometheus API is reached.

No proxy of the environment is used, and nothing else of it (`HTTP_PROXY`, `.netrc`): figures come from the address
that somebody wrote here, and from nowhere else.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final
from urllib.parse import urlsplit

import msgspec

from collectors.strictyaml import Duration, Secret
from exporters.findings.settings import ClientTls

_TOKEN: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110
_OURS: Final = ("accept-encoding", "connection", "content-length", "content-type", "host")
_CREDENTIALS: Final = ("authorization", "proxy-authorization")


class HeaderValue(Secret):
    """Of a header that goes with each request: written as it is, or `!env` and `!file`; never printed."""

    __slots__ = ()

    @classmethod
    def parse(cls, where: object) -> HeaderValue:
        return cls(where if isinstance(where, str) else Secret.parse(where).reveal())


class PromSettings(ClientTls, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`timeout` is of one try of a query, from the connection to the last byte; the server is told it too. A query is
    tried again `retries` times, `backoff` apart and twice that each time. `max_bytes` is the longest answer, unpacked;
    `max_points` how many points of a series the server gives at once. `headers` are for example Mimir's X-Scope-OrgID.
    `partial`: figures from a part of the data are taken too, with a warning."""

    url: str
    timeout: Duration = Duration(120)
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3
    backoff: Duration = Duration(0.5)
    user: str = ""
    password: Secret | None = None
    bearer_token: Secret | None = None
    headers: Mapping[str, HeaderValue] = msgspec.field(default_factory=dict)
    max_bytes: Annotated[int, msgspec.Meta(ge=1 << 16, le=1 << 30)] = 64 << 20
    max_points: Annotated[int, msgspec.Meta(ge=2, le=1_000_000)] = 11_000
    partial: bool = False

    def __post_init__(self) -> None:
        ClientTls.__post_init__(self)
        _check_url(self.url)
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password: both or none")
        if self.user and self.bearer_token:
            raise ValueError("either user and password or bearer_token")
        if ":" in self.user or not _visible(self.user):
            raise ValueError("user: no colon and no control characters")
        for name, secret in (("password", self.password), ("bearer_token", self.bearer_token)):
            if secret and not _visible(secret.reveal()):
                raise ValueError(f"{name}: has line ends or control characters in it")
        if self.bearer_token and not self.bearer_token.reveal().isascii():
            raise ValueError("bearer_token: has characters that no header may have")
        for header, value in self.headers.items():
            _check_header(header, value.reveal())

    @property
    def name(self) -> str:
        """The address as people are told it."""
        return self.url.rstrip("/")


def _check_url(url: str) -> None:
    """Raises ValueError; what may be a password is in no message."""
    try:
        split = urlsplit(url)
        host, _ = split.hostname, split.port
    except ValueError as error:
        raise ValueError("url: is not an address; write http://HOST:PORT") from error
    if "@" in url:
        raise ValueError("url: has a user in it; write user and password, or bearer_token")
    if split.query or split.fragment or "?" in url or "#" in url:
        raise ValueError("url: ends before any ? or #; the API's own paths are put to it")
    if split.scheme not in ("http", "https") or not host:
        raise ValueError(f"url: {url!r:.200} is not http://HOST:PORT or https://HOST/PATH")
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError(f"url: {url!r:.200} has characters that an address writes as %XX")
    if split.path.rstrip("/").endswith("/api/v1"):
        raise ValueError(f"url: {url!r:.200} ends before /api/v1, which is put to it")


def _check_header(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name):
        raise ValueError(f"headers: {name!r:.100} is not the name of a header")
    if name.lower() in _OURS:
        raise ValueError(f"headers: {name} is made by the client; leave it out")
    if name.lower() in _CREDENTIALS:
        raise ValueError(f"headers: {name} is a secret; use user and password, or bearer_token")
    if not (value.isascii() and _visible(value)):
        raise ValueError(f"headers: {name} has characters that no header may have")


def _visible(text: str) -> bool:
    return text.isprintable()
