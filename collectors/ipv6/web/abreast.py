"""Requests side by side, at a pace: a few threads of one site, and when the next one may begin."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from collectors.ipv6.web.session import Spent, Web

Asked = TypeVar("Asked")
Came = TypeVar("Came")


class Pace:
    """At most `rate` beginnings a second, evenly."""

    def __init__(self, rate: float) -> None:
        self._pause = 1 / rate
        self._next = 0.0
        self._lock = threading.Lock()

    def wait(self, web: Web) -> None:
        """Until it is one's turn; raises Spent where the check ends before."""
        with self._lock:
            begin = max(self._next, time.monotonic())
            self._next = begin + self._pause
        pause = begin - time.monotonic()
        if pause >= web.left():
            raise Spent("no time is left for the pace that was asked for")
        if pause > 0:
            time.sleep(pause)


def abreast(
    call: Callable[[Asked], Came], asked: Sequence[Asked], at_once: int
) -> list[Came | Spent]:
    """What each call returns, in their order, or that the check was over before."""

    def bounded(one: Asked) -> Came | Spent:
        try:
            return call(one)
        except Spent as spent:
            return spent

    if not asked:
        return []
    with ThreadPoolExecutor(min(at_once, len(asked)), "web") as pool:
        return list(pool.map(bounded, asked))


def all_of(came: Sequence[Came | Spent]) -> list[Came]:
    """All that came; raises Spent if anything did not."""
    whole: list[Came] = []
    for one in came:
        if isinstance(one, Spent):
            raise one
        whole.append(one)
    return whole
