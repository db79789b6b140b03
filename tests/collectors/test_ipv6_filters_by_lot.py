"""Packet filters by lot: sets of ports, rules of any text, rules that are not understood."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from ipaddress import IPv6Address
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from collectors.firewall.intervals import LAST, Intervals, both, either, intervals, without
from collectors.firewall.iptables import parse_save
from collectors.firewall.nftables import parse_ruleset
from collectors.firewall.packetmatch import UNKNOWN, Kind, Matched, Test, fixed
from collectors.firewall.places import (
    ANYWHERE,
    LINK,
    SOLICITED,
    UNSPECIFIED,
    Addresses,
    how_many,
    parse_addresses,
)
from collectors.firewall.walk import Base, Rule, State, Verdict, segments
from collectors.model import (
    ParseError,
)
from tests.collectors.filterfacts import (
    ACCEPT,
    nft,
    port,
)

SMALL = st.lists(st.tuples(st.integers(-3, 40), st.integers(-3, 40)), max_size=5)


def members(of: Intervals) -> set[int]:
    return {n for first, last in of for n in range(first, min(last, 60) + 1)}


@given(SMALL, SMALL)
def test_intervals_are_sets(one: list[tuple[int, int]], other: list[tuple[int, int]]) -> None:
    a, b = intervals(one), intervals(other)
    assert members(a) == {n for x, y in one for n in range(max(x, 0), y + 1)}
    assert members(both(a, b)) == members(a) & members(b)
    assert members(either(a, b)) == members(a) | members(b)
    assert members(without(a, b)) == members(a) - members(b)
    for made in (a, both(a, b), either(a, b), without(a, b)):
        assert all(0 <= x <= y <= LAST for x, y in made)
        assert all(before[1] + 1 < after[0] for before, after in itertools.pairwise(made))


NUMBERS = st.sampled_from([((0, LAST),), ((0, 9),), ((5, 20),), ((10, 10), (30, 40)), ()])
VERDICTS: st.SearchStrategy[tuple[Verdict, str]] = st.sampled_from(
    [
        *(("accept", ""), ("drop", ""), ("return", ""), ("next", "")),
        *(("jump", "a"), ("jump", "b"), ("goto", "a"), ("goto", "b")),
    ]
)
PLAIN = st.tuples(NUMBERS, VERDICTS)
KIND = Kind("ipv6", "tcp", "wan")
KINDS = (
    KIND,
    Kind("ipv4", "udp", ""),
    Kind("ipv6", "icmpv6", "wan"),
    Kind("ipv6", "icmpv6", "wan", UNSPECIFIED, SOLICITED, leaves=True),
)


@given(st.text() | st.text(alphabet="0123456789abcdef:./-%", max_size=30))
def test_any_text_of_addresses(text: str) -> None:
    found = parse_addresses(text)
    assert found is None or {how_many(found, place) for place in ANYWHERE.values()}


@given(st.ip_addresses(v=6), st.ip_addresses(v=6))
def test_addresses_of_a_place(one: IPv6Address, other: IPv6Address) -> None:
    first, last = sorted((int(one), int(other)))
    rule = parse_addresses(f"{min(one, other)}-{max(one, other)}")
    assert rule == Addresses("ipv6", first, last)
    for place in (LINK, SOLICITED, UNSPECIFIED):
        ends = [first <= end <= last for end in (place.first, place.last)]
        if all(ends):
            assert how_many(rule, place) == "all"
        elif any(ends) or place.first < first <= place.last:
            assert how_many(rule, place) == "some"
        else:
            assert how_many(rule, place) == "none"


def states(chains: Mapping[str, Sequence[Rule]], policy: Verdict) -> dict[int, State]:
    base = Base("t", "in", frozenset({"ipv6"}), chains, policy, "policy")
    found = segments([base], [KIND])
    return {
        n: one.outcomes[0].state for one in found for n in range(50) if one.first <= n <= one.last
    }


@settings(max_examples=300)
@given(
    st.fixed_dictionaries(
        {name: st.lists(PLAIN, max_size=4) for name in ("in", "a", "b")},
    ),
    st.sampled_from(["accept", "drop"]),
    st.data(),
)
def test_what_is_not_understood_is_never_said_to_pass_or_to_be_closed(
    drawn: dict[str, list[tuple[Intervals, tuple[Verdict, str]]]],
    policy: Verdict,
    data: st.DataObject,
) -> None:
    """Where a rule's condition is not known: what holds whether it is met or not, or unknown."""
    places = [(name, i) for name in ("in", "b", "a") for i in range(len(drawn[name]))]
    if not places:
        return
    unclear = set(data.draw(st.lists(st.sampled_from(places), min_size=1, max_size=3)))

    def rules(met: Mapping[tuple[str, int], Test]) -> dict[str, list[Rule]]:
        made: dict[str, list[Rule]] = {}
        for name, of_chain in drawn.items():
            made[name] = []
            for i, (numbers, (verdict, target)) in enumerate(of_chain):
                if name != "in" and target and (name, target) != ("a", "b"):
                    verdict, target = "next", ""  # no loops
                tests = [fixed(Matched(numbers)), met.get((name, i), fixed(Matched(((0, LAST),))))]
                made[name].append(Rule(tests, verdict, target, f"{name} {i}"))
        return made

    said = states(rules(dict.fromkeys(unclear, fixed(UNKNOWN))), policy)
    ways = itertools.product((fixed(Matched(((0, LAST),))), fixed(Matched())), repeat=len(unclear))
    worlds = [states(rules(dict(zip(unclear, way, strict=True))), policy) for way in ways]
    for number, state in said.items():
        if state != "unknown":
            assert {world[number] for world in worlds} == {state}


WORDS = st.sampled_from(
    [
        "-A",
        "INPUT",
        "!",
        "-p",
        "tcp",
        "udp",
        "ipv6-icmp",
        "-m",
        "--dport",
        "--dports",
        "22",
        "1:5",
        "-s",
        "-d",
        "::/0",
        "fe80::/10",
        "-j",
        "-g",
        "ACCEPT",
        "DROP",
        "RETURN",
        "a",
        "-i",
        "lo",
        "wan+",
        "--ctstate",
        "NEW,INVALID",
        "--icmpv6-type",
        "128",
        "1/9",
        "--tcp-flags",
        "SYN",
        "--syn",
        '"x',
        'y"',
        "'",
        "[1:2]",
        "COMMIT",
        "*filter",
        "*raw",
        ":INPUT",
        ":a",
        "-",
        "#",
        "--match-set",
        "src",
        "99999999999",
        "-1",
        "²",
        ",",
    ]
)


@given(st.lists(st.lists(WORDS, max_size=9).map(" ".join), max_size=8).map("\n".join) | st.text())
def test_any_text_of_iptables_save(text: str) -> None:
    try:
        bases = parse_save(text, "ipv6", "ip6tables")
        segments(bases, KINDS)
    except ParseError:
        return


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(
        st.sampled_from(
            ["payload", "meta", "ct", "set", "range", "prefix", "key", "protocol", "field", "concat",
             "elem", "val", "&", "|", "exthdr", "fib", "result", "xt", "jump", "target", "vmap", "data"]
        ),
        inner, max_size=3,
    ),
    max_leaves=8,
)  # fmt: skip
SIDES = JSON | st.sampled_from(
    [port(1)["match"]["left"], {"meta": {"key": "iifname"}}, {"ct": {"key": "state"}}]
)
STATEMENTS = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {
            "match": st.fixed_dictionaries(
                {"op": st.sampled_from(["==", "!=", "in", "<"]), "left": SIDES, "right": JSON}
            )
        }
    ),
    st.fixed_dictionaries({"vmap": st.fixed_dictionaries({"key": SIDES, "data": JSON})}),
    st.dictionaries(st.sampled_from(["set", "meter", "limit", "quota", "map"]), JSON, max_size=1),
    st.sampled_from([ACCEPT, {"drop": None}, {"jump": {"target": "in"}}, {"limit": {"inv": True}}]),
)


@given(st.lists(st.lists(STATEMENTS, max_size=4), max_size=4))
def test_any_rules_of_nft(rules: list[list[Any]]) -> None:
    ruleset = parse_ruleset(nft(*rules).encode())
    bases = [base for of_table in ruleset.bases.values() for base in of_table]
    try:
        segments(bases, KINDS)
    except ParseError:
        return


@given(st.binary() | JSON.map(lambda it: json.dumps({"nftables": it}).encode()))
def test_any_answer_of_nft(content: bytes) -> None:
    try:
        parse_ruleset(content)
    except ParseError:
        return
