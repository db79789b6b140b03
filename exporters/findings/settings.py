"""Where findings are told, as changes happen: a file, an HTTPS receiver, a syslog receiver."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import urlsplit

import msgspec

from collectors.strictyaml import Duration, Secret

Transport = Literal["udp", "tcp", "tls"]
Facility = Literal[
    "user", "daemon", "auth", "authpriv", "local0", "local1", "local2", "local3", "local4",
    "local5", "local6", "local7",
]  # fmt: skip
MIN_QUEUE = 1 << 16  # bytes


class ClientTls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a receiver is verified, always: `ca_file` in PEM, else the system's authorities. `cert_file` and
    `key_file` are shown to it where it asks."""

    ca_file: str = ""
    cert_file: str = ""
    key_file: str = ""

    def __post_init__(self) -> None:
        if self.key_file and not self.cert_file:
            raise ValueError("key_file is there without cert_file")


class HttpsSettings(ClientTls, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`headers` go with each request, for example an Authorization; `timeout` is for one in all."""

    url: str
    headers: dict[str, Secret] = {}
    timeout: Duration = Duration(10)
    batch: Annotated[int, msgspec.Meta(ge=1, le=10_000)] = 100  # events a request

    def __post_init__(self) -> None:
        ClientTls.__post_init__(self)
        split = urlsplit(self.url)
        if split.scheme != "https" or not split.hostname or split.username is not None:
            raise ValueError(f"{self.url!r} is not https://HOST/…; a user goes into headers")
        try:
            _ = split.port
        except ValueError as error:
            raise ValueError(f"{self.url!r}: {error}") from error
        if not (self.url.isascii() and self.url.isprintable()) or " " in self.url:
            raise ValueError(f"{self.url!r} has characters that a URL writes as %XX")
        for name, value in self.headers.items():
            text = value.reveal()
            if not name.replace("-", "").isalnum() or not name.isascii():
                raise ValueError(f"{name!r} is not the name of a header")
            if not (text.isascii() and text.isprintable()):
                raise ValueError(f"the header {name} has characters that no header may have")


class CefSettings(ClientTls, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`address` is host:port. `server_name` is in the certificate, where the address's host is not."""

    address: str
    transport: Transport = "tls"
    server_name: str = ""
    facility: Facility = "local0"
    timeout: Duration = Duration(10)

    def __post_init__(self) -> None:
        ClientTls.__post_init__(self)
        endpoint(self.address)
        tls = (self.ca_file, self.cert_file, self.key_file, self.server_name)
        if self.transport != "tls" and any(tls):
            raise ValueError(f"the transport {self.transport} has no certificates; write tls")


class FindingsSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Each receiver has a queue on disk of its own, of `max_bytes`; a full one drops what is oldest."""

    ocsf_file: str = ""
    ocsf_https: HttpsSettings | None = None
    cef: CefSettings | None = None
    max_bytes: int = 64 << 20

    def __post_init__(self) -> None:
        if self.max_bytes < MIN_QUEUE:
            raise ValueError(f"max_bytes must be {MIN_QUEUE} or more")


def endpoint(address: str) -> tuple[str, int]:
    """Host and port of an address; raises ValueError."""
    host, _, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ValueError(f"{address!r}: an IPv6 address stands in brackets: [2001:db8::1]:6514")
    if not host or not (port.isascii() and port.isdecimal() and 0 < int(port[:6]) < 65536):
        raise ValueError(f"{address!r} is not host:port")
    return host, int(port)
