"""Who advertises on a link, merged from what they sent, and whether they were expected. Pure.

`ipv6_advertisers`: one row for each address, device, kind and station (hardware address).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from typing import Final, Literal, NamedTuple

import msgspec

from collectors.ipv6.wire.advertisements import (
    FORGED,
    Advertisement,
    Bad,
    Kind,
    Preference,
    Problem,
)
from collectors.strictyaml import Duration

FACT: Final = "ipv6_advertisers"
NOBODY: Final = "none"  # instead of an address: nobody is expected
MOST: Final = 256  # rows
NEEDS_RIGHT: Final = "needs CAP_NET_RAW to listen for advertisements"
FORBIDDEN_HERE: Final = "packet sockets are forbidden here"
NONE_UP: Final = "no interface with IPv6 is up"
_LISTED = 64  # prefixes and the like of one row

Why = Literal[
    "not_expected",  # it is not in the list
    "several_stations",  # other stations use the same address
    "other_prefix",  # than those of the routers expected on the link
    "other_station",  # the hardware address it names is not the one it sends from
    "high_preference",
    "zero_lifetime",  # it says that it is no default router (any more)
]


class Address(str):
    """An IPv6 address with or without `%device`, in its canonical form."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> Address:
        try:
            return cls(ipaddress.IPv6Address(text if isinstance(text, str) else ""))
        except ValueError:
            example = "write for example fe80::1 or fe80::1%eth0"
            raise ValueError(f"{text!r} is not an IPv6 address; {example}") from None


class RouterAddress(Address):
    """The address of a router. Hosts take advertisements from no other ones (RFC 4861, 6.1.2)."""

    __slots__ = ()

    @classmethod
    def parse(cls, text: object) -> RouterAddress:
        address = cls(super().parse(text))
        if not ipaddress.IPv6Address(address).is_link_local:
            raise ValueError(
                f"{text!r} is not link-local, and routers advertise from link-local addresses only;"
                " write the one behind via in the output of ip -6 route, for example fe80::1%eth0"
            )
        return address


class WatchSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether and how the agent watches. A list that is null is not known, an empty one means that
    nobody is expected; without `interfaces` all that have IPv6. Those that are down are left out."""

    enable: bool = False
    interfaces: tuple[str, ...] = ()
    routers: tuple[RouterAddress, ...] | None = None
    dhcpv6_servers: tuple[Address, ...] | None = None
    interval: Duration = Duration(300)
    seconds: Duration = Duration(10)
    solicit: bool = True

    def __post_init__(self) -> None:
        if self.seconds > self.interval:
            raise ValueError(
                f"seconds ({self.seconds:g}) must be within interval ({self.interval:g} s)"
            )


class Advertiser(msgspec.Struct, frozen=True):
    """A row. `expected` is null where nobody said who is; `why` is what is to be known about it.

    `lladdr` is the hardware address that it names, `station` the one that its frames come from.
    """

    key: str
    address: str
    device: str
    kind: Kind
    lladdr: str = ""
    station: str = ""
    prefixes: tuple[str, ...] = ()
    preference: Preference = ""
    lifetime: int | None = None
    managed: bool = False
    other: bool = False
    mtu: int | None = None
    dns: tuple[str, ...] = ()
    routes: tuple[str, ...] = ()
    nat64: tuple[str, ...] = ()
    messages: int = 1
    expected: bool | None = None
    why: tuple[Why, ...] = ()
    source: str = ""


class Forged(msgspec.Struct, frozen=True):
    """How many messages that hosts must not take came by one device, and why they must not."""

    device: str
    problem: Problem
    messages: int
    addresses: tuple[str, ...] = ()  # the first ones they claimed to come from

    @property
    def forged(self) -> bool:
        return self.problem in FORGED


class Watched(msgspec.Struct, frozen=True):
    """One watch of `devices`. `limited`: more came than was looked at; `lost` are devices that went
    down or away before the end."""

    devices: tuple[str, ...]
    seconds: float
    advertisers: tuple[Advertiser, ...] = ()
    bad: tuple[Forged, ...] = ()
    packets: int = 0
    limited: bool = False
    lost: tuple[str, ...] = ()

    @property
    def unexpected(self) -> list[Advertiser]:
        return [one for one in self.advertisers if one.expected is False]

    @property
    def unknown(self) -> str:
        """Why nobody can say that there is no unexpected one: a word of `NotTested` and what
        happened. Empty where somebody can, or there is one."""
        if self.unexpected:
            return ""
        if self.limited:
            return "budget: the watch was cut short: too many messages"
        if not set(self.devices) - set(self.lost):
            return f"no_ipv6_here: went down during the watch: {', '.join(self.lost)}"
        return ""


class Seen(NamedTuple):
    """A message with the device it came by and the hardware address it came from."""

    device: str
    station: str
    message: Advertisement | Bad


class Expected(NamedTuple):
    """Addresses with or without `%device`, by kind; None where nobody said."""

    ra: tuple[str, ...] | None = None
    dhcpv6: tuple[str, ...] | None = None

    def has(self, kind: Kind, address: str, device: str) -> bool | None:
        listed = self.ra if kind == "ra" else self.dhcpv6
        if listed is None:
            return None
        return address in listed or f"{address}%{device}" in listed


def expected(
    entries: Sequence[str] | None, form: type[Address] = Address
) -> tuple[str, ...] | None:
    """Addresses as people write them, in the form they are compared in; raises ValueError."""
    if entries is None:
        return None
    if NOBODY in entries:
        if len(entries) > 1:
            raise ValueError(f"{NOBODY!r} stands alone: nobody is expected")
        return ()
    return tuple(map(form.parse, entries))


class Heard:
    """What came so far: a row for each device, station, address and kind, however often it came, so
    that who repeats others' messages pushes nobody out. `full`: somebody has found no room."""

    def __init__(self) -> None:
        self._rows: dict[tuple[str, str, Kind, str], Advertiser] = {}
        self._bad: dict[tuple[str, Problem], Forged] = {}
        self.full = False

    def take(self, one: Seen) -> None:
        message = one.message
        if isinstance(message, Bad):
            where = one.device, message.problem
            before = self._bad.get(where, Forged(*where, 0))
            addresses = (*before.addresses, message.address)
            addresses = tuple(dict.fromkeys(addresses))[:4]
            self._bad[where] = Forged(*where, before.messages + 1, addresses)
            return
        key = one.device, message.address, message.kind, one.station
        if key in self._rows:
            self._rows[key] = _both(self._rows[key], message)
        elif len(self._rows) < MOST:
            self._rows[key] = _row(one, message)
        else:
            self.full = True

    def told(self, known: Expected) -> tuple[tuple[Advertiser, ...], tuple[Forged, ...]]:
        """The rows in the order they were first seen, and what was forged or malformed."""
        rows = list(self._rows.values())
        return tuple(_judged(row, rows, known) for row in rows), tuple(self._bad.values())


def _row(one: Seen, message: Advertisement) -> Advertiser:
    where = f"{one.device} {one.station}".rstrip()
    return msgspec.convert(
        {
            **msgspec.structs.asdict(message),
            "key": f"{message.address}%{one.device}",
            "device": one.device,
            "station": one.station,
            "source": where,
        },
        Advertiser,
    )


def _both(row: Advertiser, message: Advertisement) -> Advertiser:
    """A later message counts, but lists grow, and a lifetime that was 0 once is told."""
    lifetimes = [one for one in (row.lifetime, message.lifetime) if one is not None]
    return msgspec.structs.replace(
        row,
        lladdr=message.lladdr or row.lladdr,
        prefixes=_more(row.prefixes, message.prefixes),
        preference=message.preference or row.preference,
        lifetime=min(lifetimes, default=None),
        managed=message.managed or row.managed,
        other=message.other or row.other,
        mtu=row.mtu if message.mtu is None else message.mtu,
        dns=_more(row.dns, message.dns),
        routes=_more(row.routes, message.routes),
        nat64=_more(row.nat64, message.nat64),
        messages=row.messages + 1,
    )


def _more(one: tuple[str, ...], other: tuple[str, ...]) -> tuple[str, ...]:
    return one if one == other else tuple(dict.fromkeys((*one, *other)))[:_LISTED]


def _judged(row: Advertiser, rows: Sequence[Advertiser], known: Expected) -> Advertiser:
    is_expected = known.has(row.kind, row.address, row.device)
    why: list[Why] = []
    if is_expected is False:
        why.append("not_expected")
    if any((one.key, one.kind) == (row.key, row.kind) and one is not row for one in rows):
        # one of them is not who it says; which one, nobody can tell
        why.append("several_stations")
        is_expected = False if is_expected is not None else None
    right = {
        prefix
        for one in rows
        if (one.kind, one.device) == (row.kind, row.device)
        and known.has(one.kind, one.address, one.device)
        for prefix in one.prefixes
    }
    if row.kind == "ra":
        if is_expected is False and right and set(row.prefixes) - right:
            why.append("other_prefix")
        if row.lladdr and row.station and row.lladdr != row.station:
            why.append("other_station")
        if row.preference == "high":
            why.append("high_preference")
        if row.lifetime == 0:
            why.append("zero_lifetime")
    return msgspec.structs.replace(row, expected=is_expected, why=tuple(why))


def counted(rows: Iterable[Advertiser]) -> Mapping[tuple[str, Kind, str], int]:
    """Rows by device, kind and `yes`, `no` or `unknown`."""
    words = {True: "yes", False: "no", None: "unknown"}
    counts: dict[tuple[str, Kind, str], int] = {}
    for row in rows:
        key = row.device, row.kind, words[row.expected]
        counts[key] = counts.get(key, 0) + 1
    return counts
