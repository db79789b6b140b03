"""The console that this agent pushes to, and the token that it has there: of the configuration, or of `jianwei enrol`.

`console.json` in the state folder, which its owner alone may read: {"url", "token", "ca"}, the last one PEM or empty.
"""

from __future__ import annotations

import ipaddress
import ssl
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

import msgspec

from agents.owned import give
from collectors import strictyaml
from collectors.strictyaml import DocumentError, Duration
from exporters.aside import replacing
from exporters.findings.delivery import context
from exporters.findings.settings import ClientTls

FILE: Final = "console.json"  # in the state folder
FINDINGS: Final = "/api/v1/findings"
ALIVE: Final = "/api/v1/alive"
ENROL: Final = "/api/v1/enrol"
AUTHORITY: Final = "/api/v1/authority"


class LinkError(Exception):
    """Why there is no console to push to, though there should be one."""


class ConsoleSettings(ClientTls, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """`url` is the console's, `token_file` has the agent's token; both empty: those of `jianwei enrol`, and without
    them nothing is pushed. `interval` is from one sign of life to the next; an audit is pushed at once. `timeout` is
    for one request in all."""

    url: str = ""
    token_file: str = ""
    interval: Duration = Duration(300)
    timeout: Duration = Duration(60)

    def __post_init__(self) -> None:
        ClientTls.__post_init__(self)
        if bool(self.url) != bool(self.token_file):
            raise ValueError("url and token_file: both or none")
        if self.url:
            check_url(self.url)
        if not 1 <= self.interval <= 3600:
            raise ValueError(f"the interval of {self.interval:g} s must be from 1s to 1h")


class Link(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`ca` is PEM of who signed the console's certificate; empty: the system knows it."""

    url: str
    token: str
    ca: str = ""

    def trust(self) -> ssl.SSLContext:
        return trusting(self.ca)


def check_url(url: str) -> None:
    """Raises ValueError: a token goes over TLS, or does not leave this machine."""
    split = urlsplit(url)
    if split.scheme not in ("https", "http") or not split.hostname or split.username is not None:
        raise ValueError(f"{url!r} is not https://HOST")
    if split.query or split.fragment or not (url.isascii() and url.isprintable()) or " " in url:
        raise ValueError(f"{url!r}: write https://HOST:PORT, and nothing after it")
    try:
        _ = split.port
    except ValueError as error:
        raise ValueError(f"{url!r}: {error}") from error
    if split.scheme == "http" and not _is_loopback(split.hostname):
        raise ValueError(
            f"{url!r}: without TLS a token is for everybody on the way; write https://"
        )


def trusting(pem: str) -> ssl.SSLContext:
    """By the system's authorities, or by this one alone. Raises ValueError."""
    try:
        made = ssl.create_default_context(cadata=pem or None)
    except (OSError, ssl.SSLError, ValueError) as error:
        raise ValueError(f"the console's authority is no PEM: {error}") from error
    made.minimum_version = ssl.TLSVersion.TLSv1_2
    return made


def keep(folder: Path, link: Link) -> None:
    """For the folder's owner, whoever enrols. Raises OSError."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with replacing(folder / FILE, 0o600) as file:
        give(file.fileno(), folder)
        # a file that was there keeps its mode: it had a token in it, too
        file.write(msgspec.json.encode(link))


def find(settings: ConsoleSettings, folder: Path) -> tuple[Link, ssl.SSLContext] | None:
    """Where to push to now, and how it is verified; None where nowhere. Raises LinkError."""
    try:
        if settings.url:
            token = strictyaml.read(settings.token_file).decode("ascii").strip()
            link, trust = Link(settings.url, token), context(settings)
        else:
            path = folder / FILE
            if not path.exists():
                return None
            link = msgspec.json.decode(strictyaml.read(str(path)), type=Link)
            check_url(link.url)
            trust = link.trust()
    except (DocumentError, ValueError, OSError, msgspec.MsgspecError) as error:
        raise LinkError(str(error)) from error
    if not link.token or not (link.token.isascii() and link.token.isprintable()):
        raise LinkError("the agent's token is empty, or no header may have it")
    return link, trust


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
