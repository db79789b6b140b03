"""Listen addresses as Prometheus exporters write them, and their sockets.

`host:port`, `[ipv6]:port`, `name:port`. Without a host: every address of both families, by one
dual-stack socket, as Go does it; a host that is written means that address and nothing else.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import socket


class ListenError(ValueError):
    """An address that cannot be listened on. `str()` names it and says why."""


def parse(address: str) -> tuple[str, int]:
    """Host (empty for all) and port; raises ListenError."""
    host, colon, port = address.rpartition(":")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
    elif ":" in host:
        raise ListenError(f"{address!r}: an IPv6 address stands in brackets: [::1]:9808")
    if not colon or not port.isdecimal() or len(port) > 5 or int(port) > 65535:
        raise ListenError(f"{address!r} is not an address to listen on; write host:port or :port")
    return host, int(port)


def listen(address: str, backlog: int) -> list[socket.socket]:
    """Non-blocking listening sockets; several where a name has several addresses."""
    host, port = parse(address)
    if not host:
        try:
            return [_bound(socket.AF_INET6, ("::", port), backlog, only_v6=False)]
        except OSError as error:
            if error.errno not in (errno.EAFNOSUPPORT, errno.EADDRNOTAVAIL):
                raise ListenError(_why(address, error)) from error
        host = "0.0.0.0"  # noqa: S104 - no IPv6 on this machine, and all addresses are asked for
    sockets: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        for family, _, _, _, where in dict.fromkeys(found):
            sockets.append(_bound(family, where, backlog, only_v6=True))
    except OSError as error:
        for one in sockets:
            one.close()
        raise ListenError(_why(address, error)) from error
    return sockets


def _bound(
    family: int,
    where: tuple[str, int] | tuple[str, int, int, int] | tuple[int, bytes],
    backlog: int,
    *,
    only_v6: bool,
) -> socket.socket:
    # asyncio sets TCP_NODELAY only where the protocol is named
    one = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, only_v6)
        one.bind(where)
        one.listen(backlog)
        one.setblocking(False)
    except OSError:
        one.close()
        raise
    return one


def _why(address: str, error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"cannot listen on {address}: {error.strerror}"
    return f"cannot listen on {address}: {os.strerror(error.errno or 0)}"


def shown(one: socket.socket) -> str:
    """`127.0.0.1:9808`, `[::1]:9808`."""
    host, port = one.getsockname()[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def is_loopback(one: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    return ipaddress.ip_address(one.getsockname()[0].partition("%")[0]).is_loopback
