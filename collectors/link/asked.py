"""What a text asks to be probed, by prober: a URL, `host:port`, `host`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, NamedTuple

from collectors.link import weburl

# 0 is no port at all, None one that must be there. A module may say another one.
PORTS: Final[Mapping[str, int | None]] = {
    "icmp": 0,
    "tcp": None,
    "tls": 443,
    "dns": 53,
    "udp": None,
    "stamp": 862,
}


class Asked(NamedTuple):
    """`text` is what a prober gets to see as the target's text."""

    host: str
    port: int
    text: str

    def renamed(self, host: str) -> Asked:
        """The same of another host: what a configured target's name stands for."""
        if "://" in self.text:
            url = weburl.parse(self.text)._replace(host=host)
            return Asked(host, self.port, str(url))
        text = _joined(host, self.port) if self.port else host
        return Asked(host, self.port, text)


def split(prober: str, text: str, port: int | None = None) -> Asked:
    """The parts of a target; raises ValueError with words."""
    if prober == "http":
        url = weburl.parse(text if "://" in text.partition("?")[0] else f"http://{text}")
        return Asked(url.host, url.connects_to, str(url))
    default = PORTS.get(prober) if port is None else port
    if default == 0:
        return Asked(text, 0, text)
    host, asked = _host_and_port(text)
    if not asked:
        if default is None:
            raise ValueError(f"{text!r} has no port; write HOST:PORT, or [IPV6]:PORT")
        asked = default
    return Asked(host, asked, _joined(host, asked))


def _host_and_port(text: str) -> tuple[str, int]:
    """Port 0 where there is none. An IPv6 address needs brackets only before a port."""
    if weburl.is_address(text):
        return text, 0
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if (
            not bracket
            or rest[:1] not in ("", ":")
            or not weburl.is_address(host)
            or ":" not in host
        ):
            raise ValueError(f"{text!r} is no [IPV6]:PORT")
        port = rest[1:] if rest else None
    else:
        host, colon, after = text.rpartition(":")
        host, port = (host, after) if colon else (text, None)
    if not host or (":" in host and not weburl.is_address(host)):
        raise ValueError(f"{text!r} is no HOST:PORT; an IPv6 address is written [ADDRESS]:PORT")
    if port is None:
        return host, 0
    if not (port.isascii() and port.isdigit() and len(port) < 6 and 0 < int(port) < 65536):
        raise ValueError(f"{text!r} has no port from 1 to 65535")
    return host, int(port)


def _joined(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
