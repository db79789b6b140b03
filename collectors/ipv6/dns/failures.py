"""Why nobody answers for a zone: one reason out of those of its servers, always the same one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, NamedTuple

from collectors.ipv6.dns.cache import Zone
from collectors.model import Reason

SILENCE: Final[tuple[Reason, ...]] = ("timeout", "dns_timeout")
# Nobody there said anything: it may be the way, and not the site.
NOBODY: Final[tuple[Reason, ...]] = (
    *SILENCE,
    *("unreachable_network", "unreachable_host", "unreachable_admin", "ttl_exceeded", "no_route"),
    *("unreachable_port", "connect_refused", "connect_reset"),
)
# So it is with what went wrong on this machine: nothing is seen of the site.
UNSEEN: Final[tuple[Reason, ...]] = (*NOBODY, "error")
_MOST_SHOWN = 6
# Who says something wrong tells more than who is silent.
_TELLING: Final[tuple[Reason, ...]] = (
    "dns_error",
    "dns_rcode",
    "dns_malformed",
    "dns_truncated",
    "connect_reset",
    "connect_refused",
    "unreachable_port",
    "unreachable_admin",
    "unreachable_host",
    "unreachable_network",
    "ttl_exceeded",
    "error",
    "dns_timeout",
    "timeout",
    "no_route",
    "not_allowed",
    "no_address",
)


class Failed(NamedTuple):
    """One server, by name or address, and what went wrong with it."""

    server: str
    reason: Reason
    detail: str


class Unanswered(Exception):
    """No server of a zone gave an answer that leads on; without a zone: there was none to ask."""

    def __init__(self, zone: Zone | None, reason: Reason, detail: str) -> None:
        super().__init__(detail)
        self.zone, self.reason, self.detail = zone, reason, detail


def summary(failed: Iterable[Failed]) -> tuple[Reason, str]:
    """The most telling reason, and every server's words, bounded."""
    rows = sorted(failed)
    if not rows:
        return "no_address", "it has no name servers"
    told = {one.reason for one in rows}
    reason: Reason = next((one for one in _TELLING if one in told), "error")
    words = "; ".join(f"{one.server}: {one.detail}" for one in rows[:_MOST_SHOWN])
    more = len(rows) - _MOST_SHOWN
    return reason, f"{words}; and {more} more" if more > 0 else words
