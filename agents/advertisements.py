"""Watches for rogue routers and DHCPv6 servers on schedule, each in a child process.

The child, `jianwei ipv6 watch`, listens for a while and prints who advertised. What is new and was
not expected is a warning in the log, once.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Sequence
from typing import Any, Final

import msgspec

from agents import children
from agents.rounds import Rounds
from collectors.ipv6.wire.advertisers import (
    NOBODY,
    Advertiser,
    Watched,
    WatchSettings,
    counted,
)
from collectors.model import Family, counter, gauge, sample

log = logging.getLogger(__name__)

COMMAND: Final = ("ipv6", "watch")
START_PATIENCE = 15.0  # seconds beyond the listening, for the child to start and print
WARNINGS = 20  # of one watch; who makes up addresses must not fill the log
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

    def advertisers(self) -> Any:
        """`ipv6_advertisers` of the last watch; None where it failed, or there was none."""
        with self._lock:
            last = self._last
        return None if last is None else msgspec.to_builtins(last.advertisers)

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
            log.error("the links could not be watched: %s", error)
            with self._lock:
                self._last, self._ended = None, time.time()  # what was heard before may be gone
                self.problem = f"the links could not be watched: {error}"
            return
        self.take(found)

    def take(self, found: Watched) -> None:
        """A watch that ended well."""
        with self._lock:
            self._last, self._ended, self.problem = found, time.time(), ""
            for bad in found.bad:
                self._bad[bad.device, bad.problem] += bad.messages
            new = [row for row in found.unexpected if _who(row) not in self._warned]
            self._warned.update(dict.fromkeys(_who(row) for row in new))
            for oldest in list(self._warned)[:-REMEMBERED]:
                del self._warned[oldest]
        for row in new[:WARNINGS]:
            _tell(row)
        if len(new) > WARNINGS:
            log.warning("%d more advertisers are not expected", len(new) - WARNINGS)


class WatchFailed(Exception):
    """A watch that brought nothing."""


def watch(
    settings: WatchSettings,
    command: Sequence[str] = COMMAND,
    stop: threading.Event | None = None,
) -> Watched:
    """One watch in a child; raises WatchFailed."""
    seconds = settings.seconds + START_PATIENCE
    try:
        ended = children.run((*command, *arguments_of(settings)), seconds, stop=stop)
        if ended.problem or ended.status not in (0, 1):  # 1: somebody is not expected
            raise WatchFailed(ended.problem or f"exit status {ended.status}")
        return msgspec.json.decode(ended.output, type=Watched)
    except (OSError, msgspec.MsgspecError) as error:
        raise WatchFailed(str(error)) from error


def arguments_of(settings: WatchSettings) -> tuple[str, ...]:
    """The options of the command."""
    options = ["--json", f"--seconds={float(settings.seconds):g}"]
    options += [f"--interface={name}" for name in settings.interfaces]
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
