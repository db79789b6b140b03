"""How many packets of each sender a stateful STAMP reflector has answered (RFC 8762 section 4)."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable

MOST = 10_000
IDLE = 300.0  # seconds after which a sender begins anew
_NUMBERS = 1 << 32


class Sessions:
    """Bounded: the one that has been silent for longest makes room."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._next: OrderedDict[Hashable, tuple[int, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._next)

    def __bool__(self) -> bool:
        return True

    def next(self, sender: Hashable, now: float) -> int:
        """The number of the sender's packet that came at `now`, from 0 on."""
        number, last = self._next.pop(sender, (0, now))
        if now - last > IDLE:
            number = 0
        self._next[sender] = (number + 1) % _NUMBERS, now
        if len(self._next) > self._most:
            self._next.popitem(last=False)
        return number
