"""What walks have learnt, shared by many sites: delegations, addresses of name servers, who is silent.

It saves questions and changes no verdict: families are kept apart (what IPv4 found is no way for
IPv6), and a silent server is asked last, not left out. What nobody told counts from the third time on:
what is lost on the way of one walk must not fail the sites after it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from collectors.ipv6.dns.reply import Server
from collectors.model import AddressFamily, Reason

if TYPE_CHECKING:
    from dns.name import Name

Families = tuple[AddressFamily, ...]
MOST_ENTRIES: Final = 20_000
_DEAD = 60.0  # seconds until a zone to begin with is tried again
_SOON = 5.0  # seconds that silence counts at first
_OFTEN = 3  # times in a row


class Zone(NamedTuple):
    """A zone and its servers as the zone above gives them; `start`: as the settings do."""

    name: Name
    servers: tuple[Server, ...]
    start: bool = False


class Found(NamedTuple):
    """What a walk has found: records as text, sorted, or the reason why there are none.

    `told`: servers with authority say so, be it that there is nothing. `zone` is the one whose servers
    told, or could not be asked; `source` the address that told. `no_root`: nobody of the zone the walk
    begins with gave an answer to go on with, or there is no such zone.
    """

    records: tuple[str, ...] = ()
    reason: Reason = ""
    detail: str = ""
    zone: str = ""
    source: str = ""
    told: bool = False
    no_root: bool = False


class Start(NamedTuple):
    """Whether servers of a zone to begin with are there; the reason and words if nobody is."""

    dead: tuple[Reason, str] | None = None


class DelegationCache:
    """Thread-safe; entries last for `keep` seconds at most."""

    def __init__(self, keep: float = 300.0, clock: Callable[[], float] = time.monotonic) -> None:
        self._keep, self._clock = keep, clock
        self._kept: dict[tuple[object, ...], tuple[float, Any]] = {}
        self._lock = threading.Lock()
        self._meetings: dict[tuple[Families, Name], threading.Lock] = {}

    def start(self, families: Families, name: Name) -> Start | None:
        start: Start | None = self._get(("start", families, name))
        return start

    def keep_start(self, families: Families, name: Name, start: Start) -> None:
        key = ("start", families, name)
        if not start.dead:
            self._forget(("often", key))
            self._put(key, start, self._keep)
        else:
            self._put(key, start, _DEAD if self._often(key) else _SOON)

    def meeting(self, families: Families, name: Name) -> threading.Lock:
        """Held by who tries a zone to begin with, so that not every site tries it at once."""
        with self._lock:
            return self._meetings.setdefault((families, name), threading.Lock())

    def zone(self, families: Families, name: Name) -> Zone | None:
        zone: Zone | None = self._get(("zone", families, name))
        return zone

    def keep_zone(self, families: Families, zone: Zone, ttl: int) -> None:
        self._put(("zone", families, zone.name), zone, ttl)

    def found(self, families: Families, name: Name, type_: int) -> Found | None:
        found: Found | None = self._get(("found", families, name, type_))
        return found

    def keep_found(self, families: Families, name: Name, type_: int, found: Found) -> None:
        """What nobody has told is kept from the third time on."""
        key = ("found", families, name, type_)
        if found.told:
            self._forget(("often", key))
        elif not self._often(key):
            return
        self._put(key, found, self._keep)

    def silent(self, address: str) -> bool:
        """Whether an address gave no answer when it was asked last."""
        return bool(self._get(("silent", address)))

    def keep_silent(self, address: str, silent: bool) -> None:
        """Whether it gave one; silence counts for seconds, from the third time in a row on longer."""
        key = ("silent", address)
        if silent:
            self._put(key, True, self._keep if self._often(key) else _SOON)
        else:
            self._forget(key, ("often", key))

    def _often(self, key: tuple[object, ...]) -> bool:
        """Whether it has been so, with this one, often in a row."""
        count = (self._get(("often", key)) or 0) + 1
        self._put(("often", key), count, self._keep)
        return count >= _OFTEN

    def _forget(self, *keys: tuple[object, ...]) -> None:
        with self._lock:
            for key in keys:
                self._kept.pop(key, None)

    def _get(self, key: tuple[object, ...]) -> Any:
        with self._lock:
            end, value = self._kept.get(key, (0.0, None))
        return value if self._clock() < end else None

    def _put(self, key: tuple[object, ...], value: object, seconds: float) -> None:
        with self._lock:
            self._kept.pop(key, None)
            while len(self._kept) >= MOST_ENTRIES:
                del self._kept[next(iter(self._kept))]  # the oldest
            self._kept[key] = (self._clock() + min(seconds, self._keep), value)
