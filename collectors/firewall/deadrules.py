"""Rules that no packet can reach, as an earlier rule of their chain takes all that they would match; pure.

What is found is certain: an earlier rule ends the chain's way, and each of its conditions is one of the
later rule's, or wider than one of these (ports, networks). What else is dead is not found.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Iterable, Sequence
from typing import Any, Final

from collectors.firewall.places import Addresses, parse_addresses
from collectors.firewall.walk import Base, Rule

_ENDS: Final = frozenset({"accept", "drop", "return", "goto"})
_PAIRS: Final = 60_000  # comparisons of conditions in all
_PORTS: Final = ("--dport", "--destination-port", "--sport", "--source-port")
_ADDRESSES: Final = ("-s", "--source", "-d", "--destination")
Condition = tuple[str, ...]


def dead_rules(bases: Iterable[Base]) -> tuple[list[dict[str, Any]], bool]:
    """Rows of rule, by (what takes its packets), source; and whether all rules were looked at."""
    rows: dict[str, dict[str, Any]] = {}
    left = _PAIRS
    seen: set[int] = set()
    for base in bases:
        # base chains of one table share its chains
        if id(base.chains) in seen or not base.filters:
            continue
        seen.add(id(base.chains))
        for rules in base.chains.values():
            left = _chain(rules, rows, left)
            if left < 0:
                return list(rows.values()), False
    return list(rows.values()), True


def _chain(rules: Sequence[Rule], rows: dict[str, dict[str, Any]], left: int) -> int:
    enders: list[Rule] = []
    whole: dict[frozenset[Condition], Rule] = {}
    for rule in rules:
        if rule.conditions is None:
            continue
        by = whole.get(frozenset()) or whole.get(rule.conditions)
        if by is None:
            for other in enders:
                left -= 1
                if left < 0:
                    return left
                if other.conditions is not None and _covers(other.conditions, rule.conditions):
                    by = other
                    break
        if by is not None:
            if by.source != rule.source or by is not rule:
                rows.setdefault(
                    rule.source, {"rule": rule.source, "by": by.source, "source": rule.source}
                )
        elif rule.verdict in _ENDS:
            enders.append(rule)
            whole.setdefault(rule.conditions, rule)
    return left


def _covers(wide: frozenset[Condition], narrow: frozenset[Condition]) -> bool:
    """Whether all that meets the narrow conditions meets the wide ones."""
    return all(one in narrow or any(_wider(one, other) for other in narrow) for one in wide)


def _wider(one: Condition, other: Condition) -> bool:
    if len(one) != 2 or len(other) != 2:
        return False
    if one[0] == "match":
        return other[0] == "match" and _nft_wider(one[1], other[1])
    if one[0] != other[0]:
        return False
    if one[0] in _PORTS:
        return _within(_range(other[1].replace(":", "-")), _range(one[1].replace(":", "-")))
    if one[0] in _ADDRESSES:
        return _inside(_addresses(other[1]), _addresses(one[1]))
    return False


# Each is laid beside many others.
_addresses = functools.lru_cache(4096)(parse_addresses)
_loaded = functools.lru_cache(4096)(json.loads)


def _nft_wider(one: str, other: str) -> bool:
    wide, narrow = _loaded(one), _loaded(other)
    if any(it.get("op") not in ("==", "in") for it in (wide, narrow)):
        return False
    if wide.get("left") != narrow.get("left") or wide.get("op") != narrow.get("op"):
        return False
    many = [_values(it.get("right")) for it in (wide, narrow)]
    return bool(many[1]) and all(
        any(_value_within(small, big) for big in many[0]) for small in many[1]
    )


def _values(right: Any) -> list[Any]:
    """The elements of a set written in the rule, or the one value."""
    listed = right.get("set") if isinstance(right, dict) and "set" in right else [right]
    return listed[:64] if isinstance(listed, list) and len(listed) <= 64 else []


def _value_within(small: Any, big: Any) -> bool:
    if small == big and not isinstance(small, dict):
        return not (isinstance(small, str) and small.startswith("@"))
    if _within(_numbers(small), _numbers(big)):
        return True
    return _inside(_network(small), _network(big))


def _numbers(value: Any) -> tuple[int, int] | None:
    if isinstance(value, int):
        return value, value
    pair = value.get("range") if isinstance(value, dict) else None
    if isinstance(pair, list) and len(pair) == 2 and all(isinstance(it, int) for it in pair):
        return pair[0], pair[1]
    return None


def _network(value: Any) -> Addresses | None:
    if isinstance(value, str):
        return parse_addresses(value) if value[:1].isdigit() or ":" in value else None
    about = value.get("prefix") if isinstance(value, dict) else None
    if not isinstance(about, dict):
        return None
    return parse_addresses(f"{about.get('addr')}/{about.get('len')}")


def _range(text: str) -> tuple[int, int] | None:
    first, dash, last = text.partition("-")
    if not (first.isascii() and first.isdigit() and len(first) < 6):
        return None
    if dash and not (last.isascii() and last.isdigit() and len(last) < 6):
        return None
    return int(first), int(last or first)


def _within(small: tuple[int, int] | None, big: tuple[int, int] | None) -> bool:
    return bool(small and big and big[0] <= small[0] and small[1] <= big[1])


def _inside(small: Addresses | None, big: Addresses | None) -> bool:
    if small is None or big is None or small.family != big.family:
        return False
    return big.first <= small.first and small.last <= big.last
