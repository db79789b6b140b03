"""Which hosts of an inventory are meant: `--limit`, in the words of those who know Ansible's.

    db-01  vm-*  finance  all  department=财政局  system=预算*  level=county  tier=gold

A word is a host's name or a group, `key=value` one of its labels; `*` stands for anything. Several, with commas or
the option repeated, are any of them; of those, `&word` keeps those that it fits as well, `!word` leaves out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Sequence
from fnmatch import translate
from typing import Final

from agents.errors import UserError
from agents.fleet.inventoryrow import text_of
from agents.fleet.model import FleetHost
from collectors.rowsfile import LEVEL_WORDS, nearest

KEYS: Final = ("name", "group", "department", "system", "region", "level", "owner")
Fits = Callable[[FleetHost], bool]


def limited(hosts: Sequence[FleetHost], limit: Collection[str]) -> tuple[FleetHost, ...]:
    """The hosts that are meant, in the order of the inventory; all of them without a limit.

    Raises UserError where a word fits nothing, so that a slip of the pen is not taken for done.
    """
    words = [word.strip() for text in limit for word in text.split(",") if word.strip()]
    if limit and not words:
        raise UserError("--limit names nothing; write names, groups or key=value")
    anyone: list[Fits] = []
    every: list[Fits] = []
    for word in words:
        fits = _fits(word.lstrip("!&"), hosts)
        if word.startswith("!"):
            every.append(lambda host, fits=fits: not fits(host))  # type: ignore[misc]
        else:
            (every if word.startswith("&") else anyone).append(fits)
    found = tuple(
        host
        for host in hosts
        if (not anyone or any(fits(host) for fits in anyone)) and all(fits(host) for fits in every)
    )
    if not found:
        raise UserError(f"--limit {','.join(words)}: no host is left")
    return found


def values_of(host: FleetHost, key: str) -> tuple[str, ...]:
    """What a host has of a key of selections: its groups, or one value, or nothing."""
    if key == "group":
        return host.groups
    value = getattr(host, key) if key in KEYS else host.labels.get(key)
    return (text_of(value),) if value else ()


def labels_of(hosts: Iterable[FleetHost]) -> set[str]:
    """The keys that there are beside KEYS."""
    return {name for host in hosts for name in host.labels}


def _fits(word: str, hosts: Sequence[FleetHost]) -> Fits:
    key, equals, pattern = word.partition("=")
    if not equals:
        fits = _named(word)
        if not any(map(fits, hosts)):
            known = dict.fromkeys(
                [it.name for it in hosts] + [g for it in hosts for g in it.groups]
            )
            raise UserError(
                f"--limit {word}: no host and no group is named so; {_near(word, known)}"
            )
        return fits
    keys = [*KEYS, *sorted(labels_of(hosts))]
    if key not in keys:
        raise UserError(f"--limit {word}: no key {key!r}; there are: {', '.join(keys)}")
    if key == "level":
        pattern = LEVEL_WORDS.get(pattern, pattern)
    match = re.compile(translate(pattern)).match
    known = dict.fromkeys(value for host in hosts for value in values_of(host, key))
    right = {value for value in known if match(value)}
    if not right:
        raise UserError(f"--limit {word}: no host has it; {_near(pattern, known)}")
    return lambda host: not right.isdisjoint(values_of(host, key))


def _named(word: str) -> Fits:
    if word in ("all", "*"):
        return lambda host: True
    match = re.compile(translate(word)).match
    return lambda host: bool(match(host.name)) or any(match(group) for group in host.groups)


def _near(word: str, known: dict[str, None]) -> str:
    return nearest(word, known) if known else "no host has any"
