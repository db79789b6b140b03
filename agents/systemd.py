"""Tells systemd that the service is ready, and then that it lives: sd_notify(3), datagrams to $NOTIFY_SOCKET."""

from __future__ import annotations

import contextlib
import logging
import os
import socket
import threading
from collections.abc import Callable, Mapping
from typing import Final

log = logging.getLogger(__name__)

BEATS: Final = 3  # within the time after which systemd takes the service for dead


def tell_ready() -> None:
    """Say READY=1, if this is a service of Type=notify. A reload then waits for it."""
    _tell(b"READY=1")


def watchdog_interval(environment: Mapping[str, str] = os.environ) -> float:
    """Seconds from beat to beat, as WatchdogSec= of the unit wants it; 0 where nobody waits for one."""
    told = environment.get("WATCHDOG_USEC", "")
    meant = environment.get("WATCHDOG_PID", "") in ("", str(os.getpid()))
    return int(told) / 1e6 / BEATS if meant and told.isascii() and told.isdigit() else 0.0


class Heart:
    """Beats while `problem` has nothing to say and no thread has died of an error. Without beats systemd
    kills the service and starts it again: an agent that is half dead would be so for ever."""

    def __init__(self, problem: Callable[[], str]) -> None:
        self._problem = problem
        self._died = self._said = ""
        self._before = threading.excepthook
        threading.excepthook = self._ended

    def beat(self) -> None:
        """To be called by what is the first to stand still when the service does."""
        if not (why := self._died or self._problem()):
            _tell(b"WATCHDOG=1")
        elif why != self._said:
            log.error("the watchdog is not told any more that all is well: %s", why)
        self._said = why

    def _ended(self, how: threading.ExceptHookArgs) -> None:
        self._before(how)
        name = how.thread.name if how.thread else "unknown"
        self._died = f"the thread {name!r} died of {how.exc_type.__name__}"


def _tell(state: bytes) -> None:
    if address := os.environ.get("NOTIFY_SOCKET"):
        abstract = address.replace("@", "\0", 1) if address.startswith("@") else address
        with (
            contextlib.suppress(OSError),  # nobody listens: the service goes on all the same
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify,
        ):
            notify.sendto(state, abstract)
