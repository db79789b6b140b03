"""Rules of nftables: the JSON of `nft -j list ruleset`, libnftables-json(5), nft(8).

Chains that a packet to this host meets: hooks ingress of its device, prerouting and input, of the
families ip, ip6, inet and netdev; of what it sends output, postrouting and egress; those of firewalld are such chains too. A statement that is not
known makes its rule one that is not understood, never one that passes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final, NamedTuple

from collectors.firewall.nftmatch import Sets, demands, elements, listed, test_of
from collectors.firewall.nfttext import rule_text
from collectors.firewall.packetmatch import ALWAYS, NEVER, UNKNOWN, Test, fixed
from collectors.firewall.places import Family
from collectors.firewall.walk import Base, Rule, Verdict
from collectors.model import ParseError

_FAMILIES: Final[dict[str, frozenset[Family]]] = {
    "ip": frozenset({"ipv4"}),
    "ip6": frozenset({"ipv6"}),
    "inet": frozenset({"ipv4", "ipv6"}),
    "netdev": frozenset({"ipv4", "ipv6"}),
}
# whether it is on the way out
HOOKS: Final = {
    **dict.fromkeys(("ingress", "prerouting", "input"), False),
    **dict.fromkeys(("output", "postrouting", "egress"), True),
}
_VERDICTS: Final[dict[str, Verdict]] = {
    "accept": "accept",
    "drop": "drop",
    "reject": "drop",
    "return": "return",
    "continue": "next",
}
# What a rule does beside its verdict. What is over a limit is not seen as a packet from anywhere.
_GOES_ON: Final = frozenset(
    (
        *("counter", "log", "comment", "last", "set", "map", "flow", "dup", "masquerade", "snat"),
        *(
            "ct helper",
            "ct timeout",
            "ct expectation",
            "secmark",
            "mangle",
            "meter",
            "add",
            "update",
        ),
    )
)
_LIMITS: Final = frozenset({"limit", "quota", "ct count"})
_REMEMBERS: Final = frozenset({"set", "map", "meter"})  # a limit for each sender, say


class Table(NamedTuple):
    family: str
    name: str


class Ruleset(NamedTuple):
    """Base chains by the table they are in. `native` are tables with what iptables has no words
    for, so that iptables-save would tell them wrongly."""

    bases: Mapping[Table, list[Base]]
    tables: frozenset[Table]
    native: frozenset[Table]


# Of packets that only pass through.
FORWARD: Final = {"forward": False}


def parse_ruleset(content: bytes, hooks: Mapping[str, bool] = HOOKS) -> Ruleset:
    """The base chains at these hooks; raises ParseError."""
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ParseError(f"nft: {error}") from error
    objects = document.get("nftables") if isinstance(document, Mapping) else None
    if not isinstance(objects, list):
        raise ParseError("nft: no list of objects")
    sets: dict[Table, dict[str, list[Any]]] = {}
    chains: dict[Table, dict[str, list[Rule]]] = {}
    hooked: list[tuple[Table, Mapping[str, Any]]] = []
    rules: list[tuple[Table, Mapping[str, Any]]] = []
    for kind, about in _objects(objects):
        table = Table(str(about.get("family")), str(about.get("table")))
        if kind in ("set", "map"):
            elem = about.get("elem", [])
            sets.setdefault(table, {})[str(about.get("name"))] = (
                elem if isinstance(elem, list) else []
            )
        elif kind == "chain":
            chains.setdefault(table, {}).setdefault(str(about.get("name")), [])
            if about.get("hook") in hooks and table.family in _FAMILIES:
                hooked.append((table, about))
        elif kind == "rule":
            rules.append((table, about))
    for table, about in rules:
        chain = chains.setdefault(table, {}).setdefault(str(about.get("chain")), [])
        chain.extend(_rules(about, table, sets.get(table, {})))
    bases: dict[Table, list[Base]] = {}
    for table, about in hooked:
        bases.setdefault(table, []).append(_base(table, about, chains[table]))
    native = {table for table, about in rules if _is_native(about)}
    return Ruleset(bases, frozenset(chains), frozenset(native))


def _is_native(about: Mapping[str, Any]) -> bool:
    text = json.dumps(about.get("expr"))
    return any(mark in text for mark in ('"set":', '"vmap":', '"@', '"concat":'))


def _objects(objects: list[Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for one in objects:
        if isinstance(one, Mapping):
            for kind, about in one.items():
                if isinstance(about, Mapping):
                    yield kind, about


def _base(table: Table, about: Mapping[str, Any], chains: Mapping[str, list[Rule]]) -> Base:
    name = str(about.get("name"))
    verdict: Verdict = "drop" if about.get("policy") == "drop" else "accept"
    devices = about.get("dev", [])
    names = devices if isinstance(devices, list) else [devices]
    at_device = about.get("hook") in ("ingress", "egress")
    return Base(
        table.name,
        name,
        _FAMILIES[table.family],
        chains,
        verdict,
        f"nft {table.family} {table.name} {name} policy {verdict}",
        filters=about.get("type") != "nat",
        devices=frozenset(str(one) for one in names) if at_device else frozenset(),
        leaves=HOOKS.get(str(about.get("hook")), False),
    )


def _rules(about: Mapping[str, Any], table: Table, sets: Sets) -> Iterator[Rule]:
    """A rule as rules of one verdict each: a map has one for each of its elements."""
    statements = about.get("expr")
    where = f"nft {table.family} {table.name} {about.get('chain')} handle {about.get('handle')}"
    source = f"{where}: {rule_text(statements)}"
    comment = about.get("comment")
    if isinstance(comment, str):
        source += f" # {comment[:60]}"
    tests: list[Test] = []
    extension = ""
    for statement in statements if isinstance(statements, list) else [None]:
        ((name, value),) = _one(statement)
        if name == "match":
            tests.append(_match(value, sets))
        elif name in _LIMITS:
            tests.append(_limit(name, value))
        elif name in _REMEMBERS:
            tests += _remembered(value)
        elif name == "vmap":
            yield from _vmap(value, tests, sets, source)
        elif name in _VERDICTS or name in ("jump", "goto"):
            verdict, target = _verdict(name, value)
            yield Rule(tuple(tests), verdict, target, source, _conditions(statements or []))
            return
        elif name == "xt":
            # of iptables: a comment, or a condition or a verdict that nft does not tell
            if not (isinstance(value, Mapping) and value.get("name") == "comment"):
                extension = source
                tests.append(fixed(UNKNOWN))
        elif name not in _GOES_ON:
            # where it goes, or whether it matches at all, is not known
            yield Rule(tuple(tests), "unknown", "", source)
            return
    if extension:
        yield Rule(tuple(tests), "unknown", "", extension)


def _conditions(statements: list[Any]) -> frozenset[tuple[str, ...]] | None:
    """The matches of a rule as texts; None where it depends on more than the packet."""
    found = set()
    for statement in statements:
        ((name, value),) = _one(statement)
        if name == "match":
            found.add(("match", json.dumps(value, sort_keys=True)))
        elif name in _LIMITS or name in _REMEMBERS or name == "xt":
            return None
    return frozenset(found)


def _one(statement: Any) -> list[tuple[str, Any]]:
    """Its name and what it is about; the name is empty where it is none."""
    if isinstance(statement, Mapping) and len(statement) == 1:
        return [(str(name), about) for name, about in statement.items()]
    return [("", None)]


def _limit(name: str, about: Any) -> Test:
    """The usual way to write one: what is over it is dropped, or what is below it goes in. Of one by
    name alone that is not known, nor how much of a quota is used up."""
    if not isinstance(about, Mapping):
        return fixed(UNKNOWN)
    if about.get("inv"):
        return fixed(NEVER)
    return fixed(UNKNOWN if name == "quota" else ALWAYS)


def _remembered(about: Any) -> Iterator[Test]:
    """`add @set { ip saddr limit rate over 9/minute }`, or a meter of the same."""
    if not isinstance(about, Mapping):
        yield fixed(UNKNOWN)
        return
    yield demands(about.get("elem", about.get("key")))
    inner = about.get("stmt", [])
    for one in inner if isinstance(inner, list) else [inner]:
        ((name, value),) = _one(one)
        if name in _LIMITS:
            yield _limit(name, value)
        elif name not in _GOES_ON:
            yield fixed(UNKNOWN)


def _verdict(name: str, value: Any) -> tuple[Verdict, str]:
    if name in ("jump", "goto"):
        target = value.get("target") if isinstance(value, Mapping) else None
        return ("jump" if name == "jump" else "goto"), str(target)
    return _VERDICTS.get(name, "unknown"), ""


def _match(about: Any, sets: Sets) -> Test:
    if not isinstance(about, Mapping):
        return fixed(UNKNOWN)
    return test_of(about.get("left"), str(about.get("op")), about.get("right"), sets)


def _vmap(about: Any, tests: list[Test], sets: Sets, source: str) -> Iterator[Rule]:
    data = elements(about.get("data"), sets) if isinstance(about, Mapping) else None
    if data is None:
        yield Rule((*tests, fixed(UNKNOWN)), "unknown", "", source)
        return
    for key, verdict in listed(data):
        test = test_of(about.get("key"), "==", key, {})
        if isinstance(verdict, Mapping) and len(verdict) == 1:
            ((name, value),) = verdict.items()
            yield Rule((*tests, test), *_verdict(str(name), value), source)
        else:
            yield Rule((*tests, test), "unknown", "", source)
