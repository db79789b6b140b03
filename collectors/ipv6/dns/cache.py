"""What walks have learnt, shared by many sites: delegations, addresses of name servers, who is silent.

It saves questions and changes no verdict: families are kept apart (what IPv4 found is no way for
IPv6), and a silent server is asked last, not left out.
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
        self._put(("start", families, name), start, _DEAD if start.dead else self._keep)

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
        self._put(("found", families, name, type_), found, self._keep)

    def silent(self, address: str) -> bool:
        """Whether an address gave no answer when it was asked last."""
        return bool(self._get(("silent", address)))

    def keep_silent(self, address: str, silent: bool) -> None:
        if silent or self.silent(address):
            self._put(("silent", address), silent, self._keep)

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
