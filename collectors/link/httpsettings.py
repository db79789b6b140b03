"""Settings of the http prober: the keys of blackbox_exporter's http module, and what they allow."""

from __future__ import annotations

import base64
import re
from typing import Annotated, Final, Literal

import msgspec

from collectors import strictyaml
from collectors.link.connect import Failure
from collectors.link.tlsconfig import Protocol, TlsConfig
from collectors.strictyaml import DocumentError, Regex, Secret

MEBIBYTE = 1 << 20
MAX_BODY = 256 * MEBIBYTE
DEFAULT_BODY = 10 * MEBIBYTE
_SIZE = re.compile(r"(\d{1,12})\s*(?:([kmg])i?)?b?", re.IGNORECASE)
_FACTORS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110
_OURS = ("content-length", "transfer-encoding", "connection")
_Status = Annotated[int, msgspec.Meta(ge=100, le=999)]
Compression = Literal["identity", "gzip", "deflate"]
SPOKEN: Final = ("HTTP/1.0", "HTTP/1.1")


class HeaderMatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A header of the answer and what is searched for in each of its values."""

    header: Annotated[str, msgspec.Meta(min_length=1)]
    regexp: Regex
    allow_missing: bool = False


class BasicAuth(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A user and a password."""

    username: str = ""
    password: Secret | None = None
    password_file: str = ""

    def __post_init__(self) -> None:
        if self.password and self.password_file:
            raise ValueError("either password or password_file")


class Authorization(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An Authorization header with a scheme of its own."""

    type: str = "Bearer"
    credentials: Secret | None = None
    credentials_file: str = ""

    def __post_init__(self) -> None:
        if bool(self.credentials) == bool(self.credentials_file):
            raise ValueError("either credentials or credentials_file")
        if not _TOKEN.fullmatch(self.type) or self.type.lower() == "basic":
            raise ValueError(f"{self.type!r} is no scheme for it; basic_auth is a key of its own")


class HttpModule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Settings of the prober `http`. `body_size_limit` in bytes, `10MB` or `10MiB`, both binary;
    0 is the default of 10 MiB, since nothing is read without end."""

    preferred_ip_protocol: Protocol = "ip6"
    ip_protocol_fallback: bool = True
    source_ip_address: str = ""
    valid_status_codes: tuple[_Status, ...] = ()
    valid_http_versions: tuple[str, ...] = ()
    method: str = "GET"
    headers: dict[str, str] = {}
    body: str = ""
    follow_redirects: bool = True
    no_follow_redirects: bool | None = None
    enable_http2: bool = False
    fail_if_ssl: bool = False
    fail_if_not_ssl: bool = False
    fail_if_body_matches_regexp: tuple[Regex, ...] = ()
    fail_if_body_not_matches_regexp: tuple[Regex, ...] = ()
    fail_if_header_matches: tuple[HeaderMatch, ...] = ()
    fail_if_header_not_matches: tuple[HeaderMatch, ...] = ()
    compression: Compression = "identity"
    body_size_limit: str | int = 0
    basic_auth: BasicAuth | None = None
    authorization: Authorization | None = None
    bearer_token: Secret | None = None
    bearer_token_file: str = ""
    tls_config: TlsConfig = TlsConfig()

    def __post_init__(self) -> None:
        if self.enable_http2:
            raise ValueError("enable_http2: HTTP/2 is not spoken; leave it out or say false")
        if self.valid_http_versions and not set(SPOKEN) & set(self.valid_http_versions):
            spoken = " and ".join(SPOKEN)
            raise ValueError(f"valid_http_versions: only {spoken} are spoken, so none could match")
        if not _TOKEN.fullmatch(self.method):
            raise ValueError(f"method: {self.method!r} is no HTTP method")
        for name, value in self.headers.items():
            _check_header(name, value)
        if self.fail_if_ssl and self.fail_if_not_ssl:
            raise ValueError("fail_if_ssl and fail_if_not_ssl: whatever came would fail")
        ways = (self.basic_auth, self.authorization, self.bearer_token, self.bearer_token_file)
        if sum(map(bool, ways)) > 1:
            raise ValueError("only one of basic_auth, authorization and bearer_token")
        _size(self.body_size_limit)

    @property
    def limit(self) -> int:
        """How many bytes of a body are read."""
        return _size(self.body_size_limit)

    @property
    def follows(self) -> bool:
        if self.no_follow_redirects is None:
            return self.follow_redirects
        return not self.no_follow_redirects

    @property
    def host_header(self) -> str:
        return next((v for name, v in self.headers.items() if name.lower() == "host"), "")

    def files(self) -> tuple[tuple[str, str], ...]:
        """The files it names, by key."""
        named = [("bearer_token_file", self.bearer_token_file)]
        if self.basic_auth:
            named.append(("basic_auth.password_file", self.basic_auth.password_file))
        if self.authorization:
            named.append(("authorization.credentials_file", self.authorization.credentials_file))
        return tuple((key, path) for key, path in named if path)

    def credentials(self) -> str:
        """The Authorization header, empty without one. Reads files; raises Failure."""
        if basic := self.basic_auth:
            secret = _secret(basic.password, basic.password_file)
            pair = f"{basic.username}:{secret}".encode()
            return f"Basic {base64.b64encode(pair).decode()}"
        if own := self.authorization:
            return f"{own.type} {_secret(own.credentials, own.credentials_file)}"
        if self.bearer_token or self.bearer_token_file:
            return f"Bearer {_secret(self.bearer_token, self.bearer_token_file)}"
        return ""


def _secret(given: Secret | None, path: str) -> str:
    if given:
        secret = given.reveal()
    elif path:
        try:
            secret = strictyaml.read(path).decode().strip()
        except (DocumentError, UnicodeDecodeError) as error:
            raise Failure("error", f"cannot read a secret: {error}") from error
    else:
        secret = ""
    if not secret.isprintable():
        raise Failure("error", "a secret has line ends or control characters in it")
    return secret


def _check_header(name: str, value: str) -> None:
    if not _TOKEN.fullmatch(name) or any(c in value for c in "\r\n\0"):
        raise ValueError(f"headers: {name!r} with this value is no HTTP header")
    if name.lower() in _OURS:
        raise ValueError(f"headers: {name} is made by the prober; leave it out")
    if name.lower() == "authorization":
        raise ValueError(
            f"headers: {name} is a secret; use basic_auth, authorization, bearer_token"
        )


def _size(text: str | int) -> int:
    if isinstance(text, str):
        match = _SIZE.fullmatch(text)
        if not match:
            raise ValueError(f"body_size_limit: {text!r} is no size; write for example 10MB")
        size = int(match[1]) * _FACTORS[(match[2] or "").lower()]
    else:
        size = text
    if not 0 <= size <= MAX_BODY:
        raise ValueError(f"body_size_limit: at most {MAX_BODY >> 20} MiB, not below 0")
    return size or DEFAULT_BODY
