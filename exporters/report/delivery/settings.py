"""Where a monthly report goes: a folder, mail (RFC 5321), a webhook. Key `delivery` of the city's profile."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Callable, Mapping
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Annotated, Final, Literal
from urllib.parse import urlsplit

import msgspec

from collectors.strictyaml import Duration, Secret
from exporters.findings.settings import ClientTls
from exporters.report.rendering import FORMATS, Format

_HEADER: Final = re.compile(r"[A-Za-z0-9-]{1,100}")
_OURS: Final = (
    "content-type",
    "content-length",
    "host",
    "transfer-encoding",
    "idempotency-key",
    "x-jianwei-signature",
)
_MIB: Final = 1 << 20


class Mailbox(str):
    """An address, with or without a name: `report@example.org`, `通报 <report@example.org>`."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Mailbox:
        if isinstance(text, str) and text.isprintable() and len(text) <= 320:
            name, address = parseaddr(text)
            try:
                found = Address(name, addr_spec=address)
            except (ValueError, IndexError, MessageError):
                found = None
            whole = text in (address, f"{name} <{address}>", f'"{name}" <{address}>')
            if found and whole and address.isascii() and found.username and found.domain:
                return cls(text)
        raise ValueError(f"{text!r:.330} is not an address; write name@example.org")

    @property
    def address(self) -> str:
        return parseaddr(self)[1]

    def header(self) -> Address:
        name, address = parseaddr(self)
        return Address(name, addr_spec=address)


class SmtpServer(ClientTls, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`max_bytes` is of one message, as it is sent. Without TLS only to this machine."""

    host: str
    sender: Mailbox = msgspec.field(name="from")
    port: Annotated[int, msgspec.Meta(ge=1, le=65535)] | None = None
    tls: Literal["starttls", "tls", "none"] = "starttls"
    user: str = ""
    password: Secret | None = None
    max_bytes: Annotated[int, msgspec.Meta(ge=1 << 16)] = 20 * _MIB
    timeout: Duration = Duration(60)

    def __post_init__(self) -> None:
        ClientTls.__post_init__(self)
        if not re.fullmatch(r"[A-Za-z0-9.:-]{1,255}", self.host):
            raise ValueError(f"{self.host!r:.300} is not the name or address of a mail server")
        if self.tls == "none" and not is_loopback(self.host):
            raise ValueError("tls: none is for a mail server on this machine only; write starttls")
        if bool(self.user) != (self.password is not None):
            raise ValueError("user and password go together")
        if self.tls == "none" and self.user:
            raise ValueError("a password is not sent without TLS")
        if self.password and not (self.user + self.password.reveal()).isascii():
            raise ValueError("user and password must be ASCII: the protocol has no other")

    @property
    def endpoint(self) -> tuple[str, int]:
        return self.host, self.port or {"tls": 465, "starttls": 587, "none": 25}[self.tls]


class SmtpSettings(SmtpServer, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`to` have the whole report, `departments` the excerpt of one each."""

    to: tuple[Mailbox, ...] = ()
    departments: Mapping[str, tuple[Mailbox, ...]] = {}
    formats: tuple[Format, ...] = ("pdf", "xlsx")
    subject: str = ""

    def __post_init__(self) -> None:
        SmtpServer.__post_init__(self)
        if not (self.to or self.departments):
            raise ValueError("there is nobody in to or departments")
        if not self.formats:
            raise ValueError("formats must not be empty")
        if not self.subject.isprintable():
            raise ValueError("subject must be one line")


class WebhookSettings(ClientTls, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`secret` signs each request. With `files` they are sent too (multipart/form-data), else told by name and hash."""

    url: str
    secret: Secret | None = None
    headers: Mapping[str, Secret] = {}
    files: bool = False
    formats: tuple[Format, ...] = FORMATS
    retries: Annotated[int, msgspec.Meta(ge=0, le=10)] = 3
    timeout: Duration = Duration(30)

    def __post_init__(self) -> None:
        ClientTls.__post_init__(self)
        check_url(self.url, repr(self.url))
        check_headers(self.headers)

    @property
    def shown(self) -> str:
        """Without what may be secret: its query."""
        split = urlsplit(self.url)
        return f"{split.scheme}://{split.netloc}{split.path}"


class DeliverySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """All of them that are set; `folder` has a folder for each month."""

    folder: str = ""
    smtp: SmtpSettings | None = None
    webhook: WebhookSettings | None = None

    @property
    def wanted(self) -> bool:
        return bool(self.folder or self.smtp or self.webhook)


def located(settings: DeliverySettings, folder: str) -> DeliverySettings:
    """Relative paths are relative to the folder of the profile."""
    replace = msgspec.structs.replace

    def at(path: str) -> str:
        return os.path.join(folder, os.path.expanduser(path)) if path else ""

    smtp = settings.smtp and replace(settings.smtp, **_tls(settings.smtp, at))
    webhook = settings.webhook and replace(settings.webhook, **_tls(settings.webhook, at))
    return replace(settings, folder=at(settings.folder), smtp=smtp, webhook=webhook)


def _tls(tls: ClientTls, at: Callable[[str], str]) -> dict[str, str]:
    return {name: at(getattr(tls, name)) for name in ("ca_file", "cert_file", "key_file")}


def check_url(url: str, shown: str) -> None:
    """Raises ValueError, which says `shown`, for what is not a URL to send to."""
    if not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError(f"{shown} has characters that a URL writes as %XX")
    try:
        split = urlsplit(url)
        _ = split.port
    except ValueError as error:
        raise ValueError(f"{shown}: {error}") from error
    host = split.hostname or ""
    plain = split.scheme == "http" and is_loopback(host)
    if not host or not (split.scheme == "https" or plain) or split.username is not None:
        raise ValueError(
            f"{shown} is not https://HOST/…; http is for this machine only, and a user goes into headers"
        )


def check_headers(headers: Mapping[str, Secret]) -> None:
    """Raises ValueError for those that cannot be headers of ours."""
    for name, value in headers.items():
        text = value.reveal()
        if not _HEADER.fullmatch(name) or name.lower() in _OURS:
            raise ValueError(f"{name!r:.120} cannot be a header here")
        if not (text.isascii() and text.isprintable()):
            raise ValueError(f"the header {name} has characters that no header may have")


def is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
