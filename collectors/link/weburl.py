"""http and https URLs, as far as a probe needs them: RFC 3986, hosts as in a Host header (RFC 9110)."""

from __future__ import annotations

import re
from typing import Final, NamedTuple
from urllib.parse import quote, urljoin, urlsplit

from collectors.link.resolve import NotAnAddress, ascii_name, literal, valid_name

PORTS: Final = {"http": 80, "https": 443}
MAX_URL = 8192
_CONTROL = re.compile(r"[\x00-\x20\x7f]")
_KEPT = "%/:?#[]@!$&'()*+,;=~-._"  # reserved and escaped characters stand as they are


class Url(NamedTuple):
    """`host` is a name or a literal address, which may have a %device; `port` is 0 where the
    scheme says it; `path` has the query."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def tls(self) -> bool:
        return self.scheme == "https"

    @property
    def connects_to(self) -> int:
        return self.port or PORTS[self.scheme]

    @property
    def authority(self) -> str:
        """The Host header: in ASCII, without the device, which means nothing to the server."""
        host = self.host.partition("%")[0]
        host = f"[{host}]" if ":" in host else ascii_name(host)
        return f"{host}:{self.port}" if self.port else host

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}{self.path}"


def parse(text: str) -> Url:
    """A URL; raises ValueError with words."""
    text = text.strip()
    if len(text) > MAX_URL:
        raise ValueError(f"a URL is longer than {MAX_URL} characters")
    if _CONTROL.search(text):
        raise ValueError(f"{text!r} has spaces or control characters in it")
    parts = urlsplit(text)
    if parts.scheme not in PORTS:
        raise ValueError(f"{text!r} is no http or https URL")
    if "@" in parts.netloc:
        raise ValueError("a URL takes no user and password; a module has basic_auth")
    if ":" in parts.netloc and is_address(parts.netloc):
        raise ValueError(f"{parts.netloc} is an IPv6 address: write it as [{parts.netloc}]")
    port = parts.port  # ValueError where it is none
    host = (parts.hostname or "").replace("%25", "%", 1)
    if not host or port == 0:
        raise ValueError(f"{text!r} has no host or no port")
    if not valid_name(host) and not is_address(host):
        raise ValueError(f"{host!r} is no name of a host")
    path = quote(parts.path, safe=_KEPT) or "/"
    if parts.query:
        path = f"{path}?{quote(parts.query, safe=_KEPT)}"
    return Url(parts.scheme, host, port or 0, path)


def site(text: str) -> Url:
    """A site by its URL, or by a host alone, which is https; raises ValueError."""
    return parse(text if "://" in text else f"https://{text}")


def is_address(text: str) -> bool:
    try:
        literal(text)
    except NotAnAddress:
        return False
    return True


def names_a_host(location: str) -> bool:
    """Whether a Location that `join` has taken is more than a path."""
    return bool(urlsplit(location.strip()).netloc)


def join(base: Url, location: str) -> Url:
    """Where a redirect leads; raises ValueError."""
    return parse(urljoin(str(base), location.strip()))


def without_port(authority: str) -> str:
    """The host of a Host header."""
    if authority.startswith("["):
        return authority[1:].partition("]")[0]
    return authority.partition(":")[0]
