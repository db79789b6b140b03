"""Who knocks: bcrypt with a bound on how much of it goes on at once, and how often an address may try.

One for each console, in memory. bcrypt lets other threads run while it works; a few checks at once are as many as
there are processors for, and pages need threads too.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import ipaddress
import secrets
import threading
from collections import OrderedDict
from collections.abc import Iterator
from typing import Final

import bcrypt

from exporters.console.people.policy import BYTES, PeopleSettings
from exporters.console.web.refusals import TooMany

_AT_ONCE: Final = 2
_WAITING: Final = 2  # more are told to come again
_WAIT: Final = 10.0  # seconds
_ADDRESSES: Final = 10_000


class Door:
    def __init__(self, settings: PeopleSettings) -> None:
        self._rounds = settings.rounds
        self._places = threading.BoundedSemaphore(_AT_ONCE + _WAITING)
        self._working = threading.BoundedSemaphore(_AT_ONCE)
        # of no password at all, and as much work as any
        self._decoy = bcrypt.gensalt(self._rounds) + secrets.token_hex(16)[:31].encode()
        self._key = secrets.token_bytes(32)
        self.addresses: Final = Buckets(settings.tries, settings.pause, _ADDRESSES)

    def hashed(self, password: str) -> str:
        with self._turn():
            return self._hashed(password)

    def matches(self, password: str, *hashes: str) -> bool:
        """Whether it is the password of one of the hashes. An empty hash, of who has no password, costs as much as
        another and is nobody's."""
        given = password.encode("utf-8", "surrogatepass")
        long, found = len(given) > BYTES, False
        with self._turn():
            for one in hashes:
                same = bcrypt.checkpw(given[:BYTES], one.encode() if one else self._decoy)
                found = found or (same and bool(one) and not long)
        return found

    def mark(self, name: str) -> str:
        """Of a name that nobody has, which may be a password in the wrong field: tells equal ones from others while
        this process lives, and nobody can guess what it was."""
        return hmac.new(
            self._key, name.encode("utf-8", "surrogatepass"), hashlib.sha256
        ).hexdigest()[:8]

    def _hashed(self, password: str) -> str:
        return bcrypt.hashpw(password.encode(), bcrypt.gensalt(self._rounds)).decode()

    @contextlib.contextmanager
    def _turn(self) -> Iterator[None]:
        if not self._places.acquire(blocking=False):
            raise TooMany("too_many", 5)
        try:
            if not self._working.acquire(timeout=_WAIT):
                raise TooMany("too_many", 5)
            try:
                yield
            finally:
                self._working.release()
        finally:
            self._places.release()


class Buckets:
    """A token bucket for each address (of IPv6 for each /64), at most `size` of them: the one that was quiet longest
    is forgotten first."""

    def __init__(self, tokens: int, pause: float, size: int) -> None:
        self._tokens, self._pause, self._size = tokens, pause, size
        self._lock = threading.Lock()
        self._of: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, when

    def take(self, address: str, now: float) -> None:
        """Raises TooMany."""
        key = network(address)
        with self._lock:
            left, when = self._of.get(key, (float(self._tokens), now))
            left = min(float(self._tokens), left + max(0.0, now - when) / self._pause)
            self._of[key] = (left - 1 if left >= 1 else left, now)
            self._of.move_to_end(key)
            if len(self._of) > self._size:
                self._of.popitem(last=False)
        if left < 1:
            raise TooMany("too_many", max(1, round((1 - left) * self._pause + 0.5)))

    def give_back(self, address: str) -> None:
        """Who turned out to be somebody does not count."""
        key = network(address)
        with self._lock:
            if key in self._of:
                left, when = self._of[key]
                self._of[key] = (min(float(self._tokens), left + 1), when)

    def __len__(self) -> int:
        return len(self._of)


def network(address: str) -> str:
    """One household of addresses: an IPv6 host may have 2^64 of them."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped:
            return str(ip.ipv4_mapped)
        return str(ipaddress.ip_network((ip, 64), strict=False))
    return str(ip)
