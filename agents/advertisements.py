"""Watches for rogue routers and DHCPv6 servers on schedule, each in a child process.

The child, `jianwei ipv6 watch`, listens for a while and prints who advertised. What is new and was
not expected is a warning in the log, once.
"""

from __future__ import annotations

import contextlib
import logging
import os
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final, cast

import msgspec

from agents import children
from agents.rounds import Rounds
from collectors.ipv6.model import NotTested
from collectors.ipv6.wire.advertisers import (
    FORBIDDEN_HERE,
    NEEDS_RIGHT,
    NOBODY,
    NONE_UP,
    Advertiser,
    Watched,
    WatchSettings,
    counted,
)
from collectors.model import UNAVAILABLE, Family, counter, gauge, sample

log = logging.getLogger(__name__)

COMMAND: Final = ("ipv6", "watch")
START_PATIENCE = 15.0  # seconds beyond the listening, for the child to start and print
WARNINGS = 20  # of one watch; who makes up addresses must not fill the log
SAID = 4096  # bytes of a child's last words
REMEMBERED = 1000  # advertisers that were warned of


class AdvertisementWatch:
    """Watches every interval from `start` to `stop`. `problem` says why the last one brought nothing,
    or is empty."""

    def __init__(self, settings: WatchSettings, command: Sequence[str] = COMMAND) -> None:
        self._settings = settings
        self._command = command
        self._lock = threading.Lock()
        self._last: Watched | None = None
        self._ended = 0.0
        self._bad: Counter[tuple[str, str]] = Counter()
        self._warned: dict[tuple[str, str, str], None] = {}
        off = "ipv6_watch.enable is false"
        self.problem = "the first watch has not ended yet" if settings.enable else off
        self._why = ""  # as a fact says why it is not known
        self._state: object = None  # what was told last, None before the first
        self._changed: Callable[[], None] = lambda: None
        self._rounds = Rounds("ipv6-watch", settings.interval, self._watch)

    def start(self) -> None:
        if self._settings.enable:
            self._rounds.start()

    def stop(self) -> None:
        """Begin no other watch, and end the one under way."""
        self._rounds.stop()

    def adopt(self, before: AdvertisementWatch) -> None:
        """Go on counting where another one, that has been stopped, ends; before `start`."""
        with before._lock:
            self._bad.update(before._bad)
            self._warned.update(before._warned)

    def when_unexpected_change(self, call: Callable[[], None]) -> None:
        """Have this called after the first watch, and when one finds other unexpected advertisers
        than the one before, or that nobody can say any more; before `start`."""
        self._changed = call

    def advertisers(self) -> Any:
        """`ipv6_advertisers` of the last watch, or why it is not known; None where there was none."""
        with self._lock:
            last, why = self._last, self._why
        if last is None:
            return {UNAVAILABLE: why} if why else None
        return msgspec.to_builtins(last.advertisers)

    def families(self) -> Sequence[Family]:
        """The last watch; nothing where nobody watches."""
        if not self._settings.enable:
            return ()
        with self._lock:
            last, ended, bad = self._last, self._ended, dict(self._bad)
        rows = last.advertisers if last else ()
        return (
            gauge(
                "jianwei_ipv6_advertisers",
                "Routers and DHCPv6 servers heard in the last watch; expected is yes, no or unknown.",
                *(
                    sample(float(count), device=device, kind=kind, expected=word)
                    for (device, kind, word), count in counted(rows).items()
                ),
            ),
            gauge(
                "jianwei_ipv6_rogue_advertisers",
                "Routers and DHCPv6 servers heard in the last watch that are not expected.",
                *((sample(float(len(last.unexpected))),) if last else ()),
            ),
            counter(
                "jianwei_ipv6_forged_advertisements_total",
                "Advertisements heard that no host may take, by reason: hop_limit (not 255), source"
                " (not link-local), fragment, malformed.",
                *(
                    sample(float(count), device=device, reason=problem)
                    for (device, problem), count in bad.items()
                ),
            ),
            gauge(
                "jianwei_ipv6_watch_success",
                "Whether the last watch for advertisements ended well; 0 before the first.",
                sample(float(not self.problem)),
            ),
            gauge(
                "jianwei_ipv6_watch_timestamp_seconds",
                "Unix time at which the last watch for advertisements ended; none before the first.",
                *((sample(ended),) if ended else ()),
            ),
        )

    def _watch(self) -> None:
        try:
            found = watch(self._settings, self._command, self._rounds.stopping)
        except WatchFailed as error:
            if self._rounds.stopping.is_set():
                return
            self._fail(error)
            return
        self.take(found)

    def _fail(self, error: WatchFailed) -> None:
        log.error("the links could not be watched: %s", error)
        with self._lock:
            self._last, self._ended = None, time.time()  # what was heard before may be gone
            self.problem = f"the links could not be watched: {error}"
            self._why = error.unavailable
        self._tell_of(self._why.partition(":")[0])

    def _tell_of(self, state: object) -> None:
        if state != self._state:
            self._state = state
            self._changed()

    def take(self, found: Watched) -> None:
        """A watch that ended, and what it found."""
        with self._lock:
            for bad in found.bad:
                self._bad[bad.device, bad.problem] += bad.messages
        if found.unknown:
            why, _, detail = found.unknown.partition(": ")
            self._fail(WatchFailed(detail, cast(NotTested, why)))
            return
        with self._lock:
            self._last, self._ended, self.problem, self._why = found, time.time(), "", ""
            new = [row for row in found.unexpected if _who(row) not in self._warned]
            self._warned.update(dict.fromkeys(_who(row) for row in new))
            for oldest in list(self._warned)[:-REMEMBERED]:
                del self._warned[oldest]
        for row in new[:WARNINGS]:
            _tell(row)
        if len(new) > WARNINGS:
            log.warning("%d more advertisers are not expected", len(new) - WARNINGS)
        self._tell_of(frozenset(_who(row) for row in found.unexpected))


class WatchFailed(Exception):
    """A watch that brought nothing, and the word for why."""

    def __init__(self, detail: str, why: NotTested = "error") -> None:
        super().__init__(detail)
        self.unavailable = f"{why}: {detail}"


def watch(
    settings: WatchSettings,
    command: Sequence[str] = COMMAND,
    stop: threading.Event | None = None,
) -> Watched:
    """One watch in a child; raises WatchFailed."""
    seconds = settings.seconds + START_PATIENCE
    try:
        with _words() as words:
            ended = children.run((*command, *arguments_of(settings)), seconds, words, stop)
            said = _last_line(words)
        if ended.problem or ended.status not in (0, 1):  # 1: somebody is not expected
            told = ended.problem or said or f"exit status {ended.status}"
            raise WatchFailed(told, _word_for(said))
        if said:
            log.warning("the watch of the links said: %s", said)
        return msgspec.json.decode(ended.output, type=Watched)
    except (OSError, msgspec.MsgspecError) as error:
        raise WatchFailed(str(error)) from error


@contextlib.contextmanager
def _words() -> Iterator[int]:
    """A file in memory for a child's standard error."""
    words = os.memfd_create("words")
    try:
        yield words
    finally:
        os.close(words)


def _last_line(words: int) -> str:
    size = os.fstat(words).st_size
    lines = os.pread(words, SAID, max(0, size - SAID)).decode("utf-8", "replace").split("\n")
    return next((line for line in reversed(lines) if line.strip()), "").removeprefix("jianwei: ")


def _word_for(said: str) -> NotTested:
    if NEEDS_RIGHT in said or FORBIDDEN_HERE in said:
        return "permission"
    return "no_ipv6_here" if NONE_UP in said else "error"


def arguments_of(settings: WatchSettings) -> tuple[str, ...]:
    """The options of the command."""
    options = ["--json", f"--seconds={float(settings.seconds):g}"]
    options += [f"--interface={name}" for name in settings.interfaces]
    if settings.interfaces:
        options.append("--skip-down")
    for option, listed in (("router", settings.routers), ("dhcpv6", settings.dhcpv6_servers)):
        if listed is not None:
            options += [f"--{option}={address}" for address in listed or (NOBODY,)]
    if settings.solicit:
        options.append("--solicit")
    return tuple(options)


def _who(row: Advertiser) -> tuple[str, str, str]:
    return row.key, row.kind, row.station


def _tell(row: Advertiser) -> None:
    what = "router" if row.kind == "ra" else "DHCPv6 server"
    log.warning(
        "%s %s on %s (%s) is not expected: %s; prefixes: %s",
        *(what, row.address, row.device, row.station or "no hardware address"),
        ", ".join(why.replace("_", " ") for why in row.why),
        ", ".join(row.prefixes[:4]) or "none",
        extra={
            "event": {
                "kind": "ipv6_rogue_advertiser",
                "address": row.address,
                "device": row.device,
                "station": row.station,
                "advertises": row.kind,
                "why": list(row.why),
                "prefixes": list(row.prefixes),
            }
        },
    )
