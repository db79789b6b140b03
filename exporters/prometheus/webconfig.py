"""The `--web.config.file`: TLS, client certificates, users, rate limit, headers.

Format: exporter-toolkit's docs/web-configuration.md, every key of it. Where Python's TLS cannot do
what Go's can, the result is narrower, never wider, and a warning says so:
- `http2` is accepted; HTTP/1.1 is served.
- `curve_preferences`: the first curve only. `TLS10` and `TLS11` as `min_version` mean `TLS12`.
- `RequireAnyClientCert` verifies, hence it needs a client CA.
Strings are as in the toolkit: `key` and the hashes stand in the file, so keep it to yourself.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal, NamedTuple

import msgspec

from collectors import strictyaml
from collectors.strictyaml import Document, DocumentError, Duration
from exporters.prometheus.tls import (
    CIPHERS,
    CURVES,
    VERSIONS,
    ClientCheck,
    Pem,
    TlsError,
    TlsPlan,
)

HEADERS: dict[str, tuple[str, ...]] = {  # the fixed set, and the only values where those are fixed
    "Content-Security-Policy": (),
    "Strict-Transport-Security": (),
    "X-Content-Type-Options": ("nosniff",),
    "X-Frame-Options": ("deny", "sameorigin"),
    "X-XSS-Protection": (),
}
CLIENT_AUTH = (
    "NoClientCert",
    "RequestClientCert",
    "RequireAnyClientCert",
    "RequireClientCert",  # the toolkit's older name of the one before
    "VerifyClientCertIfGiven",
    "RequireAndVerifyClientCert",
)
_BCRYPT_LENGTH = 60


class TlsServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    cert: str = ""
    cert_file: str = ""
    key: str = ""
    key_file: str = ""
    client_ca: str = ""
    client_ca_file: str = ""
    client_auth_type: str = ""
    client_allowed_sans: tuple[str, ...] | None = None
    min_version: str = "TLS12"
    max_version: str = "TLS13"
    cipher_suites: tuple[str, ...] = ()
    prefer_server_cipher_suites: bool = True
    curve_preferences: tuple[str, ...] = ()


class HttpServerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    http2: bool = True
    headers: dict[str, str] | None = None


class RateLimit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A token bucket for all requests together; interval 0 is none."""

    interval: str | Literal[0] = 0
    burst: int = 0


class WebConfigFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The document as it is written; a section without content is as good as none."""

    tls_server_config: TlsServerConfig | None = None
    http_server_config: HttpServerConfig | None = None
    basic_auth_users: dict[str, str] | None = None
    rate_limit: RateLimit | None = None


class WebConfig(NamedTuple):
    """The document checked, the certificates loaded.

    `users` are bcrypt hashes by name; `interval` is in seconds; `files` are those it depends on.
    """

    context: ssl.SSLContext | None = None
    sans: frozenset[str] = frozenset()
    files: tuple[str, ...] = ()
    users: Mapping[str, bytes] = MappingProxyType({})
    headers: tuple[tuple[bytes, bytes], ...] = ()
    interval: float = 0.0
    burst: int = 0
    warnings: tuple[str, ...] = ()

    @property
    def authenticates(self) -> bool:
        """Whether a stranger is refused: by a password or by a verified client certificate."""
        return bool(self.users) or self.verifies_clients

    @property
    def verifies_clients(self) -> bool:
        return self.context is not None and self.context.verify_mode == ssl.CERT_REQUIRED


def load(path: str) -> WebConfig:
    """The configuration in a file; raises DocumentError."""
    document = Document(strictyaml.read(path), path)
    parsed = document.convert(WebConfigFile)
    warnings: list[str] = []
    limit = parsed.rate_limit or RateLimit()
    plan = _plan(document, parsed.tls_server_config, warnings)
    try:
        context = plan.context() if plan else None
    except TlsError as error:
        raise _error(document, error.key, str(error)) from error
    return WebConfig(
        context=context,
        sans=plan.sans if plan else frozenset(),
        files=(path, *(plan.files() if plan else ())),
        users=_users(document, parsed.basic_auth_users or {}),
        headers=_headers(document, (parsed.http_server_config or HttpServerConfig()).headers or {}),
        interval=_interval(document, limit),
        burst=limit.burst,
        warnings=tuple(warnings),
    )


def _plan(document: Document, section: TlsServerConfig | None, warn: list[str]) -> TlsPlan | None:
    if section is None or section == TlsServerConfig():
        return None
    for key, valid in (("cipher_suites", CIPHERS), ("curve_preferences", CURVES)):
        for number, name in enumerate(getattr(section, key)):
            if name not in valid:
                raise document.error(
                    ("tls_server_config", key, number),
                    f"no such name {name!r}; there are: {', '.join(valid)}",
                )
    if len(section.curve_preferences) > 1:
        warn.append(f"curve_preferences: only {section.curve_preferences[0]} is used")
    cert, key_pem, ca = (_pem(document, section, name) for name in ("cert", "key", "client_ca"))
    if not cert or not key_pem:
        missing = "key" if cert else "cert"
        raise _error(document, "", f"needs {missing} or {missing}_file")
    low, high = _versions(document, section, warn)
    return TlsPlan(
        cert=cert,
        key=key_pem,
        client_ca=ca,
        client=_client(document, section, ca is not None, warn),
        sans=frozenset(section.client_allowed_sans or ()),
        low=low,
        high=high,
        ciphers=section.cipher_suites,
        server_order=section.prefer_server_cipher_suites,
        curve=section.curve_preferences[0] if section.curve_preferences else "",
    )


def _pem(document: Document, section: TlsServerConfig, name: str) -> Pem | None:
    text, path = getattr(section, name), getattr(section, f"{name}_file")
    if text and path:
        raise _error(document, name, f"stands beside {name}_file; keep one of them")
    if path:  # relative to the document
        directory = os.path.dirname(os.path.abspath(document.path))
        return Pem(f"{name}_file", path=os.path.join(directory, path))
    return Pem(name, text=text) if text else None


def _client(
    document: Document, section: TlsServerConfig, has_ca: bool, warn: list[str]
) -> ClientCheck:
    kind = section.client_auth_type or "NoClientCert"
    at = "client_auth_type"
    if kind not in CLIENT_AUTH:
        raise _error(document, at, f"no such type {kind!r}; there are: {', '.join(CLIENT_AUTH)}")
    required = kind.startswith("Require")
    if section.client_allowed_sans is not None and not required:
        raise _error(
            document, "client_allowed_sans", "needs client_auth_type: RequireAndVerifyClientCert"
        )
    if has_ca and kind == "NoClientCert":
        raise _error(document, at, "is missing: a client CA is given, but nobody is asked")
    if kind in ("NoClientCert", "RequestClientCert"):
        if kind == "RequestClientCert":
            warn.append(f"{at}: RequestClientCert verifies nothing, so no certificate is asked for")
        return "none"
    if not has_ca:
        raise _error(document, at, f"{kind} needs client_ca or client_ca_file")
    if kind in ("RequireAnyClientCert", "RequireClientCert"):
        warn.append(f"{at}: {kind} verifies certificates too, as RequireAndVerifyClientCert does")
    return "require" if required else "optional"


def _versions(
    document: Document, section: TlsServerConfig, warn: list[str]
) -> tuple[ssl.TLSVersion, ssl.TLSVersion]:
    for name in ("min_version", "max_version"):
        if getattr(section, name) not in VERSIONS:
            raise _error(
                document, name, f"no such version; there are: {', '.join(sorted(VERSIONS))}"
            )
    low, high = VERSIONS[section.min_version], VERSIONS[section.max_version]
    if low > high:
        raise _error(document, "min_version", "is above max_version")
    if high < VERSIONS["TLS12"]:
        raise _error(document, "max_version", "TLS 1.0 and 1.1 are not served; use TLS12 or TLS13")
    if low < VERSIONS["TLS12"]:
        warn.append(f"min_version: {section.min_version} is not served, TLS12 is the lowest")
        low = VERSIONS["TLS12"]
    return low, high


def _users(document: Document, users: dict[str, str]) -> dict[str, bytes]:
    for name, hashed in users.items():
        scheme, _, rest = hashed[1:].partition("$")
        cost = rest[:2]
        well_formed = len(hashed) == _BCRYPT_LENGTH and hashed.isascii() and hashed[0] == "$"
        if not well_formed or scheme not in ("2a", "2b", "2y") or not cost.isdigit():
            raise document.error(
                ("basic_auth_users", name), "is not a bcrypt hash; make one with htpasswd -nBC 10"
            )
        if not 4 <= int(cost) <= 18:  # above, one request costs minutes
            raise document.error(("basic_auth_users", name), "bcrypt cost must be 4 to 18")
    return {name: hashed.encode() for name, hashed in users.items()}


def _headers(document: Document, headers: dict[str, str]) -> tuple[tuple[bytes, bytes], ...]:
    for name, value in headers.items():
        at = ("http_server_config", "headers", name)
        if name not in HEADERS:
            raise document.error(at, f"cannot be set; there are: {', '.join(HEADERS)}")
        if HEADERS[name] and value not in HEADERS[name]:
            raise document.error(at, f"must be {' or '.join(HEADERS[name])}")
        if not (value.isascii() and value.isprintable()):
            raise document.error(at, "must be one line of ASCII")
    return tuple(
        (name.lower().encode(), value.encode()) for name, value in headers.items() if value
    )


def _interval(document: Document, limit: RateLimit) -> float:
    if limit.interval in (0, "0", "0s"):
        return 0.0
    try:
        seconds = Duration.parse(limit.interval)
    except ValueError as error:
        raise document.error(("rate_limit", "interval"), str(error)) from error
    if limit.burst < 1:
        raise document.error(("rate_limit", "burst"), "must be 1 or more, or nothing gets through")
    return seconds


def _error(document: Document, key: str, problem: str) -> DocumentError:
    return document.error(("tls_server_config", key) if key else ("tls_server_config",), problem)
