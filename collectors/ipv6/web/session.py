"""What all that looks at one site shares: the end of it, the bytes left, its names, whom to ask.

Addresses that can be nobody's site (loopback, link-local, mapped …) are never asked, whether they
come from DNS, a page or a redirect. IPv6 addresses that lead to IPv4 ones are what those are, too.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

from collectors.ipv6.addresskind import LOCAL_NAT64, address_in, embedded, kind
from collectors.ipv6.model import NEVER_ASKED, AddressKind, LookUp
from collectors.ipv6.web.domains import ascii_host
from collectors.ipv6.web.settings import WebSettings
from collectors.link.connect import Deadline, Failure, Stream, connect
from collectors.link.resolve import NotAnAddress, literal
from collectors.model import AddressFamily, Reason, Target

FAMILIES: Final[tuple[AddressFamily, ...]] = ("ipv4", "ipv6")
INSIDE: Final[frozenset[AddressKind]] = frozenset({"private", "unique_local"})
SILENCES = 3  # in a row, after which those with little patience no longer ask an address


class Spent(Exception):
    """The time or the bytes of the whole check are used up."""


def may_be_asked(address: str) -> bool:
    """Whether anybody else's site can be at an address."""
    try:
        return NEVER_ASKED.isdisjoint(_kinds(address))
    except ValueError:
        return False


def _kinds(address: str) -> set[AddressKind]:
    """Its own kind, and those of the IPv4 addresses behind it; raises ValueError."""
    return {kind(one) for one in (address, *embedded(address))}


def _is_inside(address: str) -> bool:
    return not INSIDE.isdisjoint(_kinds(address))


def _may_lead_inside(address: str) -> bool:
    """Behind a prefix of this network's own may be anything: where in it the IPv4 address stands, only
    the translator knows."""
    return _is_inside(address) or address_in(address, LOCAL_NAT64)


class Web:
    """What all that looks at one site shares: settings, the end, the bytes left, names known."""

    def __init__(
        self,
        host: str,
        addresses: Mapping[AddressFamily, Sequence[str]],
        look_up: LookUp,
        settings: WebSettings,
        deadline: Deadline,
    ) -> None:
        self.settings, self.deadline = settings, deadline
        self._look_up = look_up
        self._lock = threading.Lock()
        self._left = settings.site_bytes
        self._names: dict[tuple[str, AddressFamily], tuple[tuple[str, ...], Failure | None]] = {}
        for family in FAMILIES:
            self._names[host, family] = _known(host, family, tuple(addresses.get(family, ())))
        own = [one for its in addresses.values() for one in its if may_be_asked(one)]
        # all of it: else a site on the internet gives itself one such address, and is let in
        self._inside = bool(own) and all(_is_inside(one) for one in own)
        self._silent: Counter[tuple[str, int]] = Counter()

    def left(self) -> float:
        """Seconds left for the whole check; raises Spent."""
        try:
            return self.deadline.left()
        except Failure as failure:
            raise Spent(f"the time of the check is over: {failure.detail}") from failure

    def take(self, count: int) -> None:
        """Bytes that have come."""
        with self._lock:
            self._left -= count

    def full(self) -> bool:
        return self._left <= 0

    def addresses(self, host: str, family: AddressFamily) -> tuple[str, ...]:
        """The addresses of a name that may be asked; raises Failure where there are none, and Spent
        where time ends before anybody knows."""
        found = self._names.get((host, family))
        if found is None:
            found = self._ask(host, family)
            self._names[host, family] = found
        if found[1]:
            raise found[1]
        return found[0]

    def _ask(self, host: str, family: AddressFamily) -> tuple[tuple[str, ...], Failure | None]:
        try:
            address, own = literal(host)
        except NotAnAddress:
            self.left()
            told = self._look_up(ascii_host(host), family)
            if not told.addresses:
                self.left()  # cut off by the end of the check it says nothing of the name
                return (), Failure(told.reason or "no_address", told.detail or f"of {host}")
            return self._others(host, family, told.addresses)
        if own != family:
            return (), Failure("no_address", f"{host} is an {own} address")
        return self._others(host, family, (address,))

    def _others(
        self, host: str, family: AddressFamily, addresses: Sequence[str]
    ) -> tuple[tuple[str, ...], Failure | None]:
        """As `_known`, of a host that the site names: one on the internet must not lead us inside."""
        inside = [one for one in addresses if may_be_asked(one) and _may_lead_inside(one)]
        if inside and not self._inside:
            detail = f"{host} has the address {inside[0]}, which is inside; the site is not"
            return (), Failure("not_allowed", detail)
        return _known(host, family, addresses)

    def open(
        self, host: str, address: str, family: AddressFamily, port: int, deadline: Deadline
    ) -> Stream:
        """A TCP connection; raises Failure."""
        return connect(Target(host, address, family, port, host), port, "", deadline)

    def note(self, address: str, port: int, reason: Reason) -> None:
        """How asking an address has come out."""
        with self._lock:
            if reason == "timeout":
                self._silent[address, port] += 1
            else:
                self._silent.pop((address, port), None)

    def given_up(self, address: str, port: int) -> bool:
        return self._silent[address, port] >= SILENCES


def _known(
    host: str, family: AddressFamily, addresses: Sequence[str]
) -> tuple[tuple[str, ...], Failure | None]:
    """The addresses that may be asked, or why there are none."""
    asked = tuple(one for one in addresses if may_be_asked(one))
    if asked:
        return asked, None
    if addresses:
        return (), Failure("not_allowed", f"{host} has the address {addresses[0]}, nobody's site")
    return (), Failure("no_address", f"{host} has no {family} address")
