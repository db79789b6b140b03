"""Is there an SNMP agent at all? The discovery of SNMPv3 (RFC 3414 section 4) on a connected socket.

Any agent that knows SNMPv3 reports its engine to it, whoever asks. The connected socket also gets
the ICMP errors that an unconnected one is not told.
"""

from __future__ import annotations

import asyncio
import errno
import os
import secrets
from typing import NamedTuple

from collectors.link.interfaces import DeviceReason

_REFUSED = (errno.ECONNREFUSED,)


class Seen(NamedTuple):
    """What a discovery brought: an answer, a reason why there can be none, or neither."""

    answered: bool = False
    reason: DeviceReason = ""
    detail: str = ""


async def discover(host: str, port: int, patience: float) -> Seen:
    """Send one discovery and wait `patience` seconds for what comes of it."""
    loop = asyncio.get_running_loop()
    seen: asyncio.Future[Seen] = loop.create_future()
    try:
        transport, _ = await loop.create_datagram_endpoint(
            lambda: _Listener(seen), remote_addr=(host, port)
        )
    except OSError as error:
        return _failed(error)
    try:
        transport.sendto(message(secrets.randbits(31)))
        return await asyncio.wait_for(seen, patience)
    except TimeoutError:
        return Seen()
    finally:
        transport.close()


def message(number: int) -> bytes:
    """A reportable GET without objects, user and engine, by BER: every length is below 128."""
    identity = _field(0x02, number.to_bytes(4, "big"))
    zero, empty = _field(0x02, b"\0"), _field(0x04, b"")
    flags, usm = _field(0x04, b"\x04"), _field(0x02, b"\x03")
    head = _field(0x30, identity + _field(0x02, (65507).to_bytes(3, "big")) + flags + usm)
    security = _field(0x04, _field(0x30, empty + zero + zero + empty + empty + empty))
    get = _field(0xA0, identity + zero + zero + _field(0x30, b""))
    scope = _field(0x30, empty + empty + get)
    return _field(0x30, _field(0x02, b"\x03") + head + security + scope)


def _field(tag: int, content: bytes) -> bytes:
    return bytes((tag, len(content))) + content


def _failed(error: OSError) -> Seen:
    words = os.strerror(error.errno) if error.errno else str(error)
    return Seen(False, "refused" if error.errno in _REFUSED else "unreachable", words)


class _Listener(asyncio.DatagramProtocol):
    def __init__(self, seen: asyncio.Future[Seen]) -> None:
        self._seen = seen

    def datagram_received(self, data: bytes, addr: object) -> None:
        if not self._seen.done():
            self._seen.set_result(Seen(answered=True))

    def error_received(self, exc: Exception) -> None:
        if not self._seen.done() and isinstance(exc, OSError):
            self._seen.set_result(_failed(exc))
