"""Conditions on where a packet comes from and goes to: addresses, their types, devices; pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from collectors.firewall.packetmatch import (
    ALWAYS,
    CHOSEN,
    NEVER,
    SOME,
    UNKNOWN,
    Kind,
    Matched,
    Test,
    fixed,
)
from collectors.firewall.places import (
    ANYWHERE,
    Addresses,
    Place,
    how_many,
    is_near,
    parse_addresses,
)


def sent_from(text: str) -> Test:
    """From an address, a network or a range of addresses, as they are written."""
    addresses = parse_addresses(text)
    if addresses is None:
        return fixed(UNKNOWN)

    def test(kind: Kind) -> Matched:
        if kind.family != addresses.family:
            return NEVER
        place = kind.sender or ANYWHERE[kind.family]
        matched = _HOW[how_many(addresses, place)]
        return CHOSEN if matched is SOME and kind.hostile and _most([addresses], place) else matched

    return test


_SHARE: Final = 8


def sent_from_most(texts: Iterable[str]) -> Test:
    """From several networks which are together no restriction: an eighth of the world or more."""
    listed = [it for it in map(parse_addresses, texts) if it is not None]

    def test(kind: Kind) -> Matched:
        if not kind.hostile or kind.sender is not None:
            return NEVER
        own = [it for it in listed if it.family == kind.family]
        return CHOSEN if _most(own, ANYWHERE[kind.family]) else NEVER

    return test


def _most(listed: Iterable[Addresses], place: Place) -> bool:
    """Whether so many of a place are listed that anybody is."""
    number, after = 0, place.first
    for one in sorted(it for it in listed):
        first, last = max(one.first, after), min(one.last, place.last)
        if first <= last:
            number, after = number + last - first + 1, last + 1
    return number * _SHARE >= place.last - place.first + 1


def sent_to(text: str) -> Test:
    """To an address, a network or a range: one of our addresses is not where every packet goes, but
    where somebody who wants to get in sends his."""
    addresses = parse_addresses(text)
    if addresses is None:
        return fixed(UNKNOWN)

    def test(kind: Kind) -> Matched:
        if kind.family != addresses.family:
            return NEVER
        matched = _HOW[how_many(addresses, kind.target or ANYWHERE[kind.family])]
        near = is_near(addresses)  # only neighbours reach these
        return CHOSEN if matched is SOME and kind.hostile and not near else matched

    return test


_HOW: Final = {"all": ALWAYS, "some": SOME, "none": NEVER}


def sent_from_a(names: Iterable[str]) -> Test:
    """From an address that is one of these to the host's routes: unicast, local, unspec …"""
    wanted = set(names)

    def test(kind: Kind) -> Matched:
        if kind.sender is not None and kind.sender.is_unspecified:
            own = "unspec"
        else:
            own = "local" if kind.leaves else "unicast"
        return ALWAYS if own in wanted else NEVER

    return test


def sent_to_a(names: Iterable[str]) -> Test:
    """To an address that is one of these to the host's routes: local, unicast, multicast …"""
    wanted = set(names)

    def test(kind: Kind) -> Matched:
        own = "unicast" if kind.leaves else "local"
        return ALWAYS if ("multicast" if kind.to_group else own) in wanted else NEVER

    return test


def comes_as(names: Iterable[str]) -> Test:
    """Framed for this host or for a group; the kernel has what it sends itself as for a host."""
    wanted = set(names)

    def test(kind: Kind) -> Matched:
        if kind.to_group and not kind.leaves:
            return ALWAYS if "multicast" in wanted else NEVER
        return NEVER if wanted.isdisjoint({"host", "unicast"}) else ALWAYS

    return test


def comes_by(pattern: str, wildcard: str, leaves: bool = False) -> Test:
    """In by a device, or out; a name that ends in `wildcard` stands for all that begin so."""

    def test(kind: Kind) -> Matched:
        if pattern == "lo" or kind.leaves != leaves:
            return NEVER
        if wildcard and pattern.endswith(wildcard):
            matches = kind.device.startswith(pattern.removesuffix(wildcard))
        else:
            matches = kind.device == pattern
        if not kind.device:  # any of them may be the one to the world
            return UNKNOWN
        return ALWAYS if matches else NEVER

    return test


def of_a_process(kind: Kind) -> Matched:
    """By whom it is sent: what the kernel sends of itself is nobody's."""
    return NEVER if kind.leaves else UNKNOWN
